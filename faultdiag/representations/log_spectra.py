"""Levels and fluctuations of short-time spectra at several resolutions."""

from typing import Annotated, ClassVar

import torch
from pydantic import AfterValidator
from torch import Tensor

from faultdiag.errors import FaultdiagError
from faultdiag.option_types import Count, Positive
from faultdiag.representations.base import (
    TINY,
    WindowFront,
    centred,
    taper_of,
)
from faultdiag.representations.fourier import half_spectrum

FIRST_LINE = 2
"""A Hann window spreads what is left of the mean over lines 0 and 1."""


def _sizes(values: tuple[int, ...]) -> tuple[int, ...]:
    if not values or min(values) < 8 or len(set(values)) < len(values):
        raise ValueError("give one or more different sizes, each 8 samples or more")
    return values


Sizes = Annotated[tuple[int, ...], AfterValidator(_sizes)]


class LogSpectra(WindowFront):
    """Mean level and fluctuation of every line of short-time spectra, at several resolutions.

    For each segment size ``N`` with hop ``N / overlap`` and a Hann window, with the power
    ``p[t, k]`` of line ``k`` from 2 on in segment ``t``:

        ``level[k] = ln(m[k] / mean_k(m) + floor)`` where ``m[k] = mean_t p[t, k]``

        ``fluctuation[k] = sd_t(p[t, k]) / m[k]``

    Impacts are short: a fine resolution in time shows them as fluctuation, a fine one in frequency
    separates resonances from noise. The fluctuation is 1 for Gaussian noise and 0 for a steady
    tone. The gain does not matter. Channel ``2 c`` has the levels of channel ``c``, channel ``2 c +
    1`` its fluctuations, the lines of all sizes one after the other.

    Parameters
    ----------
    channels, length, sampling_rate
        Channels and samples of a window, and its sampling rate in Hz.
    segments
        The segment sizes ``N`` in samples.
    overlap
        How many segments cover a sample; it must divide every size.
    floor
        Added to the power relative to its mean before the logarithm. Lines far below it no longer
        count.

    Raises
    ------
    FaultdiagError
        If a window does not hold two segments of each size, or `overlap` does not divide a size.

    References
    ----------
    .. [1] J. B. Allen and L. R. Rabiner, "A unified approach to short-time Fourier analysis and
       synthesis", Proc. IEEE 65 (1977) 1558-1564, doi:10.1109/PROC.1977.10770
    """

    name: ClassVar[str] = "log_spectra"
    needs_rate: ClassVar[bool] = False
    reference: ClassVar[str] = "Allen and Rabiner 1977, doi:10.1109/PROC.1977.10770"

    def __init__(
        self,
        channels: int,
        length: int,
        sampling_rate: float,
        *,
        segments: Sizes = (128, 512),
        overlap: Count = 4,
        floor: Positive = 1e-3,
    ) -> None:
        super().__init__(channels, length, sampling_rate, shortest=8)
        _check_sizes(segments, overlap, length)
        self.segments, self.overlap, self.floor = segments, overlap, floor
        lines = [torch.arange(FIRST_LINE, n // 2 + 1, dtype=torch.float64) / n for n in segments]
        frequencies = torch.cat(lines) * sampling_rate
        self.out_channels, self.out_length = 2 * channels, len(frequencies)
        self.keep(frequencies=frequencies, **{f"taper{n}": taper_of("hann", n) for n in segments})

    def _compute(self, x: Tensor) -> Tensor:
        x = centred(x)
        parts = [self._resolution(x, n) for n in self.segments]  # each (B, C, 2, lines)
        return torch.cat(parts, -1).flatten(1, 2)  # (B, 2 C, lines of all)

    def _resolution(self, x: Tensor, size: int) -> Tensor:
        taper = self.get_buffer(f"taper{size}").to(x.dtype)
        segments = x.unfold(-1, size, size // self.overlap)  # (B, C, T, N)
        real, imaginary = half_spectrum(segments * taper)
        power = (real.square() + imaginary.square())[..., FIRST_LINE:]  # (B, C, T, lines)
        mean = power.mean(-2)  # (B, C, lines)
        share = mean / (mean.mean(-1, keepdim=True) + TINY)
        spread = (power - mean.unsqueeze(-2)).square().mean(-2)
        fluctuation = (spread + TINY**2).sqrt() / (mean + TINY)
        return torch.stack(((share + self.floor).log(), fluctuation), 2)


def _check_sizes(segments: tuple[int, ...], overlap: int, length: int) -> None:
    for size in segments:
        if size % overlap:
            raise FaultdiagError(
                f"representation 'log_spectra': overlap is {overlap}, which does not divide a "
                f"segment of {size} samples; use a divisor of all sizes"
            )
        least = size + size // overlap
        if least > length:
            raise FaultdiagError(
                f"representation 'log_spectra': two segments of {size} samples take {least}, but a "
                f"window has {length}; use shorter segments, or windows of {least} or more"
            )
