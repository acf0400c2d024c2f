"""Recordings from NumPy's archives of named arrays, packed or not."""

import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError
from faultdiag.readers.arrays import NamedArrays
from faultdiag.readers.damage import DamageError, reading, require_plausible, unpacked_dtype
from faultdiag.readers.npy import NpyArray
from faultdiag.readers.npy_header import NpyHeader, read_header
from faultdiag.readers.reader import Reader
from faultdiag.readers.stored import Stored, table

_KIND = "NumPy archive"
_LOCAL_HEADER = 30
_PIECE = 2**20


def open_npz(path: Path) -> Reader:
    """Give the reader of a NumPy archive; a pickled object is never unpickled.

    Raises
    ------
    FaultdiagError
        If it is no archive of arrays, or damaged.
    """
    with reading(path, _KIND), _zip_damage():
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith(".npy")]
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
        return NamedArrays(path, arrays, _KIND)


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
    return NpyArray(name, header, path, offset + header.length)


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
        """Give nothing: it is no struct."""
        return {}

    def scalar(self) -> float:
        """Give its first value."""
        dtype = np.dtype(self.header.dtype)
        with _zip_damage(), self._open() as file:
            file.read(self.header.length)
            return float(np.frombuffer(file.read(dtype.itemsize), dtype, 1)[0])

    def block(self, columns: Sequence[int], start: int, stop: int) -> NDArray[Any]:
        """Give samples of a table, ``(len(columns), stop - start)``.

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
        """Give all values in the order of the file, unpacked piece by piece."""
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
