"""The amplitude spectrum of a window."""

from typing import ClassVar

from torch import Tensor

from faultdiag.option_types import Positive
from faultdiag.representations.base import (
    AmplitudeFront,
    Scale,
    Scaling,
    Standardise,
    Taper,
    centred,
    taper_of,
)


class AmplitudeSpectrum(AmplitudeFront):
    """Amplitude spectrum: the length becomes frequency, from 0 in steps of ``rate / length``.

    ``a[k] = 2 / sum(w) |sum_n w[n] (x[n] - mean) exp(-2 pi i k n / L)|``, so that a sine of
    amplitude A on a line shows as A; then scaled and standardised, see `Scaling`.

    Parameters
    ----------
    channels, length, sampling_rate
        Channels and samples of a window, 4 or more, and its sampling rate in Hz.
    max_frequency
        Hz of the last line at most. None is half the sampling rate.
    taper
        The weights ``w``: a periodic ``hann`` window, or ``none``.
    scale, standardise
        See `Scaling`.

    Raises
    ------
    FaultdiagError
        If the windows are too short, or `max_frequency` lies above half the sampling rate or
        below the first line.

    References
    ----------
    .. [1] F. J. Harris, "On the use of windows for harmonic analysis with the discrete Fourier
       transform", Proc. IEEE 66 (1978) 51-83, doi:10.1109/PROC.1978.10837
    """

    name: ClassVar[str] = "spectrum"
    reference: ClassVar[str] = "Harris 1978, doi:10.1109/PROC.1978.10837"

    def __init__(
        self,
        channels: int,
        length: int,
        sampling_rate: float,
        *,
        max_frequency: Positive | None = None,
        taper: Taper = "hann",
        scale: Scale = "log",
        standardise: Standardise = "window",
    ) -> None:
        super().__init__(channels, length, sampling_rate)
        spacing = sampling_rate / length
        self._set_lines(max_frequency, spacing=spacing, last=length // 2, limit=sampling_rate / 2)
        self.out_channels, self.out_length = channels, self.lines
        self.scaling = Scaling(scale, standardise)
        self.keep(taper=taper_of(taper, length))

    def _compute(self, x: Tensor) -> Tensor:
        return self.scaling(self._amplitudes(centred(x)))
