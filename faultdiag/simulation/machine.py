"""A machine with a damaged bearing: its impacts, and the signal of a sensor on it.

Impacts come when a spall in a rolling bearing is struck. One angle drives everything: that of the
cage. It turns at the rate the geometry gives, off by a steady slip, and wanders at random; the
balls roll on the outer race without sliding. The sensor hears them through resonances, beside the
shaft, the motor and noise.

Times are in seconds, frequencies in Hz, accelerations in g, angles in radians, lengths in the unit
of the bearing's diameters.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faultdiag.arrays import Floats
from faultdiag.signal.bearings import Bearing

# Share of a strike on the outer race that is heard when the spot on a ball strikes the inner one:
# that strike has one more oil film and one more contact to cross.
INNER_STRIKE = 0.75
# A lightly loaded ball still strikes: centrifugal force and preload hold it to the race.
UNLOADED = 0.15
BALL_AXIS_MEMORY_S = 0.25
LINE_HZ = 60.0
ROTOR_BARS = 46
MOTOR_LINES = 14
SHAFT_ORDERS = 64
# A thousand points in a period of the highest order: the nearest one is off by 0.3 % at most.
TABLE_POINTS = 65_536


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


@dataclass(frozen=True, slots=True)
class Mode:
    """A resonance: natural frequency in Hz, and damping as a share of the critical one."""

    frequency: float
    damping: float

    def pole(self, fs: float) -> complex:
        """Return the factor by which the ringing advances in one sample."""
        turn = -self.damping + 1j * np.sqrt(1 - self.damping**2)
        return complex(np.exp(2 * np.pi * self.frequency * turn / fs))


@dataclass(frozen=True, slots=True)
class Sensor:
    """An accelerometer and the path to it.

    Parameters
    ----------
    name
        ``"DE"``, ``"FE"`` or ``"BA"``.
    strikes
        g per mode: amplitude of the ringing after a strike of amplitude 1.
    noise
        g per mode: standard deviation of the ringing under broadband excitation.
    floor
        g: standard deviation of white noise, up to 24 kHz.
    shaft, motor
        g: scale of the shaft's harmonics and of the motor's electromagnetic lines.
    delay
        Seconds from the bearing at the drive end.
    offset, offset_spread
        g: mean and standard deviation of the DC offset.
    step
        g: quantisation step.
    """

    name: str
    strikes: tuple[float, ...]
    noise: tuple[float, ...]
    floor: float
    shaft: float
    motor: float
    delay: float
    offset: float
    offset_spread: float
    step: float


def ring(excitation: Floats, mode: Mode, fs: float) -> Floats:
    """Return the response ``y[i] = 2 Re(p) y[i - 1] - abs(p)**2 y[i - 2] + excitation[i]``.

    p is the pole of the mode; to ``Im(p)`` in sample 1 it answers with the mode's impulse
    response, ``Im(p**i) = exp(-zeta w i / fs) sin(w_d i / fs)``.
    """
    from scipy.signal import lfilter

    pole = mode.pole(fs)
    return np.asarray(lfilter([1.0], [1.0, -2 * pole.real, abs(pole) ** 2], excitation))


def strike(excitation: Floats, impacts: Impacts, mode: Mode, fs: float, gain: float = 1.0) -> None:
    """Add to an excitation what makes `ring` answer impacts that fall between samples.

    The answer is exactly the sum over all impacts at t with amplitude a of
    ``gain a exp(-zeta w (i/fs - t)) sin(w_d (i/fs - t))`` from t on. In the first sample i after
    the impact the response is ``Im(v)``, ``v = gain a p**(i - t fs)``, as if it had always been
    ringing; its next one, ``Im(v p)``, needs ``-Im(v conj(p))`` more than ``Im(v)`` gives.
    """
    pole = mode.pole(fs)
    first = np.ceil(impacts.times * fs)
    kept = (first >= 0) & (first < excitation.size - 1)
    reached = np.exp(np.log(pole) * (first - impacts.times * fs)[kept])
    values = gain * impacts.amplitudes[kept] * reached
    index = first[kept].astype(np.int64)
    np.add.at(excitation, index, values.imag)
    np.add.at(excitation, index + 1, -(values * pole.conjugate()).imag)


def noise_gain(mode: Mode, fs: float) -> float:
    """Compute the standard deviation of white noise to which a mode answers with variance 1."""
    pole = mode.pole(fs)
    first, second = 2 * pole.real, abs(pole) ** 2
    return float(np.sqrt((1 - second) * ((1 + second) ** 2 - first**2) / (1 + second)))


def shaft_waveform(rng: np.random.Generator) -> Floats:
    """Return one revolution of the shaft's harmonics in `TABLE_POINTS` points.

    Unbalance and misalignment stand out in the first orders. The others have scattered levels,
    highest where the frame carries them best, around the 20th.
    """
    orders = np.arange(1, SHAFT_ORDERS + 1)
    shape = 0.6 + np.exp(-(((orders - 20) / 13) ** 2))
    lines = np.zeros(TABLE_POINTS // 2 + 1, dtype=np.complex128)
    shape[:3] += (2.0, 1.0, 0.5)
    levels = shape * np.exp(0.7 * rng.standard_normal(orders.size))
    lines[orders] = levels * np.exp(2j * np.pi * rng.uniform(size=orders.size))
    return np.asarray(np.fft.irfft(lines) * TABLE_POINTS / 2)


def shaft_angle(shaft_hz: float, samples: int, fs: float) -> NDArray[np.int64]:
    """Return the angle of the shaft at each sample as an index of `shaft_waveform`."""
    revolutions = shaft_hz / fs * np.arange(samples)
    return (revolutions % 1.0 * TABLE_POINTS).astype(np.int64)


def motor_drone(levels: Floats, phases: Floats, shaft_hz: float, samples: int, fs: float) -> Floats:
    """Return the electromagnetic lines of an induction motor; the strongest has a level around 1.

    The supply hums at once and twice its frequency. The slots of a rotor with R bars sound at
    ``k R f_shaft + m f_line`` with odd m. Lines beyond half the rate are left out.

    Parameters
    ----------
    levels
        Factor on each of the `MOTOR_LINES` lines.
    phases
        Phase of each line at the start, in turns.

    References
    ----------
    .. [1] S. Nandi, H. A. Toliyat and X. Li, "Condition monitoring and fault diagnosis of
       electrical motors - a review", IEEE Trans. Energy Convers. 20 (2005) 719-729,
       doi:10.1109/TEC.2005.847955
    """
    lines = [(LINE_HZ, 0.05), (2 * LINE_HZ, 0.1)]
    for multiple, level in ((1, 0.25), (3, 1.0), (6, 0.35)):
        slot = multiple * ROTOR_BARS * shaft_hz
        lines += [(slot + m * LINE_HZ, level / abs(m)) for m in (-3, -1, 1, 3)]
    frequencies, usual = np.array(lines).T
    heard = usual * levels * (frequencies < fs / 2)
    return _tones(frequencies / fs, heard * np.exp(2j * np.pi * phases), samples)


def _tones(turns: Floats, amplitudes: NDArray[np.complex128], samples: int) -> Floats:
    # A cosine at sample i = a n + b is the real part of a product of one factor by a and one by
    # b: n + samples / n exponentials per tone in place of one per sample.
    n = int(np.sqrt(samples)) + 1
    coarse = np.exp(2j * np.pi * np.outer(np.arange(n) * n, turns)) * amplitudes
    fine = np.exp(2j * np.pi * np.outer(turns, np.arange(n)))
    product = np.hstack([coarse.real, -coarse.imag]) @ np.vstack([fine.real, fine.imag])
    return np.asarray(product.ravel()[:samples])


def quantise(signal: Floats, step: float) -> Floats:
    """Return the signal rounded to whole steps of the converter."""
    return np.round(signal / step) * step


def decimate(signal: Floats, factor: int) -> Floats:
    """Return every `factor`-th sample behind an anti-alias filter.

    Flat to 90 % of half the new rate, 80 dB down from half the new rate on.
    """
    if factor == 1:
        return signal
    from scipy.signal import firwin, oaconvolve

    # Kaiser's rules for 80 dB over a tenth of the new band.
    taps = firwin(2 * 51 * factor + 1, 0.95 / factor, window=("kaiser", 7.857))
    return np.asarray(oaconvolve(signal, taps, mode="same")[::factor])
