"""Recordings from a single NumPy array."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faultdiag.readers.arrays import NamedArrays
from faultdiag.readers.damage import DamageError, reading
from faultdiag.readers.npy_header import NpyHeader, read_header
from faultdiag.readers.reader import Reader
from faultdiag.readers.stored import RawTable, Stored, table

_KIND = "NumPy file"
# An array in a .npy file has no name of its own.
_NAME = "signal"


def open_npy(path: Path) -> Reader:
    """Give the reader of a NumPy array; a pickled object is never unpickled.

    Raises
    ------
    FaultdiagError
        If it is no array, or damaged.
    """
    with reading(path, _KIND):
        with path.open("rb") as file:
            header = read_header(file)
        there = path.stat().st_size - header.length
        if header.size > there:
            raise DamageError(
                f"its header states {header.size} bytes of samples, {there} are there"
            )
        array = NpyArray(_NAME, header, path, header.length)
        return NamedArrays(path, {_NAME: array}, _KIND)


@dataclass(frozen=True, slots=True, eq=False)
class NpyArray:
    """An array in NumPy's format that lies in a file as it is.

    Parameters
    ----------
    name
        Its name.
    header
        What its header says.
    path, offset
        Where its values lie.
    """

    name: str
    header: NpyHeader
    path: Path
    offset: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Its dimensions."""
        return self.header.shape

    @property
    def kind(self) -> str:
        """Its type."""
        return self.header.kind

    @property
    def real(self) -> bool:
        """Whether it holds real numbers."""
        return self.header.dtype is not None

    def require_there(self) -> None:
        """Do nothing: the header was compared with the file."""

    def fields(self) -> Mapping[str, Stored]:
        """Give nothing: it is no struct."""
        return {}

    def scalar(self) -> float:
        """Give its first value."""
        return float(self._raw(1, 1, interleaved=False).block([0], 0, 1)[0, 0])

    def block(self, columns: Sequence[int], start: int, stop: int) -> NDArray[Any]:
        """Give samples of a table, ``(len(columns), stop - start)``.

        Raises
        ------
        DamageError
            If the file ends before them.
        TypeError
            If it is no table.
        """
        size = table(self.shape)
        if size is None:
            raise TypeError(f"{self.name} of the shape {self.shape} is no table")
        # Of an upright table each sample's columns lie together, unless it is in Fortran order.
        interleaved = size.columns > 1 and size.upright != self.header.fortran
        return self._raw(size.samples, size.columns, interleaved=interleaved).block(
            columns, start, stop
        )

    def _raw(self, samples: int, columns: int, *, interleaved: bool) -> RawTable:
        dtype = np.dtype(self.header.dtype)
        return RawTable(self.path, self.offset, dtype, samples, columns, interleaved)
