"""Options that several commands take."""

import json
from pathlib import Path
from typing import Annotated

import typer

from faultdiag.cli.exits import be_quiet, log_json
from faultdiag.system.terminal import printable_json

ConfigPath = Annotated[
    Path | None, typer.Argument(metavar="CONFIG", help="YAML config.", show_default=False)
]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="The same as an option.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="Override one setting: --set train.epochs=5.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
OverrideRate = Annotated[
    bool,
    typer.Option("--override-rate", help="Your rate and speed win over those of file, catalogue."),
]
DaskAddress = Annotated[
    str | None, typer.Option("--dask", help="Work on this Dask cluster: tcp://host:8786.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", callback=be_quiet, is_eager=True, help="No progress, notes or warnings."
    ),
]
LogJson = Annotated[
    bool,
    typer.Option(
        "--log-json",
        callback=log_json,
        is_eager=True,
        help="Progress, notes and warnings as JSON lines.",
    ),
]


def with_override(settings: list[str] | None, override_rate: bool) -> list[str]:
    """Return the settings, and ``data.override_rate`` where ``--override-rate`` is given."""
    return [*(settings or []), *(["data.override_rate=true"] if override_rate else [])]


def as_text(document: object) -> str:
    """Return a document as the JSON that commands print."""
    return printable_json(json.dumps(document, indent=2, ensure_ascii=False))


def config_path(argument: Path | None, option: Path | None) -> Path:
    """Return the config that a command was given, as an argument or by ``--config``.

    Raises
    ------
    typer.BadParameter
        If there is none, or there are two.
    """
    if argument is not None and option is not None and argument != option:
        raise typer.BadParameter(
            f"two configs are given: {argument} and --config {option}; give one of them"
        )
    path = argument or option
    if path is None:
        raise typer.BadParameter(
            "no config is given; name a YAML file, such as: faultdiag train my.yaml "
            "(faultdiag init writes one)"
        )
    return path
