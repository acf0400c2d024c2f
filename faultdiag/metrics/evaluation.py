"""Evaluate the windows of a part: all metrics in one document."""

from collections.abc import Sequence
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultdiag.arrays import Floats, Ints
from faultdiag.metrics import scores
from faultdiag.metrics.calibration import expected_calibration_error
from faultdiag.metrics.intervals import (
    bootstrap_interval,
    stratified_intervals,
    widened,
    wilson_interval,
)
from faultdiag.metrics.scores import (
    Aggregates,
    ScoredWindows,
    aggregate_recordings,
    scored_windows,
)


class Confusion(TypedDict):
    """Counts by true class (rows) and predicted class (columns)."""

    labels: list[str]
    matrix: list[list[int]]


class Scores(TypedDict):
    """Scores of one class against the rest; None where there is nothing to divide by."""

    precision: float | None
    recall: float | None
    f1: float | None
    auroc: float | None


class Summary(TypedDict):
    """Scores over all classes; None where there is nothing to divide by."""

    accuracy: float | None
    balanced_accuracy: float | None
    macro_f1: float | None
    macro_auroc: float | None
    false_alarm_rate: float | None
    missed_alarm_rate: float | None
    ece: float | None


class PartScores(NamedTuple):
    """Scores over all classes and of each, how many cases each class has, and the confusion."""

    summary: Summary
    per_class: dict[str, Scores]
    cases: dict[str, int]
    confusion: Confusion


def score(
    labels: Ints,
    called: Ints,
    probabilities: Floats,
    *,
    classes: list[str],
    healthy: NDArray[np.bool_],
) -> PartScores:
    """Score cases, which are windows or recordings.

    Parameters
    ----------
    labels, called
        True and called class of each, ``(cases,)``.
    probabilities
        ``(cases, classes)``.
    classes
        Name of each class.
    healthy
        Which of them raise no alarm, ``(classes,)``.
    """
    counts = scores.confusion_matrix(labels, called, len(classes))
    areas = [scores.auroc(labels == i, probabilities[:, i]) for i in range(len(classes))]
    defined = [area for area in areas if area is not None]
    false, missed = scores.alarm_rates(counts, healthy)
    summary: Summary = {
        "accuracy": scores.accuracy(counts),
        "balanced_accuracy": scores.balanced_accuracy(counts),
        "macro_f1": scores.macro_f1(counts),
        "macro_auroc": float(np.mean(defined)) if defined else None,
        "false_alarm_rate": false,
        "missed_alarm_rate": missed,
        "ece": expected_calibration_error(labels, probabilities),
    }
    return PartScores(
        summary,
        dict(zip(classes, _per_class(counts, areas), strict=True)),
        dict(zip(classes, counts.sum(axis=1).tolist(), strict=True)),
        {"labels": classes, "matrix": counts.tolist()},
    )


def _per_class(counts: Ints, areas: list[float | None]) -> list[Scores]:
    columns = (np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0), areas)
    return [
        {
            "precision": scores.ratio(right, called),
            "recall": scores.ratio(right, true),
            "f1": scores.ratio(2 * right, true + called),
            "auroc": area,
        }
        for right, true, called, area in zip(*columns, strict=True)
    ]


class WindowScores(Scores):
    """Scores of one class, and how many windows it has."""

    windows: int


class RecordingScores(Scores):
    """Scores of one class, and how many recordings it has."""

    recordings: int


class RecordingRow(TypedDict):
    """The diagnosis of one recording from all its windows, with its true class."""

    recording: int
    label: str
    predicted: str
    confidence: float
    agreement: float
    windows: int


class RecordingEvaluation(Summary):
    """The scores where a recording, not a window, counts as one."""

    accuracy_interval: list[float] | None
    per_class: dict[str, RecordingScores]
    confusion: Confusion
    rows: list[RecordingRow]


class Evaluation(Summary):
    """The entry of one part in ``metrics.json``."""

    accuracy_interval: list[float] | None
    balanced_accuracy_interval: list[float] | None
    macro_f1_interval: list[float] | None
    healthy_windows: int
    windows: int
    recordings: int
    recording_accuracy: float | None
    per_class: dict[str, WindowScores]
    confusion: Confusion
    recording: RecordingEvaluation


def evaluate(
    labels: ArrayLike,
    probabilities: ArrayLike,
    recordings: ArrayLike,
    *,
    classes: Sequence[str],
    healthy: Sequence[str],
) -> Evaluation:
    """Score the windows of one part, and its recordings.

    The class of a window is that of its largest probability, the first of equals; the class of
    a recording is that of `aggregate`. Macro-F1 is over the classes among labels or predictions
    (`scores.macro_f1`), balanced accuracy and macro AUROC (one against the rest) over those for
    which they are defined. Whatever has no denominator is None. The intervals are at 95 % and over
    recordings: `bootstrap_interval` of accuracy, `stratified_intervals` of balanced accuracy and
    macro-F1, each `widened` to Wilson's, and of ``recording["accuracy"]`` Wilson's.

    Parameters
    ----------
    labels
        Class index of each window, ``(windows,)``.
    probabilities
        ``(windows, classes)``.
    recordings
        Index of the recording of each window, ``(windows,)``.
    classes
        Name of each class.
    healthy
        Names of the classes that raise no alarm; a name that is not in `classes` is ignored.

    Raises
    ------
    ValueError
        If the shapes don't match, a label is no class, the rows aren't probabilities or the
        windows of one recording have several labels.
    """
    part = scored_windows(labels, probabilities, recordings, classes)
    is_healthy = np.array([name in healthy for name in part.classes])
    scored = score(
        part.labels, part.called, part.probabilities, classes=part.classes, healthy=is_healthy
    )
    recording = _evaluate_recordings(part, is_healthy)
    right = np.bincount(part.group[part.right], minlength=part.counts.size)
    by_class = stratified_intervals(part.recording_labels(), part.calls())
    scores = scored.summary

    def ends(interval: tuple[float, float] | None, score: float | None) -> list[float] | None:
        return _ends(widened(interval, score, part.numbers.size))

    return {
        **scores,
        "accuracy_interval": ends(bootstrap_interval(right, part.counts), scores["accuracy"]),
        "balanced_accuracy_interval": ends(by_class.balanced_accuracy, scores["balanced_accuracy"]),
        "macro_f1_interval": ends(by_class.macro_f1, scores["macro_f1"]),
        "healthy_windows": int(is_healthy[part.labels].sum()),
        "windows": part.labels.size,
        "recordings": part.numbers.size,
        "recording_accuracy": recording["accuracy"],
        "per_class": {
            name: {**row, "windows": scored.cases[name]} for name, row in scored.per_class.items()
        },
        "confusion": scored.confusion,
        "recording": recording,
    }


def _evaluate_recordings(part: ScoredWindows, is_healthy: NDArray[np.bool_]) -> RecordingEvaluation:
    true = part.recording_labels()
    calls = aggregate_recordings(part)
    scored = score(true, calls.label, calls.probabilities, classes=part.classes, healthy=is_healthy)
    interval = wilson_interval(int(np.equal(true, calls.label).sum()), true.size)
    return {
        **scored.summary,
        "accuracy_interval": _ends(interval),
        "per_class": {
            name: {**row, "recordings": scored.cases[name]}
            for name, row in scored.per_class.items()
        },
        "confusion": scored.confusion,
        "rows": _rows(part, true, calls),
    }


def _rows(part: ScoredWindows, true: Ints, calls: Aggregates) -> list[RecordingRow]:
    columns = (part.numbers, true, calls.label, calls.confidence, calls.agreement, part.counts)
    return [
        {
            "recording": number,
            "label": part.classes[label],
            "predicted": part.classes[call],
            "confidence": sure,
            "agreement": share,
            "windows": windows,
        }
        for number, label, call, sure, share, windows in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]


def _ends(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else list(interval)
