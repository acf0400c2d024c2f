"""Normalisation of windows, fitted on the training part only.

Each normaliser is a function of windows ``(batch, channels, length)`` and of a fitted state of
plain numbers. The arithmetic is that which numpy arrays and torch tensors share, so one formula
serves preparing, training and prediction on any device.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faultdiag.documents import Document
from faultdiag.errors import unknown

State = dict[str, list[object]]

# Added to a divisor. It is far below any vibration, so that no gain gets through; a dead window
# becomes zeros instead of NaN.
TINY = 1e-20


def _fit_nothing(windows: Iterable[NDArray[np.float32]]) -> State:
    del windows
    return {}


def _fit_channels(windows: Iterable[NDArray[np.float32]]) -> State:
    """Mean and standard deviation of each channel over all training windows."""
    mean, std = _moments(windows, axes=(0, 2))
    return {"mean": mean[0].tolist(), "std": std[0].tolist()}


def _fit_columns(windows: Iterable[NDArray[np.float32]]) -> State:
    """Mean and standard deviation of each time index over all training windows."""
    mean, std = _moments(windows, axes=(0,))
    return {"mean": mean[0].tolist(), "std": std[0].tolist()}


# Samples of a channel that median and MAD are computed from, at most.
_MOST_SAMPLES = 1 << 22


def _fit_robust(windows: Iterable[NDArray[np.float32]]) -> State:
    """Median and median absolute deviation (MAD) of each channel over the training windows.

    Of more than some four million samples, evenly spaced ones are used.
    """
    kept: list[NDArray[np.float32]] = []
    step = 1
    for batch in windows:
        kept.append(np.moveaxis(batch, 1, 0).reshape(batch.shape[1], -1)[:, ::step])
        while sum(part.shape[1] for part in kept) > _MOST_SAMPLES:
            kept = [part[:, ::2] for part in kept]
            step *= 2
    x = np.concatenate(kept, axis=1).astype(np.float64)
    median = np.median(x, axis=1, keepdims=True)
    mad = np.median(np.abs(x - median), axis=1, keepdims=True)
    return {"median": median.tolist(), "mad": np.where(mad < TINY, 1.0, mad).tolist()}


def _moments(
    windows: Iterable[NDArray[np.float32]], axes: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation over `axes`; a deviation of 0 becomes 1, which changes nothing.

    Sums are taken of the distance from the first value, so that a large offset costs no digits.
    """
    count, pivot, total, squares = 0, np.zeros(1), np.zeros(1), np.zeros(1)
    for batch in windows:
        x = batch.astype(np.float64)
        if count == 0:
            pivot = x[tuple(slice(1 if axis in axes else None) for axis in range(x.ndim))].copy()
        count += math.prod(x.shape[axis] for axis in axes)
        x -= pivot
        total = total + x.sum(axis=axes, keepdims=True)
        squares = squares + (x * x).sum(axis=axes, keepdims=True)
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    return pivot + mean, np.where(std < TINY, 1.0, std)


def _identity(x: object, state: Document) -> object:
    del state
    return x


# Windows whose largest distance lies beyond these are scaled, because squares and sums of single
# precision would overflow or vanish; a power of two is exact, and others stay as they are.
_LARGE, _SMALL, _SCALE = 2.0**40, 2.0**-40, 2.0**80


def _centred(x: Any) -> Any:
    """Return windows less their mean, at a scale that has squares: exact zeros if constant.

    The mean of equal samples is rounded, and a z-score would blow that rounding up to 1; the
    distances from the first sample are exact zeros.
    """
    distance = x - x[..., :1]
    peak = _peak(distance)
    large, small = peak > _LARGE, peak < _SMALL
    distance *= large * (1 / _SCALE) + small * _SCALE + ~(large | small) * 1.0
    distance -= distance.mean(axis=-1, keepdims=True)
    return distance


def _peak(x: Any) -> Any:
    """Return the largest magnitude of each window and channel."""
    magnitude = abs(x)
    # amax is numpy's function and torch's method; both take the axis by position.
    return (
        magnitude.max(-1, keepdims=True) if isinstance(x, np.ndarray) else magnitude.amax(-1, True)
    )


def _window_zscore(x: object, state: Document) -> object:
    del state
    centred = _centred(x)
    centred /= (centred * centred).mean(axis=-1, keepdims=True) ** 0.5 + TINY
    return centred


def _window_range(x: object, state: Document) -> object:
    del state
    centred = _centred(x)
    return centred / (_peak(centred) + TINY)


def _fitted_zscore(x: object, state: Document) -> object:
    return (x - state["mean"]) / state["std"]


def _fitted_robust(x: object, state: Document) -> object:
    return (x - state["median"]) / state["mad"]


Fit = Callable[[Iterable[NDArray[np.float32]]], State]
Apply = Callable[[Any, Document], Any]

NORMALIZERS: dict[str, tuple[Fit, Apply]] = {
    "none": (_fit_nothing, _identity),
    "window_zscore": (_fit_nothing, _window_zscore),
    "window_range": (_fit_nothing, _window_range),
    "channel_zscore": (_fit_channels, _fitted_zscore),
    "column_zscore": (_fit_columns, _fitted_zscore),
    "recording_robust": (_fit_robust, _fitted_robust),
}


def _entry(name: str) -> tuple[Fit, Apply]:
    if name not in NORMALIZERS:
        raise unknown("normaliser", name, NORMALIZERS)
    return NORMALIZERS[name]


def fit(name: str, windows: Iterable[NDArray[np.float32]]) -> State:
    """Fit a normaliser on training windows and return its state as plain lists.

    Parameters
    ----------
    name
        ``none``; ``window_zscore`` (each window and channel to mean 0, standard deviation 1);
        ``window_range`` (each window and channel to mean 0, largest magnitude 1);
        ``channel_zscore`` (one mean and standard deviation a channel, from training);
        ``column_zscore`` (one of each per time index, as the legacy WDCNN scripts do);
        ``recording_robust`` (median and MAD of each channel of the training recordings: the level
        of a window gets through, and with it that of noise scaled to the window).
    windows
        Batches of training windows, ``(batch, channels, length)``.

    Raises
    ------
    FaultdiagError
        If no normaliser has this name.
    """
    return _entry(name)[0](windows)


def normalizer(name: str, state: Document) -> Callable[[Any], Any]:
    """Return the normaliser as a function of windows ``(batch, channels, length)``.

    Parameters
    ----------
    state
        The result of `fit`, each list turned into an array or tensor of the windows' kind.

    Raises
    ------
    FaultdiagError
        As `fit`.
    """
    apply = _entry(name)[1]
    return lambda windows: apply(windows, state)
