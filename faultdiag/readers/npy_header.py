"""The header of an array in NumPy's format, read without running anything in it.

References
----------
.. [1] https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

import math
import re
import struct
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from faultdiag.readers.damage import DamageError

_MARK = b"\x93NUMPY"
_MOST_HEADER_BYTES = 10_000
_KEYS = {
    "descr": re.compile(r"'descr':\s*(\[.*?\](?=,\s*'|\s*\})|'[^']*')", re.DOTALL),
    "fortran_order": re.compile(r"'fortran_order':\s*(True|False)"),
    "shape": re.compile(r"'shape':\s*\(([\d,\sL]*)\)"),
}
_KINDS = {"b": "bool", "c": "complex", "O": "object", "S": "bytes", "U": "str", "M": "datetime64"}


class Readable(Protocol):
    """A file open for reading bytes."""

    def read(self, size: int, /) -> bytes:
        """Give so many bytes, fewer at the end."""


@dataclass(frozen=True, slots=True)
class NpyHeader:
    """What the header of an array says.

    Parameters
    ----------
    shape
        Its dimensions.
    dtype
        How its real numbers are stored, or None if it holds anything else.
    kind
        Its type in words.
    fortran
        Whether the first side lies together.
    length
        Bytes of the header.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None
    kind: str
    fortran: bool
    length: int

    @property
    def size(self) -> int:
        """Bytes of the values; 0 where they are no real numbers."""
        return math.prod(self.shape) * self.dtype.itemsize if self.dtype else 0


def read_header(file: Readable) -> NpyHeader:
    """Give the header at the beginning of a file.

    Raises
    ------
    DamageError
        If there is none.
    """
    start = file.read(8)
    if not start.startswith(_MARK) or len(start) < 8 or start[6] not in (1, 2, 3):
        raise DamageError("there is no header of an array at its beginning")
    width = 2 if start[6] == 1 else 4
    (length,) = struct.unpack("<H" if width == 2 else "<I", file.read(width))
    text = file.read(min(length, _MOST_HEADER_BYTES)).decode("latin-1")
    if len(text) < length:
        raise DamageError(f"the header of its array states {length} bytes")
    parts = {key: pattern.search(text) for key, pattern in _KEYS.items()}
    missing = [key for key, part in parts.items() if part is None]
    if missing:
        raise DamageError(f"the header of its array lacks {', '.join(missing)}")
    found = {key: part[1] for key, part in parts.items() if part is not None}
    sides = [side.strip() for side in found["shape"].split(",")]
    if not all(re.fullmatch(r"(\d{1,18}L?)?", side) for side in sides):
        raise DamageError(f"its array states the dimensions ({found['shape'][:60]})")
    dtype, kind = _dtype(found["descr"])
    shape = tuple(int(side.rstrip("L")) for side in sides if side)
    return NpyHeader(shape, dtype, kind, found["fortran_order"] == "True", 8 + width + length)


def _dtype(text: str) -> tuple[np.dtype[Any] | None, str]:
    if text.startswith("["):
        return None, "structured"
    match = re.fullmatch(r"'([<>|=]?)([a-zA-Z])(\d*)(\[.*\])?'", text)
    if match is None:
        raise DamageError(f"its array is of the type {text[:40]}")
    order, letter, width = match[1], match[2], match[3]
    if letter in "fiu" and width in ("1", "2", "4", "8") and letter + width != "f1":
        dtype = np.dtype(order + letter + width)
        return dtype, dtype.name
    if letter in "fiu":
        raise DamageError(f"its array is of the type {text[:40]}")
    return None, _KINDS.get(letter, f"type {letter}{width}")
