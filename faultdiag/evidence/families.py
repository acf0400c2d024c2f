"""Families of fault lines in envelope spectra: harmonics and sidebands that one fault explains.

A single line may have many causes. A family is a set of lines at whole multiples of one fault
frequency, in the envelope of one band, all shifted by the same slip. Lines that the shaft or the
mains explain as well are not counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faultdiag.arrays import Floats
from faultdiag.evidence.peaks import (
    LEAST_PROMINENCE,
    MAINS_ERROR,
    MAINS_HZ,
    SLIP,
    SPEED_ERROR,
    EnvelopeSpectra,
)
from faultdiag.signal.bearings import FaultOrders, KnownBearing
from faultdiag.signal.dsp import Band

HARMONICS = 4
# Sidebands farther out are weaker, and reach the neighbouring harmonics.
OFFSETS = np.array([0.0, -1.0, 1.0, -2.0, 2.0])
WEIGHTS = np.array([1.0, 0.5, 0.5, 0.5, 0.5])
# Fewest sidebands that tell a harmonic of a fault from one of the shaft, and ball from cage.
FEWEST_SIDEBANDS = 2
MOST_SHAFT_TOLERANCE = 0.05
# A peak of the Hann window is four lines wide.
PEAK_LINES = 2


@dataclass(frozen=True, slots=True)
class Comb:
    """The lines that one kind of fault causes, in orders of the shaft.

    Parameters
    ----------
    fault
        ``BPFO``, ``BPFI``, ``BSF`` or ``FTF``.
    order
        The rate of the strikes: for a ball twice its spin, else the fault frequency itself.
    spacing
        Distance of the sidebands: the shaft for races, the cage for balls; 0 for none.
    """

    fault: str
    order: float
    spacing: float

    def name(self, harmonic: int) -> str:
        """Return the name of a harmonic: ``2×BPFO``; those of a ball are even multiples of BSF."""
        times = 2 * harmonic if self.fault == "BSF" else harmonic
        return self.fault if times == 1 else f"{times}×{self.fault}"


@dataclass(frozen=True, slots=True)
class FamilyLine:
    """One harmonic of a family, as measured.

    Parameters
    ----------
    name, harmonic
        ``2×BPFO`` and 2.
    frequency, order
        Hz, and multiples of the shaft rate.
    prominence
        Log10 of its amplitude over the median around it.
    sidebands
        Number of its sidebands that stand out.
    """

    name: str
    harmonic: int
    frequency: float
    order: float
    prominence: float
    sidebands: int


@dataclass(frozen=True, slots=True)
class FaultFamily:
    """The lines of one kind of fault in the band that shows them best.

    Parameters
    ----------
    fault, band
        Its frequency as in `Comb`, and the band in Hz.
    slip
        Measured order over the geometric one, less 1.
    lines
        The harmonics that stand out, in ascending order.
    score
        Sum of the prominences of harmonics and half of those of sidebands.
    tolerance
        Largest slip that was accepted.
    """

    fault: str
    band: Band
    slip: float
    lines: tuple[FamilyLine, ...]
    score: float
    tolerance: float = SLIP

    @property
    def strongest(self) -> FamilyLine:
        """The most prominent line."""
        return max(self.lines, key=lambda line: line.prominence)

    @property
    def sidebands(self) -> int:
        """Number of sidebands that stand out, over all lines."""
        return sum(line.sidebands for line in self.lines)


def combs(orders: FaultOrders) -> tuple[Comb, ...]:
    """Return the combs to search for: outer race, inner race, ball and cage."""
    return (
        Comb("BPFO", orders.bpfo, 1.0),
        Comb("BPFI", orders.bpfi, 1.0),
        Comb("BSF", 2 * orders.bsf, orders.ftf),
        Comb("FTF", orders.ftf, 0.0),
    )


def fault_families(spectra: EnvelopeSpectra, bearing: KnownBearing) -> list[FaultFamily]:
    """Find the families of fault lines, the strongest first.

    The strongest family is found first; its harmonics and sidebands then no longer count for the
    others. So the lower sideband of an inner race is not taken for a ball.

    Parameters
    ----------
    spectra
        Envelope spectra of one channel, of known shaft speed.
    bearing
        Its fault orders.

    Returns
    -------
    list[FaultFamily]
        At most one for each kind of fault; those without a single line are left out.
    """
    free = _without_mains(spectra)
    remaining = list(combs(bearing.orders))
    families = []
    while remaining:
        raised = _raised(spectra.levels, free)
        fits = [_fit(spectra, comb, raised) for comb in remaining]
        best = _strongest(fits)
        if not best.present.any():
            break
        families.append(_family(spectra, best))
        free[_around(best.places[best.present], free.size)] = False
        remaining.remove(best.comb)
    return families


@dataclass(frozen=True, eq=False)
class _Fit:
    """A comb, in the band and at the slip where it is most prominent.

    ``places`` are fractions of lines ``(harmonics, 1 + sidebands)``, the harmonic itself first;
    ``present`` says which of them stand out, ``heights`` how much.
    """

    comb: Comb
    band: int
    slip: float
    places: Floats
    heights: Floats
    present: NDArray[np.bool_]
    score: float


def _fit(spectra: EnvelopeSpectra, comb: Comb, raised: Floats) -> _Fit:
    per_order = _lines_per_order(spectra)
    slips = _slips(comb.order * HARMONICS * per_order)
    orders = comb.order * np.outer(1 + slips, np.arange(1, HARMONICS + 1))
    places = per_order * (orders[..., None] + comb.spacing * OFFSETS)  # (slips, harmonics, lines)
    heights = _read(raised, places)  # (bands, *places)
    present = _present(heights >= LEAST_PROMINENCE, places / per_order, comb)
    scores = np.where(present, heights * WEIGHTS, 0.0).sum(axis=(-1, -2))
    band, slip = _best(scores, slips)
    return _Fit(
        comb,
        band,
        float(slips[slip]),
        places[slip],
        heights[band, slip],
        present[band, slip],
        float(scores[band, slip]),
    )


def _present(high: NDArray[np.bool_], orders: Floats, comb: Comb) -> NDArray[np.bool_]:
    """Return which lines of a comb count, ``(..., harmonics, lines)``.

    Lines that the shaft explains as well don't, unless two sidebands stand beside the harmonic
    that it doesn't explain; a sideband counts only beside its harmonic.
    """
    present = high & ~_near_shaft_orders(orders)
    if not comb.spacing:
        present[..., 1:] = False
    sided = present[..., 1:].sum(axis=-1) >= FEWEST_SIDEBANDS
    present[..., 0] |= high[..., 0] & sided
    present &= present[..., :1]
    return np.asarray(present)


def _strongest(fits: Sequence[_Fit]) -> _Fit:
    """Return the fit of the largest score; a ball's before a cage's.

    The cage carries a damaged ball through the load zone, so its lines are the ball's own where
    the ball has sidebands at that distance, or where the cage has no harmonics.
    """
    best = max(fits, key=lambda fit: fit.score)
    ball = next((fit for fit in fits if fit.comb.fault == "BSF"), None)
    if best.comb.fault != "FTF" or ball is None:
        return best
    sidebands, alone = ball.present[:, 1:].sum(), best.present.sum() == 1
    own = sidebands >= FEWEST_SIDEBANDS or (alone and ball.present.any())
    return ball if own else best


def _family(spectra: EnvelopeSpectra, fit: _Fit) -> FaultFamily:
    lines = tuple(
        FamilyLine(
            fit.comb.name(row + 1),
            row + 1,
            float(fit.places[row, 0]) * spectra.resolution,
            float(fit.places[row, 0]) / _lines_per_order(spectra),
            float(fit.heights[row, 0]),
            int(fit.present[row, 1:].sum()),
        )
        for row in np.flatnonzero(fit.present[:, 0]).tolist()
    )
    return FaultFamily(fit.comb.fault, spectra.bands[fit.band], fit.slip, lines, fit.score)


def _slips(highest_place: float) -> Floats:
    """Slips to try, so close that the highest harmonic moves by half a line at most."""
    half = int(np.ceil(2 * SLIP * highest_place))
    return np.linspace(-SLIP, SLIP, 2 * half + 1)


def _best(scores: Floats, slips: Floats) -> tuple[int, int]:
    """Band and slip of the largest score; of equal ones, the slip in their middle."""
    band = int(scores.max(axis=1).argmax())
    ties = np.flatnonzero(scores[band] == scores[band].max())
    middle = np.abs(slips[ties] - slips[ties].mean()).argmin()
    return band, int(ties[middle])


def _raised(levels: Floats, free: NDArray[np.bool_]) -> Floats:
    """Return each free line raised to the higher of its neighbours; -inf at both ends."""
    usable = np.where(free, levels, -np.inf)
    raised = np.full_like(usable, -np.inf)
    raised[:, 1:-1] = np.maximum(usable[:, 1:-1], np.maximum(usable[:, :-2], usable[:, 2:]))
    return raised


def _read(raised: Floats, places: Floats) -> Floats:
    """Return the heights at the nearest lines, ``(bands, *places)``; -inf outside."""
    nearest = np.rint(places).astype(np.intp)
    nearest[(nearest < 0) | (nearest >= raised.shape[1])] = 0
    return np.asarray(raised[:, nearest])


def _near_shaft_orders(orders: Floats) -> NDArray[np.bool_]:
    """Whether a line would also be a harmonic of the shaft."""
    multiple = np.maximum(np.rint(orders), 1)
    tolerance = np.minimum(SPEED_ERROR * multiple, MOST_SHAFT_TOLERANCE)
    return np.asarray(np.abs(orders - multiple) <= tolerance)


def _without_mains(spectra: EnvelopeSpectra) -> NDArray[np.bool_]:
    """Whether each line is farther from the hum of the mains than a peak is wide."""
    frequencies = spectra.resolution * np.arange(spectra.levels.shape[1])
    free = np.ones(frequencies.size, dtype=bool)
    for hum in (k * mains for mains in MAINS_HZ for k in (2, 4, 6)):
        free &= np.abs(frequencies - hum) > MAINS_ERROR * hum + PEAK_LINES * spectra.resolution
    return free


def _lines_per_order(spectra: EnvelopeSpectra) -> float:
    if spectra.shaft_rate is None:
        raise ValueError("fault lines need a shaft speed")
    return spectra.shaft_rate / spectra.resolution


def _around(places: Floats, size: int) -> NDArray[np.intp]:
    """Return the lines within one of each place."""
    nearest = np.rint(places).astype(np.intp)
    around = np.concatenate([nearest - 1, nearest, nearest + 1])
    return np.asarray(np.clip(around, 0, size - 1))
