"""Scores of a classifier from counts, of windows, and of recordings by the mean of their windows.

Accuracy, F1, alarm rates, and the area under the ROC curve. Where a value has no denominator it is
0, as in scikit-learn, in an array, and None as a single value.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultdiag.arrays import Floats, Integers, Ints

TOLERANCE = 1e-3  # of a sum of probabilities: what half precision leaves of 1


def confusion_matrix(labels: Integers, predicted: Integers, classes: int) -> NDArray[np.int64]:
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


def require_classes(name: str, values: Integers, classes: int) -> None:
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


def accuracy(confusion: Integers) -> float | None:
    """Share of windows called by their own class, or None without windows."""
    return ratio(np.trace(confusion), confusion.sum())


def precision_recall_f1(confusion: Integers) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 of every class, each ``(classes,)``.

    With TP windows of a class called by it, FP windows of others called by it and FN windows of
    it called otherwise: ``precision = TP / (TP + FP)``, ``recall = TP / (TP + FN)`` and
    ``F1 = 2 TP / (2 TP + FP + FN)``; each is 0 where its denominator is.
    """
    right = np.diagonal(confusion)
    called, true = confusion.sum(axis=0), confusion.sum(axis=1)
    return _shares(right, called), _shares(right, true), _shares(2 * right, called + true)


def macro_f1(confusion: Integers) -> float | None:
    """Mean F1 over the classes that occur among labels or predictions, or None without windows.

    These are the classes that scikit-learn's ``f1_score(average="macro")`` takes when it is
    given no labels: a class that neither occurs nor is ever called doesn't count, and one that
    is called but doesn't occur counts with an F1 of 0.
    """
    occurring = confusion.sum(axis=0) + confusion.sum(axis=1) > 0
    f1 = precision_recall_f1(confusion)[2][occurring]
    return float(f1.mean()) if f1.size else None


def balanced_accuracy(confusion: Integers) -> float | None:
    """Mean recall over the classes that have windows, or None without windows."""
    recall = precision_recall_f1(confusion)[1][confusion.sum(axis=1) > 0]
    return float(recall.mean()) if recall.size else None


def alarm_rates(
    confusion: Integers, healthy: NDArray[np.bool_]
) -> tuple[float | None, float | None]:
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


def _shares(part: Integers, whole: Integers) -> Floats:
    return np.divide(part, whole, out=np.zeros(part.size), where=whole > 0)


@dataclass(frozen=True, eq=False)
class ScoredWindows:
    """Windows with true class, probabilities and recording, and the class they are called.

    Parameters
    ----------
    labels
        Class index, ``(windows,)``.
    probabilities
        ``(windows, classes)``.
    recordings
        Index of the recording, ``(windows,)``.
    classes
        Name of each class.

    Attributes
    ----------
    called
        Class of the largest probability, the first of equals, ``(windows,)``.
    numbers
        The indices that occur in `recordings`, ascending, ``(recordings,)``.
    group
        Place in `numbers` of the recording, ``(windows,)``.
    counts
        Windows of each recording, ``(recordings,)``.

    Raises
    ------
    ValueError
        If the shapes don't match, a label is no class, the rows aren't probabilities or the
        class names aren't distinct.
    """

    labels: Ints
    probabilities: Floats
    recordings: Ints
    classes: list[str]
    called: Ints = field(init=False)
    numbers: Ints = field(init=False)
    group: Ints = field(init=False)
    counts: Ints = field(init=False)

    def __post_init__(self) -> None:
        windows, classes = self.probabilities.shape
        for name, values in (("labels", self.labels), ("recordings", self.recordings)):
            if values.shape != (windows,):
                raise ValueError(
                    f"{name} must be (windows,) = ({windows},), as the probabilities; "
                    f"found {values.shape}"
                )
        if len(self.classes) != classes or len(set(self.classes)) != classes:
            raise ValueError(
                f"{classes} columns of probabilities need as many distinct class names; "
                f"found {self.classes}"
            )
        require_classes("labels", self.labels, classes)
        numbers, group = np.unique(self.recordings, return_inverse=True)
        object.__setattr__(self, "called", self.probabilities.argmax(axis=1))
        object.__setattr__(self, "numbers", numbers)
        object.__setattr__(self, "group", group)
        object.__setattr__(self, "counts", np.bincount(group, minlength=numbers.size))

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each window is called by its own class, ``(windows,)``."""
        return np.equal(self.called, self.labels)

    def calls(self) -> Ints:
        """Windows of each recording by predicted class, ``(recordings, classes)``."""
        shape = (self.numbers.size, len(self.classes))
        cells = self.group * shape[1] + self.called
        return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)

    def recording_labels(self) -> Ints:
        """Class of each recording, ``(recordings,)``.

        Raises
        ------
        ValueError
            If the windows of one recording have several labels.
        """
        labels = np.zeros(self.numbers.size, dtype=np.int64)
        labels[self.group] = self.labels
        mixed = np.flatnonzero(labels[self.group] != self.labels)
        if mixed.size:
            i = mixed[0]
            names = sorted({self.classes[self.labels[i]], self.classes[labels[self.group[i]]]})
            raise ValueError(
                f"recording {self.recordings[i]} has windows of several classes: {', '.join(names)}"
            )
        return labels


def scored_windows(
    labels: ArrayLike, probabilities: ArrayLike, recordings: ArrayLike, classes: Sequence[str]
) -> ScoredWindows:
    """Check the windows of one part and find their called classes and recordings.

    Raises
    ------
    ValueError
        As for `ScoredWindows`, and if labels or recordings aren't integers.
    """
    return ScoredWindows(
        _integers("labels", labels),
        checked_probabilities(probabilities),
        _integers("recordings", recordings),
        list(classes),
    )


def checked_probabilities(probabilities: ArrayLike) -> Floats:
    """Return probabilities as float64 ``(windows, classes)``, or refuse what can't be that.

    Raises
    ------
    ValueError
        If they aren't 2-D, a value is negative or not finite, or a row doesn't sum to 1 within
        0.001.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2 or p.shape[1] == 0:
        raise ValueError(f"probabilities must be (windows, classes); found {p.shape}")
    # NaN and infinity fail the comparison; numpy needn't warn of them before.
    with np.errstate(invalid="ignore", over="ignore"):
        sums = p.sum(axis=1)
    good = (np.abs(sums - 1) <= TOLERANCE) & (p.min(axis=1) >= 0)
    if not good.all():
        i = int(np.argmin(good))
        raise ValueError(
            f"probabilities must be at least 0 and sum to 1; row {i} is {p[i].tolist()}, "
            f"sum {sums[i]:g}"
        )
    return p


def _integers(name: str, values: ArrayLike) -> Ints:
    array = np.asarray(values)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name} must be integers; found {array.dtype}")
    return array.astype(np.int64, copy=False)


class Aggregate(NamedTuple):
    """One diagnosis of many windows: class index, mean probability, share that agrees."""

    label: int
    confidence: float
    agreement: float


def aggregate(probabilities: ArrayLike) -> Aggregate:
    """One diagnosis from the windows of one recording.

    The class is that of the largest mean probability, the first of equals; `confidence` is that
    mean, `agreement` the share of windows whose own largest probability is of that class.

    Parameters
    ----------
    probabilities
        ``(windows, classes)``, at least one window.

    Raises
    ------
    ValueError
        If there are no windows or the rows aren't probabilities.

    Examples
    --------
    >>> aggregate([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2], [0.7, 0.3]])
    Aggregate(label=0, confidence=0.7, agreement=0.75)
    """
    p = checked_probabilities(probabilities)
    if not len(p):
        raise ValueError("no windows to aggregate")
    group = np.zeros(len(p), dtype=np.int64)
    label, confidence, agreement, _ = _by_group(p, p.argmax(axis=1), group, np.array([len(p)]))
    return Aggregate(int(label[0]), float(confidence[0]), float(agreement[0]))


class RunningAggregate:
    """One diagnosis of windows that come a few at a time: that of `aggregate`, to the last bit.

    Examples
    --------
    >>> result = RunningAggregate(2)
    >>> result.add(np.array([[0.9, 0.1], [0.4, 0.6]]))
    >>> result.add(np.array([[0.8, 0.2], [0.7, 0.3]]))
    >>> result.result()
    Aggregate(label=0, confidence=0.7, agreement=0.75)
    """

    def __init__(self, classes: int) -> None:
        self.windows = 0
        self._sums = np.zeros(classes)
        self._called = np.zeros(classes, dtype=np.int64)

    @property
    def means(self) -> Floats:
        """Mean probability of each class, ``(classes,)``."""
        return self._sums / self.windows

    def add(self, probabilities: Floats) -> None:
        """Take in more windows, ``(windows, classes)``."""
        self.windows += len(probabilities)
        self._called += np.bincount(probabilities.argmax(axis=1), minlength=len(self._sums))
        # One addition after the other, as `aggregate` does it, wherever the windows are parted.
        self._sums = np.add.accumulate(np.vstack((self._sums, probabilities)))[-1]

    def result(self) -> Aggregate:
        """Return the diagnosis of the windows so far, at least one."""
        means = self.means
        label = int(means.argmax())
        return Aggregate(label, float(means[label]), float(self._called[label] / self.windows))


class Aggregates(NamedTuple):
    """The diagnoses of many recordings, each ``(recordings,)``, and their mean probabilities."""

    label: Ints
    confidence: Floats
    agreement: Floats
    probabilities: Floats


def aggregate_recordings(windows: ScoredWindows) -> Aggregates:
    """Class, confidence, agreement and probabilities ``(recordings, classes)`` of each recording.

    As `aggregate` of the windows of one recording after the other, to the last bit.
    """
    return _by_group(windows.probabilities, windows.called, windows.group, windows.counts)


def _by_group(probabilities: Floats, called: Ints, group: Ints, counts: Ints) -> Aggregates:
    n = counts.size
    sums = [np.bincount(group, weights=column, minlength=n) for column in probabilities.T]
    means = np.stack(sums, axis=1) / counts[:, np.newaxis]
    label = means.argmax(axis=1)
    agreeing = np.bincount(group[called == label[group]], minlength=n)
    confidence = np.take_along_axis(means, label[:, np.newaxis], axis=1)[:, 0]
    return Aggregates(label, confidence, agreeing / counts, means)
