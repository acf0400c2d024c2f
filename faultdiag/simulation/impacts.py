"""When a spall in a rolling bearing is struck, and how hard.

One angle drives everything: that of the cage. It turns at the rate the geometry gives, off by a
steady slip, and wanders at random; the balls roll on the outer race without sliding. Times are
in seconds, angles in radians, lengths in the unit of the bearing's diameters.
"""

from dataclasses import dataclass

import numpy as np

from faultdiag.arrays import Floats
from faultdiag.signal.bearings import Bearing

# Share of a strike on the outer race that is heard when the spot on a ball strikes the inner one:
# that strike has one more oil film and one more contact to cross.
INNER_STRIKE = 0.75
# A lightly loaded ball still strikes: centrifugal force and preload hold it to the race.
UNLOADED = 0.15
BALL_AXIS_MEMORY_S = 0.25


@dataclass(frozen=True, slots=True)
class Spall:
    """A pit in a race or a ball.

    ``place`` is ``"inner"``, ``"ball"`` or ``"outer"``; the diameter is in the unit of the
    bearing's.
    """

    place: str
    diameter: float


@dataclass(frozen=True, slots=True)
class Impacts:
    """Strikes at `times` (s), ascending, with `amplitudes` relative to the middle of the zone."""

    times: Floats
    amplitudes: Floats


def strike_order(bearing: Bearing, place: str, slip: float = 0.0) -> float:
    """Return the strikes per revolution of the shaft when the cage turns ``1 + slip`` too fast.

    With the cage at ``f = FTF (1 + slip)`` times the shaft rate, n balls pass a point of the
    outer race ``n f`` times and one of the inner race ``n (1 - f)`` times per revolution: the
    two always sum to n. A ball that rolls on the outer race spins in proportion to the cage, and
    a spot on it strikes twice per spin.

    Examples
    --------
    >>> from faultdiag.signal.bearings import BEARINGS
    >>> [round(strike_order(BEARINGS["6205"], p), 3) for p in ("inner", "ball", "outer")]
    [5.415, 4.713, 3.585]
    """
    cage = bearing.orders.ftf * (1 + slip)
    return {
        "inner": bearing.balls * (1 - cage),
        "ball": 2 * bearing.orders.bsf * (1 + slip),
        "outer": bearing.balls * cage,
    }[place]


def interval_spread(bearing: Bearing, place: str, jitter: float) -> float:
    """Return the relative standard deviation of the intervals between strikes.

    `jitter` is that of the outer race. The others follow from the same random walk of the cage:
    a cage angle error counts n times for either race and ``2 BSF / FTF`` times for a ball, and
    its variance grows with the length of the interval.
    """
    orders = bearing.orders
    weight = 2 * orders.bsf / orders.ftf / bearing.balls if place == "ball" else 1.0
    return float(jitter * weight * np.sqrt(orders.bpfo / strike_order(bearing, place)))


def strike_times(rng: np.random.Generator, rate_hz: float, seconds: float, spread: float) -> Floats:
    """Return strike times with independent random intervals, so with a phase that wanders.

    The k-th harmonic of such a train is a line of width ``2 pi k**2 spread**2 rate_hz`` Hz, not
    a sharp one. The first strike falls at random in the first interval.

    References
    ----------
    .. [1] R. B. Randall and J. Antoni, "Rolling element bearing diagnostics - a tutorial",
       Mech. Syst. Signal Process. 25 (2011) 485-520, doi:10.1016/j.ymssp.2010.07.017. The
       intervals of real bearings vary by 1 to 2 %.
    """
    # Room for a train that runs fast: six standard deviations of its whole length, and one more.
    count = int(rate_hz * seconds + 6 * spread * np.sqrt(rate_hz * seconds)) + 2
    intervals = np.maximum(1 + spread * rng.standard_normal(count), 0.0) / rate_hz
    intervals[0] = rng.uniform() / rate_hz
    times = np.cumsum(intervals)
    return times[times < seconds]


def load_zone(angle: Floats, extent: float) -> Floats:
    """Return the share of the greatest load that a ball at `angle` from the load carries.

    ``q = (1 - (1 - cos angle) / (2 extent)) ** 1.5``, and 0 outside the zone. An extent of 0.5
    is half the circumference; clearance makes it smaller, preload larger.

    References
    ----------
    .. [1] P. D. McFadden and J. D. Smith, "Model for the vibration produced by a single point
       defect in a rolling element bearing", J. Sound Vib. 96 (1984) 69-82,
       doi:10.1016/0022-460X(84)90595-9. They use the exponent 1.5 for ball bearings.

    Examples
    --------
    >>> load_zone(np.array([0.0, np.pi / 3, np.pi / 2]), 0.5).round(3).tolist()
    [1.0, 0.354, 0.0]
    """
    share = 1 - (1 - np.cos(angle)) / (2 * extent)
    return np.asarray(np.maximum(share, 0.0) ** 1.5)


def entry_lead(bearing: Bearing, spall: Spall, shaft_hz: float) -> float:
    """Return the time from a ball's entry into a spall to its strike on the far edge, in seconds.

    The contact of a rolling ball moves along either race, and over the ball itself, at
    ``v = pi f (D**2 - d**2) / (2 D)`` with ball diameter d, pitch diameter D and shaft rate f.
    Across a spall of length l the ball strikes when its centre has come half-way: ``l / (2 v)``.

    References
    ----------
    .. [1] N. Sawalhi and R. B. Randall, "Vibration response of spalled rolling element bearings:
       observations, simulations and signal processing techniques to track the spall size",
       Mech. Syst. Signal Process. 25 (2011) 846-870
    """
    pitch, ball = bearing.pitch_diameter, bearing.ball_diameter
    contact_speed = np.pi * shaft_hz * (pitch**2 - ball**2) / (2 * pitch)
    return float(spall.diameter / 2 / contact_speed)


def strikes(
    rng: np.random.Generator,
    bearing: Bearing,
    spall: Spall,
    *,
    shaft_hz: float,
    seconds: float,
    slip: float = 0.0,
    jitter: float = 0.0125,
    scatter: float = 0.2,
    zone: float = 0.8,
) -> Impacts:
    """Return the strikes on a spall during a recording.

    Parameters
    ----------
    rng
        Source of all chance.
    bearing, spall
        What turns and what is broken.
    shaft_hz
        Revolutions per second.
    seconds
        Length of the recording.
    slip
        By how much the cage turns faster than its geometry says, as a ratio.
    jitter
        Relative standard deviation of the intervals of an outer race; 0.01 to 0.02 is usual.
    scatter
        Standard deviation of the logarithm of a strike's amplitude.
    zone
        Extent of the load zone, see `load_zone`.
    """
    rate = strike_order(bearing, spall.place, slip) * shaft_hz
    spread = interval_spread(bearing, spall.place, jitter)
    times = strike_times(rng, rate, seconds, spread)
    start = rng.uniform(0, 2 * np.pi)
    amplitudes: Floats = np.exp(scatter * rng.standard_normal(times.size))
    if spall.place == "inner":
        amplitudes *= _loaded(start + 2 * np.pi * shaft_hz * times, zone)
    elif spall.place == "ball":
        # The spin is locked to the cage, so the cage's angle is known from the count of strikes.
        count = np.arange(times.size, dtype=np.float64)
        turned = bearing.orders.ftf / strike_order(bearing, "ball") * count
        amplitudes *= _loaded(start + 2 * np.pi * turned, zone)
        amplitudes *= _axis_wander(rng, times.size, rate)
        amplitudes[1::2] *= INNER_STRIKE
    return Impacts(times, amplitudes)


def _loaded(angle: Floats, zone: float) -> Floats:
    return UNLOADED + (1 - UNLOADED) * load_zone(angle, zone)


def _axis_wander(rng: np.random.Generator, count: int, rate_hz: float) -> Floats:
    """Amplitude of a ball's strikes while its spin axis tilts: the spot leaves the track at times.

    A first-order autoregressive tilt of unit variance, remembered for `BALL_AXIS_MEMORY_S`.
    """
    from scipy.signal import lfilter

    memory = np.exp(-1 / (BALL_AXIS_MEMORY_S * rate_hz))
    chance = rng.standard_normal(count) * np.sqrt(1 - memory**2)
    chance[:1] /= np.sqrt(1 - memory**2)
    tilt = lfilter([1.0], [1.0, -memory], chance)
    return np.asarray(np.exp(-0.25 * tilt**2))
