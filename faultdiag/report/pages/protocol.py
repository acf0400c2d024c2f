"""A report of a protocol: the table, pictures with intervals, and what failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from faultdiag.documents import Document
from faultdiag.report.charts import Chart, Curve, Level
from faultdiag.report.pages.render import html, markdown, percent, to_json
from faultdiag.report.pages.svg import draw_svg
from faultdiag.report.tables import white_rows

# Lines that can be distinguished in one picture.
MOST_CURVES = 4

Row = Document


@dataclass(frozen=True, eq=False)
class ProtocolReport:
    """The contents of a protocol folder for a page.

    Parameters
    ----------
    name
        The folder.
    document
        Its ``results.json``.
    made, version
        When, and by which faultdiag.
    """

    name: str
    document: Document
    made: datetime
    version: str


@dataclass(frozen=True, slots=True)
class TableRow:
    """A model under one protocol, as text."""

    number: int
    model: str
    accuracy: str
    interval: str
    macro_f1: str
    recordings: str
    cells: str
    complete: bool


@dataclass(frozen=True, eq=False)
class ProtocolSection:
    """One protocol: what it means, its table and its pictures."""

    name: str
    meaning: str
    rows: list[TableRow]
    charts: list[Chart]
    notes: list[str]


@dataclass(frozen=True, eq=False)
class ProtocolView:
    """Values for the template of a protocol."""

    lead: str
    facts: list[tuple[str, str]]
    sections: list[ProtocolSection]
    failures: list[tuple[str, str]]
    notes: list[str]


def render_protocol(report: ProtocolReport, form: str) -> str:
    """Return the report as ``html``, ``md`` or ``json``."""
    if form == "json":
        facts = {"kind": "protocol", "name": report.name, "version": report.version}
        return to_json({**facts, "made": report.made, "results": report.document})
    title = str(report.document.get("title") or f"Protocol {report.name}")
    render = html if form == "html" else markdown
    view = protocol_view(report.document)
    return render("protocol", report=report, view=view, title=title, draw_svg=draw_svg)


def protocol_view(document: Document) -> ProtocolView:
    """Arrange a protocol for its page."""
    protocols: Document = document.get("protocols") or {}
    rows: Sequence[Row] = document.get("rows") or ()
    failures = document.get("failures") or ()
    sections = [
        _section(name, facts, [row for row in rows if row["protocol"] == name])
        for name, facts in protocols.items()
    ]
    return ProtocolView(
        lead=_lead(document, len(failures)),
        facts=_facts(document),
        sections=sections,
        failures=[(str(entry["cell"]), str(entry["reason"])) for entry in failures],
        notes=[*map(str, document.get("notes") or ()), *map(str, document.get("warnings") or ())],
    )


def _lead(document: Document, failed: int) -> str:
    models, protocols = document.get("models") or (), document.get("protocols") or {}
    seeds = document.get("seeds") or ()
    words = (
        f"{len(models)} models under {len(protocols)} protocols, {len(seeds)} "
        f"seed{'s' if len(seeds) != 1 else ''} each."
    )
    return f"{words} {failed} trainings failed; see below." if failed else words


def _facts(document: Document) -> list[tuple[str, str]]:
    data = document.get("data") or {}
    versions = document.get("versions") or {}
    return [
        ("Finished", _date(document.get("date"))),
        ("Data", f"{data.get('dataset', '?')} in {data.get('root', '?')}"),
        ("Devices", ", ".join(map(str, document.get("devices") or ())) or "–"),
        *((str(name), " and ".join(map(str, numbers))) for name, numbers in versions.items()),
    ]


def _date(text: object) -> str:
    """Return a stored date with its minutes and zone, as far as it is one."""
    try:
        return f"{datetime.fromisoformat(str(text)):%Y-%m-%d %H:%M %Z}".strip()
    except ValueError:
        return "not stored"


def _sentence(text: str) -> str:
    """Return text with a capital at its beginning and a full stop at its end."""
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}" if text else ""


def _section(name: str, facts: Document, rows: Sequence[Row]) -> ProtocolSection:
    clean = [row for row in rows if row["snr"] is None]
    charts = [chart for chart in (_accuracy_chart(name, clean), _noise_chart(name, rows)) if chart]
    notes = [str(note) for note in facts.get("notes") or ()]
    table = [_table_row(number, row) for number, row in enumerate(clean, 1)]
    return ProtocolSection(name, _sentence(str(facts.get("meaning", ""))), table, charts, notes)


def _table_row(number: int, row: Row) -> TableRow:
    interval = _interval(row)
    finished, planned = row.get("cells"), row.get("cells_planned")
    return TableRow(
        number=number,
        model=str(row["model"]),
        accuracy=_spread(row["accuracy"]),
        interval=" – ".join(percent(end) for end in interval) if interval else "–",
        macro_f1=_spread(row["macro_f1"]),
        recordings=percent(row.get("recordings_right")),
        cells=f"{finished}" if finished == planned else f"{finished} of {planned}",
        complete=finished == planned,
    )


def _interval(row: Row) -> tuple[float, float] | None:
    score = row["accuracy"]
    ends = score.get("over_folds") or score.get("over_seeds")
    return (float(ends[0]), float(ends[1])) if ends else None


def _share(mean: float | None) -> float:
    return float("nan") if mean is None else float(mean)


def _bar(row: Row) -> tuple[float, float]:
    """Return the ends of a row's interval in %; its mean twice where it has none."""
    mean = row["accuracy"]["mean"]
    low, high = _interval(row) or (_share(mean), _share(mean))
    return 100 * low, 100 * high


def _spread(score: Document) -> str:
    mean, sd = score.get("mean"), score.get("sd")
    if mean is None:
        return "–"
    return percent(mean) if sd is None else f"{100 * mean:.1f} ± {100 * sd:.1f} %"


def _accuracy_chart(name: str, rows: Sequence[Row]) -> Chart | None:
    scored = [(n, row) for n, row in enumerate(rows, 1) if row["accuracy"]["mean"] is not None]
    if not scored:
        return None
    places = np.array([float(n) for n, _ in scored])
    means = np.array([100 * float(row["accuracy"]["mean"]) for _, row in scored])
    low, high = np.array([_bar(row) for _, row in scored]).T
    ticks = tuple((float(n), str(n)) for n, _ in scored)
    return Chart(
        f"Accuracy by model, {name}",
        "Mean over seeds and folds; bars are 95 % intervals. Numbers are those of the table.",
        "number of the model in the table",
        "accuracy in %",
        [Curve(places, means, kind="points", style=1, low=low, high=high)],
        levels=_chance(rows),
        x_range=(0.5, len(rows) + 0.5),
        x_ticks=ticks,
    )


def _chance(rows: Sequence[Row]) -> list[Level]:
    classes = [row["classes"] for row in rows if row.get("classes")]
    if not classes or len(set(map(str, classes))) > 1:
        return []
    return [Level(100 / float(classes[0]), "guessing")]


def _noise_chart(name: str, rows: Sequence[Row]) -> Chart | None:
    noisy = white_rows(rows)
    models = list(dict.fromkeys(str(row["model"]) for row in noisy))
    if len({row["snr"] for row in noisy}) < 2:
        return None
    shown = models[:MOST_CURVES]
    left_out = len(models) - len(shown)
    return Chart(
        f"Accuracy over noise, {name}",
        "Mean over seeds and folds, against the signal-to-noise ratio of the test windows; bars "
        "are 95 % intervals."
        + (f" The first {MOST_CURVES} models; {left_out} more are left out." if left_out else ""),
        "signal-to-noise ratio in dB",
        "accuracy in %",
        [_noise_curve(noisy, model, style) for style, model in enumerate(shown)],
        levels=_chance(noisy),
        y_range=(0.0, 102.0),
    )


def _noise_curve(rows: Sequence[Row], model: str, style: int) -> Curve:
    own = sorted((row for row in rows if row["model"] == model), key=lambda row: row["snr"])
    levels = np.array([float(row["snr"]) for row in own])
    means = np.array([100 * _share(row["accuracy"]["mean"]) for row in own])
    low, high = np.array([_bar(row) for row in own]).T
    return Curve(levels, means, model, "line", style, low=low, high=high)
