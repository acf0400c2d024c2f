"""Short-time amplitude spectra: frequency as channels, time as length."""

from typing import ClassVar

from torch import Tensor

from faultdiag.option_types import Count, Positive
from faultdiag.representations.base import (
    AmplitudeFront,
    Scale,
    Scaling,
    Standardise,
    Taper,
    centred,
    check_segments,
    taper_of,
)


class ShortTimeSpectra(AmplitudeFront):
    """Amplitude spectra of short overlapping segments; the spectral lines become channels.

    The window's mean is removed; segment ``t`` starts at sample ``t * hop`` and lies wholly
    inside the window. Channel ``c * lines + k`` is line ``k`` of channel ``c``, at the frequency
    ``k * rate / segment``; the length counts segments,
    ``1 + (length - segment) // hop``. Amplitudes are those of `AmplitudeSpectrum`, scaled and
    standardised as in `Scaling`.

    Parameters
    ----------
    channels, length, sampling_rate
        Channels and samples of a window, and its sampling rate in Hz.
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

    name: ClassVar[str] = "stft"
    axis: ClassVar[str] = "frame of the spectrogram"
    reference: ClassVar[str] = "Allen and Rabiner 1977, doi:10.1109/PROC.1977.10770"

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
        super().__init__(channels, length, sampling_rate)
        check_segments(self.name, segment, hop, length)
        self.segment, self.hop = segment, hop
        spacing = sampling_rate / segment
        self._set_lines(max_frequency, spacing=spacing, last=segment // 2, limit=sampling_rate / 2)
        self.out_channels = channels * self.lines
        self.out_length = 1 + (length - segment) // hop
        self.scaling = Scaling(scale, standardise)
        self.keep(taper=taper_of(taper, segment))

    def _compute(self, x: Tensor) -> Tensor:
        segments = centred(x).unfold(-1, self.segment, self.hop)  # (B, C, frames, segment)
        a = self._amplitudes(segments)  # (B, C, frames, lines)
        return self.scaling(a.transpose(-1, -2).flatten(1, 2))  # (B, C * lines, frames)
