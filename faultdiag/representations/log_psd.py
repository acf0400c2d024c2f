"""The logarithm of a window's power spectral density, by Welch's method."""

from typing import ClassVar

import torch
from torch import Tensor

from faultdiag.errors import FaultdiagError
from faultdiag.option_types import Count
from faultdiag.representations.base import (
    TINY,
    Taper,
    WindowFront,
    centred,
    check_segments,
    taper_of,
)
from faultdiag.representations.fourier import half_spectrum

FLOOR = 1e-12
"""Added to every power, as a share of their mean: 120 dB below it."""


class LogPowerSpectrum(WindowFront):
    """Log power spectral density, averaged so that single impacts and phases do not show.

    A window is cut into overlapping segments, each less its own mean. With the mean power over
    the segments ``p[k] = mean_t |sum_n w[n] x_t[n] exp(-2 pi i k n / N)|^2``, line 0 left out,

        ``y[k] = log10(p[k] + 1e-12 mean(p)) - mean over k``

    so that the gain does not matter. The spectrum keeps its true depth, because it is not divided
    by its deviation.

    Parameters
    ----------
    channels, length, sampling_rate
        Channels and samples of a window, and its sampling rate in Hz.
    segment
        Samples ``N`` of a segment.
    hop
        Samples from the start of one segment to the start of the next.
    bands
        Number of equal groups of lines whose mean power is taken before the logarithm. None
        keeps every line.
    taper
        Weights ``w`` of a segment: a periodic ``hann`` window, or ``none``.

    Raises
    ------
    FaultdiagError
        If a segment is longer than a window or shorter than 4 samples, `hop` leaves samples out,
        or `bands` does not divide the number of lines.

    References
    ----------
    .. [1] P. D. Welch, "The use of fast Fourier transform for the estimation of power spectra",
       IEEE Trans. Audio Electroacoust. 15 (1967) 70-73, doi:10.1109/TAU.1967.1161901
    """

    name: ClassVar[str] = "log_psd"
    needs_rate: ClassVar[bool] = False
    reference: ClassVar[str] = "Welch 1967, doi:10.1109/TAU.1967.1161901"

    def __init__(
        self,
        channels: int,
        length: int,
        sampling_rate: float,
        *,
        segment: Count = 512,
        hop: Count = 256,
        bands: Count | None = None,
        taper: Taper = "hann",
    ) -> None:
        super().__init__(channels, length, sampling_rate)
        check_segments(self.name, segment, hop, length)
        lines = segment // 2
        if bands is not None and lines % bands:
            raise FaultdiagError(
                f"representation 'log_psd': bands is {bands}, but a segment of {segment} samples "
                f"has {lines} lines; use a divisor of {lines}, or a longer segment"
            )
        self.segment, self.hop = segment, hop
        self.out_channels, self.out_length = channels, bands or lines
        frequencies = torch.arange(1, lines + 1, dtype=torch.float64) * (sampling_rate / segment)
        frequencies = frequencies.view(self.out_length, -1).mean(-1)
        self.keep(frequencies=frequencies, taper=taper_of(taper, segment))

    def _compute(self, x: Tensor) -> Tensor:
        segments = centred(x.unfold(-1, self.segment, self.hop))  # (B, C, T, N)
        real, imaginary = half_spectrum(segments * self.taper.to(x.dtype))  # (B, C, T, 1 + lines)
        power = (real.square() + imaginary.square())[..., 1:].mean(-2)  # (B, C, lines)
        power = power.unflatten(-1, (self.out_length, -1)).mean(-1)  # (B, C, out_length)
        level = (power + FLOOR * power.mean(-1, keepdim=True) + TINY).log10()
        return centred(level)
