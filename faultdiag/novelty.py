"""The distance of a recording from the training data, between spectra, in decibels.

Each window is described by the shares of its energy in bands of frequency, in dB; the distance of
two windows is the root mean square of the differences of these (a log-spectral distance [1]_). The
novelty of a window is its distance from the fifth nearest training window [2]_, divided by a
threshold; that of a recording is the median of five windows spread over it. Gain and offset don't
count, and neither does the model: a network trained to tell the classes of one machine apart
discards what tells that machine from others.

The threshold is a distance that few windows exceed, of recordings that are like those of training.
Other seconds of the training recordings are too much like them: at another load most recordings
exceed such a threshold. So, wherever possible, windows are compared with the training windows of
other groups only (other loads, other recordings), and the threshold is a quantile of these
distances.

A few groups say little of the next one: recordings of one load share what is particular to that
load, and of K exchangeable groups the next one exceeds the largest with a probability of
1 / (K + 1) [3]_, which for three loads is a quarter. For a smaller rate something must be assumed,
here that the logarithms of the distances of recordings are normal, around a mean of their group
that is normal, too. With the means m_k of K groups, S^2 the variance of these, W^2 the mean square
within the groups of N recordings in all, and n the harmonic mean of the groups' sizes, a new
recording of a new group deviates from the mean of the m_k with the variance

    V = (1 + 1/K) S^2 + (1 - 1/n) W^2,

because S^2 is W^2 / n too large as an estimate of the variance between groups. Its degrees of
freedom are Satterthwaite's [4]_,

    f = V^2 / ([(1 + 1/K) S^2]^2 / (K - 1) + [(1 - 1/n) W^2]^2 / (N - K)),

and the threshold is at least ``exp(mean + t sqrt(V))`` with the quantile t of Student's
distribution: a prediction limit [5]_, which is the higher, the fewer groups there are and the more
they differ.

References
----------
.. [1] Gray, Markel, "Distance measures for speech processing", 1976,
   doi:10.1109/TASSP.1976.1162849
.. [2] Sun, Ming, Zhu, Li, "Out-of-Distribution Detection with Deep Nearest Neighbors", 2022,
   arXiv:2204.06507. There the distance is one of a network's features.
.. [3] Lee, Barber, Willett, "Distribution-free inference with hierarchical data", 2023,
   arXiv:2306.06342
.. [4] Satterthwaite, "An approximate distribution of estimates of variance components", 1946,
   doi:10.2307/3002019
.. [5] Francq, Lin, Hoyer, "Confidence, prediction, and tolerance in linear mixed models", 2019,
   doi:10.1002/sim.8386
"""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from faultdiag.arrays import Floats
from faultdiag.documents import Document

# Share of the windows that may exceed the threshold. If more than 2 % of the recordings had most
# of their windows above it, more than 1 % of the windows would be: so the rate for recordings is
# at most twice this, however their windows depend on each other.
FALSE_POSITIVE_RATE = 0.01
NEIGHBOURS = 5
BANDS = 32
# Least number of spectral lines in a band: the energy of fewer varies too much between windows.
LINES = 4
# Anti-alias filters fall off above this share of the band.
PASS_BAND = 0.9
# Shares below this, -60 dB, are left by quantisation and filters.
LEAST_SHARE = 1e-6
# Spectra that differ by less are the same. dB
LEAST_DISTANCE = 0.1
# The most training windows that are kept, and the most numbers: 256 KB in a checkpoint.
MOST_WINDOWS = 1024
MOST_NUMBERS = 1 << 16
# Windows of a recording that are compared: more cost time and hardly move their median.
MOST_OF_RECORDING = 5
# A threshold is at most this many times the largest distance of a held-out recording. Of few
# groups that differ much, the prediction limit alone may be beyond what any signal reaches.
FURTHEST = 2.0
# Windows described at a time.
CHUNK = 256

Levels = NDArray[np.float32]


def bands_of(length: int) -> int:
    """Return the number of bands of the spectrum of a window of `length` samples.

    Examples
    --------
    >>> bands_of(2048), bands_of(128)
    (32, 14)
    """
    return max(1, min(BANDS, _kept(length) // LINES))


def _kept(length: int) -> int:
    return max(1, int(PASS_BAND * (length // 2)))


def describe(windows: NDArray[np.floating]) -> Levels:
    """Compute the shares of the energy of windows in bands of frequency, in dB.

    Parameters
    ----------
    windows
        ``(windows, channels, length)``, as recorded: gain and offset change nothing.

    Returns
    -------
    Levels
        ``(windows, channels x bands)``, from -60 to 0; a channel that is constant has -60 in all.
    """
    from scipy.fft import rfft  # slow to import, twice as fast as numpy's

    length = windows.shape[-1]
    kept, starts = _band_starts(length)
    # Differences from the first sample are exact zeros in a constant window.
    x = windows - windows[..., :1]
    peak = np.abs(x).max(axis=-1, keepdims=True)
    # In single precision, which is half the work, squares of tiny or huge numbers get lost.
    x = np.divide(x, np.where(peak > 0, peak, 1), dtype=np.float32, casting="same_kind")
    x -= x.mean(axis=-1, keepdims=True)
    x *= _taper(length)
    lines = rfft(x)
    # Real and imaginary parts side by side, which is twice as fast as separately.
    parts = lines.view(lines.real.dtype)[..., 2 : 2 * kept + 2]
    energy = np.add.reduceat(np.square(parts), 2 * starts, axis=-1)
    total = energy.sum(axis=-1, keepdims=True)
    shares = energy / np.where(total > 0, total, 1.0)
    levels = 10 * np.log10(np.maximum(shares, LEAST_SHARE))
    return levels.reshape(len(windows), -1).astype(np.float32)


@lru_cache(maxsize=8)
def _band_starts(length: int) -> tuple[int, NDArray[np.intp]]:
    """Return the number of spectral lines in use, and the first line of each band."""
    kept = _kept(length)
    starts = np.linspace(0, kept, bands_of(length) + 1).round().astype(np.intp)
    return kept, starts[:-1]


@lru_cache(maxsize=8)
def _taper(length: int) -> NDArray[np.float32]:
    return np.hanning(length + 2)[1:-1].astype(np.float32)


def evenly(count: int, most: int) -> NDArray[np.int64]:
    """Return at most `most` of the numbers below `count`, evenly spread.

    Examples
    --------
    >>> evenly(9, 3).tolist(), evenly(2, 3).tolist()
    ([0, 4, 8], [0, 1])
    """
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


def most_windows(channels: int, length: int) -> int:
    """Return how many training windows are kept as reference."""
    return max(NEIGHBOURS, min(MOST_WINDOWS, MOST_NUMBERS // (channels * bands_of(length))))


@dataclass(frozen=True, eq=False)
class Novelty:
    """A reference of training windows, and the distance from it that counts as novel.

    Parameters
    ----------
    reference
        Descriptions of training windows by `describe`, ``(windows, channels x bands)`` in dB.
    threshold
        The distance that counts as 1, in dB.
    false_positive_rate
        The expected share of windows above the threshold, of recordings like those of `basis`.
    neighbours
        n: the distance is the one from the n-th nearest window.
    basis
        The windows that the threshold was fitted on, in words; empty in earlier checkpoints.
    """

    reference: NDArray[np.float32]
    threshold: float
    false_positive_rate: float
    neighbours: int
    basis: str = ""

    def scores(self, windows: NDArray[np.floating]) -> Floats:
        """Compute the novelty of raw windows ``(windows, channels, length)``."""
        chunks = range(0, len(windows), CHUNK)
        levels = [describe(windows[first : first + CHUNK]) for first in chunks]
        return np.concatenate([np.empty(0), *map(self._distances, levels)]) / self.threshold

    def score(self, windows: NDArray[np.floating]) -> float:
        """Compute the novelty of a recording, the median of a few of its windows."""
        return self.median(windows[evenly(len(windows), MOST_OF_RECORDING)])

    def median(self, windows: NDArray[np.floating]) -> float:
        """Compute the median of the novelty of raw windows ``(windows, channels, length)``."""
        return float(statistics.median(self.scores(windows).tolist()))

    def same(self, other: "Novelty | None") -> bool:
        """Return whether another gives the same novelty to every recording."""
        return other is not None and (
            np.array_equal(self.reference, other.reference) and self._numbers() == other._numbers()
        )

    def _numbers(self) -> tuple[float, float, int, str]:
        return self.threshold, self.false_positive_rate, self.neighbours, self.basis

    @cached_property
    def _exact(self) -> tuple[Floats, Floats]:
        exact = self.reference.astype(np.float64)
        return exact, np.square(exact).sum(axis=1)

    def _distances(self, levels: Levels) -> Floats:
        reference, squares = self._exact
        return distances(levels, reference, self.neighbours, squares)


class RecordingNovelty:
    """The novelty of a recording whose windows come some at a time.

    Parameters
    ----------
    novelty
        What the recording is compared with.
    windows
        How many windows there will be.
    """

    def __init__(self, novelty: Novelty, windows: int) -> None:
        self._novelty = novelty
        self._wanted = evenly(windows, MOST_OF_RECORDING)
        self._seen = 0
        self._kept: list[NDArray[np.floating]] = []

    def add(self, windows: NDArray[np.floating]) -> None:
        """Add the next windows, ``(channels, windows, length)``, as recorded."""
        numbers = self._wanted - self._seen
        here = numbers[(numbers >= 0) & (numbers < windows.shape[1])]
        self._seen += windows.shape[1]
        if len(here):
            self._kept.append(windows[:, here].transpose(1, 0, 2))

    def score(self) -> float:
        """Compute the novelty of the recording."""
        return self._novelty.median(np.concatenate(self._kept))


def distances(
    levels: NDArray[np.floating],
    reference: NDArray[np.floating],
    neighbours: int,
    squares: NDArray[np.floating] | None = None,
) -> Floats:
    """Compute the distance of each row from its n-th nearest row of the reference, in dB.

    Parameters
    ----------
    squares
        The sums of the squares of the reference's rows, if already computed.
    """
    # A small difference of large squares: in single precision it differs between machines.
    levels, reference = (x.astype(np.float64, copy=False) for x in (levels, reference))
    apart = levels @ reference.T
    apart *= -2
    apart += np.square(reference).sum(axis=1) if squares is None else squares
    apart.partition(neighbours - 1, axis=1)
    nearest = apart[:, neighbours - 1] + np.square(levels).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(nearest, 0) / levels.shape[1]))


def distances_across(
    levels: Levels, groups: NDArray[np.integer], labels: NDArray[np.integer], neighbours: int
) -> tuple[Floats, NDArray[np.intp]]:
    """Compute how far windows are from the windows of other groups, in dB.

    Parameters
    ----------
    levels
        Descriptions of windows, ``(windows, channels x bands)``.
    groups, labels
        Group and class of each window, ``(windows,)``.
    neighbours
        n: the distance is the one from the n-th nearest window of another group.

    Returns
    -------
    tuple[Floats, NDArray[np.intp]]
        The distances of the windows whose class another group has too, and the rows of these
        windows; none where no class has two groups. Without its class among the others, a window
        would be compared with other faults.
    """
    classes_of = {g: set(labels[groups == g].tolist()) for g in np.unique(groups).tolist()}
    parts, rows = [np.empty(0)], [np.empty(0, dtype=np.intp)]
    for group in classes_of:
        others = set().union(*(known for g, known in classes_of.items() if g != group))
        mine = (groups == group) & np.isin(labels, list(others))
        rest = groups != group
        if mine.any():
            nearest = min(neighbours, int(rest.sum()))
            parts.append(distances(levels[mine], levels[rest], nearest))
            rows.append(np.flatnonzero(mine))
    return np.concatenate(parts), np.concatenate(rows)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Distances in dB of windows from the training windows of other groups.

    Parameters
    ----------
    distances
        Distance of each window, ``(windows,)``.
    recording, group
        The recording and the group of each window, as numbers, ``(windows,)``.
    """

    distances: Floats
    recording: NDArray[np.integer]
    group: NDArray[np.integer]

    def by_recording(self) -> tuple[Floats, NDArray[np.integer]]:
        """Compute the distance of each recording, as `Novelty.score` does, and its group."""
        numbers, first = np.unique(self.recording, return_index=True)
        scores = [self._score(self.distances[self.recording == number]) for number in numbers]
        return np.array(scores), self.group[first]

    @staticmethod
    def _score(own: Floats) -> float:
        return float(np.median(own[evenly(len(own), MOST_OF_RECORDING)]))


def fit_across(train: Levels, held_out: HeldOut, *, basis: str) -> Novelty:
    """Fit the threshold on recordings that are compared with other groups only.

    It is that of `fit` for the windows, with as many independent ones as there are recordings,
    but at least the prediction limit for a recording of a new group, up to `FURTHEST` times the
    largest distance of a recording. Two groups give no limit: as far as the first is from the
    second, the second is from the first, and how far a third may be is not known.

    Parameters
    ----------
    train
        Descriptions of training windows, ``(windows, channels x bands)``; at least one row.
    held_out
        At least one window.
    basis
        What the held-out windows are, in words.
    """
    scores, groups = held_out.by_recording()
    fitted = fit(train, held_out.distances, independent=len(scores), basis=basis)
    if len(np.unique(groups)) == 2:
        return fitted
    limit = prediction_limit(scores, groups, fitted.false_positive_rate)
    limit = min(limit, FURTHEST * float(scores.max()))
    return replace(fitted, threshold=max(fitted.threshold, limit))


def prediction_limit(scores: Floats, groups: NDArray[np.integer], rate: float) -> float:
    """Compute the distance that a recording of a new group exceeds with a probability of `rate`.

    Parameters
    ----------
    scores
        Distance of each recording from other groups, dB, ``(recordings,)``.
    groups
        Its group; where all are of one, each counts as a group of its own.
    rate
        Share of recordings above the limit, between 0 and 1.

    Returns
    -------
    float
        In dB; 0 for a single recording.

    Examples
    --------
    >>> scores, groups = np.array([2.0, 2.2, 2.1, 4.0, 4.1, 4.2]), np.array([0, 0, 0, 1, 1, 1])
    >>> round(prediction_limit(scores[:3], groups[:3], 0.1), 2)
    2.33
    >>> round(prediction_limit(scores, groups, 0.1), 1)
    17.3
    """
    names, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) == 1:
        place, sizes = np.arange(len(scores)), np.ones(len(scores), dtype=np.intp)
    count = len(sizes)
    if count == 1:
        return 0.0
    logs = np.log(np.maximum(scores, LEAST_DISTANCE))
    means = np.bincount(place, logs) / sizes
    inside = len(logs) - count
    within = float(np.square(logs - means[place]).sum()) / max(inside, 1)
    terms = ((1 + 1 / count) * means.var(ddof=1), (1 - np.mean(1 / sizes)) * within)
    variance = sum(terms)
    if variance == 0:
        return math.exp(means.mean())
    squares = terms[0] ** 2 / (count - 1) + terms[1] ** 2 / max(inside, 1)
    return math.exp(means.mean() + _student(1 - rate, variance**2 / squares) * math.sqrt(variance))


def _student(share: float, freedom: float) -> float:
    """Return a quantile of Student's distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, share))


def fit(train: Levels, held_out: Floats, *, independent: int, basis: str) -> Novelty:
    """Fit the threshold on the distances of windows that training has not seen.

    The threshold is the distance that the next window of the same kind exceeds with the false
    positive rate; with too few windows it is the largest distance, and the rate is that of the
    largest.

    Parameters
    ----------
    train
        Descriptions of training windows, ``(windows, channels x bands)``; at least one row.
    held_out
        Distances in dB of windows that are like those of training, at least one.
    independent
        How many of these are independent; windows of one new recording are not.
    basis
        What the held-out windows are, in words.
    """
    ordered = np.sort(held_out)
    count = len(ordered)
    rank = min(math.ceil((count + 1) * (1 - FALSE_POSITIVE_RATE)), count)
    rate = max(FALSE_POSITIVE_RATE, 1 / (independent + 1))
    threshold = max(float(ordered[rank - 1]), LEAST_DISTANCE)
    return Novelty(train, threshold, rate, min(NEIGHBOURS, len(train)), basis)


def check(stored: object, columns: int) -> str | None:
    """Return the fault of the stored fields of a `Novelty`, or None.

    Parameters
    ----------
    stored
        The fields by name, ``reference`` as an array.
    columns
        The columns that the reference must have: channels times bands.
    """
    if not isinstance(stored, Mapping):
        return f"is {type(stored).__name__}, not a mapping"
    reference = stored.get("reference")
    if not isinstance(reference, np.ndarray) or reference.dtype != np.float32:
        return "has no reference of float32 numbers"
    if reference.ndim != 2 or not len(reference) or reference.shape[1] != columns:
        return f"has a reference of the shape {reference.shape}, it must be (windows, {columns})"
    if not np.isfinite(reference).all():
        return "has a reference with numbers that are not finite"
    return _check_numbers(stored, len(reference))


def _check_numbers(stored: Document, rows: int) -> str | None:
    limits = {"threshold": math.inf, "false_positive_rate": 1.0, "neighbours": rows + 1.0}
    for name, limit in limits.items():
        value = stored.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < limit:
            return f"has the {name} {value!r}, which must be a number above 0 and below {limit:g}"
    if not isinstance(stored["neighbours"], int):
        return f"has {stored['neighbours']!r} neighbours, which must be a whole number"
    if not isinstance(stored.get("basis", ""), str):
        return f"has the basis {stored['basis']!r}, which must be text"
    return None
