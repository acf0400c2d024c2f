"""Recordings from MATLAB files, versions 4 to 7."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError, did_you_mean
from faultdiag.readers.mat_array import Array
from faultdiag.readers.mat_layouts import Layout, Row, is_real, layout
from faultdiag.readers.matfile import open_arrays, reading
from faultdiag.readers.reader import Variable
from faultdiag.recording import Recording

_MOST_LISTED = 20


class MatReader:
    """The signals of a MATLAB file as CWRU, MFPT, UESTC and others keep them.

    CWRU's ``X097_DE_time``, ``_FE_time`` and ``_BA_time`` are the channels DE, FE and BA, with
    ``X097RPM`` as the speed. Where a file holds several numbers, its own (99 for 99.mat) is
    taken; where it holds one, that one, whatever its own is. MFPT's struct ``bearing`` is the
    channel gs with rate and speed; UESTC's ``Data`` has its rate in ``SampleFrequency``.
    Otherwise the file must hold one vector, or one long table, of real numbers; the channel
    has the variable's name. A rate or speed that is no positive number counts as unknown.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    FaultdiagError
        If it is no MATLAB file, one of version 7.3, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._arrays = open_arrays(path)

    def variables(self) -> list[Variable]:
        """Give the file's variables."""
        found = self._layout(())
        channels: dict[str, list[str]] = {}
        for channel, row in found.rows.items():
            # A field of a struct has no name of its own; its struct is the channel's alias.
            owners = [v for v, c in found.aliases.items() if c == channel] or [row.array.name]
            channels.setdefault(owners[0], []).append(channel)
        return [
            Variable(a.name, a.shape, a.kind, ", ".join(channels.get(a.name, ())) or None)
            for a in self._arrays.values()
        ]

    def read(self, channels: Sequence[str] | None, sampling_rate: float | None) -> Recording:
        """Give these channels (all for None) as a recording; no other variable is read.

        Raises
        ------
        FaultdiagError
            If the file holds no such channel, or its samples are no finite real numbers.
        """
        found = self._layout(channels or ())
        names = self._names(found, channels)
        rows = [found.rows[name] for name in names]
        self._require_vectors(names, rows)
        with reading(self._path):
            speed = _positive(found.speed)
            rate = _positive(found.rate) if sampling_rate is None else sampling_rate
            signal = _signal(rows)
        rpm = None if speed is None else speed * found.rpm_per_speed
        return Recording(signal, self._path, names, rate, rpm)

    def _layout(self, asked: Sequence[str]) -> Layout:
        with reading(self._path):
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

    def _require_vectors(self, names: Sequence[str], rows: Sequence[Row]) -> None:
        for name, row in zip(names, rows, strict=True):
            shape = "×".join(str(n) for n in row.array.shape)
            sides = [n for n in row.array.shape if n != 1]
            if not is_real(row.array) or (row.index is None and len(sides) > 1) or 0 in sides:
                raise FaultdiagError(
                    f"{self._path}: channel {name} is {shape} {row.array.kind}; "
                    "a channel must be a vector of real numbers"
                )
        lengths = {name: max(row.array.shape) for name, row in zip(names, rows, strict=True)}
        if len(set(lengths.values())) > 1:
            found = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            raise FaultdiagError(
                f"{self._path}: its channels differ in length in samples: {found}; "
                "read one channel at a time"
            )

    def _listing(self) -> str:
        names = [str(variable) for variable in self.variables()]
        more = ", …" if len(names) > _MOST_LISTED else ""
        return f"its variables: {', '.join(names[:_MOST_LISTED]) or 'none'}{more}"


def _positive(array: Array | None) -> float | None:
    if array is None or not is_real(array) or array.size < 1:
        return None
    value = float(array.values().flat[0])
    return value if np.isfinite(value) and value > 0 else None


def _signal(rows: Sequence[Row]) -> NDArray[np.float32]:
    signal = np.empty((len(rows), max(rows[0].array.shape)), np.float32)
    tables: dict[str, NDArray[np.generic]] = {}
    # A value beyond float32 becomes infinite here, and `Recording` refuses it by its place.
    with np.errstate(over="ignore", invalid="ignore"):
        for channel, row in zip(signal, rows, strict=True):
            if row.index is None:
                channel[:] = row.array.values().ravel()
                continue
            if row.array.name not in tables:
                table = row.array.values().squeeze()
                tables[row.array.name] = table if table.shape[0] < table.shape[1] else table.T
            channel[:] = tables[row.array.name][row.index]
    return signal
