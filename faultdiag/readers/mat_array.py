"""Arrays of a MAT-file: the header at hand, the values read when they are asked for."""

import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class MatDamageError(Exception):
    """A MAT-file that contradicts its own format; `matfile` turns it into the user's error."""


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
        wanted = start + length
        # A deflate code is at most 15 bits a byte, so this much always unpacks to `wanted`.
        packed = Plain(self.path).read(self.offset, min(self.packed, 2 * wanted + 4096))
        unpack = zlib.decompressobj()
        content = unpack.decompress(packed, wanted)
        # A little more than the padding is asked for: behind it the checksum is compared.
        unpack.decompress(unpack.unconsumed_tail, 16)
        return content[start:]


@dataclass(frozen=True, slots=True)
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
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    source: Source
    start: int
    stop: int
    order: str
    dtype: np.dtype[Any] | None = None

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    def content(self) -> bytes:
        """Give its bytes.

        Raises
        ------
        MatDamageError
            If they end before the header says.
        """
        content = self.source.read(self.start, self.stop - self.start)
        if len(content) < self.stop - self.start:
            raise MatDamageError(f"{self.name or 'a field'} ends early")
        return content

    def values(self) -> NDArray[Any]:
        """Give the values in the array's shape.

        Raises
        ------
        MatDamageError
            If they end before the header says.
        TypeError
            If it is no array of real numbers.
        """
        if self.dtype is None:
            raise TypeError(f"{self.name} is {self.kind}, not real numbers")
        return np.frombuffer(self.content(), self.dtype).reshape(self.shape, order="F")
