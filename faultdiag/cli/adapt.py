"""`faultdiag adapt`."""

from pathlib import Path
from typing import Annotated

import typer

from faultdiag.cli.exits import show, stop
from faultdiag.cli.options import (
    AsJson,
    Device,
    LogJson,
    OverrideRate,
    Quiet,
    Settings,
    as_text,
)


def adapt(
    run: Annotated[Path, typer.Argument(help="Run folder or checkpoint.")],
    paths: Annotated[list[Path], typer.Argument(help="Unlabelled recordings, folders, manifests.")],
    out: Annotated[Path, typer.Option(help="Run folder to write.")],
    method: Annotated[
        str | None, typer.Option(help="mk_mmd_mcc, adabn, shot, …; else what the data allow.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Source data and settings; the run's own config.")
    ] = None,
    settings: Settings = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="How long to adapt.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Keep the model even where agreement falls.")
    ] = False,
    channel: Annotated[str | None, typer.Option(help="Channel to read.")] = None,
    sampling_rate: Annotated[float | None, typer.Option(help="Hz, where nothing says it.")] = None,
    rpm: Annotated[float | None, typer.Option(help="Shaft speed, where nothing says it.")] = None,
    bearing: Annotated[
        str | None, typer.Option(help="6205, …, or a geometry: balls,ball_diameter,pitch_diameter.")
    ] = None,
    pattern: Annotated[
        str | None, typer.Option("--glob", help="Which files of folders, such as '*_DE.mat'.")
    ] = None,
    override_rate: OverrideRate = False,
    device: Device = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
    log_as_json: LogJson = False,
) -> None:
    """Adapt a run to unlabelled recordings of another machine or condition.

    Example: faultdiag adapt runs/demo new_recordings --out runs/adapted
    """
    del quiet
    from faultdiag.api.adapt import refused_text, try_adapt
    from faultdiag.config.schema import load_config
    from faultdiag.prediction.reading import ReadRequest
    from faultdiag.report.training import adapted_text

    chosen = None if config is None else load_config(config, settings or [])
    if settings and config is None:
        raise stop("error: --set changes a config; give that too, with --config RUN/config.yaml", 1)
    adapted = try_adapt(
        run,
        paths,
        out=out,
        method=method,
        config=chosen,
        settings={},
        epochs=epochs,
        force=force,
        request=ReadRequest(Path(), channel, sampling_rate, rpm, bearing, override_rate),
        pattern=pattern,
        device=device,
    )
    show(as_text(adapted.metrics) if as_json else adapted_text(adapted))
    if adapted.refused:
        raise stop(f"error: {refused_text(adapted)}", 1)
