"""Vibration severity: velocity from 10 to 1000 Hz, and its zone by the limits of ISO 20816-3.

The zones grade the vibration of a whole machine, measured on its bearing housings. They say
nothing about which part is faulty, and a bearing can be badly damaged in zone A: its impacts lie
mostly above 1000 Hz.

References
----------
.. [1] ISO 20816-3:2022, "Mechanical vibration - Measurement and evaluation of machine vibration -
   Part 3: Industrial machinery with a power rating above 15 kW and operating speeds between
   120 r/min and 30 000 r/min"
.. [2] ISO 10816-3:2009, Annex A, Tables A.1 and A.2: the edition it replaces, and the source of
   the limits used here
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultdiag.errors import FaultdiagError

Group: TypeAlias = Literal[1, 2]
Mounting: TypeAlias = Literal["rigid", "flexible"]
Zone: TypeAlias = Literal["A", "B", "C", "D"]

STANDARD_GRAVITY = 9.80665
HIGHEST_HZ = 1000.0
LOWEST_HZ = 10.0
# Below 600 r/min the standard begins at 2 Hz.
SLOW_RPM = 600.0
LOWEST_HZ_SLOW = 2.0
SLOWEST_RPM, FASTEST_RPM = 120.0, 30_000.0
# Fewest periods of the lowest frequency; with fewer its energy is uncertain.
FEWEST_PERIODS = 10
SOURCE = "ISO 20816-3, limits of ISO 10816-3:2009 Tables A.1 and A.2"
MEANING = {
    "A": "as of newly commissioned machines",
    "B": "acceptable for unrestricted long-term operation",
    "C": "unsatisfactory for long-term continuous operation",
    "D": "normally considered severe enough to damage the machine",
}

# Upper limits of the zones A, B and C, mm/s RMS.
LIMITS: dict[tuple[Group, Mounting], tuple[float, float, float]] = {
    (1, "rigid"): (2.3, 4.5, 7.1),
    (1, "flexible"): (3.5, 7.1, 11.0),
    (2, "rigid"): (1.4, 2.8, 4.5),
    (2, "flexible"): (2.3, 4.5, 7.1),
}

# To m/s² or m/s, and how often the signal must be integrated to be a velocity.
_UNITS: dict[str, tuple[float, int]] = {
    "g": (STANDARD_GRAVITY, 1),
    "m/s2": (1.0, 1),
    "mm/s": (1e-3, 0),
    "m/s": (1.0, 0),
}


@dataclass(frozen=True, slots=True)
class Severity:
    """Velocity of one channel, and its zone where machine group and mounting are stated.

    Parameters
    ----------
    velocity
        RMS in mm/s, from `lowest` to 1000 Hz.
    units, units_source
        Unit of the signal, and who states it: ``argument`` or ``file``.
    lowest
        Lower limit of the velocity, Hz.
    zone, group, mounting
        None if group and mounting are not stated.
    source
        The standard that the limits are from.
    """

    velocity: float
    units: str
    units_source: str
    lowest: float
    zone: Zone | None = None
    group: Group | None = None
    mounting: Mounting | None = None
    source: str = SOURCE


def parse_units(text: str) -> str | None:
    """Return one of ``g``, ``m/s2``, ``mm/s`` and ``m/s``, or None where it is another unit.

    Examples
    --------
    >>> [parse_units(text) for text in ("g", "m/s²", "m/s^2", "mm/s", "V")]
    ['g', 'm/s2', 'm/s2', 'mm/s', None]
    """
    plain = text.strip().lower().replace("²", "2").replace("^", "").replace("**", "")
    return plain if plain in _UNITS else None


def severity(
    x: ArrayLike,
    fs: float,
    *,
    units: str,
    units_source: str = "argument",
    rpm: float | None = None,
    group: Group | None = None,
    mounting: Mounting | None = None,
) -> Severity:
    """Compute the velocity of a signal, and its zone for a machine group and mounting.

    Parameters
    ----------
    x, fs
        The signal ``(samples,)``, and its sampling rate in Hz.
    units, units_source
        Unit of the signal (``g``, ``m/s2``, ``mm/s`` or ``m/s``), and who states it.
    rpm
        Below 600 r/min the velocity begins at 2 Hz instead of 10 Hz.
    group
        1: above 300 kW, or shaft height 315 mm and more; 2: 15 to 300 kW, or 160 to 315 mm.
    mounting
        ``rigid`` or ``flexible``.

    Raises
    ------
    FaultdiagError
        If the units are unknown, only one of group and mounting is given, the sampling rate does
        not reach 1000 Hz, the signal is too short, or the speed is outside the standard.

    Examples
    --------
    >>> t = np.arange(12_000) / 12_000
    >>> result = severity(np.sin(2 * np.pi * 100 * t), 12_000, units="g", group=2, mounting="rigid")
    >>> round(result.velocity, 2), result.zone
    (11.04, 'D')
    """
    known = parse_units(units)
    if known is None:
        raise FaultdiagError(f"units are '{units}'; severity needs {', '.join(_UNITS)}")
    lowest = LOWEST_HZ_SLOW if rpm is not None and rpm < SLOW_RPM else LOWEST_HZ
    values = np.asarray(x, dtype=np.float64)
    _require_usable(values.size, fs, lowest, rpm)
    velocity = 1000 * _velocity_rms(values, fs, known, lowest)
    zone = _zone(velocity, group, mounting)
    return Severity(velocity, known, units_source, lowest, zone, group, mounting)


def _require_usable(samples: int, fs: float, lowest: float, rpm: float | None) -> None:
    if rpm is not None and not SLOWEST_RPM <= rpm <= FASTEST_RPM:
        raise FaultdiagError(
            f"the shaft speed is {rpm:g} r/min; ISO 20816-3 holds from {SLOWEST_RPM:g} to "
            f"{FASTEST_RPM:g} r/min"
        )
    if fs <= 2 * HIGHEST_HZ:
        raise FaultdiagError(
            f"severity is the velocity from {lowest:g} to {HIGHEST_HZ:g} Hz; a sampling rate of "
            f"{fs:g} Hz ends at {fs / 2:g} Hz, so record at more than {2 * HIGHEST_HZ:g} Hz"
        )
    if samples < FEWEST_PERIODS * fs / lowest:
        raise FaultdiagError(
            f"severity needs {FEWEST_PERIODS / lowest:g} s or more; this is {samples / fs:.3g} s"
        )


def _velocity_rms(x: NDArray[np.float64], fs: float, units: str, lowest: float) -> float:
    """Return the RMS in m/s between `lowest` and 1000 Hz, by Parseval's theorem."""
    scale, integrations = _UNITS[units]
    lines = np.fft.rfft(x - x.mean()) / x.size
    frequencies = np.fft.rfftfreq(x.size, 1 / fs)
    inside = (frequencies >= lowest) & (frequencies <= HIGHEST_HZ)
    amplitudes = np.abs(lines[inside]) / (2 * np.pi * frequencies[inside]) ** integrations
    return float(scale * np.sqrt(2 * np.square(amplitudes).sum()))


def _zone(velocity: float, group: Group | None, mounting: Mounting | None) -> Zone | None:
    if group is None and mounting is None:
        return None
    if group is None or mounting is None:
        missing = "machine group (1 or 2)" if group is None else "mounting (rigid or flexible)"
        raise FaultdiagError(f"a zone needs the {missing} too; without it only the velocity holds")
    limits = LIMITS[group, mounting]
    zones: tuple[Zone, ...] = ("A", "B", "C", "D")
    return zones[sum(velocity > limit for limit in limits)]
