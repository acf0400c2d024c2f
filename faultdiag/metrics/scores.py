"""Scores of a classifier from counts: accuracy, F1, alarm rates, and the area under the ROC.

Where a value has no denominator it is 0, as in scikit-learn, if it is one of an array, and None
if it stands alone.
"""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer]
Floats = NDArray[np.float64]


def confusion_matrix(labels: Ints, predicted: Ints, classes: int) -> NDArray[np.int64]:
    """Counts ``(classes, classes)``: row i, column j holds windows of class i called class j.

    Raises
    ------
    ValueError
        If the arrays differ in shape or hold something outside ``0 ... classes - 1``.

    Examples
    --------
    >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 1, 0]), 2)
    array([[1, 0],
           [1, 1]])
    """
    if labels.shape != predicted.shape or labels.ndim != 1:
        raise ValueError(f"labels are {labels.shape} but predictions {predicted.shape}")
    for name, values in (("labels", labels), ("predictions", predicted)):
        require_classes(name, values, classes)
    cells = labels.astype(np.int64) * classes + predicted
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def require_classes(name: str, values: Ints, classes: int) -> None:
    """Refuse numbers that are no class.

    Raises
    ------
    ValueError
        If `values` aren't integers of ``0 ... classes - 1``.
    """
    if not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"{name} must be integers; found {values.dtype}")
    if values.size and not (values.min() >= 0 and values.max() < classes):
        raise ValueError(
            f"{name} must be 0 to {classes - 1}; found {values.min()} to {values.max()}"
        )


def accuracy(confusion: Ints) -> float | None:
    """Share of windows called by their own class, or None without windows."""
    return ratio(np.trace(confusion), confusion.sum())


def precision_recall_f1(confusion: Ints) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 of every class, each ``(classes,)``.

    With TP windows of a class called by it, FP windows of others called by it and FN windows of
    it called otherwise: ``precision = TP / (TP + FP)``, ``recall = TP / (TP + FN)`` and
    ``F1 = 2 TP / (2 TP + FP + FN)``; each is 0 where its denominator is.
    """
    right = np.diagonal(confusion)
    called, true = confusion.sum(axis=0), confusion.sum(axis=1)
    return _shares(right, called), _shares(right, true), _shares(2 * right, called + true)


def macro_f1(confusion: Ints) -> float | None:
    """Mean F1 over the classes that occur among labels or predictions, or None without windows.

    These are the classes that scikit-learn's ``f1_score(average="macro")`` takes when it is
    given no labels: a class that neither occurs nor is ever called doesn't count, and one that
    is called but doesn't occur counts with an F1 of 0.
    """
    occurring = confusion.sum(axis=0) + confusion.sum(axis=1) > 0
    f1 = precision_recall_f1(confusion)[2][occurring]
    return float(f1.mean()) if f1.size else None


def balanced_accuracy(confusion: Ints) -> float | None:
    """Mean recall over the classes that have windows, or None without windows."""
    recall = precision_recall_f1(confusion)[1][confusion.sum(axis=1) > 0]
    return float(recall.mean()) if recall.size else None


def alarm_rates(confusion: Ints, healthy: NDArray[np.bool_]) -> tuple[float | None, float | None]:
    """False-alarm rate and missed-alarm rate.

    ``false = healthy windows called any fault / healthy windows`` and
    ``missed = fault windows called healthy / fault windows``. A fault called another fault is
    an alarm all the same. Without healthy classes, or with nothing else, there is no alarm to
    speak of and both are None.

    Parameters
    ----------
    confusion
        Counts, ``(classes, classes)``, rows true.
    healthy
        Which classes are healthy, ``(classes,)``.
    """
    if healthy.all() or not healthy.any():
        return None, None
    false = ratio(confusion[np.ix_(healthy, ~healthy)].sum(), confusion[healthy].sum())
    missed = ratio(confusion[np.ix_(~healthy, healthy)].sum(), confusion[~healthy].sum())
    return false, missed


def auroc(positive: NDArray[np.bool_], scores: Floats) -> float | None:
    """Area under the ROC: how often a positive outscores a negative, ties counting half.

    ``(#{(p, n): s_p > s_n} + #{(p, n): s_p = s_n} / 2) / (P N)``, the Mann-Whitney statistic of
    P positives and N negatives, counted exactly. None where either is missing.

    Parameters
    ----------
    positive
        Which of the windows are of the class, ``(windows,)``.
    scores
        The score of the class for each window, ``(windows,)``.

    References
    ----------
    .. [1] J. A. Hanley, B. J. McNeil (1982). doi:10.1148/radiology.143.1.7063747

    Examples
    --------
    >>> auroc(np.array([False, False, True]), np.array([0.1, 0.7, 0.7]))
    0.75
    """
    above, below = scores[positive], scores[~positive]
    # Sorting each side and looking the positives up is several times faster than ranking all.
    above.sort()
    below.sort()
    twice = below.searchsorted(above, "left").sum() + below.searchsorted(above, "right").sum()
    return ratio(twice, 2 * above.size * below.size)


def ratio(part: int | np.integer, whole: int | np.integer) -> float | None:
    """``part / whole``, or None where `whole` is 0."""
    return int(part) / int(whole) if whole else None


def _shares(part: Ints, whole: Ints) -> Floats:
    return np.divide(part, whole, out=np.zeros(part.size), where=whole > 0)
