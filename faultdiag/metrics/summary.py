"""The scores that windows and recordings share, from true classes and probabilities."""

from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from faultdiag.metrics import scores
from faultdiag.metrics.calibration import expected_calibration_error

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


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


class Scored(NamedTuple):
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
) -> Scored:
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
    return Scored(
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
