"""What the representations compute alike: precision, centring, tapers and scales."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from faultdiag.representations.options import Scale, Standardise, Taper

FLOOR = 1e-4
"""What the log scale adds to every magnitude, as a share of the largest: 80 dB below it."""

# Added to a divisor and under a logarithm. It is far below any vibration, so that no gain gets
# through; a dead window becomes zeros instead of NaN.
TINY = 1e-20


def in_full_precision(compute: Callable[[Tensor], Tensor], windows: Tensor) -> Tensor:
    """Give ``compute(windows)`` in the windows' own type, computed in at least float32.

    Fourier transforms do not work in bfloat16 and lose too much in float16, so autocast is off
    inside.
    """
    wide = windows if windows.dtype == torch.float64 else windows.float()
    with torch.autocast(windows.device.type, enabled=False):
        return compute(wide).to(windows.dtype)


def centred(x: Tensor, dims: tuple[int, ...] = (-1,)) -> Tensor:
    """Give `x` less its mean over `dims`: exact zeros where it is constant.

    The mean of equal values is rounded, and a later division by their deviation would blow that
    rounding up to 1; the distances from the first value are exact zeros.
    """
    pivot = x
    for dim in dims:
        pivot = pivot.narrow(dim, 0, 1)
    distance = x - pivot
    return distance - distance.mean(dims, keepdim=True)


def taper_of(kind: Taper, length: int) -> Tensor:
    """Give the weights of a taper, ``(length,)`` in float64: a periodic Hann window or ones."""
    if kind == "hann":
        return torch.hann_window(length, periodic=True, dtype=torch.float64)
    return torch.ones(length, dtype=torch.float64)


def amplitudes(x: Tensor, taper: Tensor) -> Tensor:
    """Give the one-sided amplitude spectrum ``(..., N // 2 + 1)`` of tapered ``(..., N)``.

    A sine of amplitude A on a line shows as A.
    """
    magnitudes: Tensor = torch.fft.rfft(x * taper).abs()
    return magnitudes * (2 / taper.sum())


@dataclass(frozen=True)
class Scaling:
    """Magnitudes on a scale, standardised.

    Parameters
    ----------
    scale
        ``linear``, ``root`` (square root), or ``log``: ``ln(a + 1e-4 max a)``, so that whatever
        lies 80 dB below the largest magnitude no longer counts.
    standardise
        ``window``: mean 0 and deviation 1 over all channels and positions of a window, which
        keeps what the channels tell by their levels; ``channel``: over the positions of each
        channel; ``none``: as they are. The largest magnitude is taken over the same set, over
        the window for ``none``. Standardised, no gain gets through.
    """

    scale: Scale
    standardise: Standardise

    def __call__(self, magnitudes: Tensor) -> Tensor:
        """Scale ``(batch, channels, positions)``."""
        dims = (-1,) if self.standardise == "channel" else (-2, -1)
        y = self._scaled(magnitudes, dims)
        if self.standardise == "none":
            return y
        distance = centred(y, dims)
        deviation = distance.square().mean(dims, keepdim=True).sqrt()
        return distance / (deviation + TINY)

    def _scaled(self, magnitudes: Tensor, dims: tuple[int, ...]) -> Tensor:
        if self.scale == "root":
            return magnitudes.sqrt()
        if self.scale == "log":
            return (magnitudes + FLOOR * magnitudes.amax(dims, keepdim=True) + TINY).log()
        return magnitudes
