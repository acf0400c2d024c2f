"""MATLAB files: levels 4 and 5; 7.3 is HDF5.

Each array is five 32-bit numbers (format, rows, columns, imaginary part or not, length of the
name), the name and the values.

References
----------
.. [1] The MathWorks, "MAT-File Format", chapter on level 4,
   https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf

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
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError
from faultdiag.readers.base import Reader, is_speed
from faultdiag.readers.layouts import Layout, NamedArrays, rows_of
from faultdiag.readers.source import (
    MOST_ARRAYS,
    Allowance,
    DamageError,
    RawTable,
    Row,
    reading,
    require_plausible,
    table,
    unpacked_dtype,
)

# Bytes unpacked at a time.
_PIECE = 2**20
# Bytes of a struct that is unpacked once for all who ask for its fields; a larger one each time.
_MOST_KEPT = 2**23


class Source(Protocol):
    """The place of an array's bytes."""

    def read(self, start: int, length: int) -> bytes:
        """Return the bytes from `start` on, at most `length`; fewer where they end."""


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes in memory."""

    content: bytes

    def read(self, start: int, length: int) -> bytes:
        """Return the bytes from `start` on, at most `length`."""
        return self.content[start : start + length]


@dataclass(frozen=True, slots=True)
class Plain:
    """Bytes that lie in a file as they are."""

    path: Path

    def read(self, start: int, length: int) -> bytes:
        """Return the bytes from `start` on, at most `length`."""
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(length)


@dataclass(frozen=True, slots=True)
class DeflatedBytes:
    """Bytes that lie in a file as one zlib stream of `packed` bytes at `offset`."""

    path: Path
    offset: int
    packed: int
    allowance: Allowance

    def read(self, start: int, length: int) -> bytes:
        """Return the unpacked bytes from `start` on, at most `length`.

        Raises
        ------
        zlib.error
            If the stream is damaged, or its checksum contradicts it where its end is reached.
        """
        return b"".join(self.pieces(start, length))

    def pieces(self, start: int, length: int, *, last: bool = False) -> Iterator[bytes]:
        """Yield the same a piece at a time.

        Parameters
        ----------
        last
            Whether nothing but padding follows, so that the checksum behind it is compared.

        Raises
        ------
        zlib.error
            As `read`.
        DamageError
            If the stream doesn't end where it should.
        """
        if last:
            self.allowance.take(self.offset, start + length)
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
            if last and not unpack.eof:
                raise DamageError("a packed variable has no end, or more than its header states")


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
        How its values are stored; None for whatever is not an array of real numbers.
    members
        Returns the fields of each element of a struct; None for anything else.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    source: Source
    start: int
    stop: int
    order: str
    dtype: np.dtype[np.generic] | None = None
    members: "Callable[[Array], Sequence[Mapping[str, Array]]] | None" = None
    _unpacked: list[NDArray[np.generic]] = field(default_factory=list, repr=False)
    _elements: "list[Sequence[Mapping[str, Array]]]" = field(default_factory=list, repr=False)

    @property
    def real(self) -> bool:
        """Whether it holds real numbers."""
        return self.dtype is not None

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    def content(self) -> bytes:
        """Return its bytes.

        Raises
        ------
        DamageError
            If they end before the header says.
        """
        self.require_there()
        size = self.stop - self.start
        if isinstance(self.source, DeflatedBytes):
            content = b"".join(self.source.pieces(self.start, size, last=True))
        else:
            content = self.source.read(self.start, size)
        if len(content) < self.stop - self.start:
            raise DamageError(f"{self.name or 'a field'} ends early")
        return content

    def values(self) -> NDArray[Any]:
        """Return the values in the array's shape.

        Raises
        ------
        DamageError
            If they end before the header says.
        TypeError
            If it is not an array of real numbers.
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
        if isinstance(self.source, DeflatedBytes):
            name = self.name or "a field"
            require_plausible(name, self.source.packed, self.stop - self.start)

    def fields(self) -> "Mapping[str, Array]":
        """Return the fields of a struct of one element; nothing for anything else.

        Raises
        ------
        DamageError
            If the struct contradicts its format.
        """
        return self.elements()[0] if self.size == 1 and self.members else {}

    def elements(self) -> "Sequence[Mapping[str, Array]]":
        """Return the fields of each element of a struct; nothing for anything else.

        Raises
        ------
        DamageError
            If the struct contradicts its format.
        """
        if not self.members or not self.size:
            return ()
        if not self._elements:
            elements = self.members(self)
            if self.stop - self.start > _MOST_KEPT:
                return elements
            self._elements.append(elements)
        return self._elements[0]

    def text(self) -> str:
        """Return the text of a char array; ``""`` for anything else.

        Raises
        ------
        DamageError
            If it contradicts its format.
        """
        if self.kind != "char" or not self.size:
            return ""
        content = self.content()
        kind, start, length = _Elements(content, self.order).next()
        wide = "utf-16-le" if self.order == "<" else "utf-16-be"
        encoding = wide if kind in _WIDE_TEXT else "utf-8"
        return content[start : start + length].decode(encoding, errors="replace").strip("\0 ")

    def scalar(self) -> float:
        """Return its first value.

        Raises
        ------
        DamageError
            If it ends before the header says.
        TypeError
            If it is not an array of real numbers.
        """
        return float(self.values().flat[0])

    def block(self, columns: Sequence[int], start: int, stop: int) -> NDArray[np.generic]:
        """Return samples of a table, ``(len(columns), stop - start)``.

        Raises
        ------
        DamageError
            If they end before the header says.
        TypeError
            If it is not a table of real numbers.
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

    def _unpack(self) -> NDArray[np.generic]:
        """Return all values in the order of the file, unpacked piece by piece."""
        if not isinstance(self.source, DeflatedBytes):
            return self.values().ravel(order="F")
        self.require_there()
        dtype = np.dtype(self.dtype)
        flat = np.empty(self.size, unpacked_dtype(dtype, self.stop - self.start))
        done, rest = 0, b""
        for piece in self.source.pieces(self.start, self.stop - self.start, last=True):
            content = rest + piece
            count = len(content) // dtype.itemsize
            flat[done : done + count] = np.frombuffer(content, dtype, count)
            done, rest = done + count, content[count * dtype.itemsize :]
        if done < flat.size:
            raise DamageError(f"{self.name or 'a field'} ends early")
        return flat


_STORED = ("f8", "f4", "i4", "i2", "u2", "u1")
_KINDS = ("double", "single", "int32", "int16", "uint16", "uint8")
_TEXT, _SPARSE = 1, 2


def byte_order(head: bytes) -> str | None:
    """Return the byte order of a file that begins like version 4, or None.

    The first number has the decimal digits MOPT: M is 0 for little endian and 1 for big, O
    is 0, P the precision (0 to 5), T the type (0 full, 1 text, 2 sparse).
    """
    for order, machine in (("<", 0), (">", 1)):
        if len(head) >= 4:
            (number,) = struct.unpack(f"{order}I", head[:4])
            if number // 100 == 10 * machine and number // 10 % 10 < 6 and number % 10 < 3:
                return order
    return None


def arrays_of_mat4(path: Path, order: str) -> list[Array]:
    """Return all arrays of a file, without their values.

    Raises
    ------
    DamageError
        If the file contradicts its format.
    """
    size = path.stat().st_size
    position = 0
    arrays = []
    with path.open("rb") as file:
        while position < size:
            file.seek(position)
            head = file.read(20)
            if len(head) < 20 or byte_order(head) != order:
                raise DamageError(f"there is no array at byte {position}")
            numbers = struct.unpack(f"{order}5i", head)
            name = file.read(min(max(numbers[4], 0), 1000))
            arrays.append(_array(path, position, numbers, name, order))
            position = arrays[-1].stop
            if position > size:
                raise DamageError(f"the values of {arrays[-1].name} don't fit into the file")
    return arrays


def _array(path: Path, position: int, numbers: tuple[int, ...], name: bytes, order: str) -> Array:
    mopt, rows, columns, imaginary, letters = numbers
    text = name.rstrip(b"\0").decode("ascii", errors="replace")
    if min(rows, columns) < 0 or imaginary not in (0, 1) or len(name) != letters:
        raise DamageError(f"the header at byte {position} states sizes that cannot be")
    if not text or not text.isprintable() or "\ufffd" in text:
        raise DamageError(f"an array has the name {name!r}")
    precision, kind = mopt // 10 % 10, mopt % 10
    dtype = np.dtype(order + _STORED[precision])
    start = position + 20 + letters
    stop = start + rows * columns * dtype.itemsize * (1 + imaginary)
    names = {_TEXT: "char", _SPARSE: "sparse"}
    label = names.get(kind, f"complex {_KINDS[precision]}" if imaginary else _KINDS[precision])
    stored = dtype if label in _KINDS else None
    return Array(text, (rows, columns), label, Plain(path), start, stop, order, stored)


HEADER_BYTES = 128
ORDERS = {b"IM": "<", b"MI": ">"}

_INT32, _UINT32, _MATRIX, _COMPRESSED = 5, 6, 14, 15
_NAME_TYPES = (1, 2, 16)
_WIDE_TEXT = (4, 17)
_MAT5_STORED = {
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
_MAT5_KINDS = (
    *("cell", "struct", "object", "char", "sparse", "double", "single"),
    *("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("function_handle", "opaque"),
)
_NUMERIC = _MAT5_KINDS[5:15]
_COMPLEX, _LOGICAL = 0x08, 0x02
# Flags, dimensions and name of an array; a name has at most 63 letters.
_MOST_HEADER_BYTES = 4096
# A thousand field names.
_MOST_NAMES_BYTES = 2**16
# zlib's format cannot pack tighter: https://zlib.net/zlib_tech.html
_MOST_UNPACKED_PER_BYTE = 1032


def arrays_of_mat5(path: Path, order: str) -> list[Array]:
    """Return all arrays of a file, without their values.

    Raises
    ------
    DamageError
        If the file contradicts its format.
    """
    size = path.stat().st_size
    allowance = Allowance(size)
    position = HEADER_BYTES
    arrays: list[Array] = []
    with path.open("rb") as file:
        while position < size:
            file.seek(position)
            head = file.read(8)
            kind, length = struct.unpack(f"{order}II", head) if len(head) == 8 else (0, 0)
            if not 0 < length <= size - position - 8:
                raise DamageError(f"the variable at byte {position} reaches beyond its end")
            if len(arrays) >= MOST_ARRAYS:
                raise DamageError(f"it holds more than {MOST_ARRAYS} arrays")
            if kind == _MATRIX:
                # From the file that is open: it would be opened once more for each array.
                begin = file.read(min(length, _MOST_HEADER_BYTES))
                array = _mat5_array(Plain(path), position + 8, length, order, begin)
            else:
                array = _packed_array(path, kind, position + 8, length, order, allowance=allowance)
            arrays.append(array)
            position += 8 + length
    return [array for array in arrays if array.name]


def _content_of(array: Array) -> tuple[Source, int, int]:
    """Return where the content of an array is: its source, first byte and end.

    What lies in the file as it is stays there; what is packed is unpacked once for all fields.
    """
    if isinstance(array.source, Plain):
        return array.source, array.start, array.stop
    return Held(array.content()), 0, array.stop - array.start


def elements_of(array: Array) -> list[dict[str, Array]]:
    """Return the fields of each element of a struct.

    Raises
    ------
    DamageError
        If the struct contradicts its format.
    """
    source, start, stop = _content_of(array)
    head = _Elements(source.read(start, min(stop - start, _MOST_NAMES_BYTES)), array.order)
    (width,) = struct.unpack(f"{array.order}i", head.take((_INT32,), 4))
    names = head.take(_NAME_TYPES)
    if width < 1 or len(names) % width:
        raise DamageError(f"the field names of {array.name} don't fit their length")
    keys = [_text(names[i : i + width].split(b"\0")[0]) for i in range(0, len(names), width)]
    start += head.position
    rows: list[dict[str, Array]] = []
    for _ in range(array.size if keys else 1):
        row, start = _fields(array, keys, source, start, stop)
        rows.append(row)
    return rows


def cells_of(array: Array) -> list[dict[str, Array]]:
    """Return the cells of a cell array as the fields ``{1}``, ``{2}`` and so on of one element.

    Raises
    ------
    DamageError
        If the array contradicts its format.
    """
    source, start, stop = _content_of(array)
    keys = [f"{{{number}}}" for number in range(1, min(array.size, MOST_ARRAYS) + 1)]
    return [_fields(array, keys, source, start, stop)[0]]


def _fields(
    array: Array, keys: Sequence[str], source: Source, start: int, stop: int
) -> tuple[dict[str, Array], int]:
    """Return the fields of one element of a struct, and where the next one begins."""
    row = {}
    for key in keys:
        kind, place, length = _Elements(source.read(start, 8), array.order).next()
        if kind != _MATRIX:
            raise DamageError(f"a field of {array.name} is no array")
        if start + place + length > stop:
            raise DamageError(f"a field of {array.name} reaches beyond its end")
        row[key] = _mat5_array(source, start + place, length, array.order)
        start += place + length + -length % 8
    return row, start


@dataclass(slots=True)
class _Elements:
    """The elements in some bytes, one after the other."""

    content: bytes
    order: str
    position: int = 0

    def next(self) -> tuple[int, int, int]:
        """Return type, start and length of the next element and move past it."""
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
        """Return the bytes of the next element, which must have one of these types."""
        kind, start, size = self.next()
        content = self.content[start : start + size]
        if kind not in kinds or len(content) < size or length not in (None, size):
            raise DamageError("the header of an array has an element that is out of place")
        return content


def _packed_array(
    path: Path, kind: int, start: int, length: int, order: str, *, allowance: Allowance
) -> Array:
    if kind != _COMPRESSED:
        raise DamageError(f"the element at byte {start - 8} is no array (type {kind})")
    source = DeflatedBytes(path, start, length, allowance)
    head = source.read(0, 8)
    kind, unpacked = struct.unpack(f"{order}II", head) if len(head) == 8 else (0, 0)
    if kind != _MATRIX or unpacked > _MOST_UNPACKED_PER_BYTE * length:
        raise DamageError(f"the packed element at byte {start - 8} is no array of the file")
    return _mat5_array(source, 8, unpacked, order)


def _mat5_array(
    source: Source, start: int, length: int, order: str, begin: bytes | None = None
) -> Array:
    """Return an array from its header; `begin` are its first bytes, where they were read."""
    if length == 0:
        return Array("", (0, 0), "double", source, start, start, order)
    head = source.read(start, min(length, _MOST_HEADER_BYTES)) if begin is None else begin
    elements = _Elements(head, order)
    (flags,) = struct.unpack_from(f"{order}I", elements.take((_UINT32,), 8))
    kind = _kind(flags & 0xFF)
    # An object states no dimensions; its name comes at once.
    shape = _shape(elements) if kind != "opaque" else ()
    name = _text(elements.take(_NAME_TYPES))
    if kind not in _NUMERIC or (flags >> 8) & (_COMPLEX | _LOGICAL):
        kind = "logical" if (flags >> 8) & _LOGICAL else kind
        kind = f"complex {kind}" if (flags >> 8) & _COMPLEX else kind
        place = start + elements.position
        members = {"struct": elements_of, "cell": cells_of}.get(kind)
        return Array(name, shape, kind, source, place, start + length, order, None, members)
    dtype, place, stop = _values(elements, shape, name)
    if stop > length:
        raise DamageError(f"the values of {name} don't fit into the file")
    return Array(name, shape, kind, source, start + place, start + stop, order, dtype)


def _kind(number: int) -> str:
    if not 1 <= number <= len(_MAT5_KINDS):
        raise DamageError(f"an array is of the unknown class {number}")
    return _MAT5_KINDS[number - 1]


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
    if kind not in _MAT5_STORED:
        raise DamageError(f"the values of {name} are of the unknown type {kind}")
    dtype = np.dtype(elements.order + _MAT5_STORED[kind])
    if math.prod(shape) * dtype.itemsize != length:
        raise DamageError(f"{name} states {shape} values but holds {length} bytes of {dtype}")
    return dtype, start, start + length


def _text(name: bytes) -> str:
    text = name.decode("ascii", errors="replace")
    if not text.isprintable() or "\ufffd" in text:
        raise DamageError(f"an array has the name {name!r}")
    return text


def open_arrays(path: Path) -> dict[str, Array]:
    """Return the arrays of a MAT-file by name, from their headers.

    Raises
    ------
    FaultdiagError
        If it is no MAT-file, or damaged.
    """
    with path.open("rb") as file:
        head = file.read(128)
    with reading(path):
        arrays = _arrays(path, head)
        by_name = {array.name: array for array in arrays}
        if len(by_name) < len(arrays):
            raise DamageError("two of its variables have the same name")
        return by_name


def _arrays(path: Path, head: bytes) -> list[Array]:
    order = ORDERS.get(head[126:128])
    if order and head[124:126] in (b"\0\1", b"\1\0"):
        return arrays_of_mat5(path, order)
    order = byte_order(head)
    if order:
        return arrays_of_mat4(path, order)
    if head.startswith(b"MATLAB"):
        raise DamageError("its first 128 bytes are no header")
    raise FaultdiagError(
        f"{path} is no MATLAB file: it begins with {head[:24]!r}; "
        "a MATLAB file begins with 'MATLAB 5.0 MAT-file'"
    )


def open_mat(path: Path) -> Reader:
    """Return the reader of a MATLAB file of version 4 to 7.

    Raises
    ------
    FaultdiagError
        If it is no MATLAB file, or damaged.
    """
    arrays = open_arrays(path)
    with reading(path):
        channels, clocks = _measurement(arrays)
    if not channels:
        return NamedArrays(path, arrays, "MATLAB file")
    speed = next((a for name, a in channels.items() if name == "speed" or is_speed(name)), None)

    def layout(wanted: Collection[str]) -> Layout:
        first = next((name for name in wanted if name in channels), next(iter(channels)))
        return Layout(
            {name: Row(array) for name, array in channels.items()},
            f"holds several signals ({', '.join(channels)}); choose a channel",
            speed=None if speed is None else _Mean.of(speed),
            time=clocks.get(first),
        )

    return NamedArrays(path, channels, "MATLAB file", layout)


class _Mean(Array):
    """A vector whose scalar is its mean."""

    @classmethod
    def of(cls, array: Array) -> "_Mean":
        """Return an array with another scalar."""
        return cls(
            *(array.name, array.shape, array.kind, array.source, array.start, array.stop),
            *(array.order, array.dtype),
        )

    def scalar(self) -> float:
        """Return the mean of the values."""
        return float(np.mean(self.values(), dtype=np.float64))


def _measurement(
    arrays: Mapping[str, Array],
) -> tuple[dict[str, Array], dict[str, tuple[str, Array]]]:
    """Return the channels of a measurement in one struct, and the times of each.

    The field ``Y`` has one element per channel with its ``Name``, ``Data`` and ``Raster``; the
    field ``X`` one per raster with its times. So does Paderborn's data logger.
    """
    structs = [array for array in arrays.values() if {"X", "Y"} <= array.fields().keys()]
    if len(structs) != 1:
        return {}, {}
    inside = structs[0].fields()
    times = {_text_of(row, "Raster"): row.get("Data") for row in inside["X"].elements()}
    channels: dict[str, Array] = {}
    clocks: dict[str, tuple[str, Array]] = {}
    for name, data, raster in _measured(inside["Y"]):
        channels[name] = replace(data, name=name)
        clock = times.get(raster)
        if clock is not None and clock.size == data.size:
            clocks[name] = ("time", clock)
    return channels, clocks


def _measured(signals: Array) -> Iterator[tuple[str, Array, str]]:
    """Yield the name, the samples and the raster of each signal of a measurement."""
    for row in signals.elements():
        name, data = _text_of(row, "Name"), row.get("Data")
        if name and data is not None and rows_of(name, data):
            yield name, data, _text_of(row, "Raster")


def _text_of(row: Mapping[str, Array], name: str) -> str:
    return row[name].text() if name in row else ""
