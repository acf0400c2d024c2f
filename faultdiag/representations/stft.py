"""Short-time amplitude spectra: frequency as channels, time as length."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from faultdiag.errors import FaultdiagError
from faultdiag.representations.base import (
    Count,
    Positive,
    Scale,
    Scaling,
    Standardise,
    Taper,
    amplitudes,
    centred,
    check_shape,
    check_windows,
    count_lines,
    in_full_precision,
    taper_of,
)


class ShortTimeSpectra(nn.Module):
    """Amplitude spectra of short overlapping segments; the spectral lines become channels.

    The window's mean is removed; segment ``t`` starts at sample ``t * hop`` and lies wholly
    inside the window. Channel ``c * lines + k`` is line ``k`` of channel ``c``, at the frequency
    ``k * rate / segment``; the length counts segments,
    ``1 + (length - segment) // hop``. Amplitudes are those of `AmplitudeSpectrum`, scaled and
    standardised as in `Scaling`.

    Parameters
    ----------
    channels, length, sampling_rate
        Of the windows; the rate in Hz.
    segment
        Samples of a segment.
    hop
        Samples from one segment to the next.
    max_frequency
        Hz of the last line at most. None is half the sampling rate.
    taper
        Weights of a segment: a periodic ``hann`` window, or ``none``.
    scale, standardise
        See `Scaling`; ``channel`` treats each line by itself and so forgets the mean spectrum.

    Attributes
    ----------
    frequencies : Tensor
        Hz of each line, ``(lines,)``.

    Raises
    ------
    FaultdiagError
        If a segment is longer than a window or shorter than 4 samples, `hop` leaves samples out,
        or `max_frequency` lies above half the sampling rate or below the first line.

    References
    ----------
    .. [1] J. B. Allen and L. R. Rabiner, "A unified approach to short-time Fourier analysis and
       synthesis", Proc. IEEE 65 (1977) 1558-1564, doi:10.1109/PROC.1977.10770
    """

    needs_speed: ClassVar[bool] = False
    reference: ClassVar[str] = "Allen and Rabiner 1977, doi:10.1109/PROC.1977.10770"
    frequencies: Tensor
    taper: Tensor

    def __init__(
        self,
        channels: int,
        length: int,
        sampling_rate: float,
        *,
        segment: Count = 64,
        hop: Count = 4,
        max_frequency: Positive | None = None,
        taper: Taper = "hann",
        scale: Scale = "log",
        standardise: Standardise = "window",
    ) -> None:
        super().__init__()
        check_shape("stft", channels, length, sampling_rate, shortest=4)
        _check_segments(segment, hop, length)
        spacing = sampling_rate / segment
        self.channels, self.length = channels, length
        self.segment, self.hop = segment, hop
        self.lines = count_lines(
            "stft", max_frequency, spacing=spacing, last=segment // 2, limit=sampling_rate / 2
        )
        self.out_channels = channels * self.lines
        self.out_length = 1 + (length - segment) // hop
        self.scaling = Scaling(scale, standardise)
        lines = torch.arange(self.lines, dtype=torch.float64)
        self.register_buffer("frequencies", lines * spacing, persistent=False)
        self.register_buffer("taper", taper_of(taper, segment), persistent=False)

    def forward(self, windows: Tensor, shaft_rate: Tensor | None = None) -> Tensor:
        """Return ``(batch, out_channels, out_length)`` of ``(batch, channels, length)``."""
        del shaft_rate
        check_windows("stft", windows, self.channels, self.length)
        return in_full_precision(self._compute, windows)

    def _compute(self, x: Tensor) -> Tensor:
        segments = centred(x).unfold(-1, self.segment, self.hop)  # (B, C, frames, segment)
        a = amplitudes(segments, self.taper.to(x.dtype))[..., : self.lines]
        return self.scaling(a.transpose(-1, -2).flatten(1, 2))  # (B, C * lines, frames)


def _check_segments(segment: int, hop: int, length: int) -> None:
    if not 4 <= segment <= length:
        raise FaultdiagError(
            f"representation 'stft': segment is {segment} samples and a window has {length}; "
            f"use 4 to {length}"
        )
    if hop > segment:
        raise FaultdiagError(
            f"representation 'stft': hop is {hop} samples and a segment has {segment}, so that "
            f"samples between them would be left out; use 1 to {segment}"
        )
