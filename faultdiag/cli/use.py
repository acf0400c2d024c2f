"""The commands that use a run: eval, predict, explain, report, trend, export, watch."""

from dataclasses import asdict
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faultdiag.cli.exits import INTERRUPTED, say, show, stop
from faultdiag.cli.options import (
    AsJson,
    DaskAddress,
    Device,
    Glob,
    Merge,
    OverrideRate,
    Plot,
    Progress,
    Readers,
    Reading,
    Settings,
    ShardOf,
    as_text,
)
from faultdiag.errors import FaultdiagError, counted
from faultdiag.system.processes import without_collection

if TYPE_CHECKING:
    from faultdiag.api.export import Export
    from faultdiag.prediction.resume import Count
    from faultdiag.prediction.rows import Row


def evaluate(
    run: Annotated[Path, typer.Argument(help="Run folder or checkpoint.")],
    *,
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
        typer.Option(help="Kind of noise: white, pink, brown, blue, impulsive or hum."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw accuracy over --snr to a PNG.")] = None,
    device: Device = "auto",
    as_json: AsJson = False,
    progress: Progress,
) -> None:
    """Print the metrics of a trained run, on its own split or on other data.

    Example: faultdiag eval runs/demo --snr -4 --snr 0 --noise white --noise pink
    """
    with without_collection(freeze=True):
        from faultdiag.api import train as api
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


def predict(
    run: Annotated[Path, typer.Argument(help="Run folder, checkpoint, or bearing-types.")],
    paths: Annotated[
        list[Path], typer.Argument(help="Recordings, folders, manifests; -: a list on stdin.")
    ],
    *,
    out: Annotated[Path | None, typer.Option(help="Write the rows to this file.")] = None,
    windows: Annotated[
        Path | None, typer.Option(help="Also write a row for each window to this file.")
    ] = None,
    pattern: Glob = None,
    as_json: AsJson = False,
    reading: Reading,
    evidence: Annotated[
        bool,
        typer.Option("--evidence", help="Add evidence from the signal: columns evidence_*."),
    ] = False,
    override_rate: OverrideRate = False,
    device: Device = "auto",
    jobs: Readers = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the rows of --out.")] = False,
    file_timeout: Annotated[
        float, typer.Option(help="Give a file up after this many seconds without progress.")
    ] = 60.0,
    novel: Annotated[
        str, typer.Option(help="Recordings unlike the training data: mark, or reject as unknown.")
    ] = "mark",
    shard: ShardOf = None,
    merge: Merge = False,
    dask: DaskAddress = None,
    progress: Progress,
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
        **asdict(reading),
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


class ReportFormat(StrEnum):
    """Formats of a report."""

    html = "html"
    md = "md"
    json = "json"


class Units(StrEnum):
    """Units of a signal that severity can be computed from."""

    g = "g"
    m_s2 = "m/s2"
    mm_s = "mm/s"


class MachineMounting(StrEnum):
    """Mounting of a machine."""

    rigid = "rigid"
    flexible = "flexible"


class Embedding(StrEnum):
    """Projection of the embeddings of a run."""

    pca = "pca"
    tsne = "tsne"
    none = "none"


def report(
    source: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run, model, protocol folder, or predict's rows.")
    ],
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Recordings to diagnose, or predict's rows.")
    ] = None,
    *,
    out: Annotated[
        Path | None, typer.Option(help="File to write; report.html if not given.")
    ] = None,
    form: Annotated[
        ReportFormat | None,
        typer.Option("--format", help="html, md or json; default: by the ending of --out."),
    ] = None,
    units: Annotated[
        Units | None, typer.Option(help="Unit of the signals, for the velocity: g, m/s2 or mm/s.")
    ] = None,
    machine_group: Annotated[
        int | None,
        typer.Option(min=1, max=2, help="ISO 20816-3 group: 1 above 300 kW, 2 from 15 kW."),
    ] = None,
    mounting: Annotated[
        MachineMounting | None, typer.Option(help="Mounting of the machine: rigid or flexible.")
    ] = None,
    reading: Reading,
    pattern: Glob = None,
    override_rate: OverrideRate = False,
    pages: Annotated[
        int, typer.Option(min=0, help="Most recordings that get a page of their own.")
    ] = 60,
    embeddings: Annotated[
        Embedding, typer.Option(help="Projection of a run's embeddings: pca, tsne or none.")
    ] = Embedding.pca,
    device: Device = "auto",
    jobs: Readers = 1,
    progress: Progress,
) -> None:
    """Make a page of a prediction, a run, or a protocol: HTML, Markdown or JSON.

    Example: faultdiag report runs/demo new_recordings --out diagnoses.html
    """
    from faultdiag.api.report import report as make
    from faultdiag.api.report import report_options, write_report

    options = report_options(
        **asdict(reading),
        override_rate=override_rate,
        units=units and units.value,
        group=machine_group,
        mounting=mounting and mounting.value,
        device=device,
        jobs=jobs,
        pages=pages,
        pattern=pattern,
    )
    form = form or _format_of(out)
    make_text = partial(
        make, source, paths or [], options, form=form.value, projection=embeddings.value
    )
    if out is None and form is not ReportFormat.html:
        show(make_text(), nl=False)
        return
    target = out or Path("report.html")
    size = len(write_report(make_text, target))
    say(f"wrote {target}: {f'{size / 1e6:.1f} MB' if size >= 1e6 else f'{size / 1e3:.0f} kB'}")


def _format_of(out: Path | None) -> ReportFormat:
    """Return the format of a report by the ending of its file; HTML without one."""
    ending = "" if out is None else out.suffix.lower()
    formats = {"": "html", ".html": "html", ".htm": "html", ".md": "md", ".json": "json"}
    if ending not in formats:
        raise FaultdiagError(
            f"--out is {out}; a report is HTML, Markdown or JSON: give a name that ends in .html, "
            ".md or .json, or say which with --format"
        )
    return ReportFormat(formats[ending])


def explain(
    run: Annotated[Path, typer.Argument(help="Run folder or checkpoint.")],
    file: Annotated[Path, typer.Argument(help="A recording.")],
    *,
    plot: Plot = None,
    as_json: AsJson = False,
    reading: Reading,
    override_rate: OverrideRate = False,
    device: Device = "auto",
    progress: Progress,
) -> None:
    """Show what the network looked at in a recording.

    Example: faultdiag explain runs/demo new.mat --plot new.png
    """
    from faultdiag.api.report import report_options
    from faultdiag.api.report_recordings import draw_explanation, explanation_output
    from faultdiag.api.report_recordings import explain as make

    options = report_options(**asdict(reading), override_rate=override_rate, device=device)
    result = make(run, file, options)
    show(explanation_output(result, as_json=as_json), nl=as_json)
    if plot is not None:
        draw_explanation(result, plot)
        say(f"drew {plot}")


def trend(
    paths: Annotated[list[Path], typer.Argument(help="Recordings of one machine, or folders.")],
    *,
    healthy: Annotated[
        list[Path] | None, typer.Option(help="Healthy recordings; by default the first tenth.")
    ] = None,
    plot: Plot = None,
    as_json: AsJson = False,
    sigmas: Annotated[
        float, typer.Option(help="Limit in standard deviations above the mean.")
    ] = 3.0,
    persistence: Annotated[
        int, typer.Option(min=1, help="Consecutive recordings that make an alarm.")
    ] = 3,
    reading: Reading,
    override_rate: OverrideRate = False,
    pattern: Glob = None,
    progress: Progress,
) -> None:
    """Compare the recordings of a machine over time with its own healthy ones.

    Example: faultdiag trend machine3 --healthy machine3/1.csv
    """
    from faultdiag.api.report import report_options
    from faultdiag.api.trend import draw_trend, trend_output
    from faultdiag.api.trend import trend as make

    options = report_options(**asdict(reading), override_rate=override_rate)
    built, problems = make(
        paths,
        healthy or [],
        options.request,
        sigmas=sigmas,
        persistence=persistence,
        pattern=pattern,
    )
    show(trend_output(built, as_json=as_json), nl=False)
    for problem in problems:
        say(f"left out: {problem}")
    if plot is not None:
        draw_trend(built, plot)
        say(f"drew {plot}")


def export(
    run: Annotated[Path, typer.Argument(help="Run folder or checkpoint.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(help="FILE.onnx, or FILE.safetensors for the weights alone; default: in RUN."),
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Compute in 8-bit integers, where accuracy allows.")
    ] = False,
    tolerance: Annotated[
        float, typer.Option(min=0, max=1, help="Largest loss of accuracy allowed for --int8.")
    ] = 0.01,
    safetensors: Annotated[
        bool, typer.Option("--safetensors", help="Write the weights too, as safetensors.")
    ] = False,
    as_json: AsJson = False,
    progress: Progress,
) -> None:
    """Write the whole diagnosis to one ONNX file, which predicts without torch.

    Example: faultdiag export runs/demo --out model.onnx
    """
    from faultdiag.api.export import export_run

    made = export_run(run, out=out, int8=int8, safetensors=safetensors, tolerance=tolerance)
    show(as_text(made.document()) if as_json else "\n".join(_lines(made)))


def _lines(made: "Export") -> list[str]:
    lines = [f"wrote {path} ({path.stat().st_size / 1000:.0f} kB)" for path in made.files]
    if made.difference is not None:
        lines.append(
            f"opset {made.opset}; the largest difference from the network's probabilities on trial "
            f"windows is {made.difference:.1e}"
        )
    if made.int8 is not None:
        for part, before in made.int8.before.items():
            lines.append(
                f"int8: accuracy of {part} windows {before:.2%} before, "
                f"{made.int8.after[part]:.2%} after"
            )
    return lines


def watch(
    run: Annotated[Path, typer.Argument(help="Run folder, checkpoint or ONNX file.")],
    folder: Annotated[Path, typer.Argument(help="Folder that recordings arrive in.")],
    *,
    out: Annotated[Path, typer.Option(help="CSV file that rows are appended to.")],
    every: Annotated[
        float,
        typer.Option(min=0.01, help="Seconds between checks; new files must not change for it."),
    ] = 5.0,
    once: Annotated[
        bool, typer.Option("--once", help="Diagnose the complete files and end; for cron.")
    ] = False,
    reading: Reading,
    override_rate: OverrideRate = False,
    device: Device = "auto",
    progress: Progress,
) -> None:
    """Diagnose new recordings of a folder as they arrive.

    Example: faultdiag watch model.onnx incoming --out diagnoses.csv
    """
    from faultdiag.prediction.watch import watch_folder

    count = watch_folder(
        run,
        folder,
        out,
        options=reading.request(override_rate=override_rate),
        device=device,
        every=every,
        once=once,
        on_row=_report,
    )
    # Silence where nothing happened: cron sends what a command prints.
    if count or not progress.quiet:
        show(f"wrote {counted(count, 'row')} to {out}")


def _report(row: "Row") -> None:
    say(f"{row.path}: {row.error or f'{row.label}, confidence {row.confidence:.2f}'}")
