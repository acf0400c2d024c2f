"""Everything that is reported of one part, from the probabilities of its windows."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultdiag.metrics import scores
from faultdiag.metrics.aggregation import aggregate_recordings
from faultdiag.metrics.calibration import expected_calibration_error
from faultdiag.metrics.intervals import bootstrap_interval, wilson_interval
from faultdiag.metrics.windows import ScoredWindows, scored_windows

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class ClassScores(TypedDict):
    """Scores of one class against the rest; None where there is nothing to divide by."""

    precision: float | None
    recall: float | None
    f1: float | None
    windows: int
    auroc: float | None


class Confusion(TypedDict):
    """Counts by true class (rows) and predicted class (columns)."""

    labels: list[str]
    matrix: list[list[int]]


class RecordingRow(TypedDict):
    """What the windows of one recording say together, beside what it is."""

    recording: int
    label: str
    predicted: str
    confidence: float
    agreement: float
    windows: int


class RecordingEvaluation(TypedDict):
    """The scores where a recording, not a window, counts as one."""

    accuracy: float | None
    accuracy_interval: list[float] | None
    macro_f1: float | None
    false_alarm_rate: float | None
    missed_alarm_rate: float | None
    confusion: Confusion
    rows: list[RecordingRow]


class Evaluation(TypedDict):
    """What `metrics.json` holds of one part."""

    accuracy: float | None
    accuracy_interval: list[float] | None
    balanced_accuracy: float | None
    macro_f1: float | None
    macro_auroc: float | None
    windows: int
    recordings: int
    recording_accuracy: float | None
    false_alarm_rate: float | None
    missed_alarm_rate: float | None
    ece: float | None
    per_class: dict[str, ClassScores]
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
    which they are defined. Whatever has no denominator is None. The interval of `accuracy` is a
    bootstrap over recordings, that of ``recording["accuracy"]`` is Wilson's; both are at 95 %.

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
        Names of the classes that raise no alarm; a name that is none of `classes` says nothing.

    Raises
    ------
    ValueError
        If the shapes don't match, a label is no class, the rows aren't probabilities or the
        windows of one recording have several labels.
    """
    part = scored_windows(labels, probabilities, recordings, classes)
    is_healthy = np.array([name in healthy for name in part.classes])
    confusion = scores.confusion_matrix(part.labels, part.called, len(part.classes))
    per_class = _per_class(part, confusion)
    areas = [row["auroc"] for row in per_class.values() if row["auroc"] is not None]
    right = np.bincount(part.group[part.right], minlength=part.counts.size)
    recording = _evaluate_recordings(part, is_healthy)
    false, missed = scores.alarm_rates(confusion, is_healthy)
    return {
        "accuracy": scores.accuracy(confusion),
        "accuracy_interval": _ends(bootstrap_interval(right, part.counts)),
        "balanced_accuracy": scores.balanced_accuracy(confusion),
        "macro_f1": scores.macro_f1(confusion),
        "macro_auroc": float(np.mean(areas)) if areas else None,
        "windows": part.labels.size,
        "recordings": part.numbers.size,
        "recording_accuracy": recording["accuracy"],
        "false_alarm_rate": false,
        "missed_alarm_rate": missed,
        "ece": expected_calibration_error(part.labels, part.probabilities),
        "per_class": per_class,
        "confusion": _confusion(confusion, part.classes),
        "recording": recording,
    }


def _per_class(part: ScoredWindows, confusion: Ints) -> dict[str, ClassScores]:
    true, called = confusion.sum(axis=1), confusion.sum(axis=0)
    right = np.diagonal(confusion)
    return {
        name: {
            "precision": scores.ratio(right[i], called[i]),
            "recall": scores.ratio(right[i], true[i]),
            "f1": scores.ratio(2 * right[i], true[i] + called[i]),
            "windows": int(true[i]),
            "auroc": scores.auroc(part.labels == i, part.probabilities[:, i]),
        }
        for i, name in enumerate(part.classes)
    }


def _evaluate_recordings(part: ScoredWindows, is_healthy: NDArray[np.bool_]) -> RecordingEvaluation:
    true = part.recording_labels()
    predicted, confidence, agreement = aggregate_recordings(part)
    confusion = scores.confusion_matrix(true, predicted, len(part.classes))
    false, missed = scores.alarm_rates(confusion, is_healthy)
    return {
        "accuracy": scores.accuracy(confusion),
        "accuracy_interval": _ends(wilson_interval(int(np.trace(confusion)), true.size)),
        "macro_f1": scores.macro_f1(confusion),
        "false_alarm_rate": false,
        "missed_alarm_rate": missed,
        "confusion": _confusion(confusion, part.classes),
        "rows": _rows(part, true, predicted, confidence, agreement),
    }


def _rows(
    part: ScoredWindows, true: Ints, predicted: Ints, confidence: Floats, agreement: Floats
) -> list[RecordingRow]:
    columns = (part.numbers, true, predicted, confidence, agreement, part.counts)
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


def _confusion(matrix: Ints, names: list[str]) -> Confusion:
    return {"labels": names, "matrix": matrix.tolist()}


def _ends(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else list(interval)
