"""Which arrays of a file are its signals, its sampling rate and its shaft speed."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from faultdiag.readers.facts import is_rate, is_speed, plausible_rate, plausible_speed
from faultdiag.readers.source import Row
from faultdiag.readers.stored import Stored, table
from faultdiag.readers.times import is_time

_CWRU_ENDS = ("DE", "FE", "BA")
_CWRU_SIGNAL = re.compile(r"X(\d+)_(DE|FE|BA)_time")
_CWRU_SPEED = re.compile(r"X(\d+)RPM")
# A table of windows or of spectra has a few hundred rows; a recording has far more samples.
_LONGER = 20


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
    time
        Name and array of the samples' times.
    """

    rows: Mapping[str, Row]
    choice: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)
    rate: Stored | None = None
    speed: Stored | None = None
    rpm_per_speed: float = 1.0
    time: tuple[str, Stored] | None = None


def layout(arrays: Mapping[str, Stored], stem: str, asked: Collection[str]) -> Layout:
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


def rows_of(name: str, array: Stored) -> dict[str, Row]:
    """Give the channels of an array: one for a vector, more for a long table, none otherwise.

    A row and a column are vectors. A table has its channels along the shorter side; they are
    named ``Data_1``, ``Data_2`` …
    """
    size = table(array.shape) if array.real else None
    if size is None or size.samples < 2:
        return {}
    if size.columns == 1:
        return {name: Row(array)}
    if size.samples < _LONGER * size.columns:
        return {}
    return {f"{name}_{i + 1}": Row(array, i) for i in range(size.columns)}


def _cwru(arrays: Mapping[str, Stored], stem: str, asked: Collection[str]) -> Layout | None:
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


def _mfpt(arrays: Mapping[str, Stored]) -> Layout | None:
    bearing = arrays.get("bearing")
    fields = bearing.fields() if bearing is not None else {}
    if "gs" not in fields or "sr" not in fields:
        return None
    return Layout(
        rows={"gs": Row(fields["gs"])},
        aliases={"bearing": "gs"},
        rate=fields["sr"],
        speed=fields.get("rate"),
        rpm_per_speed=60.0,
    )


def _uestc(arrays: Mapping[str, Stored]) -> Layout | None:
    rate = arrays.get("SampleFrequency")
    if rate is None or "Data" not in arrays:
        return None
    rows = rows_of("Data", arrays["Data"])
    return Layout(rows, rate=rate) if rows else None


def _any_signal(arrays: Mapping[str, Stored]) -> Layout:
    """Give the layout of a file that holds one signal, or one beside a vector of its times.

    Only where no variable is a signal, the fields of structs are looked at.
    """
    inside = arrays if any(rows_of(*item) for item in arrays.items()) else _with_fields(arrays)
    found = {name: rows for name, array in inside.items() if (rows := rows_of(name, array))}
    time = _time(inside, found)
    if time is not None:
        del found[time]
    rate = _fact(inside, is_rate, plausible_rate)
    speed = _fact(inside, is_speed, plausible_speed)
    times = None if time is None else (time, inside[time])
    if not found:
        return Layout({}, "holds no signal: one vector of real numbers is needed")
    every = {name: row for rows in found.values() for name, row in rows.items()}
    names = ", ".join(sorted(every))
    choice = "" if len(found) == 1 else f"holds several signals ({names}); choose a channel"
    return Layout(every, choice, rate=rate, speed=speed, time=times)


def _with_fields(arrays: Mapping[str, Stored]) -> dict[str, Stored]:
    """Give the arrays and, as ``struct.field``, the fields of structs of one element."""
    found = dict(arrays)
    for array in arrays.values():
        found.update({f"{array.name}.{name}": field for name, field in array.fields().items()})
    return found


def _time(arrays: Mapping[str, Stored], signals: Mapping[str, Mapping[str, Row]]) -> str | None:
    """Give the one vector that is named like a time and is as long as another signal."""
    lengths = {name: max(arrays[name].shape) for name in signals}
    times = [
        name
        for name, rows in signals.items()
        if is_time(_last(name))
        and len(rows) == 1
        and list(lengths.values()).count(lengths[name]) > 1
    ]
    return times[0] if len(times) == 1 else None


def _fact(
    arrays: Mapping[str, Stored],
    named: Callable[[str], bool],
    plausible: Callable[[Iterable[float]], float | None],
) -> Stored | None:
    """Give the scalar of such a name, if all of such names agree on a plausible value."""
    scalars = [
        array
        for name, array in arrays.items()
        if named(_last(name)) and array.real and set(array.shape) <= {1}
    ]
    return scalars[0] if plausible(a.scalar() for a in scalars) is not None else None


def _last(name: str) -> str:
    return re.split(r"[./@]", name)[-1]
