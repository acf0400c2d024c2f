"""Windows of a signal: where they start, how many are disjoint, how far two sets overlap.

A set of windows is an index of starts; the samples are copied once, when a batch is gathered.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError

LONGEST_WINDOW = 2**22
"""Samples of the longest window that a config or a checkpoint may name."""

# Samples that validation windows are apart at least, but no more than a 16th of their length.
LEAST_APART = 16


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """The rule by which segments are cut into windows.

    Parameters
    ----------
    length
        Samples of one window.
    stride
        Samples between the starts of two training windows, or None where `per_class` says how
        many there are. Validation windows are as far apart, but at least 16 samples or a 16th
        of the length, whichever is less: closer ones say nothing new, and their scores would
        take more memory than the signals.
    per_class
        Windows of one class over all parts; training and validation get their share of it,
        evenly spaced.
    test_stride
        Samples between the starts of two test windows; at `length` they don't overlap.
    """

    length: int
    stride: int | None
    per_class: int | None
    test_stride: int

    def stride_of(self, part: str) -> int | None:
        """Samples between two starts in this part, or None where `per_class` decides."""
        tested = part in {"test", "source_test"}
        if tested or self.stride is None:
            return self.test_stride if tested else None
        if part in {"train", "target_adapt"}:
            return self.stride
        return max(self.stride, min(LEAST_APART, self.length // 16))


def strided_starts(start: int, stop: int, length: int, stride: int) -> NDArray[np.int64]:
    """Return the starts of all windows that lie wholly in ``[start, stop)``, `stride` apart.

    Examples
    --------
    >>> strided_starts(10, 30, 8, 5)
    array([10, 15, 20])
    """
    return np.arange(start, stop - length + 1, stride, dtype=np.int64)


def spread_starts(
    start: int, stop: int, length: int, count: int, *, source: str = "a segment"
) -> NDArray[np.int64]:
    """Return `count` distinct starts spread evenly over ``[start, stop)``, first and last included.

    Parameters
    ----------
    source
        Where the samples lie, in the words of the error.

    Raises
    ------
    FaultdiagError
        If there are fewer than `count` distinct windows.

    Examples
    --------
    >>> spread_starts(0, 20, 8, 4)
    array([ 0,  4,  8, 12])
    """
    distinct = max(stop - start - length + 1, 0)
    if count > distinct:
        raise FaultdiagError(
            f"{count} windows of {length} samples are asked of {source} of {stop - start} "
            f"samples, which has {distinct} distinct ones; lower window.per_class"
        )
    return np.linspace(start, stop - length, count).round().astype(np.int64)


def count_disjoint(starts: NDArray[np.int64], length: int) -> int:
    """Count the windows of the largest subset in which no two share a sample.

    Examples
    --------
    >>> count_disjoint(np.array([0, 4, 8, 12, 16]), 8)
    3
    """
    count, free = 0, np.iinfo(np.int64).min
    ordered = np.sort(starts)
    while True:
        position = int(np.searchsorted(ordered, free))
        if position == len(ordered):
            return count
        count, free = count + 1, int(ordered[position]) + length


def best_overlap(
    starts: NDArray[np.int64], others: NDArray[np.int64], length: int
) -> NDArray[np.float64]:
    """Return, for each window, the largest share of its samples that one window of `others` holds.

    Parameters
    ----------
    starts, others
        Starts of windows of the same length in the same recording.

    Returns
    -------
    Shares between 0 and 1, one per start.
    """
    if len(others) == 0:
        return np.zeros(len(starts))
    ordered = np.sort(others)
    right = np.searchsorted(ordered, starts).clip(0, len(ordered) - 1)
    left = (right - 1).clip(0)
    distance = np.minimum(np.abs(ordered[right] - starts), np.abs(ordered[left] - starts))
    shares: NDArray[np.float64] = (length - distance).clip(0) / length
    return shares


def covered_intervals(starts: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Return the samples under a set of windows as sorted, disjoint ``[start, stop)`` rows.

    Examples
    --------
    >>> covered_intervals(np.array([0, 4, 20]), 8)
    array([[ 0, 12],
           [20, 28]])
    """
    ordered = np.unique(starts)
    if len(ordered) == 0:
        return np.empty((0, 2), dtype=np.int64)
    breaks = np.flatnonzero(np.diff(ordered) > length)
    first = ordered[np.concatenate(([0], breaks + 1))]
    last = ordered[np.concatenate((breaks, [len(ordered) - 1]))]
    return np.stack((first, last + length), axis=1)


def count_shared(sets: Sequence[NDArray[np.int64]]) -> int:
    """Count the samples that lie in two or more sets of sorted, disjoint intervals.

    Parameters
    ----------
    sets
        ``[start, stop)`` rows as `covered_intervals` gives them; at least one set.

    Examples
    --------
    >>> count_shared([np.array([[0, 12], [20, 28]]), np.array([[10, 22]])])
    4
    """
    intervals = np.concatenate(sets)
    edges = intervals.T.ravel()
    order = np.argsort(edges, kind="stable")
    depth = np.cumsum(np.repeat([1, -1], len(intervals))[order])
    widths = np.diff(edges[order], append=edges[order][-1:])
    return int(widths[depth >= 2].sum())
