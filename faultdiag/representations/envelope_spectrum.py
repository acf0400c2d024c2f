"""The spectrum of the squared envelope, on an axis in Hz."""

from typing import ClassVar

from torch import Tensor

from faultdiag.option_types import Count, Positive
from faultdiag.representations.base import (
    AmplitudeFront,
    Band,
    Scale,
    Scaling,
    Standardise,
    Taper,
    centred,
    taper_of,
)
from faultdiag.representations.envelope import BandEnvelope, band_lines


class EnvelopeSpectrum(AmplitudeFront):
    """Amplitude spectrum of the squared envelope: how often something strikes, per band.

    The window's mean is removed, the Hilbert envelope taken in each band by the Fourier
    transform and squared, its mean removed and its amplitude spectrum taken as in
    `AmplitudeSpectrum`; then scaled and standardised, see `Scaling`. The length becomes
    frequency, from 0 in steps of ``rate / length``; channel ``c * bands + b`` is band ``b`` of
    channel ``c``.

    Parameters
    ----------
    channels, length, sampling_rate
        Channels and samples of a window, and its sampling rate in Hz.
    band
        Lower and upper Hz of what is demodulated. None is everything.
    bands
        Into how many equal parts the band is divided, each demodulated by itself.
    max_frequency
        Hz of the last line at most. None is the width of a part: the squared envelope has
        nothing beyond.
    taper
        Weights of the squared envelope: a periodic ``hann`` window, or ``none``.
    scale, standardise
        See `Scaling`.

    Raises
    ------
    FaultdiagError
        If a band exceeds half the sampling rate or has fewer than 3 spectral lines, or
        `max_frequency` lies above the width of a part or below the first line.

    References
    ----------
    .. [1] R. B. Randall and J. Antoni, "Rolling element bearing diagnostics - a tutorial",
       Mech. Syst. Signal Process. 25 (2011) 485-520, doi:10.1016/j.ymssp.2010.07.017
    """

    name: ClassVar[str] = "envelope_spectrum"
    reference: ClassVar[str] = "Randall and Antoni 2011, doi:10.1016/j.ymssp.2010.07.017"

    def __init__(
        self,
        channels: int,
        length: int,
        sampling_rate: float,
        *,
        band: Band | None = None,
        bands: Count = 1,
        max_frequency: Positive | None = None,
        taper: Taper = "hann",
        scale: Scale = "linear",
        standardise: Standardise = "window",
    ) -> None:
        super().__init__(channels, length, sampling_rate)
        parts = band_lines(self.name, length, sampling_rate, band, bands)
        self.envelope = BandEnvelope(parts, length)
        spacing, last = sampling_rate / length, self.envelope.lines - 1
        self._set_lines(max_frequency, spacing=spacing, last=last, limit=last * spacing)
        self.out_channels, self.out_length = channels * bands, self.lines
        self.scaling = Scaling(scale, standardise)
        self.keep(taper=taper_of(taper, self.envelope.grid))

    def _compute(self, x: Tensor) -> Tensor:
        return self.scaling(self._amplitudes(centred(self.envelope(x))))
