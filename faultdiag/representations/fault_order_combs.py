"""Prominence of envelope lines at the fault orders of a window's own bearing."""

import math
from functools import partial
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from scipy.fft import next_fast_len
from torch import Tensor

from faultdiag.option_types import Count, NotNegative
from faultdiag.representations import fourier
from faultdiag.representations.base import (
    TINY,
    Front,
    centred,
    check_conditions,
    in_full_precision,
    taper_of,
)
from faultdiag.representations.fourier import Pair, absolute, half_spectrum, magnitudes, spectrum

PARTS = ("inner", "outer", "ball")
"""The parts of the bearing, in the order of the combs."""

RAYLEIGH_SPREAD = math.pi / (math.sqrt(24) * math.log(10))
"""Standard deviation of log10 of a Rayleigh amplitude: that of a line in Gaussian noise, 0.278."""

WIDTH = 1 / 5
"""Width of the narrow bands, as a share of the spectrum."""

SHORTEST = 64
"""Samples of a window; below that an envelope spectrum has no lines to compare."""

# A line below this share of the mean magnitude is rounding; whitening does not raise it to 1.
LEAST_LINE = 1e-6
# Added to an amplitude before its logarithm.
LEAST_LEVEL = 1e-9
# The level around a tooth is the median of this number of lines, spread over half an order, and at
# least over six lines, to either side: the peak of a Hann window is four lines wide.
LEVEL_POINTS, LEVEL_ORDERS, LEVEL_LINES = 33, 0.5, 6.0
# The slip is chosen by the teeth up to this harmonic and this sideband.
SCORED_HARMONICS, SCORED_SIDEBANDS = 3, 1


class FaultOrderCombs(Front):
    """Prominence of envelope lines at the fault orders of the bearing, whatever the bearing is.

    The window is whitened, and the spectrum of its squared envelope is taken in bands: `bands`
    overlapping ones, each a fifth of the spectrum wide, and the full band. With the orders BPFI,
    BPFO, BSF and FTF of the window's own bearing there are three combs ``(f, s)`` of a fault order
    and the distance of its sidebands: inner race ``(BPFI, 1)``, outer race ``(BPFO, 1)`` and ball
    ``(2 BSF, FTF)``. Harmonic ``k`` with sideband ``m`` is one tooth of a comb. It is read, by
    linear interpolation between lines, at the frequency

        ``(k f (1 + e) + m s) shaft_rate``

    and its prominence is log10 of the amplitude less the median of log10 around the tooth, in units
    of the spread that noise alone has there, 0.278 [1]_. The slip ``e`` is one for each comb,
    because a bearing has one: of `slips` values up to `slip` either way the one at which the sum
    over ``k <= 3, |m| <= 1`` is largest in any band. A tooth outside the spectrum is 0.

    Channel ``(p C + c) (bands + 1) + b`` is part ``p`` of `PARTS` in band ``b`` of channel ``c``;
    the full band is the last one. Along the length are the teeth, harmonic by harmonic, each from
    its lowest sideband to its highest. The speed is taken as constant within a window and must be
    known to about half a percent. The gain does not matter.

    Parameters
    ----------
    channels, length, sampling_rate
        Channels and samples of a window, and its sampling rate in Hz.
    bands
        Number of narrow bands.
    whiten
        Whether all lines first get the same magnitude [2]_, so that strong periodic or resonant
        parts weigh no more than the rest.
    harmonics, sidebands
        Largest ``k`` and ``m``.
    slip, slips
        Largest slip either way, as a share, and how many slips are tried.

    Raises
    ------
    FaultdiagError
        If the windows are shorter than 64 samples; in `forward`, if the conditions are missing or
        are not positive numbers.

    References
    ----------
    .. [1] R. B. Randall and J. Antoni, "Rolling element bearing diagnostics - a tutorial", Mech.
       Syst. Signal Process. 25 (2011) 485-520, doi:10.1016/j.ymssp.2010.07.017
    .. [2] P. Borghesani, P. Pennacchi, R. B. Randall, N. Sawalhi and R. Ricci, "Application of
       cepstrum pre-whitening for the diagnosis of bearing faults under variable speed
       conditions", Mech. Syst. Signal Process. 36 (2013) 370-384,
       doi:10.1016/j.ymssp.2012.11.001
    """

    name: ClassVar[str] = "fault_order_combs"
    needs_speed: ClassVar[bool] = True
    needs_bearing: ClassVar[bool] = True
    axis: ClassVar[str] = "tooth of the fault combs"
    reference: ClassVar[str] = "Randall and Antoni 2011, doi:10.1016/j.ymssp.2010.07.017"
    harmonic: Tensor
    sideband: Tensor
    scored: Tensor
    slip_grid: Tensor

    def __init__(
        self,
        channels: int,
        length: int,
        sampling_rate: float,
        *,
        bands: Count = 12,
        whiten: bool = True,
        harmonics: Annotated[int, Field(ge=3, strict=True)] = 4,
        sidebands: Annotated[int, Field(ge=1, strict=True)] = 2,
        slip: NotNegative = 0.015,
        slips: Count = 97,
    ) -> None:
        super().__init__(channels, length, sampling_rate, shortest=SHORTEST)
        self.whiten = whiten
        self.seconds = length / sampling_rate
        self.edges, self.reach = _band_edges(length // 2, bands)
        self.out_channels = len(PARTS) * channels * len(self.edges)
        per = 2 * sidebands + 1
        self.out_length = harmonics * per
        teeth = torch.arange(self.out_length)
        k, m = teeth // per + 1, teeth % per - sidebands
        scored = (k <= SCORED_HARMONICS) & (m.abs() <= SCORED_SIDEBANDS)
        self.keep(harmonic=k.double(), sideband=m.double(), scored=teeth[scored])
        self.keep(slip_grid=torch.linspace(-slip, slip, slips, dtype=torch.float64))
        for points in sorted({self._points(stop - start) for start, stop in self.edges}):
            self.keep(**{f"taper{points}": taper_of("hann", points)})

    def _points(self, lines: int) -> int:
        """Return the points of a band's squared envelope: its first `reach` lines do not alias."""
        points: int = next_fast_len(lines + self.reach)
        return points

    def forward(self, windows: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Return ``(batch, out_channels, teeth)`` for windows and their conditions.

        Parameters
        ----------
        windows
            ``(batch, channels, length)``.
        conditions
            ``(batch, 5)``: `faultdiag.signal.bearings.CONDITIONS` of each window.
        """
        self.check_windows(windows)
        # len() returns a plain number, which would fix the batch size of an exported graph.
        known = check_conditions(self.name, conditions, windows.shape[0])
        known = known.to(windows.device, torch.float64)
        return in_full_precision(partial(self._compute, known), windows)

    def _compute(self, conditions: Tensor, x: Tensor) -> Tensor:
        rate, bpfo, bpfi, bsf, ftf = conditions.unsqueeze(-1).unbind(1)  # (B, 1) each
        lines = rate * self.seconds  # of a spectrum, per shaft order
        levels = self._levels(x)  # (B, C * bands, reach)
        combs = ((bpfi, 1.0), (bpfo, 1.0), (2 * bsf, ftf))
        parts = [self._comb(levels, lines, fault * lines, side * lines) for fault, side in combs]
        return torch.cat(parts, 1)  # (B, 3 * C * bands, teeth)

    def _levels(self, x: Tensor) -> Tensor:
        """Return log10 of the envelope spectra of every channel in every band."""
        real, imaginary = half_spectrum(centred(x))  # (B, C, lines)
        if self.whiten:
            magnitude = absolute(real, imaginary)
            floor = LEAST_LINE * magnitude.mean(-1, keepdim=True) + TINY
            real, imaginary = real / (magnitude + floor), imaginary / (magnitude + floor)
        bands = [
            self._level((_stacked(real, edges), _stacked(imaginary, edges)))
            for edges in self._groups()
        ]
        return torch.cat(bands, -2).flatten(1, 2)

    def _groups(self) -> list[list[tuple[int, int]]]:
        """Return the groups of bands that are transformed together.

        One band a group, which needs least memory; in an exported graph all narrow bands form one
        group, because the graph would otherwise repeat the same nodes for every band.
        """
        if fourier.exporting():
            return [self.edges[:-1], self.edges[-1:]]
        return [[edge] for edge in self.edges]

    def _level(self, band: Pair) -> Tensor:
        """Return the levels ``(B, C, bands, reach)`` of lines ``(B, C, bands, lines)``."""
        # Taking only the band's lines shifts the band to 0 Hz: its envelope stays the same.
        points = self._points(band[0].shape[-1])
        real, imaginary = spectrum(*band, points=points, inverse=True)
        square = real.square() + imaginary.square()  # (B, C, bands, points)
        square = centred(square / (square.mean(-1, keepdim=True) + TINY))
        taper = self.get_buffer(f"taper{points}").to(square.dtype)
        amplitude = magnitudes(square * taper)[..., : self.reach]
        return (amplitude / points + LEAST_LEVEL).log10()

    def _comb(self, levels: Tensor, lines: Tensor, fault: Tensor, side: Tensor) -> Tensor:
        """Return the prominences of one comb in every band, ``(B, C * bands, teeth)``.

        `lines`, `fault` and `side` ``(B, 1)`` are the lines of the spectrum to the first shaft
        order, to the fault order, and from a tooth to its sideband.
        """
        moving, fixed = self.harmonic * fault, self.sideband * side  # (B, teeth)
        around = _level_around(levels, moving + fixed, lines)  # (B, C * bands, teeth)
        factors = 1 + self.slip_grid
        tried = moving[..., None] * factors + fixed[..., None]  # (B, teeth, slips)
        scored = around.index_select(-1, self.scored).unsqueeze(-1)
        sums = _prominence(levels, tried.index_select(1, self.scored), scored).sum(-2)
        best = sums.detach().amax(1).argmax(-1, keepdim=True)  # (B, 1)
        return _prominence(levels, moving * factors.take(best) + fixed, around)


def _band_edges(lines: int, bands: int) -> tuple[list[tuple[int, int]], int]:
    """Return first and last line (exclusive) of every band, and the lines of their envelopes.

    Line 0 belongs to no band.
    """
    reach = int(lines * WIDTH)
    starts = torch.linspace(1, lines + 1 - reach, bands, dtype=torch.float64).round().int().tolist()
    return [*((start, start + reach) for start in starts), (1, lines + 1)], reach


def _stacked(lines: Tensor, edges: list[tuple[int, int]]) -> Tensor:
    """Return the lines of bands, ``(B, C, bands, lines of a band)``."""
    return torch.stack([lines[..., start:stop] for start, stop in edges], -2)


def _level_around(levels: Tensor, position: Tensor, lines: Tensor) -> Tensor:
    """Return the median level around teeth ``(B, teeth)`` in every band, ``(B, bands, teeth)``."""
    width = (LEVEL_ORDERS * lines).clamp(min=LEVEL_LINES)  # (B, 1)
    offsets = torch.linspace(-1, 1, LEVEL_POINTS, dtype=position.dtype, device=position.device)
    index = (position[..., None] + width[..., None] * offsets).round().long()  # (B, teeth, points)
    near = _take(levels, index.clamp(1, levels.shape[-1] - 1))
    ordered: Tensor = near.sort(-1).values
    return ordered[..., LEVEL_POINTS // 2]


def _prominence(levels: Tensor, position: Tensor, around: Tensor) -> Tensor:
    """Return the height of levels at fractions of lines above those around, in units of noise.

    `position` is ``(B, *places)``; `around` and the result are ``(B, bands, *places)``.
    """
    last = levels.shape[-1] - 1
    lower = position.floor().clamp(0, last - 1)
    share = (position - lower).to(levels.dtype).unsqueeze(1)
    index = lower.long()
    level = torch.lerp(_take(levels, index), _take(levels, index + 1), share)
    inside = ((position >= 0) & (position <= last)).unsqueeze(1)
    return torch.where(inside, (level - around) / RAYLEIGH_SPREAD, 0)


def _take(levels: Tensor, index: Tensor) -> Tensor:
    """Return the levels of every band at lines ``(B, *places)``, ``(B, bands, *places)``."""
    flat = index.flatten(1)[:, None].expand(-1, levels.shape[1], -1)
    taken = levels.gather(-1, flat)
    return taken.view(*levels.shape[:2], *index.shape[1:])
