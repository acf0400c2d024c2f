"""A report of a run: data, split, curves, confusion, calibration, failures, how to repeat it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from faultdiag.documents import Document, Json
from faultdiag.errors import counted
from faultdiag.metrics.intervals import wilson_interval
from faultdiag.report.charts import Chart, Curve, Mark, nice_ticks
from faultdiag.report.findings import summarise
from faultdiag.report.pages.prediction import RecordingResult
from faultdiag.report.pages.recording_charts import envelope_chart
from faultdiag.report.pages.render import html, markdown, number, percent, to_json
from faultdiag.report.pages.svg import draw_svg

MOST_FAILURES = 40

LEAKS: Mapping[str, str] = {
    "none": "Train and test part share nothing that is known.",
    "bearing": "Train and test part share bearings: how the model does on another bearing of the "
    "same kind is not known.",
    "recording": "Train and test part share recordings: the figures say how well other seconds of "
    "the same recordings are distinguished, nothing about another day, load or bearing.",
    "samples": "Windows of the test part overlap windows of the train part: the figures are worth "
    "nothing.",
}


@dataclass(frozen=True, eq=False)
class Failure:
    """A recording of the test part whose diagnosis is wrong.

    Parameters
    ----------
    name, label
        The recording and its true class.
    predicted, confidence, windows
        The wrong class, its mean probability, and the number of windows.
    result
        Evidence and pictures, if the recording could be read again.
    """

    name: str
    label: str
    predicted: str
    confidence: float
    windows: int
    result: RecordingResult | None

    @property
    def envelope(self) -> str:
        """Summary of its envelope in words."""
        if self.result is None or self.result.evidence is None:
            return (self.result.error if self.result else None) or "–"
        return summarise(self.result.evidence).words


@dataclass(frozen=True, slots=True)
class Embeddings:
    """A picture of windows by their features before the last layer of the network.

    ``png`` is in base64, ``axes`` is ``principal component`` or ``t-SNE``, and ``counts`` says how
    many windows of which part are shown.
    """

    png: str
    axes: str
    counts: str


@dataclass(frozen=True, eq=False)
class RunReport:
    """The contents of the page of a run folder.

    Parameters
    ----------
    name
        The folder.
    config
        Its config as YAML.
    healthy
        The healthy classes.
    metrics, history, environment
        Its ``metrics.json``, ``history.jsonl`` and ``environment.json``.
    failures
        Wrong recordings of the test part, the surest first.
    made, version
        Time of the report, and version of faultdiag.
    missing
        What the folder lacks, and how to add it.
    embeddings
        What the last layer sees.
    """

    name: str
    config: str
    healthy: tuple[str, ...]
    metrics: Document
    history: Sequence[Document]
    environment: Document
    failures: Sequence[Failure]
    made: datetime
    version: str
    missing: tuple[str, ...] = ()
    embeddings: Embeddings | None = None


@dataclass(frozen=True, eq=False)
class ConfusionTable:
    """A confusion matrix, healthy classes first.

    Parameters
    ----------
    unit
        ``recordings`` or ``windows``.
    labels
        In the order of rows and columns.
    rows
        Cells of each true class, as counts and shares of the row.
    """

    unit: str
    labels: tuple[str, ...]
    rows: tuple[tuple[tuple[int, float], ...], ...]


@dataclass(frozen=True, slots=True)
class ClassRow:
    """Scores of one class; recall with its 95 % interval over recordings where there are any."""

    label: str
    count: int
    recall: float | None
    interval: tuple[float, float] | None
    precision: float | None
    f1: float | None


@dataclass(frozen=True, eq=False)
class RunView:
    """Values for the template of a run."""

    lead: str
    figures: list[tuple[str, str]]
    leak: str
    parts: list[tuple[str, str, str, str]]
    pairs: list[tuple[str, str]]
    notes: list[str]
    curves: list[Chart]
    confusions: list[ConfusionTable]
    classes: list[ClassRow]
    class_unit: str
    calibration: list[Chart]
    calibration_words: str
    failures: list[tuple[Failure, Chart | None]]
    no_failures: str
    environment: list[tuple[str, str]]


def render_run(report: RunReport, form: str) -> str:
    """Return the report as ``html``, ``md`` or ``json``."""
    if form == "json":
        failures = [_without_pictures(failure) for failure in report.failures]
        return to_json(
            {
                "kind": "run",
                "name": report.name,
                "version": report.version,
                "made": report.made,
                "metrics": report.metrics,
                "history": report.history,
                "environment": report.environment,
                "config": report.config,
                "failures": failures,
                "missing": report.missing,
            }
        )
    render = html if form == "html" else markdown
    title = f"Run {report.name}"
    return render("run", report=report, view=run_view(report), title=title, draw_svg=draw_svg)


def _without_pictures(failure: Failure) -> Json:
    evidence = failure.result.evidence if failure.result else None
    return {
        "recording": failure.name,
        "label": failure.label,
        "predicted": failure.predicted,
        "confidence": failure.confidence,
        "windows": failure.windows,
        "evidence": evidence,
    }


def run_view(report: RunReport) -> RunView:
    """Arrange a run for its page."""
    test = report.metrics.get("test") or {}
    split = report.metrics.get("split") or {}
    recording = test.get("recording") or {}
    unit, scores = ("recordings", recording) if recording else ("windows", test)
    return RunView(
        lead=_lead(test),
        figures=_figures(test),
        leak=LEAKS.get(str(split.get("leak", "")), "What the parts share is not stored."),
        parts=_parts(report.metrics),
        pairs=_pairs(split),
        notes=[str(note) for note in split.get("notes", ())],
        curves=curve_charts(report.history, (report.metrics.get("selection") or {})),
        confusions=_confusions(test, report.healthy),
        classes=_class_rows(scores, unit, report.healthy),
        class_unit=unit,
        calibration=calibration_charts(test),
        calibration_words=_calibration_words(test),
        failures=[(failure, _failure_chart(failure)) for failure in report.failures],
        no_failures=_no_failures(test),
        environment=_environment(report.environment),
    )


def _lead(test: Document) -> str:
    if not test:
        return "This run has no test results: it was not finished, or has no test part."
    recordings = test.get("recordings")
    if not recordings:
        return f"{percent(test.get('accuracy'))} of {test.get('windows')} test windows are right."
    right = round(test["recording_accuracy"] * recordings)
    interval = (test.get("recording") or {}).get("accuracy_interval")
    return (
        f"{right} of {recordings} test recordings are diagnosed right"
        f"{_between(interval)}, and {percent(test['accuracy'])} of "
        f"{counted(test['windows'], 'window')}."
    )


def _no_failures(test: Document) -> str:
    """Return a sentence for an empty list of wrong recordings."""
    if not test:
        return "No test results are stored."
    if not test.get("recordings"):
        return "The test results are of windows alone: which recordings are wrong is not stored."
    return "No recording of the test part is diagnosed wrong."


def _between(interval: Sequence[float] | None) -> str:
    if not interval:
        return ""
    low, high = (percent(end, 0) for end in interval)
    return f" (95 % interval {low} to {high})"


def _figures(test: Document) -> list[tuple[str, str]]:
    needed = (
        ("recording_accuracy", "of recordings right"),
        ("accuracy", "of windows right"),
        ("macro_f1", "macro-F1, windows"),
        ("false_alarm_rate", "false alarms"),
        ("missed_alarm_rate", "missed alarms"),
        ("ece", "calibration error"),
    )
    return [(percent(test.get(key)), words) for key, words in needed if key in test]


def _parts(metrics: Document) -> list[tuple[str, str, str, str]]:
    disjoint = (metrics.get("split") or {}).get("disjoint_windows") or {}
    rows = []
    for part in ("train", "valid", "test"):
        scores = metrics.get(part) or {}
        if part not in disjoint and not scores:
            continue
        recordings, windows = (number(scores.get(key), "d") for key in ("recordings", "windows"))
        rows.append((part, recordings, windows, number(disjoint.get(part), "d")))
    return rows


def _pairs(split: Document) -> list[tuple[str, str]]:
    return [
        (
            str(pair).replace("-", " and "),
            ", ".join(f"{count} {what}" for what, count in shared.items() if count is not None),
        )
        for pair, shared in (split.get("pairs") or {}).items()
    ]


def curve_charts(history: Sequence[Document], selection: Document) -> list[Chart]:
    """Return loss and accuracy over the epochs."""
    if not history:
        return []
    best = selection.get("best_epoch")
    chosen = f"; weights of epoch {best} were kept" if best else ""
    return [
        Chart(
            title,
            f"{title} over {counted(len(history), 'epoch')}{chosen}.",
            "epoch",
            label,
            [
                Curve(
                    np.array([float(row["epoch"]) for row in history]),
                    np.array([_scaled(row.get(f"{part}_{key}"), scale) for row in history]),
                    part,
                    "line" if len(history) > 1 else "points",
                    style,
                )
                for style, part in enumerate(("valid", "train"))
            ],
            marks=[Mark(float(best), "kept", 1)] if best else [],
            x_ticks=_epoch_ticks(history),
        )
        for title, key, label, scale in (
            ("Loss", "loss", "loss", 1.0),
            ("Accuracy", "accuracy", "accuracy in %", 100.0),
        )
    ]


def _epoch_ticks(history: Sequence[Document]) -> tuple[tuple[float, str], ...]:
    first, last = float(history[0]["epoch"]), float(history[-1]["epoch"])
    ticks = [tick for tick in nice_ticks(first, last) if tick.is_integer()]
    return tuple((tick, f"{tick:.0f}") for tick in ticks or [first, last])


def _scaled(value: float | None, scale: float) -> float:
    return float("nan") if value is None else scale * float(value)


def _confusions(test: Document, healthy: Sequence[str]) -> list[ConfusionTable]:
    matrices = [("recordings", (test.get("recording") or {}).get("confusion"))]
    matrices.append(("windows", test.get("confusion")))
    return [
        confusion_table(unit, stored["labels"], stored["matrix"], healthy)
        for unit, stored in matrices
        if stored
    ]


def confusion_table(
    unit: str, labels: Sequence[str], matrix: Sequence[Sequence[int]], healthy: Sequence[str]
) -> ConfusionTable:
    """Arrange a confusion matrix with the healthy classes first.

    Examples
    --------
    >>> table = confusion_table("windows", ["IR", "N"], [[3, 1], [0, 4]], ["N"])
    >>> table.labels, table.rows
    (('N', 'IR'), (((4, 1.0), (0, 0.0)), ((1, 0.25), (3, 0.75))))
    """
    order = sorted(range(len(labels)), key=lambda i: (labels[i] not in healthy, i))
    rows = []
    for i in order:
        total = sum(matrix[i])
        cells = ((matrix[i][j], matrix[i][j] / total if total else 0.0) for j in order)
        rows.append(tuple(cells))
    return ConfusionTable(unit, tuple(labels[i] for i in order), tuple(rows))


def _class_rows(scores: Document, unit: str, healthy: Sequence[str]) -> list[ClassRow]:
    rows = []
    for label, row in (scores.get("per_class") or {}).items():
        count, recall = int(row.get(unit, 0)), row.get("recall")
        interval = None
        if recall is not None and count and unit == "recordings":
            interval = wilson_interval(round(recall * count), count)
        rows.append(ClassRow(label, count, recall, interval, row.get("precision"), row.get("f1")))
    return sorted(rows, key=lambda row: row.label not in healthy)


def calibration_charts(test: Document) -> list[Chart]:
    """Return how often windows of each confidence are right, with 95 % intervals."""
    stored = test.get("reliability")
    if not stored:
        return []
    windows = np.array(stored["windows"], dtype=np.float64)
    some = windows > 0
    confidence = 100 * np.array(stored["confidence"], dtype=np.float64)[some]
    accuracy = np.array(stored["accuracy"], dtype=np.float64)[some]
    counts = windows[some].astype(int).tolist()
    right = np.rint(accuracy * windows[some]).astype(int).tolist()
    ends = [wilson_interval(k, n) or (0.0, 1.0) for k, n in zip(right, counts, strict=True)]
    low, high = (100 * np.array(side) for side in zip(*ends, strict=True))
    diagonal = np.array([0.0, 100.0])
    return [
        Chart(
            "Calibration",
            "How often windows of each confidence are right; bars are 95 % intervals. On the "
            "diagonal confidences are as high as they should be, below it too high.",
            "confidence in %",
            "right in %",
            [
                Curve(confidence, 100 * accuracy, "windows", "points", 1, low=low, high=high),
                Curve(diagonal, diagonal, "calibrated", "line", 2),
            ],
            x_range=(0.0, 100.0),
            y_range=(0.0, 100.0),
        )
    ]


def _calibration_words(test: Document) -> str:
    if "ece" not in test:
        return "Not stored."
    words = (
        f"Expected calibration error {percent(test['ece'])}, at temperature "
        f"{test.get('temperature', 1.0):.3g}."
    )
    if not test.get("reliability"):
        words += " The bins are not stored: train again with this version for the picture."
    return words


def _failure_chart(failure: Failure) -> Chart | None:
    result = failure.result
    if result is None or result.views is None:
        return None
    return envelope_chart(result.views, result.evidence, result.bearing)


def _environment(environment: Document) -> list[tuple[str, str]]:
    rows = [(str(k), str(v)) for k, v in (environment.get("versions") or {}).items()]
    others = [(str(k), v) for k, v in environment.items() if k != "versions"]
    return rows + [(name, _named_values(value)) for name, value in others]


def _named_values(value: object) -> str:
    """Return a value as text; a mapping as names with their values."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {entry}" for name, entry in value.items())
    return str(value)
