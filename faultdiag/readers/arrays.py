"""Recordings from files that hold named arrays: MATLAB, HDF5, NumPy."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from faultdiag.errors import FaultdiagError, did_you_mean
from faultdiag.readers.damage import reading
from faultdiag.readers.layouts import Layout, layout
from faultdiag.readers.reader import Variable
from faultdiag.readers.source import RecordingSource, Row, Rows
from faultdiag.readers.stored import Stored, table
from faultdiag.readers.times import believable, sampling_rate, unit_of

_MOST_LISTED = 20
# Times looked at where a vector of them gives the rate: these, and the last one.
_TIMES = 100_000


class NamedArrays:
    """The signals among named arrays, as CWRU, MFPT, UESTC and others keep them.

    CWRU's ``X097_DE_time``, ``_FE_time`` and ``_BA_time`` are the channels DE, FE and BA, with
    ``X097RPM`` as the speed. Where a file holds several numbers, its own (99 for 99.mat) is
    taken; where it holds one, that one, whatever its own is. MFPT's struct ``bearing`` is the
    channel gs with rate and speed; UESTC's ``Data`` has its rate in ``SampleFrequency``.
    Otherwise the file must hold one vector, or one long table, of real numbers; the channel
    has the variable's name. Its rate and speed are those of scalars named as
    `faultdiag.readers.facts` knows, or of a vector of times beside it. A rate or speed that is
    no positive number counts as unknown. Whole numbers are taken as they are, unscaled.

    Parameters
    ----------
    path
        The file.
    arrays
        Its arrays by name.
    kind
        What the file is, in words.
    """

    def __init__(self, path: Path, arrays: Mapping[str, Stored], kind: str) -> None:
        self._path = path
        self._arrays = arrays
        self._kind = kind

    def variables(self) -> list[Variable]:
        """Give the file's variables."""
        found = self._layout(())
        channels: dict[str, list[str]] = {}
        for channel, row in found.rows.items():
            # A field of a struct has no name of its own; its struct is the channel's alias.
            owners = [v for v, c in found.aliases.items() if c == channel] or [
                row.array.name or channel.partition(".")[0]
            ]
            channels.setdefault(owners[0], []).append(channel)
        return [
            Variable(name, a.shape, a.kind, ", ".join(channels.get(name, ())) or None)
            for name, a in self._arrays.items()
        ]

    def source(self, channels: Sequence[str] | None) -> RecordingSource:
        """Give these channels (all for None) as an opened recording.

        Raises
        ------
        FaultdiagError
            If the file holds no such channel, or it is no vector of real numbers.
        """
        found = self._layout(channels or ())
        names = self._names(found, channels)
        rows = tuple(found.rows[name] for name in names)
        samples = self._length(names, rows)
        with reading(self._path, self._kind):
            for row in rows:
                row.array.require_there()
            speed = _positive(found.speed)
            rate = _positive(found.rate)
            if rate is None and found.time is not None:
                rate = self._rate_of_times(*found.time)
        kinds = ", ".join(dict.fromkeys(row.array.kind for row in rows))
        rpm = None if speed is None else speed * found.rpm_per_speed
        return RecordingSource(self._path, names, samples, rate, rpm, kinds, self._kind, Rows(rows))

    def _layout(self, asked: Sequence[str]) -> Layout:
        with reading(self._path, self._kind):
            return layout(self._arrays, self._path.stem, asked)

    def _names(self, found: Layout, channels: Sequence[str] | None) -> tuple[str, ...]:
        if found.choice and (channels is None or not found.rows):
            raise FaultdiagError(f"{self._path} {found.choice}; {self._listing()}")
        if channels is None:
            return tuple(found.rows)
        names = tuple(found.aliases.get(name, name) for name in channels)
        for name in names:
            if name not in found.rows:
                raise FaultdiagError(
                    f"{self._path} has no channel '{name}'{did_you_mean(name, found.rows)}; "
                    f"it has: {', '.join(found.rows)}"
                )
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
            found = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            raise FaultdiagError(
                f"{self._path}: its channels differ in length in samples: {found}; "
                "read one channel at a time"
            )
        return next(iter(lengths.values()))

    def _rate_of_times(self, name: str, time: Stored) -> float | None:
        count = max(time.shape)
        times = time.block([0], 0, min(count, _TIMES))[0].astype(np.float64)
        rate = sampling_rate(times * unit_of(name))
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


def _positive(array: Stored | None) -> float | None:
    if array is None or not array.real or 0 in array.shape:
        return None
    value = array.scalar()
    return value if np.isfinite(value) and value > 0 else None
