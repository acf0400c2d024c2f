"""The squared envelope of a signal, in one or several bands."""

import math
from itertools import pairwise

import torch
from scipy.fft import next_fast_len
from torch import Tensor, nn

from faultdiag.errors import FaultdiagError
from faultdiag.representations import fourier
from faultdiag.representations.base import centred

LEAST_LINES = 3
"""Fewest spectral lines of a band: the envelope of two lines has a single frequency, their beat."""


def band_lines(
    name: str,
    length: int,
    sampling_rate: float,
    band: tuple[float, float] | None,
    bands: int,
) -> list[range]:
    """Return the spectral lines of each part of a band, the parts' sizes equal to within one.

    Raises
    ------
    FaultdiagError
        If the band does not lie between 0 and half the sampling rate or a part of it has fewer
        than 3 lines.

    Examples
    --------
    >>> band_lines("envelope_spectrum", 100, 100, (10, 30), 2)
    [range(10, 20), range(20, 31)]
    """
    nyquist, spacing = sampling_rate / 2, sampling_rate / length
    low, high = band or (0.0, nyquist)
    if not 0 <= low < high <= nyquist:
        raise FaultdiagError(
            f"representation '{name}': band is {low:g} to {high:g} Hz at a sampling rate of "
            f"{sampling_rate:g} Hz; use a band between 0 and {nyquist:g}"
        )
    first = math.ceil(low / spacing - 1e-6)
    total = min(math.floor(high / spacing + 1e-6), length // 2) + 1 - first
    if total < LEAST_LINES:
        raise FaultdiagError(
            f"representation '{name}': band is {low:g} to {high:g} Hz, where a window of {length} "
            f"samples has {max(total, 0)} spectral lines and {LEAST_LINES} are needed; use a band "
            f"of {LEAST_LINES * spacing:g} Hz or more, or longer windows"
        )
    if bands > total // LEAST_LINES:
        raise FaultdiagError(
            f"representation '{name}': bands is {bands} from {low:g} to {high:g} Hz, where a "
            f"window of {length} samples has {total} spectral lines and each band needs "
            f"{LEAST_LINES}; use {total // LEAST_LINES} or fewer, or longer windows"
        )
    # The last part is never shorter than another, so that indices that fill up a shorter one exist.
    edges = [first + total * b // bands for b in range(bands + 1)]
    return [range(start, stop) for start, stop in pairwise(edges)]


class BandEnvelope(nn.Module):
    """Squared envelope in each band: ``(B, C, L) -> (B, C * bands, grid)``.

    The analytic signal is the sum of the band's spectral lines at positive frequencies. Taking
    only those shifts the band to 0 Hz and leaves the envelope as it is. Its square needs no more
    than twice as many points over the same time. ``length / grid`` samples lie between two
    points.

    Parameters
    ----------
    lines
        The lines of each band, of a transform of `length`.
    length
        Samples ``L`` of a window.
    """

    index: Tensor
    weights: Tensor

    def __init__(self, lines: list[range], length: int) -> None:
        super().__init__()
        self.lines = max(len(band) for band in lines)
        self.grid: int = next_fast_len(2 * self.lines, real=True)
        start = torch.tensor([band.start for band in lines])
        count = torch.tensor([len(band) for band in lines])
        step = torch.arange(self.lines)
        index = start[:, None] + step  # (bands, lines)
        alone = (index == 0) | (2 * index == length)
        weights = torch.where(alone, 1.0, 2.0).double() / length * (step < count[:, None])
        self.register_buffer("index", index, persistent=False)
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the squared envelopes of the signals less their means."""
        weights = self.weights.to(x.dtype)
        lines = fourier.half_spectrum(centred(x))
        band = [part[..., self.index] * weights for part in lines]  # (B, C, bands, lines) each
        real, imaginary = fourier.spectrum(*band, points=self.grid, inverse=True)
        return (real.square() + imaginary.square()).flatten(1, 2)  # (B, C * bands, grid)
