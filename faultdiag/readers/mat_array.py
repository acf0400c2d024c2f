"""Arrays of a MAT-file: the header at hand, the values read when they are asked for."""

import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from faultdiag.readers.damage import DamageError, require_plausible, unpacked_dtype
from faultdiag.readers.stored import RawTable, table

# Bytes unpacked at a time.
_PIECE = 2**20


class Source(Protocol):
    """Where the bytes of an array lie."""

    def read(self, start: int, length: int) -> bytes:
        """Give the bytes from `start` on, at most `length`; fewer where they end."""


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes in memory."""

    content: bytes

    def read(self, start: int, length: int) -> bytes:
        """Give the bytes from `start` on, at most `length`."""
        return self.content[start : start + length]


@dataclass(frozen=True, slots=True)
class Plain:
    """Bytes that lie in a file as they are."""

    path: Path

    def read(self, start: int, length: int) -> bytes:
        """Give the bytes from `start` on, at most `length`."""
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(length)


@dataclass(frozen=True, slots=True)
class Deflated:
    """Bytes that lie in a file as one zlib stream of `packed` bytes at `offset`."""

    path: Path
    offset: int
    packed: int

    def read(self, start: int, length: int) -> bytes:
        """Give the unpacked bytes from `start` on, at most `length`.

        Raises
        ------
        zlib.error
            If the stream is damaged, or its checksum contradicts it where its end is reached.
        """
        return b"".join(self.pieces(start, length))

    def pieces(self, start: int, length: int) -> Iterator[bytes]:
        """Give the same a piece at a time.

        Raises
        ------
        zlib.error
            As `read`.
        """
        unpack, pending, skip, left = zlib.decompressobj(), b"", start, length
        with self.path.open("rb") as file:
            file.seek(self.offset)
            packed = self.packed
            while skip + left > 0 and not unpack.eof:
                if not pending:
                    pending = file.read(min(packed, _PIECE // 8))
                    packed -= len(pending)
                    if not pending:
                        return
                piece = unpack.decompress(pending, min(_PIECE, skip + left))
                pending = unpack.unconsumed_tail
                kept = piece[skip:]
                skip -= len(piece) - len(kept)
                left -= len(kept)
                yield kept
            # A little more than the padding is asked for: behind it the checksum is compared.
            unpack.decompress(pending + file.read(min(packed, 64)), 16)


@dataclass(frozen=True, slots=True, eq=False)
class Array:
    """One array of a MAT-file, described by its header.

    Parameters
    ----------
    name
        Its name; empty for a field of a struct.
    shape
        Its dimensions; empty for an object of a class, which states none.
    kind
        MATLAB's name of its class, such as ``"double"``, ``"complex double"``, ``"struct"``.
    source, start, stop
        Where its content lies: the values of a number array, the fields of a struct.
    order
        ``"<"`` or ``">"``, the byte order of the file.
    dtype
        How its values are stored; None for whatever is no array of real numbers.
    members
        What gives the fields of a struct; None for anything else.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    source: Source
    start: int
    stop: int
    order: str
    dtype: np.dtype[Any] | None = None
    members: "Callable[[Array], Mapping[str, Array]] | None" = None
    _unpacked: list[NDArray[Any]] = field(default_factory=list, repr=False)

    @property
    def real(self) -> bool:
        """Whether it holds real numbers."""
        return self.dtype is not None

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    def content(self) -> bytes:
        """Give its bytes.

        Raises
        ------
        DamageError
            If they end before the header says.
        """
        self.require_there()
        content = self.source.read(self.start, self.stop - self.start)
        if len(content) < self.stop - self.start:
            raise DamageError(f"{self.name or 'a field'} ends early")
        return content

    def values(self) -> NDArray[Any]:
        """Give the values in the array's shape.

        Raises
        ------
        DamageError
            If they end before the header says.
        TypeError
            If it is no array of real numbers.
        """
        if self.dtype is None:
            raise TypeError(f"{self.name} is {self.kind}, not real numbers")
        return np.frombuffer(self.content(), self.dtype).reshape(self.shape, order="F")

    def require_there(self) -> None:
        """Refuse it where it would unpack to more than a recording could.

        Raises
        ------
        DamageError
            If it would; of an array that is not packed the header was compared with the file.
        """
        if isinstance(self.source, Deflated):
            name = self.name or "a field"
            require_plausible(name, self.source.packed, self.stop - self.start)

    def fields(self) -> "Mapping[str, Array]":
        """Give the fields of a struct of one element; nothing for anything else.

        Raises
        ------
        DamageError
            If the struct contradicts its format.
        """
        return self.members(self) if self.members and self.size == 1 else {}

    def scalar(self) -> float:
        """Give its first value.

        Raises
        ------
        DamageError
            If it ends before the header says.
        TypeError
            If it is no array of real numbers.
        """
        return float(self.values().flat[0])

    def block(self, columns: Sequence[int], start: int, stop: int) -> NDArray[Any]:
        """Give samples of a table, ``(len(columns), stop - start)``.

        Raises
        ------
        DamageError
            If they end before the header says.
        TypeError
            If it is no table of real numbers.
        """
        size = table(self.shape)
        if self.dtype is None or size is None:
            raise TypeError(f"{self.name} is {self.kind}, not a table of real numbers")
        # MATLAB keeps the first side together: an upright table column by column.
        interleaved = not size.upright
        if isinstance(self.source, Plain):
            where = (self.source.path, self.start, self.dtype)
            return RawTable(*where, size.samples, size.columns, interleaved).block(
                columns, start, stop
            )
        if not self._unpacked:
            self._unpacked.append(self._unpack())
        flat = self._unpacked[0]
        if interleaved:
            return flat.reshape(size.samples, size.columns).T[list(columns), start:stop]
        return flat.reshape(size.columns, size.samples)[list(columns), start:stop]

    def _unpack(self) -> NDArray[Any]:
        """Give all values in the order of the file, unpacked piece by piece."""
        if not isinstance(self.source, Deflated):
            return self.values().ravel(order="F")
        self.require_there()
        dtype = np.dtype(self.dtype)
        flat = np.empty(self.size, unpacked_dtype(dtype, self.stop - self.start))
        done, rest = 0, b""
        for piece in self.source.pieces(self.start, self.stop - self.start):
            content = rest + piece
            count = len(content) // dtype.itemsize
            flat[done : done + count] = np.frombuffer(content, dtype, count)
            done, rest = done + count, content[count * dtype.itemsize :]
        if done < flat.size:
            raise DamageError(f"{self.name or 'a field'} ends early")
        return flat
