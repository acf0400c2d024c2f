"""NumPy's .npy and .npz files.

References
----------
.. [1] https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError
from faultdiag.readers.base import Reader
from faultdiag.readers.layouts import NamedArrays
from faultdiag.readers.source import (
    MOST_ARRAYS,
    DamageError,
    RawTable,
    Stored,
    reading,
    require_plausible,
    table,
    unpacked_dtype,
)

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
        """Return so many bytes, fewer at the end."""


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
    """Return the header at the beginning of a file.

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


_KIND = "NumPy file"
# An array in a .npy file has no name of its own.
_NAME = "signal"


def open_npy(path: Path) -> Reader:
    """Return the reader of a NumPy array; a pickled object is never unpickled.

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
    checksum
        The CRC-32 of header and values, which an archive states.
    """

    name: str
    header: NpyHeader
    path: Path
    offset: int
    checksum: int | None = None
    _checked: list[bool] = field(default_factory=list, repr=False)

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
        """Return nothing: it is no struct."""
        return {}

    def scalar(self) -> float:
        """Return its first value."""
        return float(self._raw(1, 1, interleaved=False).block([0], 0, 1)[0, 0])

    def block(self, columns: Sequence[int], start: int, stop: int) -> NDArray[Any]:
        """Return samples of a table, ``(len(columns), stop - start)``.

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
        self._compare_checksum()
        dtype = np.dtype(self.header.dtype)
        return RawTable(self.path, self.offset, dtype, samples, columns, interleaved)

    def _compare_checksum(self) -> None:
        """Compare the checksum, once; what is not packed is read past it otherwise."""
        if self.checksum is None or self._checked:
            return
        found, left = 0, self.header.length + self.header.size
        with self.path.open("rb") as file:
            file.seek(self.offset - self.header.length)
            while left and (piece := file.read(min(left, _PIECE))):
                found, left = zlib.crc32(piece, found), left - len(piece)
        if found != self.checksum:
            raise DamageError(f"the checksum of {self.name} differs from its samples")
        self._checked.append(True)


_ARCHIVE_KIND = "NumPy archive"
_LOCAL_HEADER = 30
_PIECE = 2**20


def open_npz(path: Path) -> Reader:
    """Return the reader of a NumPy archive; a pickled object is never unpickled.

    Raises
    ------
    FaultdiagError
        If it is no archive of arrays, or damaged.
    """
    with reading(path, _ARCHIVE_KIND), _zip_damage():
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith(".npy")]
            if len(members) > MOST_ARRAYS:
                raise DamageError(f"it holds {len(members)} arrays, more than {MOST_ARRAYS}")
            if not members:
                first = next(iter(archive.namelist()), "nothing")
                raise FaultdiagError(
                    f"{path} is a zip archive without NumPy arrays: it holds {first[:60]}; save "
                    "the recording as .npz or .csv"
                )
            found = [_array(path, archive, member) for member in members]
        arrays = {array.name: array for array in found}
        if len(arrays) < len(found):
            raise DamageError("two of its arrays have the same name")
        return NamedArrays(path, arrays, _ARCHIVE_KIND)


@contextmanager
def _zip_damage() -> Iterator[None]:
    """Turn what the module zipfile raises for broken archives into damage."""
    try:
        yield
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError) as error:
        raise DamageError(str(error)) from error


def _array(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Stored:
    name = member.filename.removesuffix(".npy")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DamageError(f"{name} is packed in the unknown way {member.compress_type}")
    with archive.open(member) as file:
        header = read_header(file)
    if header.dtype is not None and header.size != member.file_size - header.length:
        raise DamageError(
            f"the header of {name} states {header.size} bytes of samples, the archive "
            f"{member.file_size - header.length}"
        )
    if member.compress_type == zipfile.ZIP_DEFLATED or header.dtype is None:
        return PackedArray(name, header, path, member)
    offset = _data_offset(path, member)
    if offset + member.file_size > path.stat().st_size:
        raise DamageError(f"{name} ends early")
    return NpyArray(name, header, path, offset + header.length, member.CRC)


def _data_offset(path: Path, member: zipfile.ZipInfo) -> int:
    with path.open("rb") as file:
        file.seek(member.header_offset)
        head = file.read(_LOCAL_HEADER)
    name, extra = struct.unpack_from("<HH", head, 26)
    return int(member.header_offset + _LOCAL_HEADER + name + extra)


@dataclass(frozen=True, slots=True, eq=False)
class PackedArray:
    """An array that is packed in an archive; it is unpacked as a whole when first asked for."""

    name: str
    header: NpyHeader
    path: Path
    member: zipfile.ZipInfo
    _unpacked: list[NDArray[Any]] = field(default_factory=list, repr=False)

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
        """Refuse it where it would unpack to more than a recording could.

        Raises
        ------
        DamageError
            If it would.
        """
        require_plausible(self.name, self.member.compress_size, self.header.size)

    def fields(self) -> Mapping[str, Stored]:
        """Return nothing: it is no struct."""
        return {}

    def scalar(self) -> float:
        """Return its first value."""
        dtype = np.dtype(self.header.dtype)
        with _zip_damage(), self._open() as file:
            file.read(self.header.length)
            return float(np.frombuffer(file.read(dtype.itemsize), dtype, 1)[0])

    def block(self, columns: Sequence[int], start: int, stop: int) -> NDArray[Any]:
        """Return samples of a table, ``(len(columns), stop - start)``.

        Raises
        ------
        DamageError
            If it is damaged, or unpacks to more than a recording could.
        TypeError
            If it is no table.
        """
        size = table(self.shape)
        if size is None:
            raise TypeError(f"{self.name} of the shape {self.shape} is no table")
        if not self._unpacked:
            with _zip_damage():
                self._unpacked.append(self._unpack())
        flat = self._unpacked[0]
        values: NDArray[Any]
        # The columns of a sample lie together where just one of these holds.
        if size.upright != self.header.fortran:
            values = flat.reshape(size.samples, size.columns).T
        else:
            values = flat.reshape(size.columns, size.samples)
        part: NDArray[Any] = values[list(columns), start:stop]
        return part

    @contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
            yield file

    def _unpack(self) -> NDArray[Any]:
        """Return all values in the order of the file, unpacked piece by piece."""
        dtype = np.dtype(self.header.dtype)
        flat = np.empty(self.header.size // dtype.itemsize, unpacked_dtype(dtype, self.header.size))
        step = _PIECE // dtype.itemsize * dtype.itemsize
        done = 0
        with self._open() as file:
            file.read(self.header.length)
            # At its end the checksum is compared.
            while piece := file.read(step):
                if len(piece) % dtype.itemsize or done + len(piece) // dtype.itemsize > len(flat):
                    raise DamageError(f"{self.name} ends early")
                values = np.frombuffer(piece, dtype)
                flat[done : done + len(values)] = values
                done += len(values)
        if done < len(flat):
            raise DamageError(f"{self.name} ends early")
        return flat
