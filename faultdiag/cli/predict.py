"""`faultdiag predict`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faultdiag.cli.exits import INTERRUPTED, say, show, stop
from faultdiag.cli.options import AsJson, DaskAddress, Device, LogJson, OverrideRate, Quiet
from faultdiag.errors import counted

if TYPE_CHECKING:
    from faultdiag.prediction.resume import Count


def predict(
    run: Annotated[Path, typer.Argument(help="Run folder, checkpoint, or bearing-types.")],
    paths: Annotated[
        list[Path], typer.Argument(help="Recordings, folders, manifests; -: a list on stdin.")
    ],
    out: Annotated[Path | None, typer.Option(help="Write the rows to this file.")] = None,
    windows: Annotated[
        Path | None, typer.Option(help="Also write a row for each window to this file.")
    ] = None,
    pattern: Annotated[
        str | None, typer.Option("--glob", help="Which files of folders, such as '*_DE.mat'.")
    ] = None,
    as_json: AsJson = False,
    channel: Annotated[str | None, typer.Option(help="Channel to read.")] = None,
    sampling_rate: Annotated[float | None, typer.Option(help="Hz, where nothing says it.")] = None,
    rpm: Annotated[float | None, typer.Option(help="Shaft speed, where nothing says it.")] = None,
    bearing: Annotated[
        str | None, typer.Option(help="6205, …, or a geometry: balls,ball_diameter,pitch_diameter.")
    ] = None,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Add what the signal says by itself: evidence_*.")
    ] = False,
    override_rate: OverrideRate = False,
    device: Device = "auto",
    jobs: Annotated[int, typer.Option(min=1, help="Processes that read files.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the rows of --out.")] = False,
    file_timeout: Annotated[
        float, typer.Option(help="Seconds without progress after which a file is given up.")
    ] = 60.0,
    novel: Annotated[
        str, typer.Option(help="Recordings unlike the training data: mark, or reject as unknown.")
    ] = "mark",
    shard: Annotated[
        str | None, typer.Option(help="i/n: only this share of the recordings, for a cluster.")
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Merge the rows of all shards into --out.")
    ] = False,
    dask: DaskAddress = None,
    quiet: Quiet = False,
    log_as_json: LogJson = False,
) -> None:
    """Diagnose new recordings: one row each.

    Without a run of your own: faultdiag predict bearing-types FILE --bearing 6205 --rpm 1797

    Example: faultdiag predict runs/demo new_recordings --out diagnoses.csv
    """
    from faultdiag.prediction import predict as predicting
    from faultdiag.report.findings import Disagreements

    settings = predicting.PredictionSettings(
        out=out,
        as_json=as_json,
        channel=channel,
        sampling_rate=sampling_rate,
        rpm=rpm,
        bearing=bearing,
        override_rate=override_rate,
        device=device,
        jobs=jobs,
        resume=resume,
        pattern=pattern,
        windows=windows,
        evidence=evidence,
        file_timeout=file_timeout,
        novel=novel,
        shard=shard,
        merge=merge,
        dask=dask,
    )
    counts: list[Count] = []
    disagreements = Disagreements()
    try:
        rows, failed = predicting.predict_paths(
            run, paths, settings, on_row=disagreements.add, on_count=counts.append
        )
    except KeyboardInterrupt:
        kept = "; finished rows are kept: continue with the same command and --resume"
        how = kept if out is not None and predicting.is_begun(out) else ""
        raise stop(f"interrupted{how}", INTERRUPTED) from None
    if text := disagreements.text():
        say(text)
    if out is not None:
        which = "" if shard is None else f", shard {shard}"
        unknown = sum(count.novel for count in counts) if novel == "reject" else 0
        show(f"wrote {out}{which}: {_counts(rows, failed, unknown)}")
    if failed:
        raise stop(
            f"{failed} of {counted(rows, 'recording')} could not be diagnosed; see their rows", 1
        )


def _counts(rows: int, failed: int, unknown: int) -> str:
    tail = f", {unknown} unknown (unlike the training data)" if unknown else ""
    return f"{counted(rows, 'recording')}, {rows - failed - unknown} of them diagnosed{tail}"
