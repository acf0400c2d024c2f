"""Scores of windows, and of recordings by the mean of their windows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultdiag.metrics.scores import require_classes

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

TOLERANCE = 1e-3  # of a sum of probabilities: what half precision leaves of 1


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
        """How many windows of each recording are called each class, ``(recordings, classes)``."""
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
