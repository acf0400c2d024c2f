"""Recordings from files that hold named arrays: MATLAB, HDF5, NumPy."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError
from faultdiag.readers.base import (
    Variable,
    believable,
    decimal_step,
    is_increment,
    is_rate,
    is_speed,
    is_time,
    plausible_rate,
    plausible_speed,
    rate_of_increment,
    sampling_rate,
    unit_of,
)
from faultdiag.readers.leaves import leaves, nearest, parts, short_paths
from faultdiag.readers.source import RecordingSource, Row, Rows, StoredArray, reading, table
from faultdiag.signal.recording import require_channels

_CWRU_ENDS = ("DE", "FE", "BA")
_CWRU_SIGNAL = re.compile(r"X(\d{1,9})_(DE|FE|BA)_time")
_CWRU_SPEED = re.compile(r"X(\d{1,9})RPM")
# A table of windows or of spectra has a few hundred rows; a recording has far more samples.
_LONGER = 20


@dataclass(frozen=True, slots=True)
class Layout:
    """The roles of a file's variables.

    Parameters
    ----------
    rows
        Name of each channel, with the place of its samples.
    choice
        The error for a caller that reads all channels, if the file doesn't say which variables are
        channels; otherwise empty.
    aliases
        Other names of the channels.
    rate, interval, speed
        Arrays of the sampling rate in Hz, of the seconds between two samples, and of the shaft
        speed.
    rpm_per_speed
        Factor from that speed to revolutions per minute.
    time
        Name and array of the samples' times.
    """

    rows: Mapping[str, Row]
    choice: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)
    rate: StoredArray | None = None
    interval: StoredArray | None = None
    speed: StoredArray | None = None
    rpm_per_speed: float = 1.0
    time: tuple[str, StoredArray] | None = None


def layout(arrays: Mapping[str, StoredArray], stem: str, wanted: Collection[str]) -> Layout:
    """Return the layout of a file: that of CWRU, of MFPT, of UESTC, or any one signal.

    Parameters
    ----------
    arrays
        The file's variables.
    stem
        The file's name without its suffix; it tells which of several recordings is meant.
    wanted
        Channels or variables asked for; a variable's name tells it too.
    """
    return (
        _cwru(arrays, stem, wanted)
        or _mfpt(arrays)
        or _uestc(arrays)
        or _any_signal(arrays, stem, wanted)
    )


def rows_of(name: str, array: StoredArray) -> dict[str, Row]:
    """Return the channels of an array: one for a vector, more for a long table, none otherwise.

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


def _cwru(arrays: Mapping[str, StoredArray], stem: str, wanted: Collection[str]) -> Layout | None:
    signals: dict[int, dict[str, str]] = {}
    for name in arrays:
        if match := _CWRU_SIGNAL.fullmatch(name):
            signals.setdefault(int(match[1]), {})[match[2]] = name
    if not signals:
        return None
    number = _cwru_number(signals, stem, wanted)
    if number is None:
        names = sorted(chain.from_iterable(channels.values() for channels in signals.values()))
        return Layout(
            {},
            f"holds the signals of several recordings ({', '.join(names)}) and its name "
            f"tells none of them; name the variable as the channel, such as '{names[0]}'",
        )
    channels = signals[number]
    return Layout(
        rows={end: Row(arrays[channels[end]]) for end in _CWRU_ENDS if end in channels},
        aliases={name: channel for channel, name in channels.items()},
        speed=_cwru_speed(arrays, number),
    )


def _cwru_speed(arrays: Mapping[str, StoredArray], number: int) -> StoredArray | None:
    """Return the variable of a recording's shaft speed."""
    for name, array in arrays.items():
        match = _CWRU_SPEED.fullmatch(name)
        if match and int(match[1]) == number:
            return array
    return None


def _cwru_number(
    signals: Mapping[int, Mapping[str, str]], stem: str, wanted: Collection[str]
) -> int | None:
    """Return the number whose variables are meant, or None if nothing tells.

    99.mat holds X098 and X099: its own number decides. 174.mat holds X173 only.
    """
    in_name = set(map(int, re.findall(r"(?<![0-9A-Za-z])[0-9]{1,9}(?![0-9A-Za-z])", stem)))
    ways = (
        [n for n, channels in signals.items() if set(wanted) & set(channels.values())],
        [n for n in signals if n in in_name],
        [n for n, channels in signals.items() if "DE" in channels],
        list(signals),
    )
    numbers = next(filter(None, ways))
    return numbers[0] if len(numbers) == 1 else None


def _mfpt(arrays: Mapping[str, StoredArray]) -> Layout | None:
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


def _uestc(arrays: Mapping[str, StoredArray]) -> Layout | None:
    rate = arrays.get("SampleFrequency")
    if rate is None or "Data" not in arrays:
        return None
    rows = rows_of("Data", arrays["Data"])
    return Layout(rows, rate=rate) if rows else None


def _any_signal(arrays: Mapping[str, StoredArray], stem: str, wanted: Collection[str]) -> Layout:
    """Return the layout of a file that holds one signal, or one beside a vector of its times.

    The fields of structs are examined only if no variable is a signal.
    """
    if windows := _windows(arrays):
        return Layout({}, windows)
    inside = _with_fields(arrays, stem)
    if windows := _windows(inside):
        return Layout({}, windows)
    signals = {name: rows for name, array in inside.items() if (rows := rows_of(name, array))}
    times = _take_times(signals, inside)
    if not signals:
        return Layout({}, "holds no signal: one vector of real numbers is needed")
    aliases = short_paths(list(signals))
    target = _target(signals, {aliases.get(name, name) for name in wanted})
    rows = _channels(signals, stem)
    names = ", ".join(sorted(rows))
    choice = "" if len(signals) == 1 else f"holds several signals ({names}); choose a channel"
    known = {name: path for name, path in aliases.items() if path in rows}
    return Layout(rows, choice, known, *_rate_and_speed(inside, target), time=times)


def _rate_and_speed(
    arrays: Mapping[str, StoredArray], target: str | None
) -> tuple[StoredArray | None, StoredArray | None, StoredArray | None]:
    """Return the sampling rate of a signal, else the step between its samples, and its speed."""
    rate = _fact(arrays, is_rate, plausible_rate, target)
    interval = None if rate else _fact(arrays, is_increment, _plausible_step, target)
    return rate, interval, _fact(arrays, is_speed, plausible_speed, target)


def _with_fields(arrays: Mapping[str, StoredArray], stem: str) -> Mapping[str, StoredArray]:
    """Return the arrays; where none of them is a signal, the fields of structs."""
    if any(rows_of(*item) for item in arrays.items()):
        return arrays
    return _without_file_name(leaves(arrays), stem)


def _take_times(
    signals: dict[str, dict[str, Row]], arrays: Mapping[str, StoredArray]
) -> tuple[str, StoredArray] | None:
    """Remove the vector of times from the signals and return it, if there is one."""
    name = _time(arrays, signals)
    if name is None:
        return None
    del signals[name]
    return name, arrays[name]


def _channels(signals: Mapping[str, Mapping[str, Row]], stem: str) -> dict[str, Row]:
    """Return the rows of all signals by channel."""
    if len(signals) == 1 and _plain(next(iter(signals))) == _plain(stem):
        # A matrix that is named after its file: only by place do files share its channels.
        (rows,) = signals.values()
        if len(rows) > 1:
            return {f"ch{i}": row for i, row in enumerate(rows.values(), 1)}
    return {name: row for rows in signals.values() for name, row in rows.items()}


def _without_file_name(inside: Mapping[str, StoredArray], stem: str) -> dict[str, StoredArray]:
    """Return arrays by paths that don't begin with the file's own name, as each file has its."""
    first = {parts(path)[0] for path in inside}
    top = first.pop() if len(first) == 1 else None
    if top is None or _plain(top) != _plain(stem):
        return dict(inside)
    return {path.removeprefix(f"{top}."): array for path, array in inside.items()}


def _target(signals: Mapping[str, Mapping[str, Row]], names: Collection[str]) -> str | None:
    """Return the signal whose facts apply, or None if that is open."""
    chosen = [name for name, rows in signals.items() if set(rows) & set(names) or name in names]
    every = chosen or list(signals)
    return every[0] if len(every) == 1 else None


def _plausible_step(values: Iterable[float]) -> float | None:
    return plausible_rate(rate_of_increment(value) for value in values if value > 0)


def _plain(name: str) -> str:
    """Return a name without what MATLAB allows in no variable's name."""
    return re.sub(r"\W|_", "", name).lower().removeprefix("x")


# Fewest samples of a window; a shorter side is that of channels.
SHORTEST_WINDOW = 16
LABELS = frozenset({"y", "label", "labels", "target", "targets", "class", "classes", "标签"})
_MOSTLABELS = 1_000_000
# Of labels with a column for each class.
_MOST_COLUMNS = 100


def _windows(arrays: Mapping[str, StoredArray]) -> str:
    """Return in words that a file holds windows with a label each; empty where it doesn't."""
    for (name, array), (label, vector) in product(arrays.items(), repeat=2):
        size = _window_size(array, vector)
        if size is not None and _is_labels(label, vector):
            count, length = size
            return (
                f"holds {count} windows of {length} samples ({name}) with a label each ({label}), "
                "and no whole recording: windows that were cut before can't be split without "
                "leaks; give the recordings that they were cut from, or train on them all the "
                "same with dataset: windows (faultdiag init --from FILE writes a config)"
            )
    return ""


def _window_size(array: StoredArray, labels: StoredArray) -> tuple[int, int] | None:
    """Return the count and the length of windows in an array for these labels, if they fit."""
    if not array.real:
        return None
    sides = _sides(array.shape)
    count = max(labels.shape, default=0)
    length = max((side for side in sides if side != count), default=0)
    return (count, length) if count in sides and length >= SHORTEST_WINDOW else None


def _sides(shape: Sequence[int]) -> list[int]:
    """Return the sides of an array that are longer than 1."""
    return [side for side in shape if side > 1]


def _is_labels(name: str, array: StoredArray) -> bool:
    """Return whether a vector holds a class for each row of something: few whole numbers."""
    sides = _sides(array.shape)
    named = _last(name).lower() in LABELS
    if len(sides) == 2:
        # One column a class, with a 1 in that of each row.
        return named and min(sides) <= _MOST_COLUMNS
    if len(sides) != 1:
        return False
    if array.kind in {"str", "bytes", "object", "cell", "bool"}:
        return named
    if not array.real or sides[0] > _MOSTLABELS:
        return False
    return named or _is_few_classes(array.block([0], 0, sides[0])[0])


def _is_few_classes(values: NDArray[np.generic]) -> bool:
    whole = bool((values == np.rint(values)).all())
    return whole and np.unique(values).size <= max(2, min(100, len(values) // 4))


def _time(
    arrays: Mapping[str, StoredArray], signals: Mapping[str, Mapping[str, Row]]
) -> str | None:
    """Return the one vector that is named like a time and is as long as another signal."""
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
    arrays: Mapping[str, StoredArray],
    named: Callable[[str], bool],
    plausible: Callable[[Iterable[float]], float | None],
    target: str | None,
) -> StoredArray | None:
    """Return the scalar of such a name, if all that lie nearest to a signal agree on a value."""
    scalars = [
        name
        for name, array in arrays.items()
        if named(_last(name)) and array.real and set(array.shape) <= {1}
    ]
    near = [arrays[name] for name in nearest(scalars, target)]
    return near[0] if near and plausible([a.scalar() for a in near]) is not None else None


def _last(name: str) -> str:
    return re.split(r"[./@]", name)[-1]


_MOST_LISTED = 20
# Times from which the rate is computed: this number of first ones, and the last one.
_TIMES = 100_000
# Times that show to how many decimal places all are rounded.
_FEW_TIMES = 512


class NamedArrays:
    """The signals among named arrays, as CWRU, MFPT, UESTC and others keep them.

    CWRU's ``X097_DE_time``, ``_FE_time`` and ``_BA_time`` are the channels DE, FE and BA, with
    ``X097RPM`` as the speed. Where a file holds several numbers, its own (99 for 99.mat) is
    taken; where it holds one, that one, whatever its own is. MFPT's struct ``bearing`` is the
    channel gs with rate and speed; UESTC's ``Data`` has its rate in ``SampleFrequency``.
    Otherwise the file must hold one vector, or one long table, of real numbers; the channel
    has the variable's name. Its rate and speed are those of scalars named as
    `faultdiag.readers.base` knows, or of a vector of times beside it. A rate or speed that is
    no positive number counts as unknown. Whole numbers are taken as they are, unscaled.

    Parameters
    ----------
    path
        The file.
    arrays
        Its arrays by name.
    kind
        What the file is, in words.
    known
        From the channels asked for to the layout, where the file's format tells it.
    """

    def __init__(
        self,
        path: Path,
        arrays: Mapping[str, StoredArray],
        kind: str,
        known: Callable[[Collection[str]], Layout] | None = None,
    ) -> None:
        self._known = known
        self._path = path
        self._arrays = arrays
        self._kind = kind

    def variables(self) -> list[Variable]:
        """Return the file's variables."""
        return list(self._variables)

    @cached_property
    def _variables(self) -> list[Variable]:
        chosen = self._layout(())
        channels: dict[str, list[str]] = {}
        # A field of a struct has no name of its own; its struct is the channel's alias.
        owners: dict[str, str] = {}
        for name, channel in chosen.aliases.items():
            if name in self._arrays:
                owners.setdefault(channel, name)
        for channel, row in chosen.rows.items():
            names = (owners.get(channel), row.array.name, parts(channel)[0])
            owner = next((n for n in names if n in self._arrays), next(iter(self._arrays)))
            channels.setdefault(str(owner), []).append(channel)
        return [
            Variable(name, a.shape, a.kind, ", ".join(channels.get(name, ())) or None)
            for name, a in self._arrays.items()
        ]

    def source(self, channels: Sequence[str] | None) -> RecordingSource:
        """Return these channels (all for None) as an opened recording.

        Raises
        ------
        FaultdiagError
            If the file holds no such channel, or it is no vector of real numbers.
        """
        chosen = self._layout(channels or ())
        names = self._names(chosen, channels)
        rows = tuple(chosen.rows[name] for name in names)
        samples = self._length(names, rows)
        with reading(self._path, self._kind):
            for row in rows:
                row.array.require_there()
            speed = _positive(chosen.speed)
            rate = _positive(chosen.rate)
            if rate is None and (step := _positive(chosen.interval)):
                rate = rate_of_increment(step)
            if rate is None and chosen.time is not None:
                rate = self._rate_of_times(*chosen.time)
        kinds = ", ".join(dict.fromkeys(row.array.kind for row in rows))
        rpm = None if speed is None else speed * chosen.rpm_per_speed
        return RecordingSource(self._path, names, samples, rate, rpm, kinds, self._kind, Rows(rows))

    def _layout(self, wanted: Sequence[str]) -> Layout:
        if self._known is not None:
            return self._known(wanted)
        with reading(self._path, self._kind):
            return layout(self._arrays, self._path.stem, wanted)

    def _names(self, chosen: Layout, channels: Sequence[str] | None) -> tuple[str, ...]:
        if chosen.choice and (channels is None or not chosen.rows):
            raise FaultdiagError(f"{self._path} {chosen.choice}; {self._listing()}")
        if channels is None:
            return tuple(chosen.rows)
        names = tuple(chosen.aliases.get(name, name) for name in channels)
        require_channels(self._path, names, chosen.rows)
        return names

    def _length(self, names: Sequence[str], rows: Sequence[Row]) -> int:
        lengths = {}
        for name, row in zip(names, rows, strict=True):
            shape = "×".join(str(n) for n in row.array.shape)
            size = table(row.array.shape) if row.array.real else None
            if size is None or (row.column is None and size.columns > 1):
                raise FaultdiagError(
                    f"{self._path}: channel {name} is {shape} {row.array.kind}; "
                    "a channel must be a vector of real numbers"
                )
            lengths[name] = size.samples
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            raise FaultdiagError(
                f"{self._path}: its channels differ in length in samples: {listed}; "
                "read one channel at a time"
            )
        return next(iter(lengths.values()))

    def _rate_of_times(self, name: str, time: StoredArray) -> float | None:
        count = max(time.shape)
        times = time.block([0], 0, min(count, _TIMES))[0].astype(np.float64)
        resolution = decimal_step(np.round(times[:_FEW_TIMES] - times[0], 9))
        rate = sampling_rate(times * unit_of(name), resolution * unit_of(name))
        if isinstance(rate, str):
            raise FaultdiagError(
                f"{self._path}: the times in {name} are not evenly spaced: {rate}; resample "
                "the signal to a constant step, or remove the times and state the rate"
            )
        return rate if believable(rate, name) else None

    def _listing(self) -> str:
        names = [str(variable) for variable in self.variables()]
        more = ", …" if len(names) > _MOST_LISTED else ""
        return f"its variables: {', '.join(names[:_MOST_LISTED]) or 'none'}{more}"


def _positive(array: StoredArray | None) -> float | None:
    if array is None or not array.real or 0 in array.shape:
        return None
    value = array.scalar()
    return value if np.isfinite(value) and value > 0 else None
