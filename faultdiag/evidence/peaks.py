"""Envelope spectra of one channel in many bands, their peaks, and the fault orders they match."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultdiag.signal.bearings import FaultOrders, KnownBearing
from faultdiag.signal.dsp import Band, Spectrum, band_envelope_spectra, prominence

# Impacts ring where the structure resonates, and where that is isn't known: so many bands. They
# are wide enough for several harmonics of a fault frequency, and overlap by half.
BAND_WIDTH = 1200.0
MOST_BANDS = 128
LOWEST_ORDER = 0.3
HIGHEST_ORDER = 12.0
# Where no shaft speed is known, Hz instead of orders.
LOWEST_HZ = 2.0
HIGHEST_HZ = 500.0
FLOOR_HZ = 15.0
# Noise reaches 0.65 in a million lines.
LEAST_PROMINENCE = 0.8
# Samples of the longest transform: slow drift of the speed smears longer ones.
LONGEST = 2**19
FEWEST_REVOLUTIONS = 16
FEWEST_SECONDS = 0.5
# Balls slip by up to one or two percent; speeds are stated to a percent or so.
SLIP = 0.015
MOST_SLIP = 0.1  # of an order
SPEED_ERROR = 0.01
# Motors hum at even multiples of the line frequency, which holds to a tenth of a percent.
MAINS_HZ = (50, 60)
MAINS_ERROR = 0.001
_FAULT = re.compile(r"(?:\d×)?(BPFO|BPFI|BSF|FTF)")


@dataclass(frozen=True, slots=True)
class EnvelopePeak:
    """A line of an envelope spectrum that stands out.

    Parameters
    ----------
    frequency
        Hz.
    order
        In multiples of the shaft rate, where that is known.
    prominence
        Log10 of its amplitude over the median around it.
    amplitude
        In the square of the signal's unit.
    band
        The band in Hz whose envelope shows it best.
    matches
        Lines of the shaft or the bearing at this frequency, the nearest first: ``"2×BPFO"``; and
        the hum of the mains: ``"120 Hz mains"``.
    """

    frequency: float
    order: float | None
    prominence: float
    amplitude: float
    band: Band
    matches: tuple[str, ...] = ()


class KnownLine(NamedTuple):
    """A line that a shaft or a bearing may show; order and tolerance in shaft rates."""

    name: str
    order: float
    tolerance: float
    sideband: bool = False


def known_lines(bearing: KnownBearing | None) -> list[KnownLine]:
    """Return the lines to look for: harmonics of shaft, races, balls and cage, and sidebands.

    A spot on a ball strikes at even multiples of the ball spin frequency. Races have sidebands at
    the shaft rate, balls at that of the cage.
    """
    highest = int(highest_order(bearing))
    lines = [
        KnownLine(_times(k, "shaft"), k, min(SPEED_ERROR * k, 0.05)) for k in range(1, highest + 1)
    ]
    if bearing is None:
        return lines
    return lines + _harmonics(bearing.orders) + _sidebands(bearing.orders)


def _harmonics(orders: FaultOrders) -> list[KnownLine]:
    wanted = (
        ("BPFO", orders.bpfo, (1, 2, 3)),
        ("BPFI", orders.bpfi, (1, 2)),
        ("BSF", orders.bsf, (1, 2, 4)),
        ("FTF", orders.ftf, (1, 2)),
    )
    return [
        KnownLine(_times(k, name), k * order, _slip(k * order))
        for name, order, numbers in wanted
        for k in numbers
    ]


def _sidebands(orders: FaultOrders) -> list[KnownLine]:
    races = product((("BPFO", orders.bpfo), ("BPFI", orders.bpfi)), (1, 2), (-2, -1, 1, 2))
    lines = [_sideband(_times(k, race), k * order, n, "shaft", 1) for (race, order), k, n in races]
    return lines + [_sideband("2×BSF", 2 * orders.bsf, n, "FTF", orders.ftf) for n in (-1, 1)]


def _sideband(name: str, centre: float, n: int, other: str, distance: float) -> KnownLine:
    label = f"{name}{'-' if n < 0 else '+'}{_times(abs(n), other)}"
    return KnownLine(label, centre + n * distance, _slip(centre), sideband=True)


def _slip(order: float) -> float:
    return min(SLIP * order, MOST_SLIP)


def _times(k: int, name: str) -> str:
    return name if k == 1 else f"{k}×{name}"


def highest_order(bearing: KnownBearing | None) -> float:
    """Return the highest shaft order searched: 12, or what two harmonics of BPFI need."""
    return max(HIGHEST_ORDER, 2.2 * bearing.orders.bpfi) if bearing else HIGHEST_ORDER


def analysis_bands(fs: float, highest: float) -> list[Band]:
    """Return the bands to search: all of the spectrum, and slices that overlap by half.

    The slices are 1.2 kHz wide, or twice `highest`, the highest frequency in Hz searched for, or
    what makes them at most so many.
    """
    width = max(BAND_WIDTH, 2 * highest, fs / MOST_BANDS)
    starts = np.arange(0.0, fs / 2 - width + 1e-6 * fs, width / 2)
    return [(0.0, fs / 2), *((float(low), float(low + width)) for low in starts)]


def averaged_envelope_spectra(x: ArrayLike, fs: float, bands: Sequence[Band]) -> list[Spectrum]:
    """Return one envelope spectrum per band, the root mean square over stretches of the signal.

    A signal of up to 524,288 samples is one stretch.
    """
    values = np.asarray(x)
    count = -(-values.size // LONGEST)
    stretches = np.reshape(values[: values.size // count * count], (count, -1))
    spectra = band_envelope_spectra(stretches[0], fs, bands)
    power = [np.square(s.amplitudes) for s in spectra]
    for stretch in stretches[1:]:
        more = band_envelope_spectra(stretch, fs, bands)
        power = [p + np.square(s.amplitudes) for p, s in zip(power, more, strict=True)]
    return [
        Spectrum(s.frequencies, np.sqrt(p / count)) for s, p in zip(spectra, power, strict=True)
    ]


def too_short(samples: int, fs: float, rpm: float | None) -> str | None:
    """Return why a signal is too short to look for envelope peaks, or None."""
    seconds = samples / fs
    if rpm and seconds * rpm / 60 < FEWEST_REVOLUTIONS:
        return f"{seconds * rpm / 60:.1f} revolutions; {FEWEST_REVOLUTIONS} are needed"
    if seconds < FEWEST_SECONDS and not rpm:
        return f"{seconds:.3g} s; {FEWEST_SECONDS:g} s are needed"
    return None


@dataclass(frozen=True, eq=False)
class EnvelopeSpectra:
    """Squared-envelope spectra of one channel, one for each band.

    Parameters
    ----------
    bands
        Lower and upper limit of each, Hz.
    levels
        Log10 of each amplitude over the median around it, ``(bands, lines)``; -inf below the
        lowest frequency searched.
    amplitudes
        In the square of the signal's unit, ``(bands, lines)``.
    resolution
        Hz from line to line.
    shaft_rate
        Hz; None where the speed is not known.
    """

    bands: tuple[Band, ...]
    levels: NDArray[np.float64]
    amplitudes: NDArray[np.float64]
    resolution: float
    shaft_rate: float | None


def measure_envelopes(
    x: ArrayLike, fs: float, *, rpm: float | None = None, bearing: KnownBearing | None = None
) -> EnvelopeSpectra:
    """Compute the envelope spectra in which lines are searched.

    They are those of the bands of `analysis_bands`, from 0.3 to 12 orders of the shaft (or to
    2.2 times BPFI), or from 2 to 500 Hz where its speed is not known.

    Parameters
    ----------
    x
        ``(samples,)``; see `too_short`.
    fs
        Hz.
    rpm
        Shaft speed.
    bearing
        Decides how far up the search goes.
    """
    shaft = rpm / 60 if rpm else None
    highest = highest_order(bearing) * shaft if shaft else HIGHEST_HZ
    lowest = LOWEST_ORDER * shaft if shaft else LOWEST_HZ
    bands = analysis_bands(fs, highest)
    spectra = averaged_envelope_spectra(x, fs, bands)
    levels = _levels(spectra, lowest, highest, shaft)
    amplitudes = np.stack([s.amplitudes[: levels.shape[1]] for s in spectra])
    resolution = float(spectra[0].frequencies[1])
    return EnvelopeSpectra(tuple(bands), levels, amplitudes, resolution, shaft)


def envelope_peaks(
    x: ArrayLike,
    fs: float,
    *,
    rpm: float | None = None,
    bearing: KnownBearing | None = None,
    count: int = 10,
) -> list[EnvelopePeak]:
    """Return the most prominent lines of the envelope spectra of one channel; see `find_peaks`.

    Parameters
    ----------
    x, fs, rpm, bearing
        As for `measure_envelopes`.
    count
        How many lines at most.
    """
    return find_peaks(measure_envelopes(x, fs, rpm=rpm, bearing=bearing), bearing, count=count)


def find_peaks(
    spectra: EnvelopeSpectra, bearing: KnownBearing | None = None, *, count: int = 10
) -> list[EnvelopePeak]:
    """Return the most prominent lines of envelope spectra, the strongest first.

    Parameters
    ----------
    spectra
        Of one channel.
    bearing
        Its lines are looked for beside those of the shaft.
    count
        How many lines at most.
    """
    shaft, resolution = spectra.shaft_rate, spectra.resolution
    apart = max(round(0.06 * (shaft or FLOOR_HZ) / resolution), 2)
    lines = known_lines(bearing) if shaft else []
    peaks = []
    for place in _places(spectra.levels.max(axis=0), count, apart):
        best = int(spectra.levels[:, place].argmax())
        order = place * resolution / shaft if shaft else None
        peaks.append(
            EnvelopePeak(
                frequency=place * resolution,
                order=order,
                prominence=float(spectra.levels[best, place]),
                amplitude=float(spectra.amplitudes[best, place]),
                band=spectra.bands[best],
                matches=_matches(place * resolution, order, lines),
            )
        )
    return peaks


def strongest_fault(peaks: Sequence[EnvelopePeak]) -> EnvelopePeak | None:
    """Return the strongest peak that is a harmonic of one kind of fault and of no other.

    Examples
    --------
    >>> peaks = [
    ...     EnvelopePeak(323.4, 10.8, 2.4, 1.0, (0, 6000), ("2×BPFI", "3×BPFO")),
    ...     EnvelopePeak(263.5, 8.8, 2.3, 1.0, (0, 6000), ("2×BPFI-2×shaft",)),
    ...     EnvelopePeak(161.7, 5.4, 2.1, 1.0, (0, 6000), ("BPFI",)),
    ... ]
    >>> strongest_fault(peaks).frequency
    161.7
    """
    named = [peak for peak in peaks if len(_kinds(peak)) == 1]
    return max(named, key=lambda peak: peak.prominence, default=None)


def _kinds(peak: EnvelopePeak) -> set[str]:
    """Kinds of fault, or the names of other lines, that a peak may be a harmonic of."""
    matches = [_FAULT.fullmatch(name) for name in peak.matches]
    if not any(matches):
        return set()
    return {m[1] if m else name for m, name in zip(matches, peak.matches, strict=True)}


def _levels(
    spectra: Sequence[Spectrum], lowest: float, highest: float, shaft: float | None
) -> NDArray[np.float64]:
    """Prominences ``(bands, lines)`` up to `highest` in Hz; -inf below `lowest`."""
    resolution = float(spectra[0].frequencies[1])
    half = max(round((shaft / 2 if shaft else FLOOR_HZ) / resolution), 4)
    lines = min(round(highest / resolution) + 1, *(s.amplitudes.size for s in spectra))
    levels = np.array([prominence(s.amplitudes[: lines + half], half)[:lines] for s in spectra])
    levels[:, : max(round(lowest / resolution), 2)] = -np.inf
    return levels


def _places(levels: NDArray[np.float64], count: int, apart: int) -> list[int]:
    """Return the highest lines, each at least `apart` from a higher one."""
    left = levels.copy()
    places: list[int] = []
    while len(places) < count and left.max(initial=-np.inf) >= LEAST_PROMINENCE:
        place = int(left.argmax())
        places.append(place)
        left[max(place - apart, 0) : place + apart + 1] = -np.inf
    return places


def _near(order: float, lines: Sequence[KnownLine]) -> list[KnownLine]:
    """Return the lines within their tolerance, the nearest first."""
    near = (line for line in lines if abs(order - line.order) <= line.tolerance)
    return sorted(near, key=lambda line: abs(order - line.order))


def _matches(frequency: float, order: float | None, lines: Sequence[KnownLine]) -> tuple[str, ...]:
    """Names of the harmonics near a line, the nearest first, or else of one sideband."""
    hums = [k * mains for mains in MAINS_HZ for k in (2, 4, 6)]
    mains = tuple(f"{h} Hz mains" for h in hums if abs(frequency - h) <= MAINS_ERROR * h)
    if order is None:
        return mains
    near = _near(order, lines)
    harmonics = tuple(line.name for line in near if not line.sideband)
    return harmonics + mains or tuple(line.name for line in near[:1])
