"""Names under which files state their sampling rate and shaft speed."""

import re
from collections.abc import Iterable

_RATES = frozenset(
    {
        *("fs", "sr", "sfreq", "samplingrate", "samplerate", "samplingfrequency"),
        *("samplefrequency", "samplingfreq", "samplefreq", "abtastrate", "abtastfrequenz"),
    }
)
_SPEEDS = frozenset({"rpm", "speedrpm", "rpmspeed", "shaftrpm", "shaftspeedrpm", "motorrpm"})
# Below, it is in kHz or no rate of vibration; above, no recorder is that fast.
_PLAUSIBLE_RATE = (100.0, 1e8)
_PLAUSIBLE_SPEED = (1.0, 1e6)


def is_rate(name: str) -> bool:
    """Tell whether a name is one of those that a sampling rate in Hz goes by.

    Examples
    --------
    >>> [is_rate(name) for name in ("fs", "Sampling Rate (Hz)", "sample_rate_hz", "rate", "fsk")]
    [True, True, True, False, False]
    """
    return key(name).removesuffix("hz") in _RATES


def is_speed(name: str) -> bool:
    """Tell whether a name is one of those that a shaft speed in rpm goes by.

    Examples
    --------
    >>> [is_speed(name) for name in ("RPM", "speed_rpm", "speed", "rpm (1/min)")]
    [True, True, False, False]
    """
    return key(name) in _SPEEDS


def plausible_rate(values: Iterable[float]) -> float | None:
    """Give the sampling rate on which all values agree, or None: 100 Hz to 100 MHz."""
    return _agreed(values, *_PLAUSIBLE_RATE)


def plausible_speed(values: Iterable[float]) -> float | None:
    """Give the shaft speed on which all values agree, or None: 1 to a million rpm."""
    return _agreed(values, *_PLAUSIBLE_SPEED)


def _agreed(values: Iterable[float], least: float, most: float) -> float | None:
    distinct = set(values)
    if len(distinct) != 1:
        return None
    value = distinct.pop()
    return value if least <= value <= most else None


def key(name: str, separator: str = "") -> str:
    """Give a name in small letters, with `separator` for every space and punctuation mark.

    Examples
    --------
    >>> key("Sampling Rate [Hz]"), key("time (ms)", " ")
    ('samplingratehz', 'time ms ')
    """
    return re.sub(r"[\s_\-.,:;()\[\]{}/]+", separator, name.strip()).lower()
