"""One diagnosis from the many windows of a recording."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultdiag.metrics.windows import ScoredWindows, checked_probabilities

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


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
    >>> found = RunningAggregate(2)
    >>> found.add(np.array([[0.9, 0.1], [0.4, 0.6]]))
    >>> found.add(np.array([[0.8, 0.2], [0.7, 0.3]]))
    >>> found.result()
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
        """Give the diagnosis of the windows so far, at least one."""
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
