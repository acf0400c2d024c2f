"""Common parts of the readers: rates, speeds, times, units and channels."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faultdiag.readers.source import RecordingSource

_RATES = frozenset(
    {
        *("fs", "sr", "sfreq", "samplingrate", "samplerate", "samplingfrequency"),
        *("samplefrequency", "samplingfreq", "samplefreq", "abtastrate", "abtastfrequenz"),
    }
)
_INCREMENTS = frozenset(
    {
        *("dt", "deltat", "deltax", "xdelta", "increment", "xincrement", "wfincrement", "raster"),
        *("timestep", "timeincrement", "sampleinterval", "samplinginterval", "sampleperiod"),
        *("samplingperiod", "samplingtime", "sampletime", "abtastintervall", "ts"),
    }
)
_SPEEDS = frozenset({"rpm", "speedrpm", "rpmspeed", "shaftrpm", "shaftspeedrpm", "motorrpm"})
# Below, it is in kHz or no rate of vibration; above, no recorder is that fast.
_PLAUSIBLE_RATE = (100.0, 1e8)
_PLAUSIBLE_SPEED = (1.0, 1e6)


def is_rate(name: str) -> bool:
    """Return whether a name is a usual one of a sampling rate in Hz.

    Examples
    --------
    >>> [is_rate(name) for name in ("fs", "Sampling Rate (Hz)", "sample_rate_hz", "rate", "fsk")]
    [True, True, True, False, False]
    """
    return key(name).removesuffix("hz") in _RATES


def is_increment(name: str) -> bool:
    """Return whether a name is a usual one of the time between two samples.

    Examples
    --------
    >>> [is_increment(name) for name in ("Delta_X", "wf_increment", "Raster", "dt (s)", "step")]
    [True, True, True, True, False]
    """
    plain = key(name)
    return plain in _INCREMENTS or plain.removesuffix("s") in _INCREMENTS - {"t"}


def rate_of_increment(step: float, rounding: float = 5e-7) -> float:
    """Return the rate in Hz of a time between samples in seconds, whole but for rounding.

    1/12000 is no number of the computer's, and seven digits are what programs write.

    Examples
    --------
    >>> rate_of_increment(3.90625e-05), rate_of_increment(1 / 12000)
    (25600.0, 12000.0)
    """
    rate = 1 / step
    whole = round(rate) if np.isfinite(rate) else 0
    return float(whole) if whole and abs(whole / rate - 1) < rounding else rate


def is_speed(name: str) -> bool:
    """Return whether a name is a usual one of a shaft speed in rpm.

    Examples
    --------
    >>> [is_speed(name) for name in ("RPM", "speed_rpm", "speed", "rpm (1/min)")]
    [True, True, False, False]
    """
    return key(name) in _SPEEDS


def plausible_rate(values: Iterable[float]) -> float | None:
    """Return the sampling rate on which all values agree, or None: 100 Hz to 100 MHz."""
    return _agreed(values, *_PLAUSIBLE_RATE)


def plausible_speed(values: Iterable[float]) -> float | None:
    """Return the shaft speed on which all values agree, or None: 1 to a million rpm."""
    return _agreed(values, *_PLAUSIBLE_SPEED)


def rate_and_speed(
    facts: Iterable[tuple[str, float]],
) -> tuple[float | None, float | None]:
    """Return the sampling rate in Hz and the shaft speed in rpm that named numbers state.

    Examples
    --------
    >>> rate_and_speed([("dt", 0.001), ("RPM", 1800), ("gain", 2)])
    (1000.0, 1800)
    """
    rates, speeds = [], []
    for name, value in facts:
        if is_rate(name):
            rates.append(value)
        elif is_speed(name):
            speeds.append(value)
        elif is_increment(name) and value > 0:
            rates.append(rate_of_increment(value))
    return plausible_rate(rates), plausible_speed(speeds)


def _agreed(values: Iterable[float], least: float, most: float) -> float | None:
    distinct = set(values)
    if len(distinct) != 1:
        return None
    value = distinct.pop()
    return value if least <= value <= most else None


def key(name: str, separator: str = "") -> str:
    """Return a name in small letters, with `separator` for every space and punctuation mark.

    Examples
    --------
    >>> key("Sampling Rate [Hz]"), key("time (ms)", " ")
    ('samplingratehz', 'time ms ')
    """
    return re.sub(r"[\s_\-.,:;()\[\]{}/]+", separator, name.strip()).lower()


_IN_BRACKETS = re.compile(r"[\[(]\s*([^\W\d_%°][^\])]{0,11}|%|°)\s*[\])]\s*$")


def channel_unit(channel: str) -> str | None:
    """Return the unit in brackets at the end of a channel's name, or None.

    Examples
    --------
    >>> [channel_unit(name) for name in ("acc [g]", "DE (m/s²)", "Data_1", "acc (2)", "[]")]
    ['g', 'm/s²', None, None, None]
    """
    match = _IN_BRACKETS.search(channel)
    return match[1].strip() if match else None


@dataclass(frozen=True, slots=True)
class Variable:
    """One named array, column or track of a file, known from the header alone.

    Parameters
    ----------
    name, shape
        Name and dimensions in the file; dimensions are empty if the format has none.
    kind
        Its type in the format's own words, such as ``"double"`` or ``"struct"``.
    channel
        The channel it becomes (several are joined by a comma), or None.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    channel: str | None = None

    def __str__(self) -> str:
        """Return name, dimensions and type, as in ``X097_DE_time (243938×1 double)``."""
        dimensions = "×".join(str(n) for n in self.shape)
        return f"{self.name} ({f'{dimensions} {self.kind}'.strip()})"


def channels_of(variables: Iterable[Variable]) -> list[str]:
    """Return the channels that the variables of a file become, in order."""
    return [name for v in variables if v.channel for name in v.channel.split(", ")]


class Reader(Protocol):
    """One open file; built from its path, which exists and is not empty."""

    def variables(self) -> list[Variable]:
        """Return the variables of the file, from its header."""

    def source(self, channels: Sequence[str] | None) -> RecordingSource:
        """Return these channels (all for None), their samples still in the file."""


_NAMES = frozenset(
    {
        *("t", "time", "times", "timestamp", "sec", "second", "seconds", "elapsedtime"),
        *("timeaxis", "timevector", "xvalue", "zeit", "sekunden", "temps", "tiempo"),
        *("reltime", "relativetime", "zeitstempel", "tempo", "время", "时间", "時間", "시간"),
    }
)
_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "sekunden", "secondes"), 1.0),
    **dict.fromkeys(("segundos", "secondi", "секунды", "сек", "с", "秒", "초"), 1.0),
    **dict.fromkeys(("ms", "msec", "millis", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("millisekunden", "millisecondes", "milisegundos", "мс", "毫秒"), 1e-3),
    **dict.fromkeys(("us", "µs", "μs", "usec", "micros", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("mikrosekunden", "microsecondes", "microsegundos", "мкс", "微秒"), 1e-6),
    **dict.fromkeys(("ns", "nsec", "nanos", "nanoseconds", "纳秒"), 1e-9),
}
# Steps may differ by this share of their median before the clock counts as uneven.
_JITTER = 0.02


def is_time(name: str) -> bool:
    """Return whether a name is a usual one of times, with a unit or without.

    Examples
    --------
    >>> [is_time(name) for name in ("Time (ms)", "t", "zeit_s", "X_Value", "tacho", "DE_time")]
    [True, True, True, True, False, False]
    """
    return split_unit(name)[0] in _NAMES


def unit_of(name: str) -> float:
    """Return the seconds of one unit of a time by its name: ``time [ms]`` is 0.001.

    Examples
    --------
    >>> unit_of("time [ms]"), unit_of("t")
    (0.001, 1.0)
    """
    return _UNITS[split_unit(name)[1]]


def states_unit(name: str) -> bool:
    """Return whether a name has, or is, a unit of time: ``micros``, ``t [ms]``, ``时间(秒)``.

    A single letter alone is none: ``s`` may be a displacement.
    """
    parts = [part for part in key(name, separator=" ").split() if part]
    return bool(parts) and parts[-1] in _UNITS and (len(parts) > 1 or len(parts[0]) > 1)


def decimal_step(values: NDArray[np.float64]) -> float:
    """Return the power of ten that all values are multiples of, 1 at most; 0 if there is none.

    Examples
    --------
    >>> decimal_step(np.array([39.0, 78.0])), decimal_step(np.array([0.25, 0.5]))
    (1.0, 0.01)
    """
    for digits in range(10):
        scaled = values * 10.0**digits
        if np.abs(scaled - np.rint(scaled)).max(initial=0.0) < 1e-6 * max(
            1.0, 10.0 ** (digits - 6)
        ):
            return float(10.0**-digits)
    return 0.0


def believable(rate: float, name: str) -> bool:
    """Return whether a rate can be that of a time of this name.

    A name without a unit doesn't say whether its times are seconds, milliseconds or a count.

    Examples
    --------
    >>> believable(12.0, "time"), believable(12.0, "time [s]"), believable(12000.0, "time")
    (False, True, True)
    """
    return states_unit(name) or plausible_clock(rate)


def split_unit(name: str) -> tuple[str, str]:
    """Return a name without the unit of time at its end, as `key` does, and that unit or ``s``."""
    parts = [part for part in key(name, separator=" ").split() if part]
    if states_unit(name):
        return "".join(parts[:-1]), parts[-1]
    return "".join(parts), "s"


def plausible_clock(rate: float) -> bool:
    """Return whether a column that rises in equal steps can be a time in seconds.

    Steps of 1 count samples; a rate below 100 Hz is not one of vibration.
    """
    return plausible_rate([rate]) is not None


def sampling_rate(
    times: NDArray[np.float64],
    resolution: float = 0.0,
    *,
    last: float | None = None,
    count: int | None = None,
) -> float | str:
    """Return the rate in Hz of times in seconds, or what is uneven about them.

    The rate is ``(n - 1) / (t[n-1] - t[0])``, which is free of the rounding of single times;
    it is rounded to whole Hz where those fit within the rounding of the first and last.

    Parameters
    ----------
    times
        At least 2, the first ones.
    resolution
        What the times were rounded to; steps may differ by that.
    last, count
        The last time and the number of times, where `times` are not all.

    Examples
    --------
    >>> sampling_rate(np.arange(12000) / 12000)
    12000.0
    >>> sampling_rate(np.array([0.0, 0.001, 0.002, 0.004]))
    'its steps range from 0.001 s to 0.002 s, around 0.001 s'
    >>> sampling_rate(np.arange(100) / 1000, last=5.0, count=1000)
    'by its first steps of 0.001 s it should end at 0.999 s, it ends at 5 s'
    """
    last = float(times[-1]) if last is None else last
    count = len(times) if count is None else count
    if not (np.isfinite(times).all() and np.isfinite(last)):
        return "not all of them are finite numbers"
    # Some programs write seconds as float32.
    farthest = max(abs(last), float(np.abs(times).max()))
    rounding = max(resolution, 2.4e-7 * farthest if _single(times) else 0.0, 1e-12 * farthest)
    problem = _uneven_steps(times, resolution, rounding) or _wrong_end(times, last, count, rounding)
    duration = last - float(times[0])
    return problem or _rounded((count - 1) / duration, rounding / duration)


def _uneven_steps(times: NDArray[np.float64], resolution: float, rounding: float) -> str:
    """Return how the steps between times are uneven; empty if they are even."""
    steps = np.diff(times)
    if steps.min() < 0 or (steps.min() == 0 and not _on_a_line(times, resolution)):
        return f"it does not increase at sample {int(np.argmax(steps <= 0)) + 1}"
    middle = float(np.median(steps))
    allowed = max(_JITTER * middle, min(1.001 * rounding, 0.3 * middle))
    uneven = max(steps.max() - middle, middle - steps.min()) > allowed
    if uneven and not _on_a_line(times, rounding):
        return (
            f"its steps range from {steps.min():.6g} s to {steps.max():.6g} s, "
            f"around {middle:.6g} s"
        )
    return ""


def _wrong_end(times: NDArray[np.float64], last: float, count: int, rounding: float) -> str:
    """Return how the last time differs from what the first ones lead to; empty if it doesn't."""
    start, mean = float(times[0]), float(times[-1] - times[0]) / (len(times) - 1)
    expected = start + mean * (count - 1)
    slack = _JITTER * mean * count + rounding * (count / len(times) + 1)
    if count > len(times) and abs(last - expected) > min(slack, max(0.01 * expected, 10 * mean)):
        return (
            f"by its first steps of {mean:.6g} s it should end at {expected:.6g} s, "
            f"it ends at {last:.6g} s"
        )
    return ""


def _on_a_line(times: NDArray[np.float64], rounding: float) -> bool:
    """Return whether times differ from an even clock by nothing but their rounding."""
    if rounding <= 0 or len(times) < 3 or times[-1] <= times[0]:
        return False
    places = np.arange(len(times), dtype=np.float64)
    slope = np.polyfit(places, times, 1)
    rest = np.abs(times - np.polyval(slope, places)).max()
    return bool(rest <= 0.75 * rounding + _JITTER * slope[0])


def _rounded(rate: float, slack: float) -> float:
    """Return the roundest number of whole Hz that is as good a rate, or the rate."""
    for step in (100, 10, 1):
        whole = step * round(rate / step)
        if whole and abs(whole / rate - 1) <= slack:
            return float(whole)
    return rate


def _single(times: NDArray[np.float64]) -> bool:
    return bool((times == times.astype(np.float32)).all())
