"""`faultdiag watch`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faultdiag.cli.exits import say, show
from faultdiag.cli.options import Device, LogJson, Quiet
from faultdiag.errors import counted

if TYPE_CHECKING:
    from faultdiag.prediction.rows import Row


def watch(
    run: Annotated[Path, typer.Argument(help="Run folder, checkpoint or ONNX file.")],
    folder: Annotated[Path, typer.Argument(help="Folder that recordings arrive in.")],
    out: Annotated[Path, typer.Option(help="CSV file that rows are appended to.")],
    every: Annotated[
        float, typer.Option(min=0.01, help="Seconds between looks; a file must stay so long.")
    ] = 5.0,
    once: Annotated[
        bool, typer.Option("--once", help="Diagnose what is complete and end, as for cron.")
    ] = False,
    channel: Annotated[str | None, typer.Option(help="Channel to read.")] = None,
    sampling_rate: Annotated[float | None, typer.Option(help="Hz, where nothing says it.")] = None,
    rpm: Annotated[float | None, typer.Option(help="Shaft speed, where nothing says it.")] = None,
    device: Device = "auto",
    quiet: Quiet = False,
    log_as_json: LogJson = False,
) -> None:
    """Diagnose new recordings of a folder as they arrive.

    Example: faultdiag watch model.onnx incoming --out diagnoses.csv
    """
    from faultdiag.prediction.reading import ReadRequest
    from faultdiag.prediction.watch import watch_folder

    options = ReadRequest(Path(), channel, sampling_rate, rpm)
    count = watch_folder(
        run,
        folder,
        out,
        options=options,
        device=device,
        every=every,
        once=once,
        on_row=_report,
    )
    show(f"wrote {counted(count, 'row')} to {out}")


def _report(row: "Row") -> None:
    say(f"{row.path}: {row.error or f'{row.label}, confidence {row.confidence:.2f}'}")
