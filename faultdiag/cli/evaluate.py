"""`faultdiag eval`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from faultdiag.cli.exits import show
from faultdiag.cli.options import AsJson, Device, LogJson, Quiet, Settings, as_text
from faultdiag.errors import FaultdiagError


def evaluate(
    run: Annotated[Path, typer.Argument(help="Run folder or checkpoint.")],
    part: Annotated[str, typer.Option(help="train, valid or test.")] = "test",
    config: Annotated[Path | None, typer.Option(help="Evaluate on other data.")] = None,
    settings: Settings = None,
    split: Annotated[
        Path | None, typer.Option(help="Run or split.json whose split to use.")
    ] = None,
    snr: Annotated[
        list[float] | None, typer.Option(help="Add noise at this signal-to-noise ratio, dB.")
    ] = None,
    noise: Annotated[
        list[str] | None,
        typer.Option(help="Its kind: white, pink, brown, blue, impulsive or hum."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw accuracy over --snr to a PNG.")] = None,
    device: Device = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
    log_as_json: LogJson = False,
) -> None:
    """Print the metrics of a trained run, on its own split or on other data.

    Example: faultdiag eval runs/demo --snr -4 --snr 0 --noise white --noise pink
    """
    from faultdiag.api import evaluate as api
    from faultdiag.config.schema import load_config
    from faultdiag.report.training import evaluation_text

    if settings and config is None:
        raise FaultdiagError(
            "--set changes the config of other data; give that config too, with --config"
        )
    other = load_config(config, settings or []) if config else None
    options: dict[str, Any] = {"config": other, "split": split, "snr": snr or [], "plot": plot}
    options["noise"] = tuple(dict.fromkeys(noise or ["white"]))
    result = api.evaluate(run, part, **options, device=device)
    show(as_text(result) if as_json else evaluation_text(result))
