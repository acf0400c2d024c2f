"""The prominence of envelope spectra at the fault orders of a bearing, and the envelopes.

For a part of the bearing the score at slip e is the sum, over its K orders, of log10 of the
spectrum at ``k * order * (1 + e) + sideband`` over the median around it, less what noise gives,
over the standard deviation that noise gives the sum:

    ``z(e) = sum_k (log10 p_k(e) - m) / (s * sqrt(K))``

The lines of the spectrum of Gaussian noise have a Rayleigh distribution, for which
``m = (ln 2 - gamma - ln ln 4) / ln 100 = -0.046`` and ``s = pi / (sqrt(24) * ln 10) = 0.278``. So z
means the same for all parts, about 0 +- 1 in noise at a single slip. All orders share one slip,
as they do in a bearing; the score is the largest z over slips up to `SLIP`. One peak by chance is
common, a whole comb in step is not.

What limits it. Orders beyond the width of the bands (a tenth of the sampling rate), or nearer to 0
than two lines, are left out of the sum; with none left the score is 0. Lines are one over the
duration of the window apart and the Hann window makes peaks four lines wide: sidebands one cage
order (0.4 of the shaft rate) off need ``duration > 5 / shaft rate`` to be lines of their own, and
the races of common bearings, one to two orders apart, ``duration > 2 / shaft rate``. A window of
2048 samples at 12 kHz and 1800 rpm is 5 revolutions, one second is 30. Shorter windows blur, and
a longer one lowers the floor by the square root of its length.

Twelve bands are a fifth of the spectrum wide (1.2 kHz at 12 kHz) and overlap by about half; the
thirteenth is the full band. A fault makes some resonance ring, nobody knows beforehand which:
features take the largest, the mean and the median over the bands.

References
----------
.. [1] R. B. Randall and J. Antoni, "Rolling element bearing diagnostics - a tutorial", Mech.
   Syst. Signal Process. 25 (2011) 485-520, doi:10.1016/j.ymssp.2010.07.017
"""

from collections.abc import Sequence
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from faultdiag.arrays import Floats, Singles
from faultdiag.signal.bearings import KnownBearing
from faultdiag.signal.dsp import fast_length

Lines = NDArray[np.complex64] | NDArray[np.complex128]

BANDS = 12
WIDTH = 1 / 5  # of the spectrum
SUMMARIES = ("largest", "mean", "median")
# A line below this share of the mean magnitude is rounding, not vibration: it isn't raised to 1.
LEAST_LINE = 1e-6
LEAST_LEVEL = 1e-9


class Bands:
    """The bands of windows of one length.

    Parameters
    ----------
    length
        Samples.

    Attributes
    ----------
    edges
        First line and the one after the last, per band; the line of the mean is in none.
    reach
        Lines of the envelope spectra, one over the duration of the window apart, from 0 to the
        width of the twelve bands.
    """

    def __init__(self, length: int) -> None:
        lines = length // 2
        self.reach = int(lines * WIDTH)
        starts = np.linspace(1, lines + 1 - self.reach, BANDS).round().astype(int).tolist()
        self.edges = [*((start, start + self.reach) for start in starts), (1, lines + 1)]

    def envelopes(self, lines: Lines) -> list[Singles]:
        """Return the squared envelope in each band, each ``(windows, points)``, of mean 1.

        The points are evenly spaced over the window. There are as many as it takes to have the
        first `reach` lines of their spectrum free of aliasing.
        """
        single = lines.astype(np.complex64)
        envelopes = []
        for start, stop in self.edges:
            points = next_fast_length(stop - start + self.reach)
            # Taking only the band's lines shifts the band to 0 Hz: its envelope stays the same.
            z = np.fft.ifft(single[:, start:stop], points)
            square = np.square(z.real) + np.square(z.imag)
            mean = square.mean(axis=-1, keepdims=True)
            envelopes.append(square / np.maximum(mean, np.finfo(np.float32).tiny))
        return envelopes

    def levels(self, envelopes: list[Singles]) -> Singles:
        """Return log10 of the amplitudes of the envelopes' spectra, ``(windows, bands, reach)``."""
        spectra = []
        for square in envelopes:
            points = square.shape[-1]
            centred = (square - 1) * hann(points)
            spectra.append(np.abs(np.fft.rfft(centred)[:, : self.reach]) / np.float32(points))
        return np.log10(np.stack(spectra, axis=1) + np.float32(LEAST_LEVEL))


def whiten(lines: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Return the lines with their phases and equal magnitudes.

    Whatever is strong only because it is periodic (shaft, mains, gears) or because a resonance
    carries it becomes as weak as the rest. Impacts are what many lines do together, in their
    phases, and stay.

    References
    ----------
    .. [1] P. Borghesani, P. Pennacchi, R. B. Randall, N. Sawalhi and R. Ricci, "Application of
       cepstrum pre-whitening for the diagnosis of bearing faults under variable speed
       conditions", Mech. Syst. Signal Process. 36 (2013) 370-384,
       doi:10.1016/j.ymssp.2012.11.001
    .. [2] W. A. Smith and R. B. Randall, "Rolling element bearing diagnostics using the Case
       Western Reserve University data: a benchmark study", Mech. Syst. Signal Process. 64-65
       (2015) 100-131, doi:10.1016/j.ymssp.2015.04.021. Their second method.
    """
    magnitude = np.abs(lines)
    floor = LEAST_LINE * magnitude.mean(axis=-1, keepdims=True)
    return np.asarray(lines / (magnitude + floor))


def impulsiveness(envelopes: list[Singles]) -> Floats:
    """Return log10 of the variance of the squared envelope over its squared mean, summarised.

    It is 0 for Gaussian noise, about -2 or less for a steady tone and positive for impacts: the
    spectral kurtosis of each band, plus one.

    References
    ----------
    .. [1] J. Antoni, "The spectral kurtosis: a useful tool for characterising non-stationary
       signals", Mech. Syst. Signal Process. 20 (2006) 282-307,
       doi:10.1016/j.ymssp.2004.09.001
    """
    variances = np.stack([square.var(axis=-1, dtype=np.float64) for square in envelopes], axis=1)
    return summarise(np.log10(variances + 1e-8))


def summarise(values: NDArray[np.floating]) -> Floats:
    """Return the largest, the mean and the median over the bands: ``(windows, 3)``."""
    return np.stack(
        [values.max(axis=1), values.mean(axis=1), np.median(values, axis=1)], axis=1
    ).astype(np.float64)


@cache
def next_fast_length(samples: int) -> int:
    """Return the smallest length from `samples` on whose Fourier transform is fast.

    Examples
    --------
    >>> next_fast_length(2399)
    2400
    """
    while fast_length(samples) < samples:
        samples += 1
    return samples


@cache
def hann(points: int) -> Singles:
    """Return the Hann window, read-only."""
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(points) / points)).astype(np.float32)
    window.flags.writeable = False
    return window


PARTS = ("bpfi", "bpfo", "bsf")
SLIP = 0.015
NOISE_MEAN = (np.log(2) - np.euler_gamma - np.log(np.log(4))) / np.log(100)
NOISE_SPREAD = np.pi / (np.sqrt(24) * np.log(10))
LOWEST_LINE = 2.0
# Least lines of the median, over half an order to either side: a peak is four lines wide.
FLOOR_ORDERS = 0.5
FLOOR_LINES = 6.0
FLOOR_POINTS = 33


def fault_orders(bearing: KnownBearing) -> dict[str, list[tuple[float, float]]]:
    """Return, for each part, pairs of a multiple of its order and the sideband to add to it.

    A spall of the inner race passes the load zone once per turn of the shaft, one of a ball once
    per turn of the cage: both have sidebands. A ball strikes a race twice per spin.
    """
    orders = bearing.orders
    spin = 2 * orders.bsf
    return {
        "bpfi": [(k * orders.bpfi, s) for k, s in product((1, 2, 3), (-1.0, 0.0, 1.0))],
        "bpfo": [(k * orders.bpfo, 0.0) for k in (1, 2, 3, 4)],
        "bsf": [(k * spin, s * orders.ftf) for k, s in product((1, 2, 3), (-1, 0, 1))],
    }


class Teeth:
    """The places of one part's comb in envelope spectra.

    Attributes
    ----------
    positions
        Fractions of lines, ``(orders, slips)``.
    around
        Lines that the median is over, ``(orders, points)``.
    """

    def __init__(self, orders: Sequence[tuple[float, float]], lines: float, reach: int) -> None:
        """Place the orders where one order is `lines` lines and the spectrum has `reach`."""
        moving, fixed = (np.array(column)[:, None] * lines for column in zip(*orders, strict=True))
        low, high = moving * (1 - SLIP) + fixed, moving * (1 + SLIP) + fixed
        within = ((low >= LOWEST_LINE) & (high <= reach - 1))[:, 0]
        moving, fixed = moving[within], fixed[within]
        # Half a line from slip to slip at most, so that no peak falls in between.
        half = int(np.ceil(2 * SLIP * moving.max(initial=1.0)))
        self.positions = moving * (1 + np.linspace(-SLIP, SLIP, 2 * half + 1)) + fixed
        width = int(np.ceil(max(FLOOR_ORDERS * lines, FLOOR_LINES)))
        offsets = np.linspace(-width, width, min(2 * width + 1, FLOOR_POINTS))
        around = np.rint(moving + fixed + offsets).astype(np.intp)
        self.around = np.clip(around, 1, reach - 1)


class Comb:
    """The fault orders of a bearing as positions in spectra of one resolution.

    Parameters
    ----------
    bearing
        Its geometry.
    lines
        Lines of the spectrum per shaft order.
    reach
        Lines of the spectrum.
    """

    def __init__(self, bearing: KnownBearing, lines: float, reach: int) -> None:
        self.parts = {
            part: Teeth(orders, lines, reach) for part, orders in fault_orders(bearing).items()
        }


def order_features(levels: Singles, comb: Comb) -> Floats:
    """Return the scores of `PARTS`, each summarised over the bands: ``(windows, 9)``.

    Parameters
    ----------
    levels
        log10 of the amplitudes of envelope spectra, ``(windows, bands, lines)``.
    comb
        For spectra of this resolution.
    """
    return np.concatenate([summarise(scores(levels, comb.parts[part])) for part in PARTS], axis=1)


def scores(levels: Singles, teeth: Teeth) -> Singles:
    """Return the largest z over slips, ``(windows, bands)``."""
    orders = teeth.positions.shape[0]
    if not orders:
        return np.zeros(levels.shape[:2], dtype=np.float32)
    floor = np.median(levels[..., teeth.around], axis=-1).sum(axis=-1)
    sums = _read(levels, teeth.positions).sum(axis=-2).max(axis=-1)
    spread = NOISE_SPREAD * np.sqrt(orders)
    return np.asarray((sums - floor - orders * NOISE_MEAN) / spread, dtype=np.float32)


def _read(levels: Singles, positions: Floats) -> Singles:
    """Values at fractions of lines: ``(windows, bands, *positions)``."""
    before = np.minimum(positions.astype(np.intp), levels.shape[-1] - 2)
    share = (positions - before).astype(np.float32)
    values = levels[..., before] * (1 - share) + levels[..., before + 1] * share
    return np.asarray(values, dtype=np.float32)
