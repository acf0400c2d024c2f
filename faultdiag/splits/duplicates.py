"""Find samples that two recordings or channels share.

A signal is known again by where it turns. The distances between 65 successive turning points make
a code that stays the same under scale, sign, offset, a cut anywhere, and rounding that moves no
turning point. Of all codes only those are kept whose hash says so, which are the same ones in
every copy. Equal codes of two recordings vote for a lag between them, and what was voted for is
compared sample by sample. Time grows with the number of samples.

An excerpt is found from about 400 turning points on: all of 2048 samples of CWRU's recordings at
12 kHz, and of 3072 of those at 48 kHz. Not found: what was resampled, filtered or reversed in
time, clipped, rounded to a few bits or drifting, a signal under added noise, and signals so
regular (a clean sine, a loop of more than four rounds) that every place of them looks like others.

References
----------
.. [1] A. Wang, "An industrial-strength audio search algorithm", Proc. ISMIR (2003): votes for a
   lag by codes of landmarks.
.. [2] S. Schleimer, D. S. Wilkerson, A. Aiken, "Winnowing: local algorithms for document
   fingerprinting", Proc. SIGMOD (2003), doi:10.1145/872757.872770: codes kept by their hash alone.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faultdiag.documents import Document

# Samples that are compared as one; where two signals begin and cease to agree is found to the
# sample afterwards.
BLOCK = 64
# A block agrees where its correlation is at least this; rounding to 16 bits leaves 0.9999.
AGREES = 0.99
# The least correlation of all common samples together.
SAME = 0.9999
# The largest residual of a block of copies, as a share of the standard deviation: sqrt(1 - SAME²).
RESIDUAL = 0.014
# The largest residual of one sample beside them, in root mean squares of theirs; and the least
# that is distinguished from none, as a share of the standard deviation.
OUTLIER = 6.0
ROUNDING = 1e-6
# Samples worked on at a time.
PIECE = 2**17

Signal = NDArray[np.floating]


class Fit(NamedTuple):
    """The relation of two signals, ``y = scale * x + offset``, and its residual."""

    scale: float
    offset: float
    correlation: float
    deviation: float
    residual: float


class Run(NamedTuple):
    """Common samples: where they begin in the first signal, how many, and how they compare."""

    start: int
    samples: int
    scale: float
    offset: float
    correlation: float


def shared_runs(x: Signal, y: Signal, lag: int, minimum: int) -> list[Run]:
    """Return the runs of at least `minimum` samples where ``y[i] = scale * x[i + lag] + offset``.

    All runs have one scale and offset, those of the longest stretch that agrees.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal(5000)
    >>> [run] = shared_runs(noise, 3 * noise[1000:], 1000, minimum=500)
    >>> run.start, run.samples, round(run.scale, 6)
    (1000, 4000, 3.0)
    """
    first = max(lag, 0)
    samples = min(len(x) - first, len(y) - first + lag)
    x, y = x[first : first + samples], y[first - lag : first - lag + samples]
    runs = []
    for begin, end in _agreeing(x, y):
        run = _run(x, y, begin, end)
        if run.samples >= minimum and abs(run.correlation) >= SAME:
            runs.append(run._replace(start=run.start + first))
    return runs


def _agreeing(x: Signal, y: Signal) -> list[tuple[int, int]]:
    """Return ``[begin, end)`` of the runs of blocks that follow from one another, in samples."""
    empty = np.empty(0)
    correlation = np.concatenate([empty, *(_correlations(a, b) for a, b in _pieces(x, y))])
    signs = np.sign(correlation) * (np.abs(correlation) >= AGREES)
    stretches = [(begin, end) for begin, end in _equal_runs(signs) if signs[begin]]
    if not stretches:
        return []
    begin, end = max(stretches, key=lambda stretch: stretch[1] - stretch[0])
    fit = fit_copy(x[begin * BLOCK : end * BLOCK], y[begin * BLOCK : end * BLOCK])
    rest = np.concatenate([empty, *(_residuals(a, b, fit) for a, b in _pieces(x, y))])
    follows = rest <= RESIDUAL * abs(fit.scale) * fit.deviation
    # A quiet stretch, where rounding hides the correlation, joins what agrees on both sides.
    rows = [np.flatnonzero(signs[b:e]) + b for b, e in _equal_runs(follows) if follows[b]]
    return [(int(row[0]) * BLOCK, (int(row[-1]) + 1) * BLOCK) for row in rows if len(row)]


def _pieces(x: Signal, y: Signal) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yield whole blocks of both signals, ``(blocks, BLOCK)``, a piece at a time."""
    whole = len(x) // BLOCK * BLOCK
    for begin in range(0, whole, PIECE):
        part = slice(begin, min(begin + PIECE, whole))
        yield _blocks(x[part]), _blocks(y[part])


def _blocks(values: Signal) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64).reshape(-1, BLOCK)


def _correlations(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correlation of each block; 0 where one is constant."""
    a = a - a.mean(axis=1, keepdims=True)
    b = b - b.mean(axis=1, keepdims=True)
    product = np.einsum("ij,ij->i", a, b)
    power = np.einsum("ij,ij->i", a, a) * np.einsum("ij,ij->i", b, b)
    correlations = np.zeros(len(a))
    np.divide(product, np.sqrt(power), out=correlations, where=power > 0)
    return correlations


def _residuals(a: NDArray[np.float64], b: NDArray[np.float64], fit: Fit) -> NDArray[np.float64]:
    rest = b - fit.scale * a - fit.offset
    root: NDArray[np.float64] = np.sqrt(np.mean(rest**2, axis=1))
    return root


def _equal_runs(values: NDArray[np.generic]) -> list[tuple[int, int]]:
    """Return ``[begin, end)`` of each run of equal values."""
    if len(values) == 0:
        return []
    edges = (np.flatnonzero(values[1:] != values[:-1]) + 1).tolist()
    return list(pairwise([0, *edges, len(values)]))


def fit_copy(x: Signal, y: Signal) -> Fit:
    """Fit ``y = scale * x + offset`` by least squares; a constant `x` gives the scale 0."""
    mean_x, mean_y = (float(np.mean(values, dtype=np.float64)) for values in (x, y))
    xx = xy = yy = 0.0
    for begin in range(0, len(x), PIECE):
        a = np.asarray(x[begin : begin + PIECE], dtype=np.float64) - mean_x
        b = np.asarray(y[begin : begin + PIECE], dtype=np.float64) - mean_y
        xx, xy, yy = xx + float(a @ a), xy + float(a @ b), yy + float(b @ b)
    scale = xy / xx if xx else 0.0
    correlation = xy / math.sqrt(xx * yy) if xx * yy else 0.0
    residual = math.sqrt(max(yy - scale * xy, 0.0) / len(x))
    deviation = math.sqrt(xx / len(x))
    return Fit(scale, mean_y - scale * mean_x, correlation, deviation, residual)


def _run(x: Signal, y: Signal, begin: int, end: int) -> Run:
    """Return a run of whole blocks, cut or extended to the samples where the signals part.

    A block at an edge may agree as a whole though its last few samples don't: the fit is that of
    the blocks within, and the edges are compared sample by sample.
    """
    if end - begin >= 3 * BLOCK:
        begin, end = begin + BLOCK, end - BLOCK
    fit = fit_copy(x[begin:end], y[begin:end])
    before, after = slice(max(begin - 2 * BLOCK, 0), begin), slice(end, end + 2 * BLOCK)
    begin -= _agreeing_samples(x[before][::-1], y[before][::-1], fit)
    end += _agreeing_samples(x[after], y[after], fit)
    fit = fit_copy(x[begin:end], y[begin:end])
    return Run(begin, end - begin, fit.scale, fit.offset, fit.correlation)


def _agreeing_samples(x: Signal, y: Signal, fit: Fit) -> int:
    """Count the samples from the first on that the fit leaves no more of than rounding would."""
    allowed = max(OUTLIER * fit.residual, ROUNDING * abs(fit.scale) * fit.deviation)
    rest = np.abs(y.astype(np.float64) - fit.scale * x.astype(np.float64) - fit.offset)
    parted = np.flatnonzero(rest > allowed)
    return int(parted[0]) if len(parted) else len(rest)


# Distances between turning points in one code, a power of two: in white noise 96 samples. Half as
# many come out alike by chance all over the more tonal of the CWRU recordings.
SPAN = 64
# Odd, of many bits: the hash of distances is a polynomial in it, modulo 2**64.
BASE = 0x9E3779B97F4A7C15
# One code of so many is kept: in white noise one to 48 samples, so that codes take a twelfth of the
# memory of the signals.
THINNING = 32
# A code that one channel has more often than this marks a regular signal, not a place in it.
MOST_REPEATS = 4
# Each place is compared with this number of others of the same code, so that one with a hundred
# copies is still seen to be one in linear time.
NEIGHBOURS = 4
# Least distance in samples of two votes for a lag: nearer ones may be the same coincidence. And the
# number of lags of two channels that are examined, those with most votes.
SPREAD = 256
LAGS = 4
# Samples worked on at a time, and recordings kept in memory while copies are verified.
EXCERPT = 2**15
KEPT = 3

Channels = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Samples that two recordings, or two places of one recording, have in common.

    Parameters
    ----------
    recordings, channels
        Indices of both recordings, and of the channel of each.
    start
        The first common sample in each.
    samples
        How many samples are common.
    scale, offset
        The second is ``scale * first + offset``.
    correlation
        Correlation of the common samples; its sign is that of the scale.
    """

    recordings: tuple[int, int]
    channels: tuple[int, int]
    start: tuple[int, int]
    samples: int
    scale: float
    offset: float
    correlation: float

    @classmethod
    def from_dict(cls, row: Document) -> "Duplicate":
        """Return the object of a ``dataclasses.asdict`` that was stored as JSON."""
        pairs = {name: tuple(row[name]) for name in ("recordings", "channels", "start")}
        return cls(**{**row, **pairs})


class Fingerprints:
    """Codes of recordings that are added one after another; only the codes are kept."""

    def __init__(self) -> None:
        self._codes: list[NDArray[np.uint64]] = []
        self._places: list[NDArray[np.int64]] = []
        # Recording and channel of each track.
        self._tracks: list[tuple[int, int]] = []
        self._recordings = 0

    def add(self, signal: NDArray[np.floating]) -> None:
        """Take the codes of the next recording, ``(channels, samples)``."""
        for channel, row in enumerate(signal):
            codes, places = fingerprint(row)
            self._codes.append(codes)
            self._places.append(places)
            self._tracks.append((self._recordings, channel))
        self._recordings += 1

    def find(self, read: Callable[[int], Channels], minimum: Sequence[int]) -> list[Duplicate]:
        """Return the duplicate samples, by recordings.

        Parameters
        ----------
        read
            Gives a recording by its index, as it was added; called only where codes agree.
        minimum
            Per recording, the fewest samples that count as common; of two recordings the
            smaller number holds.
        """
        if not any(len(row) for row in self._codes):
            return []
        codes, order = _repeated(np.concatenate(self._codes))
        ends = np.cumsum([len(row) for row in self._codes])
        tracks = np.searchsorted(ends, order, side="right")
        lags = _voted(codes, tracks, np.concatenate(self._places)[order])
        signals = _RecordingCache(read)
        duplicates = []
        for first, second, lag in lags:
            one, other = self._tracks[first], self._tracks[second]
            x, y = (signals[recording][channel] for recording, channel in (one, other))
            shortest = min(minimum[one[0]], minimum[other[0]])
            runs = shared_runs(x, y, lag, shortest)
            duplicates += [_duplicate(one, other, lag, run) for run in runs]
        return sorted(duplicates, key=lambda row: (row.recordings, row.channels, row.start))


def find_duplicates(signals: Sequence[NDArray[np.floating]], minimum: int) -> list[Duplicate]:
    """Return the duplicate samples in signals that are in memory, each ``(channels, samples)``.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal((1, 9000))
    >>> (found,) = find_duplicates([noise, -2 * noise[:, 3000:8000]], minimum=1000)
    >>> found.start, found.samples, round(found.scale, 6)
    ((3000, 0), 5000, -2.0)
    """
    prints = Fingerprints()
    for signal in signals:
        prints.add(signal)
    return prints.find(lambda i: np.asarray(signals[i]), [minimum] * len(signals))


def fingerprint(signal: NDArray[np.floating]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the kept codes of one channel, ``(samples,)``, and the sample where each begins."""
    codes, places = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    carried = np.empty(0, np.int64)
    for turns in _turning_points(signal):
        known = np.concatenate((carried, turns))
        carried = known[-SPAN:]
        if len(known) > SPAN:
            hashed = _hashed(np.diff(known).view(np.uint64))
            kept = np.flatnonzero((hashed & np.uint64(THINNING - 1)) == 0)
            codes.append(hashed[kept])
            places.append(known[kept])
    return np.concatenate(codes), np.concatenate(places)


def _turning_points(signal: NDArray[np.floating]) -> Iterator[NDArray[np.int64]]:
    """Yield, piece by piece, the samples after which a signal turns; of a plateau its last."""
    direction = np.empty(0, bool)
    for first in range(0, len(signal) - 1, EXCERPT):
        piece = signal[first : first + EXCERPT + 1]
        moving = piece[1:] != piece[:-1]
        rising = np.concatenate((direction, (piece[1:] > piece[:-1])[moving]))
        turning = np.flatnonzero(rising[1:] != rising[:-1])
        if len(direction) == 0:
            turning += 1
        yield np.flatnonzero(moving)[turning] + first
        direction = rising[-1:]


def _hashed(distances: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a hash of each `SPAN` successive distances: a polynomial in them, mixed."""
    width, base = 1, BASE
    while width < SPAN:
        distances = distances[:-width] * np.uint64(base) + distances[width:]
        width, base = 2 * width, base * base % 2**64
    spread = (distances ^ (distances >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    return np.asarray(spread ^ (spread >> np.uint64(32)))


def _repeated(codes: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
    """Return the codes that are there more than once, sorted, and where: mostly few are."""
    order = np.argsort(codes, kind="stable")
    codes = codes[order]
    equal = np.concatenate(([False], codes[1:] == codes[:-1], [False]))
    repeated = equal[1:] | equal[:-1]
    return codes[repeated], order[repeated]


def _voted(
    codes: NDArray[np.uint64], tracks: NDArray[np.int64], places: NDArray[np.int64]
) -> list[tuple[int, int, int]]:
    """Return the (track, track, lag) that equal ones of the sorted codes vote for."""
    rare = _rare(codes, tracks)
    codes, tracks, places = codes[rare], tracks[rare], places[rare]
    rows = []
    for step in range(1, NEIGHBOURS + 1):
        (same,) = np.nonzero(codes[step:] == codes[:-step])
        other = same + step
        lag = places[same] - places[other]
        rows.append(np.stack((tracks[same], tracks[other], lag, places[same])))
    return _elected(np.concatenate(rows, axis=1))


def _elected(votes: NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """Return the rows (track, track, lag) with votes from places far enough apart.

    Parameters
    ----------
    votes
        Track, track, lag and place of each vote, ``(4, votes)``.
    """
    votes = votes[:, np.lexsort(votes[::-1])]
    first, count = np.unique(_starts_of_runs(*votes[:3]), return_counts=True)
    spread = votes[3, first + count - 1] - votes[3, first]
    enough = spread >= SPREAD
    lags, count = votes[:3, first[enough]], count[enough]
    order = np.lexsort((-count, lags[1], lags[0]))
    lags = lags[:, order]
    kept = np.arange(lags.shape[1]) - _starts_of_runs(*lags[:2]) < LAGS
    return [(one, other, lag) for one, other, lag in lags[:, kept].T.tolist()]


def _rare(codes: NDArray[np.uint64], tracks: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of the sorted codes are no more than `MOST_REPEATS` in their track."""
    starts = _starts_of_runs(codes, tracks)
    length = np.bincount(starts, minlength=len(starts))
    return np.asarray(length[starts] <= MOST_REPEATS)


def _starts_of_runs(*columns: NDArray[np.generic]) -> NDArray[np.intp]:
    """Return for each row the index of the first of the equal rows around it."""
    rows = np.arange(len(columns[0]))
    if len(rows) == 0:
        return rows
    changes = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return np.maximum.accumulate(np.where(np.concatenate(([True], changes)), rows, 0))


class _RecordingCache:
    """Reads recordings and keeps the last few in memory."""

    def __init__(self, read: Callable[[int], Channels]) -> None:
        self._read = read
        self._signals: OrderedDict[int, Channels] = OrderedDict()

    def __getitem__(self, index: int) -> Channels:
        if index not in self._signals:
            if len(self._signals) == KEPT:
                self._signals.popitem(last=False)
            self._signals[index] = self._read(index)
        self._signals.move_to_end(index)
        return self._signals[index]


def _duplicate(one: tuple[int, int], other: tuple[int, int], lag: int, run: Run) -> Duplicate:
    return Duplicate(
        recordings=(one[0], other[0]),
        channels=(one[1], other[1]),
        start=(run.start, run.start - lag),
        samples=run.samples,
        scale=run.scale,
        offset=run.offset,
        correlation=run.correlation,
    )
