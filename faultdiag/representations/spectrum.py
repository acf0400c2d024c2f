"""The amplitude spectrum of a window."""

from typing import ClassVar

from torch import Tensor

from faultdiag.representations.base import (
    Positive,
    Scale,
    Scaling,
    Standardise,
    Taper,
    WindowFront,
    amplitudes,
    centred,
    check_shape,
    count_lines,
    taper_of,
)


class AmplitudeSpectrum(WindowFront):
    """Amplitude spectrum: the length becomes frequency, from 0 in steps of ``rate / length``.

    ``a[k] = 2 / sum(w) |sum_n w[n] (x[n] - mean) exp(-2 pi i k n / L)|``, so that a sine of
    amplitude A on a line shows as A; then scaled and standardised, see `Scaling`.

    Parameters
    ----------
    channels, length, sampling_rate
        Of the windows; the rate in Hz. A window needs 4 samples.
    max_frequency
        Hz of the last line at most. None is half the sampling rate.
    taper
        The weights ``w``: a periodic ``hann`` window, or ``none``.
    scale, standardise
        See `Scaling`.

    Attributes
    ----------
    frequencies : Tensor
        Hz of each position, ``(out_length,)``.

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
    frequencies: Tensor
    taper: Tensor

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
        super().__init__()
        check_shape(self.name, channels, length, sampling_rate, shortest=4)
        spacing = sampling_rate / length
        self.channels, self.length = channels, length
        self.out_channels = channels
        self.out_length = count_lines(
            self.name,
            max_frequency,
            spacing=spacing,
            last=length // 2,
            limit=sampling_rate / 2,
        )
        self.scaling = Scaling(scale, standardise)
        self._set_frequencies(spacing, self.out_length)
        self.register_buffer("taper", taper_of(taper, length), persistent=False)

    def _compute(self, x: Tensor) -> Tensor:
        a = amplitudes(centred(x), self.taper.to(x.dtype))[..., : self.out_length]
        return self.scaling(a)
