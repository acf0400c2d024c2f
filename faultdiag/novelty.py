"""How unlike the training data a recording is: a distance between spectra, in decibels.

Each window is described by the shares of its energy in bands of frequency, in dB; two windows
differ by the root mean square of the differences of these (a log-spectral distance [1]_). The
novelty of a window is its distance from the fifth nearest of the training windows [2]_, over a
threshold that few windows of the validation part exceed; that of a recording is the median of
five windows spread over it. Gain and offset don't count, and neither does the model: a network
trained to tell the classes of one machine apart throws away what tells that machine from others.

References
----------
.. [1] Gray, Markel, "Distance measures for speech processing", 1976,
   doi:10.1109/TASSP.1976.1162849
.. [2] Sun, Ming, Zhu, Li, "Out-of-Distribution Detection with Deep Nearest Neighbors", 2022,
   arXiv:2204.06507. There the distance is one of a network's features.
"""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Share of the windows of the validation part that may exceed the threshold. Where more than 2 %
# of such recordings had most of their windows above it, more than 1 % of the windows would be:
# so the rate for recordings is twice this at most, however their windows hang together.
FALSE_POSITIVE_RATE = 0.01
NEIGHBOURS = 5
BANDS = 32
# Lines of the spectrum in a band, at least: fewer and its energy says nothing from one window.
LINES = 4
# Above this share of the band anti-alias filters fall off.
PASS_BAND = 0.9
# Shares below this, -60 dB, are what quantisation and filters leave.
LEAST_SHARE = 1e-6
# Spectra that differ by less are the same, whatever the validation part says. dB
LEAST_DISTANCE = 0.1
# Training windows that are kept, and numbers of them: 256 KB in a checkpoint at most.
MOST_WINDOWS = 1024
MOST_NUMBERS = 1 << 16
# Windows of a recording that are looked at: more cost time and hardly move their median.
MOST_OF_RECORDING = 5
# Windows worked on at a time.
CHUNK = 256

Levels = NDArray[np.float32]
Floats = NDArray[np.float64]


def bands_of(length: int) -> int:
    """Give how many bands the spectrum of a window of `length` samples is cut into.

    Examples
    --------
    >>> bands_of(2048), bands_of(128)
    (32, 14)
    """
    return max(1, min(BANDS, _kept(length) // LINES))


def _kept(length: int) -> int:
    return max(1, int(PASS_BAND * (length // 2)))


def describe(windows: NDArray[np.floating]) -> Levels:
    """Give the shares of the energy of windows in bands of frequency, in dB.

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
    # The distances from the first sample of a constant window are exact zeros.
    x = windows - windows[..., :1]
    peak = np.abs(x).max(axis=-1, keepdims=True)
    # In single precision, which is half the work, squares of what isn't near 1 get lost.
    x = np.divide(x, np.where(peak > 0, peak, 1), dtype=np.float32, casting="same_kind")
    x -= x.mean(axis=-1, keepdims=True)
    x *= _taper(length)
    lines = rfft(x)
    # Real and imaginary parts one after the other, which is twice as fast as apart.
    parts = lines.view(lines.real.dtype)[..., 2 : 2 * kept + 2]
    energy = np.add.reduceat(np.square(parts), 2 * starts, axis=-1)
    total = energy.sum(axis=-1, keepdims=True)
    shares = energy / np.where(total > 0, total, 1.0)
    levels = 10 * np.log10(np.maximum(shares, LEAST_SHARE))
    return levels.reshape(len(windows), -1).astype(np.float32)


@lru_cache(maxsize=8)
def _band_starts(length: int) -> tuple[int, NDArray[np.intp]]:
    """Give how many lines of a spectrum are kept, and which are the first of the bands."""
    kept = _kept(length)
    starts = np.linspace(0, kept, bands_of(length) + 1).round().astype(np.intp)
    return kept, starts[:-1]


@lru_cache(maxsize=8)
def _taper(length: int) -> NDArray[np.float32]:
    return np.hanning(length + 2)[1:-1].astype(np.float32)


def evenly(count: int, most: int) -> NDArray[np.int64]:
    """Give at most `most` of the numbers below `count`, evenly spread.

    Examples
    --------
    >>> evenly(9, 3).tolist(), evenly(2, 3).tolist()
    ([0, 4, 8], [0, 1])
    """
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


def most_windows(channels: int, length: int) -> int:
    """Give how many training windows are kept for reference."""
    return max(NEIGHBOURS, min(MOST_WINDOWS, MOST_NUMBERS // (channels * bands_of(length))))


@dataclass(frozen=True, eq=False)
class Novelty:
    """What recordings are held against.

    Parameters
    ----------
    reference
        Training windows as `describe` gives them, ``(windows, channels x bands)`` in dB.
    threshold
        The distance that counts as 1, in dB.
    false_positive_rate
        Share of windows like those of the validation part that are farther away.
    neighbours
        The distance is that from this many-nearest window.
    """

    reference: NDArray[np.float32]
    threshold: float
    false_positive_rate: float
    neighbours: int

    def scores(self, windows: NDArray[np.floating]) -> Floats:
        """Give the novelty of raw windows ``(windows, channels, length)``, 1 at the threshold."""
        chunks = range(0, len(windows), CHUNK)
        levels = [describe(windows[first : first + CHUNK]) for first in chunks]
        return np.concatenate([np.empty(0), *map(self._distances, levels)]) / self.threshold

    def score(self, windows: NDArray[np.floating]) -> float:
        """Give the novelty of a recording, the median of a few of its windows."""
        return self.median(windows[evenly(len(windows), MOST_OF_RECORDING)])

    def median(self, windows: NDArray[np.floating]) -> float:
        """Give the median of the novelty of raw windows ``(windows, channels, length)``."""
        return float(statistics.median(self.scores(windows).tolist()))

    def same(self, other: "Novelty | None") -> bool:
        """Whether another says the same of every recording."""
        return other is not None and (
            np.array_equal(self.reference, other.reference) and self._numbers() == other._numbers()
        )

    def _numbers(self) -> tuple[float, float, int]:
        return self.threshold, self.false_positive_rate, self.neighbours

    @cached_property
    def _squares(self) -> NDArray[np.float32]:
        return np.asarray(np.square(self.reference).sum(axis=1))

    def _distances(self, levels: Levels) -> Floats:
        return distances(levels, self.reference, self.neighbours, self._squares)


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
        """See the next windows, ``(channels, windows, length)``, as recorded."""
        numbers = self._wanted - self._seen
        here = numbers[(numbers >= 0) & (numbers < windows.shape[1])]
        self._seen += windows.shape[1]
        if len(here):
            self._kept.append(windows[:, here].transpose(1, 0, 2))

    def score(self) -> float:
        """Give the novelty of the recording."""
        return self._novelty.median(np.concatenate(self._kept))


def distances(
    levels: NDArray[Any],
    reference: NDArray[Any],
    neighbours: int,
    squares: NDArray[Any] | None = None,
) -> Floats:
    """Give the distance of each row from its n-th nearest row of the reference, in dB.

    Parameters
    ----------
    squares
        The sums of the squares of the rows of the reference, where they are known.
    """
    apart = levels @ reference.T
    apart *= -2
    apart += np.square(reference).sum(axis=1) if squares is None else squares
    apart.partition(neighbours - 1, axis=1)
    nearest = apart[:, neighbours - 1] + np.square(levels).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(nearest, 0).astype(np.float64) / levels.shape[1]))


def fit(train: Levels, valid: Levels) -> Novelty:
    """Fit on the descriptions of training windows, the threshold on those of validation windows.

    The threshold is the distance that the next window of the same kind exceeds with the false
    positive rate; where there are too few windows to tell, the largest of them, and the rate
    that it stands for.

    Parameters
    ----------
    train, valid
        As `describe` gives them, ``(windows, channels x bands)``; at least one row each.
    """
    neighbours = min(NEIGHBOURS, len(train))
    found = np.sort(distances(valid, train, neighbours))
    count = len(found)
    rank = min(math.ceil((count + 1) * (1 - FALSE_POSITIVE_RATE)), count)
    rate = max(FALSE_POSITIVE_RATE, 1 / (count + 1))
    threshold = max(float(found[rank - 1]), LEAST_DISTANCE)
    return Novelty(train, threshold, rate, neighbours)


def check(found: Any, columns: int) -> str | None:
    """Say what is wrong with numbers and reference that were stored, or None.

    Parameters
    ----------
    found
        ``reference`` (an array), ``threshold``, ``false_positive_rate`` and ``neighbours``.
    columns
        What the reference must have: channels times bands.
    """
    if not isinstance(found, Mapping):
        return f"is {type(found).__name__}, not a mapping"
    reference = found.get("reference")
    if not isinstance(reference, np.ndarray) or reference.dtype != np.float32:
        return "has no reference of float32 numbers"
    if reference.ndim != 2 or not len(reference) or reference.shape[1] != columns:
        return f"has a reference of the shape {reference.shape}, it must be (windows, {columns})"
    if not np.isfinite(reference).all():
        return "has a reference with numbers that are not finite"
    return _check_numbers(found, len(reference))


def _check_numbers(found: Mapping[str, Any], rows: int) -> str | None:
    limits = {"threshold": math.inf, "false_positive_rate": 1.0, "neighbours": rows + 1.0}
    for name, limit in limits.items():
        value = found.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < limit:
            return f"has the {name} {value!r}, which must be a number above 0 and below {limit:g}"
    if not isinstance(found["neighbours"], int):
        return f"has {found['neighbours']!r} neighbours, which must be a whole number"
    return None
