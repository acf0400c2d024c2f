"""The commands that show evidence: report, explain, trend."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from faultdiag.cli.exits import say, show
from faultdiag.cli.options import AsJson, Device, LogJson, Quiet


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
    """How a machine is mounted."""

    rigid = "rigid"
    flexible = "flexible"


class Embedding(StrEnum):
    """How the embeddings of a run are drawn."""

    pca = "pca"
    tsne = "tsne"
    none = "none"


Rpm = Annotated[float | None, typer.Option(help="Shaft speed, where nothing says it.")]
Rate = Annotated[float | None, typer.Option(help="Hz, where nothing says it.")]
Channel = Annotated[str | None, typer.Option(help="Channel to read.")]
BearingName = Annotated[
    str | None, typer.Option(help="6205, …, or a geometry: balls,ball_diameter,pitch_diameter.")
]


def report(
    source: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run, model, protocol folder, or predict's rows.")
    ],
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Recordings to diagnose, or predict's rows.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write; report.html if not given.")
    ] = None,
    form: Annotated[ReportFormat, typer.Option("--format", help="html, md or json.")] = (
        ReportFormat.html
    ),
    units: Annotated[
        Units | None, typer.Option(help="Of the signals, for the velocity: g, m/s2 or mm/s.")
    ] = None,
    machine_group: Annotated[
        int | None, typer.Option(min=1, max=2, help="Of ISO 20816-3: 1 above 300 kW, 2 from 15.")
    ] = None,
    mounting: Annotated[
        MachineMounting | None, typer.Option(help="Of the machine: rigid or flexible.")
    ] = None,
    channel: Channel = None,
    sampling_rate: Rate = None,
    rpm: Rpm = None,
    bearing: BearingName = None,
    pattern: Annotated[
        str | None, typer.Option("--glob", help="Which files of folders, such as '*_DE.mat'.")
    ] = None,
    pages: Annotated[
        int, typer.Option(min=0, help="Recordings with a page of their own at most.")
    ] = 60,
    embeddings: Annotated[
        Embedding, typer.Option(help="Of a run: pca, tsne or none.")
    ] = Embedding.pca,
    device: Device = "auto",
    jobs: Annotated[int, typer.Option(min=1, help="Processes that read files.")] = 1,
    quiet: Quiet = False,
    log_as_json: LogJson = False,
) -> None:
    """Make a page of a prediction, a run, or a protocol: HTML, Markdown or JSON.

    Example: faultdiag report runs/demo new_recordings --out diagnoses.html
    """
    from faultdiag.api.report import report as make
    from faultdiag.api.report import report_options, write_report

    options = report_options(
        channel=channel,
        sampling_rate=sampling_rate,
        rpm=rpm,
        bearing=bearing,
        units=units and units.value,
        group=machine_group,
        mounting=mounting and mounting.value,
        device=device,
        jobs=jobs,
        pages=pages,
        pattern=pattern,
    )
    text = make(source, paths or [], options, form=form.value, projection=embeddings.value)
    if out is None and form is not ReportFormat.html:
        show(text, nl=False)
        return
    target = write_report(text, out or Path("report.html"))
    say(f"wrote {target}: {len(text) / 1e6:.1f} MB")


def explain(
    run: Annotated[Path, typer.Argument(help="Run folder or checkpoint.")],
    file: Annotated[Path, typer.Argument(help="A recording.")],
    plot: Annotated[Path | None, typer.Option(help="Draw it to a PNG.")] = None,
    as_json: AsJson = False,
    channel: Channel = None,
    sampling_rate: Rate = None,
    rpm: Rpm = None,
    bearing: BearingName = None,
    device: Device = "auto",
    quiet: Quiet = False,
    log_as_json: LogJson = False,
) -> None:
    """Show what the network looked at in a recording.

    Example: faultdiag explain runs/demo new.mat --plot new.png
    """
    from faultdiag.api.report import report_options
    from faultdiag.api.report_recordings import draw_explanation, explanation_output
    from faultdiag.api.report_recordings import explain as make

    options = report_options(
        channel=channel, sampling_rate=sampling_rate, rpm=rpm, bearing=bearing, device=device
    )
    result = make(run, file, options)
    show(explanation_output(result, as_json=as_json), nl=as_json)
    if plot is not None:
        draw_explanation(result, plot)
        say(f"drew {plot}")


def trend(
    paths: Annotated[list[Path], typer.Argument(help="Recordings of one machine, or folders.")],
    healthy: Annotated[
        list[Path] | None, typer.Option(help="Healthy recordings; else the first tenth.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw it to a PNG.")] = None,
    as_json: AsJson = False,
    sigmas: Annotated[float, typer.Option(help="The limit: mean + so many sd of healthy.")] = 3.0,
    persistence: Annotated[int, typer.Option(min=1, help="Recordings in a row: an alarm.")] = 3,
    channel: Channel = None,
    sampling_rate: Rate = None,
    rpm: Rpm = None,
    bearing: BearingName = None,
    pattern: Annotated[
        str | None, typer.Option("--glob", help="Which files of folders, such as '*.csv'.")
    ] = None,
    quiet: Quiet = False,
    log_as_json: LogJson = False,
) -> None:
    """Compare the recordings of a machine over time with its own healthy ones.

    Example: faultdiag trend machine3 --healthy machine3/1.csv
    """
    from faultdiag.api.report import report_options
    from faultdiag.api.trend import draw_trend, trend_output
    from faultdiag.api.trend import trend as make

    options = report_options(channel=channel, sampling_rate=sampling_rate, rpm=rpm, bearing=bearing)
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
