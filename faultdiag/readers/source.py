"""An opened recording: what its header says, and its samples a range at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from faultdiag.readers.damage import reading
from faultdiag.readers.stored import Stored

# Numbers converted at a time: what lies between the file and float32 stays this small.
_BLOCK = 2**19


class Samples(Protocol):
    """Where the samples of a recording come from."""

    def blocks(self, start: int, stop: int) -> Iterator[NDArray[Any]]:
        """Give the samples from `start` to `stop` in pieces ``(channels, n)``, in order."""


@dataclass(frozen=True, slots=True)
class Row:
    """One channel: an array and, where that holds several channels, which of them."""

    array: Stored
    column: int | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """Channels that are columns of arrays."""

    rows: tuple[Row, ...]

    def blocks(self, start: int, stop: int) -> Iterator[NDArray[Any]]:
        """Give the samples from `start` to `stop` in pieces ``(channels, n)``, in order."""
        arrays = {id(row.array): row.array for row in self.rows}
        step = max(1, _BLOCK // len(self.rows))
        for first in range(start, stop, step):
            last = min(first + step, stop)
            if len(arrays) == 1:
                columns = [row.column or 0 for row in self.rows]
                yield self.rows[0].array.block(columns, first, last)
                continue
            # A value beyond float32 becomes infinite here, and `Recording` refuses it.
            with np.errstate(over="ignore", invalid="ignore"):
                piece = np.empty((len(self.rows), last - first), np.float32)
                for key, array in arrays.items():
                    places = [i for i, row in enumerate(self.rows) if id(row.array) == key]
                    columns = [self.rows[i].column or 0 for i in places]
                    piece[places] = array.block(columns, first, last)
            yield piece


@dataclass(frozen=True, slots=True)
class RecordingSource:
    """A recording whose samples are still in its file.

    Parameters
    ----------
    path
        The file.
    channels
        Their names.
    samples
        Samples per channel, from the header; a text file has none and is counted.
    sampling_rate
        Hz, or None where the file states none.
    rpm
        Shaft speed, or None.
    kind
        How the samples are stored, in the format's own words.
    format
        What the file is, in words.
    content
        Where the samples come from.
    """

    path: Path
    channels: tuple[str, ...]
    samples: int
    sampling_rate: float | None
    rpm: float | None
    kind: str
    format: str
    content: Samples = field(repr=False)

    def read(self, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Give samples as float32, ``(channels, stop - start)``.

        Only this range is read and held: of a file of any length that is not packed, in any
        order. A packed variable is unpacked as a whole, once.

        Parameters
        ----------
        start, stop
            ``0 <= start <= stop <= samples``; None is the end.

        Raises
        ------
        FaultdiagError
            If the file turns out damaged, too big for the memory, or can't be read.
        ValueError
            If the range is not within the recording.
        """
        stop = self.samples if stop is None else stop
        if not 0 <= start <= stop <= self.samples:
            raise ValueError(
                f"samples {start} to {stop} are asked for, {self.path} has {self.samples}"
            )
        with reading(self.path, self.format):
            signal = np.empty((len(self.channels), stop - start), np.float32)
            done = 0
            with np.errstate(over="ignore", invalid="ignore"):
                for piece in self.content.blocks(start, stop):
                    signal[:, done : done + piece.shape[1]] = piece
                    done += piece.shape[1]
        return signal


def distinct(names: Sequence[str]) -> list[str]:
    """Give names of which no two are equal: the second ``x`` becomes ``x_2``.

    Examples
    --------
    >>> distinct(["x", "y", "x", "x_2"])
    ['x', 'y', 'x_2', 'x_2_2']
    """
    found: list[str] = []
    for name in names:
        fresh, number = name, 1
        while fresh in found:
            number += 1
            fresh = f"{name}_{number}"
        found.append(fresh)
    return found
