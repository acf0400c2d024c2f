"""NumPy's .npy and .npz files.

References
----------
.. [1] https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

import math
import struct
import tokenize
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError
from faultdiag.readers.base import Reader
from faultdiag.readers.layouts import NamedArrays
from faultdiag.readers.source import (
    MOST_ARRAYS,
    Allowance,
    DamageError,
    RawTable,
    StoredArray,
    open_archive,
    reading,
    require_known_way,
    require_plausible,
    table,
    unpacked_dtype,
    zip_damage,
)

Values = NDArray[np.generic]

_MOST_HEADER_BYTES = 10_000
_KINDS = {"c": "complex", "O": "object", "S": "bytes", "U": "str", "M": "datetime64"}


@dataclass(frozen=True, slots=True)
class NpyHeader:
    """The header of an array.

    Parameters
    ----------
    shape
        Its dimensions.
    dtype
        Its type.
    fortran
        Whether the values of the first side are contiguous.
    length
        Bytes of the header.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    fortran: bool
    length: int

    @property
    def real(self) -> bool:
        """Whether the values are real numbers."""
        return self.dtype.kind in "fiu" and self.dtype.itemsize <= 8

    @property
    def kind(self) -> str:
        """The type in words."""
        if self.dtype.names:
            return "structured"
        return _KINDS.get(self.dtype.kind, self.dtype.name)

    @property
    def size(self) -> int:
        """Bytes of the values; 0 where they are no real numbers."""
        return math.prod(self.shape) * self.dtype.itemsize if self.real else 0


def read_header(file: IO[bytes]) -> NpyHeader:
    """Return the header at the beginning of a file, by numpy's own functions.

    Raises
    ------
    DamageError
        If there is none.
    """
    try:
        version = npy_format.read_magic(file)
        # Version 3 differs from 2 in the letters of field names only.
        read = npy_format.read_array_header_1_0
        if version != (1, 0):
            read = npy_format.read_array_header_2_0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # headers of Python 2 have another form
            shape, fortran, dtype = read(file, max_header_size=_MOST_HEADER_BYTES)
    except (ValueError, TypeError, SyntaxError, RecursionError, tokenize.TokenError) as error:
        raise DamageError("there is no sound header of an array at its beginning") from error
    if any(isinstance(side, bool) or side < 0 for side in shape):
        raise DamageError(f"its array has the dimensions {str(shape)[:60]}")
    return NpyHeader(shape, dtype, fortran, file.tell())


_KIND = "NumPy file"
# An array in a .npy file has no name of its own.
_NAME = "signal"


def open_npy(path: Path) -> Reader:
    """Return the reader of a NumPy array; a pickled object is never unpickled.

    Raises
    ------
    FaultdiagError
        If it is not an array, or damaged.
    """
    with reading(path, _KIND):
        with path.open("rb") as file:
            header = read_header(file)
        there = path.stat().st_size - header.length
        if header.size > there:
            raise DamageError(
                f"its header states {header.size} bytes of samples, {there} are there"
            )
        load = partial(np.load, path, mmap_mode="r", allow_pickle=False)
        return NamedArrays(path, {_NAME: NpyArray(_NAME, header, load, plain=path)}, _KIND)


@dataclass(frozen=True, slots=True, eq=False)
class NpyArray:
    """An array in NumPy's format.

    Parameters
    ----------
    name
        Its name.
    header
        Its header.
    load
        Returns its values. Those in the file as they are get mapped into memory, for each block
        afresh, so that a file that was cut meanwhile is noticed; packed ones are kept.
    packed
        Bytes of its values in the file where these are packed.
    allowance
        What the arrays of its file may unpack to, all together.
    plain
        The file that holds nothing else: blocks of it are read, and the whole is never mapped,
        which takes address space as large as the file.
    """

    name: str
    header: NpyHeader
    load: Callable[[], Values]
    packed: int | None = None
    allowance: Allowance | None = None
    plain: Path | None = None
    _unpacked: list[Values] = field(default_factory=list, repr=False)

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
        return self.header.real

    def require_there(self) -> None:
        """Refuse it where it would unpack to more than a recording could.

        Raises
        ------
        DamageError
            If it would.
        """
        if self.packed is not None:
            require_plausible(self.name, self.packed, self.header.size)

    def fields(self) -> Mapping[str, StoredArray]:
        """Return nothing: it is no struct."""
        return {}

    def scalar(self) -> float:
        """Return its first value."""
        return float(self._values().flat[0])

    def block(self, columns: Sequence[int], start: int, stop: int) -> Values:
        """Return samples of a table, ``(len(columns), stop - start)``.

        Raises
        ------
        DamageError
            If it is damaged, ends before them, or unpacks to more than a recording could.
        TypeError
            If it is not a table.
        """
        size = table(self.shape)
        if size is None:
            raise TypeError(f"{self.name} of the shape {self.shape} is no table")
        if self.plain is not None and self.header.real:
            where = (self.plain, self.header.length, np.dtype(self.header.dtype))
            # Of an upright table each sample's columns lie together, unless in Fortran order.
            interleaved = size.columns > 1 and size.upright != self.header.fortran
            raw = RawTable(*where, size.samples, size.columns, interleaved)
            return raw.block(columns, start, stop)
        values = self._values()
        sides = values.reshape(1, -1) if size.columns == 1 else values.squeeze()
        rows = sides.T if size.upright and size.columns > 1 else sides
        return rows[list(columns), start:stop]

    def _values(self) -> Values:
        if self.packed is None:
            try:
                return self.load()
            except ValueError as error:
                raise DamageError("its samples end early") from error
        if not self._unpacked:
            self.require_there()
            if self.allowance is not None:
                self.allowance.take(id(self), self.header.size)
            self._unpacked.append(self.load())
        return self._unpacked[0]


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
    with reading(path, _ARCHIVE_KIND), zip_damage():
        with open_archive(path) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith(".npy")]
            if len(members) > MOST_ARRAYS:
                raise DamageError(f"it holds {len(members)} arrays, more than {MOST_ARRAYS}")
            if not members:
                first = next(iter(archive.namelist()), "nothing")
                raise FaultdiagError(
                    f"{path} is a zip archive without NumPy arrays: it holds {first[:60]}; save "
                    "the recording as .npz or .csv"
                )
            allowance = Allowance(path.stat().st_size)
            stored = [_array(path, archive, member, allowance) for member in members]
        arrays = {array.name: array for array in stored}
        if len(arrays) < len(stored):
            raise DamageError("two of its arrays have the same name")
        return NamedArrays(path, arrays, _ARCHIVE_KIND)


def _array(
    path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, allowance: Allowance
) -> StoredArray:
    name = member.filename.removesuffix(".npy")
    require_known_way(path, member)
    with archive.open(member) as file:
        header = read_header(file)
    if header.real and header.size != member.file_size - header.length:
        raise DamageError(
            f"the header of {name} states {header.size} bytes of samples, the archive "
            f"{member.file_size - header.length}"
        )
    if member.compress_type == zipfile.ZIP_DEFLATED or not header.real:
        unpack = partial(_unpack, path, member, header)
        return NpyArray(name, header, unpack, member.compress_size, allowance)
    offset = _data_offset(path, member)
    if offset + member.file_size > path.stat().st_size:
        raise DamageError(f"{name} ends early")
    return NpyArray(name, header, _MemberMap(path, member, header, offset + header.length))


def _data_offset(path: Path, member: zipfile.ZipInfo) -> int:
    with path.open("rb") as file:
        file.seek(member.header_offset)
        head = file.read(_LOCAL_HEADER)
    name, extra = struct.unpack_from("<HH", head, 26)
    return int(member.header_offset + _LOCAL_HEADER + name + extra)


@contextmanager
def _opened(path: Path, member: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
    with zip_damage(), open_archive(path) as archive, archive.open(member) as file:
        yield file


@dataclass
class _MemberMap:
    """Maps a member of an archive that is not packed; its checksum is compared once."""

    path: Path
    member: zipfile.ZipInfo
    header: NpyHeader
    offset: int
    checked: bool = False

    def __call__(self) -> Values:
        if not self.checked:
            with _opened(self.path, self.member) as file:
                while file.read(_PIECE):
                    pass  # at its end the checksum is compared
            self.checked = True
        order: Literal["F", "C"] = "F" if self.header.fortran else "C"
        shape = self.header.shape
        return np.memmap(self.path, self.header.dtype, "r", self.offset, shape, order)


def _unpack(path: Path, member: zipfile.ZipInfo, header: NpyHeader) -> Values:
    """Return all values, unpacked piece by piece."""
    dtype = header.dtype
    flat = np.empty(header.size // dtype.itemsize, unpacked_dtype(dtype, header.size))
    step = _PIECE // dtype.itemsize * dtype.itemsize
    done = 0
    with _opened(path, member) as file:
        file.read(header.length)
        # At its end the checksum is compared.
        while piece := file.read(step):
            if len(piece) % dtype.itemsize or done + len(piece) // dtype.itemsize > len(flat):
                raise DamageError(f"{member.filename} ends early")
            values = np.frombuffer(piece, dtype)
            flat[done : done + len(values)] = values
            done += len(values)
    if done < len(flat):
        raise DamageError(f"{member.filename} ends early")
    return flat.reshape(header.shape, order="F" if header.fortran else "C")
