"""`faultdiag train`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faultdiag.cli.exits import INTERRUPTED, say, show, stop
from faultdiag.cli.options import (
    ConfigOption,
    ConfigPath,
    Device,
    LogJson,
    OverrideRate,
    Quiet,
    Settings,
    config_path,
    with_override,
)

if TYPE_CHECKING:
    from faultdiag.training.session import Run

# What lets an adapted model pass that the guard refuses.
KEEP = "transfer.guard=none"


def train(
    config: ConfigPath = None,
    config_option: ConfigOption = None,
    settings: Settings = None,
    run: Annotated[Path | None, typer.Option(help="Run folder; runs/<config's name>.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace that run.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue that run.")] = False,
    device: Device = "auto",
    override_rate: OverrideRate = False,
    quiet: Quiet = False,
    log_as_json: LogJson = False,
) -> None:
    """Prepare if needed, train, evaluate on the test part, write the run folder.

    Example: faultdiag train configs/demo.yaml --set train.epochs=5
    """
    from faultdiag.config.schema import load_config

    path = config_path(config, config_option)
    settings = with_override(settings, override_rate)
    parsed = load_config(path, settings)
    folder = run or Path("runs") / path.stem
    again = ["--overwrite" if overwrite else "--resume"]

    from faultdiag.api.train import train_all
    from faultdiag.report.training import training_text
    from faultdiag.training.run_folder import train_command

    try:
        result = train_all(
            parsed,
            run=folder,
            device=device,
            overwrite=overwrite,
            resume=resume,
            tell=say,
            on_begun=lambda: again.__setitem__(0, "--resume"),
        )
    except KeyboardInterrupt:
        flags = again if device == "auto" else [*again, "--device", device]
        command = train_command(path, settings, folder, *flags)
        raise stop(f"interrupted; continue with: {command}", INTERRUPTED) from None
    show(training_text(result))
    _require_adapted(getattr(result, "runs", [result]))


def _require_adapted(runs: Iterable["Run"]) -> None:
    """End with an error where the guard refused an adapted model, with the command to keep it."""
    from faultdiag.training.run_folder import train_command

    for run in runs:
        if run.refused:
            keep = train_command(run.folder / "config.yaml", [KEEP], run.folder, "--resume")
            raise stop(f"{run.refused}; to keep the adapted model all the same: {keep}", 1)
