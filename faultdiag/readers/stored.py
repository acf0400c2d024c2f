"""Arrays in a file: described by their headers, read a block of samples at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from faultdiag.readers.damage import DamageError


class Stored(Protocol):
    """One array of a file, known from its header.

    An array of real numbers with at most two sides longer than 1 is a table: its samples run
    along the longer side, its columns along the shorter one.
    """

    @property
    def name(self) -> str:
        """Its name in the file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its dimensions in the order that the format's users know; empty where unstated."""

    @property
    def kind(self) -> str:
        """Its type in the format's own words."""

    @property
    def real(self) -> bool:
        """Whether it holds real numbers."""

    def require_there(self) -> None:
        """Refuse it where the file can't hold as many values as its header states.

        Raises
        ------
        DamageError
            If it can't.
        """

    def fields(self) -> Mapping[str, "Stored"]:
        """Give the fields of a struct of one element; nothing for anything else."""

    def scalar(self) -> float:
        """Give its first value."""

    def block(self, columns: Sequence[int], start: int, stop: int) -> NDArray[Any]:
        """Give samples of a table, ``(len(columns), stop - start)``, as they are stored."""


@dataclass(frozen=True, slots=True)
class Table:
    """How many samples and columns a shape has.

    Parameters
    ----------
    samples, columns
        The longer side and the shorter one.
    upright
        Whether the samples run along the first of these two sides.
    """

    samples: int
    columns: int
    upright: bool


def table(shape: Sequence[int]) -> Table | None:
    """Give the table that a shape is, or None if it has three sides longer than 1, or a 0.

    Examples
    --------
    >>> table((3, 1000))
    Table(samples=1000, columns=3, upright=False)
    >>> table((1000, 1))
    Table(samples=1000, columns=1, upright=True)
    """
    sides = [n for n in shape if n != 1]
    if 0 in sides or len(sides) > 2 or not shape:
        return None
    longer, shorter = max(shape), min(sides) if len(sides) == 2 else 1
    # Of equal sides the first counts as the samples.
    return Table(longer, shorter, not sides or sides[0] == longer)


@dataclass(frozen=True, slots=True)
class RawTable:
    """Numbers that lie in a file one after the other.

    Parameters
    ----------
    path, offset
        Where the first one lies, in bytes.
    dtype
        How they are stored.
    samples, columns
        The table's size.
    interleaved
        Whether the columns of one sample lie together, or the samples of one column.
    """

    path: Path
    offset: int
    dtype: np.dtype[Any]
    samples: int
    columns: int
    interleaved: bool

    def block(self, columns: Sequence[int], start: int, stop: int) -> NDArray[Any]:
        """Give samples of these columns, ``(len(columns), stop - start)``.

        Raises
        ------
        DamageError
            If the file ends before them.
        """
        count = stop - start
        with self.path.open("rb") as file:
            if self.interleaved:
                values = self._read(file, start * self.columns, count * self.columns)
                return values.reshape(count, self.columns).T[list(columns)]
            rows = [self._read(file, c * self.samples + start, count) for c in columns]
            return rows[0][np.newaxis] if len(rows) == 1 else np.stack(rows)

    def _read(self, file: BinaryIO, place: int, count: int) -> NDArray[Any]:
        file.seek(self.offset + place * self.dtype.itemsize)
        content = file.read(count * self.dtype.itemsize)
        if len(content) < count * self.dtype.itemsize:
            raise DamageError("its samples end early")
        return np.frombuffer(content, self.dtype)
