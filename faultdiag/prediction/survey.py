"""What only all samples of a recording tell, read in pieces: its mean, and whether it is sound."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faultdiag.recording import constant, not_finite
from faultdiag.resampling import BLOCK, mean_of

Read = Callable[[int, int], NDArray[np.float32]]
"""From where to where: the samples, ``(channels, stop - start)``."""


def survey(read: Read, samples: int, source: Path, channels: Sequence[str]) -> NDArray[np.float32]:
    """Give the mean of each channel of a recording, ``(channels, 1)``; it is read through once.

    Raises
    ------
    FaultdiagError
        If samples are not finite, or all samples of a channel are equal.
    """
    low = np.full((len(channels), 1), np.inf, np.float32)
    high = -low

    def watched(start: int) -> NDArray[np.float32]:
        nonlocal low, high
        block = read(start, min(start + BLOCK, samples))
        low = np.minimum(low, block.min(axis=-1, keepdims=True))
        high = np.maximum(high, block.max(axis=-1, keepdims=True))
        return block

    with np.errstate(invalid="ignore"):
        mean = mean_of(watched(start) for start in range(0, samples, BLOCK))
    if not np.isfinite(mean).all():
        _tell_not_finite(read, samples, source, channels)
    for name, least, most in zip(channels, low[:, 0], high[:, 0], strict=True):
        if least == most:
            raise constant(source, name, samples, float(least))
    return mean


def _tell_not_finite(read: Read, samples: int, source: Path, channels: Sequence[str]) -> None:
    bad, first = 0, [-1] * len(channels)
    for start in range(0, samples, BLOCK):
        wrong = ~np.isfinite(read(start, min(start + BLOCK, samples)))
        bad += int(wrong.sum())
        for i, row in enumerate(wrong):
            if first[i] < 0 and row.any():
                first[i] = start + int(row.argmax())
    i = next(i for i, sample in enumerate(first) if sample >= 0)
    raise not_finite(source, bad, samples * len(channels), first[i], channels[i])
