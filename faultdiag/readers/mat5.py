"""MAT-files of version 5 to 7: the arrays of a file from their headers.

A file is a header of 128 bytes and then elements: a type, a length in bytes, that many bytes.
An array is an element that holds elements: flags, dimensions, name, values. Version 7 packs
each array into a zlib stream.

scipy.io reads these files too, but takes the types and lengths in them on trust: one changed
byte in the type of the values ends the whole process (scipy 1.17), and a file among a hundred
thousand must not. Here every length is checked against the file before anything is allocated.

References
----------
.. [1] The MathWorks, "MAT-File Format",
   https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf
"""

import math
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faultdiag.readers.damage import DamageError
from faultdiag.readers.mat_array import Array, Deflated, Held, Plain, Source

HEADER_BYTES = 128
ORDERS = {b"IM": "<", b"MI": ">"}

_INT32, _UINT32, _MATRIX, _COMPRESSED = 5, 6, 14, 15
_NAME_TYPES = (1, 2, 16)
_STORED = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
_KINDS = (
    *("cell", "struct", "object", "char", "sparse", "double", "single"),
    *("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("function_handle", "opaque"),
)
_NUMERIC = _KINDS[5:15]
_COMPLEX, _LOGICAL = 0x08, 0x02
# Flags, dimensions and name of an array; a name has at most 63 letters.
_MOST_HEADER_BYTES = 4096
# A thousand field names.
_MOST_NAMES_BYTES = 2**16
# zlib's format cannot pack tighter: https://zlib.net/zlib_tech.html
_MOST_UNPACKED_PER_BYTE = 1032


def arrays(path: Path, order: str) -> list[Array]:
    """Give all arrays of a file, without their values.

    Raises
    ------
    DamageError
        If the file contradicts its format.
    """
    size = path.stat().st_size
    position = HEADER_BYTES
    found = []
    with path.open("rb") as file:
        while position < size:
            file.seek(position)
            head = file.read(8)
            kind, length = struct.unpack(f"{order}II", head) if len(head) == 8 else (0, 0)
            if not 0 < length <= size - position - 8:
                raise DamageError(f"the variable at byte {position} reaches beyond its end")
            found.append(_top_array(path, kind, position + 8, length, order))
            position += 8 + length
    return [array for array in found if array.name]


def fields(array: Array) -> dict[str, Array]:
    """Give the fields of a struct of one element.

    Raises
    ------
    DamageError
        If the struct contradicts its format.
    """
    # What lies in the file as it is stays there; what is packed is unpacked once for all fields.
    plain = isinstance(array.source, Plain)
    source, start = (array.source, array.start) if plain else (Held(array.content()), 0)
    stop = start + array.stop - array.start
    head = _Elements(source.read(start, min(stop - start, _MOST_NAMES_BYTES)), array.order)
    (width,) = struct.unpack(f"{array.order}i", head.take((_INT32,), 4))
    names = head.take(_NAME_TYPES)
    if width < 1 or len(names) % width:
        raise DamageError(f"the field names of {array.name} don't fit their length")
    found = {}
    start += head.position
    for first in range(0, len(names), width):
        kind, place, length = _Elements(source.read(start, 8), array.order).next()
        if kind != _MATRIX:
            raise DamageError(f"a field of {array.name} is no array")
        if start + place + length > stop:
            raise DamageError(f"a field of {array.name} reaches beyond its end")
        name = _text(names[first : first + width].split(b"\0")[0])
        found[name] = _array(source, start + place, length, array.order)
        start += place + length + -length % 8
    return found


@dataclass(slots=True)
class _Elements:
    """The elements in some bytes, one after the other."""

    content: bytes
    order: str
    position: int = 0

    def next(self) -> tuple[int, int, int]:
        """Give type, start and length of the next element and move past it."""
        if self.position + 8 > len(self.content):
            raise DamageError("the header of an array ends early")
        kind, length = struct.unpack_from(f"{self.order}II", self.content, self.position)
        if kind >> 16:
            # A short element: type and length share one word, the data are the other.
            kind, length = kind & 0xFFFF, kind >> 16
            start, self.position = self.position + 4, self.position + 8
            if length > 4:
                raise DamageError("a short element is longer than 4 bytes")
        else:
            start = self.position + 8
            self.position = start + length + -length % 8
        return kind, start, length

    def take(self, kinds: tuple[int, ...], length: int | None = None) -> bytes:
        """Give the bytes of the next element, which must have one of these types."""
        kind, start, found = self.next()
        content = self.content[start : start + found]
        if kind not in kinds or len(content) < found or length not in (None, found):
            raise DamageError("the header of an array has an element that is out of place")
        return content


def _top_array(path: Path, kind: int, start: int, length: int, order: str) -> Array:
    if kind == _MATRIX:
        return _array(Plain(path), start, length, order)
    if kind != _COMPRESSED:
        raise DamageError(f"the element at byte {start - 8} is no array (type {kind})")
    source = Deflated(path, start, length)
    head = source.read(0, 8)
    kind, unpacked = struct.unpack(f"{order}II", head) if len(head) == 8 else (0, 0)
    if kind != _MATRIX or unpacked > _MOST_UNPACKED_PER_BYTE * length:
        raise DamageError(f"the packed element at byte {start - 8} is no array of the file")
    return _array(source, 8, unpacked, order)


def _array(source: Source, start: int, length: int, order: str) -> Array:
    if length == 0:
        return Array("", (0, 0), "double", source, start, start, order)
    elements = _Elements(source.read(start, min(length, _MOST_HEADER_BYTES)), order)
    (flags,) = struct.unpack_from(f"{order}I", elements.take((_UINT32,), 8))
    kind = _kind(flags & 0xFF)
    # An object states no dimensions; its name comes at once.
    shape = _shape(elements) if kind != "opaque" else ()
    name = _text(elements.take(_NAME_TYPES))
    if kind not in _NUMERIC or (flags >> 8) & (_COMPLEX | _LOGICAL):
        kind = "logical" if (flags >> 8) & _LOGICAL else kind
        kind = f"complex {kind}" if (flags >> 8) & _COMPLEX else kind
        place = start + elements.position
        members = fields if kind == "struct" else None
        return Array(name, shape, kind, source, place, start + length, order, None, members)
    dtype, place, stop = _values(elements, shape, name)
    if stop > length:
        raise DamageError(f"the values of {name} don't fit into the file")
    return Array(name, shape, kind, source, start + place, start + stop, order, dtype)


def _kind(number: int) -> str:
    if not 1 <= number <= len(_KINDS):
        raise DamageError(f"an array is of the unknown class {number}")
    return _KINDS[number - 1]


def _shape(elements: _Elements) -> tuple[int, ...]:
    content = elements.take((_INT32, _UINT32))
    shape = struct.unpack_from(f"{elements.order}{len(content) // 4}i", content)
    if len(content) % 4 or len(shape) < 2 or min(shape) < 0:
        raise DamageError(f"an array states the dimensions {shape}")
    return shape


def _values(
    elements: _Elements, shape: tuple[int, ...], name: str
) -> tuple[np.dtype[np.generic], int, int]:
    if math.prod(shape) == 0:
        return np.dtype("f8"), elements.position, elements.position
    kind, start, length = elements.next()
    if kind not in _STORED:
        raise DamageError(f"the values of {name} are of the unknown type {kind}")
    dtype = np.dtype(elements.order + _STORED[kind])
    if math.prod(shape) * dtype.itemsize != length:
        raise DamageError(f"{name} states {shape} values but holds {length} bytes of {dtype}")
    return dtype, start, start + length


def _text(name: bytes) -> str:
    text = name.decode("ascii", errors="replace")
    if not text.isprintable() or "\ufffd" in text:
        raise DamageError(f"an array has the name {name!r}")
    return text
