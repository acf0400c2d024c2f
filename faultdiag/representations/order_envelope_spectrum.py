"""The spectrum of the squared envelope, on an axis in shaft orders."""

from functools import partial
from typing import ClassVar, Literal

import torch
from torch import Tensor

from faultdiag.option_types import Count, Positive, Several
from faultdiag.representations import fourier
from faultdiag.representations.base import (
    Band,
    Front,
    Scale,
    Scaling,
    Standardise,
    Taper,
    amplitudes,
    centred,
    check_shaft_rate,
    in_full_precision,
    taper_of,
)
from faultdiag.representations.envelope import BandEnvelope, band_lines

Method = Literal["exact", "linear"]


class OrderEnvelopeSpectrum(Front):
    """Envelope spectrum over multiples of the shaft rate: a fault stays in place at any speed.

    As `EnvelopeSpectrum`, but position ``j`` is the order ``j * max_order / (bins - 1)``, that is
    the frequency of that order at the window's own shaft rate. An order above the width of a
    band, beyond which the squared envelope has nothing, is 0 before scaling.

    Orders closer than ``rate / length / shaft_rate`` are not resolved, whatever the number of bins:
    0.2 orders for 2048 samples at 12 kHz and 1800 rpm. The speed is taken as constant within a
    window.

    Parameters
    ----------
    channels, length, sampling_rate
        Channels and samples of a window, and its sampling rate in Hz.
    band, bands
        As in `EnvelopeSpectrum`.
    max_order
        The last order.
    bins
        Positions from order 0 to `max_order`.
    method
        ``exact``: the Fourier sum at exactly the frequency of each order, by a chirp z-transform,
        so that the height of a peak does not depend on where it falls between two lines;
        ``linear``: interpolation between the magnitudes of the two nearest lines.
    taper, scale, standardise
        As in `EnvelopeSpectrum`.

    Attributes
    ----------
    orders : Tensor
        Order of each position, ``(bins,)``.

    Raises
    ------
    FaultdiagError
        If a band exceeds half the sampling rate or has fewer than 3 spectral lines; in
        `forward`, if the shaft rates are missing or not positive.

    References
    ----------
    .. [1] R. B. Randall and J. Antoni, "Rolling element bearing diagnostics - a tutorial",
       Mech. Syst. Signal Process. 25 (2011) 485-520, doi:10.1016/j.ymssp.2010.07.017
    """

    name: ClassVar[str] = "order_envelope_spectrum"
    needs_speed: ClassVar[bool] = True
    reference: ClassVar[str] = "Randall and Antoni 2011, doi:10.1016/j.ymssp.2010.07.017"
    orders: Tensor
    seconds: Tensor
    spacing: Tensor

    def __init__(
        self,
        channels: int,
        length: int,
        sampling_rate: float,
        *,
        band: Band | None = None,
        bands: Count = 1,
        max_order: Positive = 20.0,
        bins: Several = 1024,
        method: Method = "exact",
        taper: Taper = "hann",
        scale: Scale = "linear",
        standardise: Standardise = "window",
    ) -> None:
        super().__init__(channels, length, sampling_rate)
        parts = band_lines(self.name, length, sampling_rate, band, bands)
        self.envelope = BandEnvelope(parts, length)
        seconds = length / sampling_rate
        self.method = method
        self.out_channels, self.out_length = channels * bands, bins
        self.scaling = Scaling(scale, standardise)
        # Tensors, because an exported graph would round numbers to single precision.
        spacing = seconds * max_order / (bins - 1) / self.envelope.grid
        self.keep(
            orders=torch.linspace(0, max_order, bins, dtype=torch.float64),
            seconds=torch.tensor(seconds, dtype=torch.float64),
            spacing=torch.tensor(spacing, dtype=torch.float64),
            taper=taper_of(taper, self.envelope.grid),
        )

    def forward(self, windows: Tensor, shaft_rate: Tensor | None = None) -> Tensor:
        """Return ``(batch, out_channels, bins)`` of windows and their shaft rates.

        Parameters
        ----------
        windows
            ``(batch, channels, length)``.
        shaft_rate
            ``(batch,)`` in Hz.
        """
        self.check_windows(windows)
        rate = check_shaft_rate(self.name, shaft_rate, windows.shape[0])
        rate = rate.to(windows.device, torch.float64)
        return in_full_precision(partial(self._compute, rate), windows)

    def _compute(self, rate: Tensor, x: Tensor) -> Tensor:
        envelope, taper = centred(self.envelope(x)), self.taper.to(x.dtype)
        turns = rate * self.seconds  # (B,), of the shaft in a window: the line of order 1
        lines = turns[:, None] * self.orders  # (B, bins)
        if self.method == "linear":
            a = _between_lines(amplitudes(envelope, taper), lines)
        else:
            step = rate * self.spacing
            a = fourier.absolute(*fourier.chirp_z(envelope * taper, step, self.out_length))
            a = a * (2 / taper.sum())
        inside = lines <= self.envelope.lines - 1
        return self.scaling(torch.where(inside[:, None], a, 0))


def _between_lines(a: Tensor, position: Tensor) -> Tensor:
    """Interpolate ``(B, C, lines)`` linearly at the positions ``(B, bins)``, counted in lines."""
    position = position.clamp(max=a.shape[-1] - 1)
    lower = position.floor().clamp(max=a.shape[-1] - 2)
    share = (position - lower).to(a.dtype)[:, None]  # (B, 1, bins)
    index = lower.long()[:, None].expand(-1, a.shape[1], -1)  # (B, C, bins)
    return torch.lerp(a.gather(-1, index), a.gather(-1, index + 1), share)
