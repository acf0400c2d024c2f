"""Options that several commands take, and records of options that belong together.

A parameter of a command that is a record (`ConfigChoice`, `Reading`, `Progress`) is one option for
each of its fields.
"""

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faultdiag.cli.exits import be_quiet, log_json
from faultdiag.errors import FaultdiagError
from faultdiag.system.processes import without_collection
from faultdiag.system.terminal import printable_json

if TYPE_CHECKING:
    from faultdiag.config.schema import Config
    from faultdiag.prediction.reading import ReadRequest

ConfigPath = Annotated[
    Path | None, typer.Argument(metavar="CONFIG", help="YAML config.", show_default=False)
]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="The config, as an option.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="Override one setting: --set train.epochs=5.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
OverrideRate = Annotated[
    bool,
    typer.Option("--override-rate", help="Your rate and speed win over file and catalogue."),
]
ShardOf = Annotated[
    str | None, typer.Option("--shard", help="i/n: only this share of the work, for a cluster.")
]
Merge = Annotated[bool, typer.Option("--merge", help="Merge what all shards have finished.")]
DaskAddress = Annotated[
    str | None, typer.Option("--dask", help="Work on this Dask cluster: tcp://host:8786.")
]
Channel = Annotated[str | None, typer.Option(help="Channel to read.")]
Rate = Annotated[float | None, typer.Option(help="Sampling rate in Hz, if nothing else states it.")]
Rpm = Annotated[float | None, typer.Option(help="Shaft speed in rpm, if nothing else states it.")]
BearingName = Annotated[
    str | None, typer.Option(help="6205, …, or a geometry: balls,ball_diameter,pitch_diameter.")
]
Glob = Annotated[
    str | None, typer.Option("--glob", help="Only these files of folders, such as '*_DE.mat'.")
]
Readers = Annotated[int, typer.Option("--jobs", min=1, help="Processes that read files.")]
Plot = Annotated[Path | None, typer.Option(help="Draw it to a PNG.")]
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


@dataclass(frozen=True)
class ConfigChoice:
    """The config that a command is given, as an argument or by ``--config``, and changes of it."""

    config: ConfigPath = None
    config_option: ConfigOption = None
    settings: Settings = None
    override_rate: OverrideRate = False

    @property
    def path(self) -> Path:
        """The file of the config.

        Raises
        ------
        typer.BadParameter
            If there is none, or there are two.
        """
        if None not in {self.config, self.config_option} and self.config != self.config_option:
            raise typer.BadParameter(
                f"two configs are given: {self.config} and --config {self.config_option}; give one "
                "of them"
            )
        path = self.config or self.config_option
        if path is None:
            raise typer.BadParameter(
                "no config is given; name a YAML file, such as: faultdiag train my.yaml "
                "(faultdiag init writes one)"
            )
        return path

    @property
    def changes(self) -> list[str]:
        """The settings, and ``data.override_rate`` where ``--override-rate`` is given."""
        return [*(self.settings or []), *(["data.override_rate=true"] * self.override_rate)]

    def load(self) -> "Config":
        """Load the config with its changes; errors as for `path` and `load_config`."""
        with without_collection():
            from faultdiag.config.schema import load_config

        return load_config(self.path, self.changes)


@dataclass(frozen=True)
class Reading:
    """How recordings are read, where their files and the catalogues do not say."""

    channel: Channel = None
    sampling_rate: Rate = None
    rpm: Rpm = None
    bearing: BearingName = None

    def request(self, *, override_rate: bool = False) -> "ReadRequest":
        """Return the request for a recording that is still to be named."""
        from faultdiag.prediction.reading import ReadRequest

        return ReadRequest(
            Path(), self.channel, self.sampling_rate, self.rpm, self.bearing, override_rate
        )


@dataclass(frozen=True)
class Progress:
    """What a command writes to stderr; the options take effect while they are parsed."""

    quiet: Quiet = False
    log_as_json: LogJson = False


def require_picture(plot: Path | None) -> None:
    """Refuse a picture that can't be drawn before any work; errors as for `require_png`."""
    if plot is not None:
        from faultdiag.report.drawing import require_png

        require_png(plot)


def with_records(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with one option for each field of its records, in their place."""
    records: dict[str, type[Any]] = {}
    flat: list[inspect.Parameter] = []
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        if isinstance(parameter.annotation, type) and is_dataclass(parameter.annotation):
            records[parameter.name] = parameter.annotation
            flat += inspect.signature(parameter.annotation, eval_str=True).parameters.values()
        else:
            flat.append(parameter)

    @wraps(command)
    def call(**options: Any) -> None:
        require_other_files(options)
        require_picture(options.get("plot"))
        for name, record in records.items():
            options[name] = record(**{f.name: options.pop(f.name) for f in fields(record)})
        command(**options)

    flat = [p.replace(kind=p.KEYWORD_ONLY) for p in flat]
    call.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    call.__annotations__ = {p.name: p.annotation for p in flat}
    return call


# Options that name a file to write. Others name new folders, or refuse what exists.
_WRITTEN = ("out", "plot", "windows")
RUN_FILES = frozenset(
    {
        *("config.yaml", "environment.json", "split.json", "metrics.json"),
        *("history.jsonl", "history.csv"),
    }
)
"""Files of a run, beside its models, that no report may replace."""


def require_other_files(options: Mapping[str, Any]) -> None:
    """Refuse to write over what a command reads.

    Parameters
    ----------
    options
        Options and arguments of the command by name.

    Raises
    ------
    FaultdiagError
        If a file to write is one that is read, or a recording or part of a run in a folder that is
        read.
    """
    written = {name: options.get(name) for name in _WRITTEN}
    read = [
        path for name, value in options.items() if name not in written for path in _paths(value)
    ]
    for name, path in written.items():
        if isinstance(path, Path) and path.is_file() and any(_is_of(path, each) for each in read):
            raise FaultdiagError(
                f"--{name} {path} is what the command reads; give another file with --{name}"
            )


def _paths(value: object) -> list[Path]:
    values = value if isinstance(value, list) else [value]
    return [path for path in values if isinstance(path, Path)]


def _is_of(path: Path, source: Path) -> bool:
    """Return whether a file is a source, or a recording or part of a run in it."""
    if source.is_file():
        return path.samefile(source)
    if not source.is_dir() or not path.resolve().is_relative_to(source.resolve()):
        return False
    from faultdiag.readers.read import SUFFIXES

    # Tables of results may lie among recordings; predict knows them.
    kept = set(SUFFIXES) - {".csv", ".tsv", ".txt"} | {".pt"}
    return path.suffix.lower() in kept or path.name in RUN_FILES


def as_text(document: object) -> str:
    """Return a document as the JSON that commands print."""
    return printable_json(json.dumps(document, indent=2, ensure_ascii=False))
