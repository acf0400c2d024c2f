"""The signal of a sensor on a machine: resonances, the shaft, the motor and noise.

Accelerations are in g, frequencies in Hz.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faultdiag.arrays import Floats
from faultdiag.simulation.impacts import Impacts

LINE_HZ = 60.0
ROTOR_BARS = 46
MOTOR_LINES = 14
SHAFT_ORDERS = 64
# A thousand points in a period of the highest order: the nearest one is off by 0.3 % at most.
TABLE_POINTS = 65_536


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
        Of each line at the start, in turns.

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
