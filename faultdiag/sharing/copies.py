"""Which samples of two aligned signals are the same up to scale and offset."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
# that is told from none, as a share of the standard deviation.
OUTLIER = 6.0
ROUNDING = 1e-6
# Samples worked on at a time.
PIECE = 2**17

Signal = NDArray[np.floating]


class Fit(NamedTuple):
    """How one signal follows from another: ``y = scale * x + offset``, and what is left."""

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
    """Give the runs of at least `minimum` samples where ``y[i] = scale * x[i + lag] + offset``.

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
    """Give ``[begin, end)`` of the runs of blocks that follow from one another, in samples."""
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
    """Give whole blocks of both signals, ``(blocks, BLOCK)``, a piece at a time."""
    whole = len(x) // BLOCK * BLOCK
    for begin in range(0, whole, PIECE):
        part = slice(begin, min(begin + PIECE, whole))
        yield _blocks(x[part]), _blocks(y[part])


def _blocks(values: Signal) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64).reshape(-1, BLOCK)


def _correlations(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the correlation of each block; 0 where one is constant."""
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
    """Give ``[begin, end)`` of each run of equal values."""
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
    """Give a run of whole blocks, cut or extended to the samples where the signals part.

    A block at an edge may agree as a whole though its last few samples don't: the fit is that of
    the blocks within, and the edges are looked at sample by sample.
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
