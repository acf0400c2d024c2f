"""Which variables of a MAT-file are its signals, its sampling rate and its shaft speed."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from faultdiag.readers import mat5
from faultdiag.readers.mat_array import Array

_CWRU_ENDS = ("DE", "FE", "BA")
_CWRU_SIGNAL = re.compile(r"X(\d+)_(DE|FE|BA)_time")
_CWRU_SPEED = re.compile(r"X(\d+)RPM")
# A table of windows or of spectra has a few hundred rows; a recording has far more samples.
_LONGER = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One channel: an array and, where that holds several channels, which of them."""

    array: Array
    index: int | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file's variables are.

    Parameters
    ----------
    rows
        Channel name to where its samples lie.
    choice
        What to tell whoever asks for all channels where the file doesn't say which they are;
        empty where it does.
    aliases
        Other names of the channels.
    rate
        The array that holds the sampling rate in Hz.
    speed
        The array that holds the shaft speed.
    rpm_per_speed
        What turns that into revolutions per minute.
    """

    rows: Mapping[str, Row]
    choice: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)
    rate: Array | None = None
    speed: Array | None = None
    rpm_per_speed: float = 1.0


def layout(arrays: Mapping[str, Array], stem: str, asked: Collection[str]) -> Layout:
    """Give the layout of a file: that of CWRU, of MFPT, of UESTC, or any one signal.

    Parameters
    ----------
    arrays
        The file's variables.
    stem
        The file's name without its suffix; it tells which of several recordings is meant.
    asked
        Channels or variables asked for; a variable's name tells it too.
    """
    return _cwru(arrays, stem, asked) or _mfpt(arrays) or _uestc(arrays) or _any_signal(arrays)


def rows_of(array: Array) -> dict[str, Row]:
    """Give the channels of an array: one for a vector, more for a long table, none otherwise.

    A row and a column are vectors. A table has its channels along the shorter side; they are
    named ``Data_1``, ``Data_2`` …
    """
    sides = [n for n in array.shape if n != 1]
    if not is_real(array) or len(sides) > 2 or array.size < 2:
        return {}
    if len(sides) == 1:
        return {array.name: Row(array)}
    if max(sides) < _LONGER * min(sides):
        return {}
    return {f"{array.name}_{i + 1}": Row(array, i) for i in range(min(sides))}


def is_real(array: Array) -> bool:
    """Tell whether an array holds real numbers."""
    return array.dtype is not None


def _cwru(arrays: Mapping[str, Array], stem: str, asked: Collection[str]) -> Layout | None:
    signals: dict[int, dict[str, str]] = {}
    for name in arrays:
        if match := _CWRU_SIGNAL.fullmatch(name):
            signals.setdefault(int(match[1]), {})[match[2]] = name
    if not signals:
        return None
    number = _cwru_number(signals, stem, asked)
    if number is None:
        names = [name for channels in signals.values() for name in channels.values()]
        return Layout(
            {},
            f"holds the signals of several recordings ({', '.join(sorted(names))}) and its name "
            f"tells none of them; name the variable as the channel, such as '{min(names)}'",
        )
    channels = signals[number]
    speeds = [
        array
        for name, array in arrays.items()
        if (match := _CWRU_SPEED.fullmatch(name)) and int(match[1]) == number
    ]
    return Layout(
        rows={end: Row(arrays[channels[end]]) for end in _CWRU_ENDS if end in channels},
        aliases={name: channel for channel, name in channels.items()},
        speed=speeds[0] if speeds else None,
    )


def _cwru_number(
    signals: Mapping[int, Mapping[str, str]], stem: str, asked: Collection[str]
) -> int | None:
    """Give the number whose variables are meant, or None if nothing tells.

    99.mat holds X098 and X099: its own number decides. 174.mat holds X173 only.
    """
    tokens = re.split(r"[^0-9A-Za-z]", stem)
    ways = (
        [n for n, channels in signals.items() if set(asked) & set(channels.values())],
        [n for n in signals if n in {int(t) for t in tokens if t.isdecimal()}],
        [n for n, channels in signals.items() if "DE" in channels],
        list(signals),
    )
    numbers = next(numbers for numbers in ways if numbers)
    return numbers[0] if len(numbers) == 1 else None


def _mfpt(arrays: Mapping[str, Array]) -> Layout | None:
    bearing = arrays.get("bearing")
    if bearing is None or bearing.kind != "struct" or bearing.shape != (1, 1):
        return None
    fields = mat5.fields(bearing)
    if "gs" not in fields or "sr" not in fields:
        return None
    return Layout(
        rows={"gs": Row(fields["gs"])},
        aliases={"bearing": "gs"},
        rate=fields["sr"],
        speed=fields.get("rate"),
        rpm_per_speed=60.0,
    )


def _uestc(arrays: Mapping[str, Array]) -> Layout | None:
    rate = arrays.get("SampleFrequency")
    if rate is None or "Data" not in arrays:
        return None
    rows = rows_of(arrays["Data"])
    return Layout(rows, rate=rate) if rows else None


def _any_signal(arrays: Mapping[str, Array]) -> Layout:
    rows = [found for array in arrays.values() if (found := rows_of(array))]
    if len(rows) == 1:
        return Layout(rows[0])
    if not rows:
        return Layout({}, "holds no signal: one vector of real numbers is needed")
    every = {name: row for found in rows for name, row in found.items()}
    return Layout(every, f"holds several signals ({', '.join(sorted(every))}); choose a channel")
