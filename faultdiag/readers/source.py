"""The source of a recording's bytes, their types, and the report of damage."""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError
from faultdiag.system.deadline import progress

# Enough for a long preamble of a text file.
_HEAD = 2**16
# A universal file begins with the mark of a dataset, -1, and its number.
_UFF = re.compile(rb"\s*-1\s*\r?\n\s*(?:58b?|151|164)\s")
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
HDF5_PLACES = (0, 512, 1024, 2048, 4096)
"""Offsets where an HDF5 file may begin: after a user block of 512 bytes or a power of two above."""


def format_of(path: Path) -> str | None:
    """Return the suffix of the format that a file's first bytes are proof of, or None.

    Text is no proof: see `faultdiag.readers.text`.

    Raises
    ------
    OSError
        If the file can't be read.
    """
    with path.open("rb") as file:
        begin = file.read(HDF5_PLACES[-1] + len(HDF5_SIGNATURE))
    if _has_hdf5_signature(begin):
        return ".h5"
    head = begin[:128]
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return ".wav"
    if head[124:] in (b"\0\1IM", b"\1\0MI"):
        return ".mat"
    if _UFF.match(head):
        return ".uff"
    if head.startswith(b"PK\3\4"):
        return _kind_of_zip(path)
    signatures = {
        b"\x93NUMPY": ".npy",
        b"\x1f\x8b": ".gz",
        b"PAR1": ".parquet",
        b"TDSm": ".tdms",
        b"LabVIEW Measurement": ".lvm",
    }
    return next((s for mark, s in signatures.items() if head.startswith(mark)), None)


def _kind_of_zip(path: Path) -> str:
    """Return the kind of a zip archive by its members; NumPy's if it can't be opened."""
    try:
        with open_archive(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return ".npz"
    if any(name.endswith(".npy") for name in names):
        return ".npz"
    return ".xlsx" if "xl/workbook.xml" in names else ".zip"


# 80,000 members with names of 50 characters. Each is an object before anything is known of it.
_LARGEST_DIRECTORY = 2**23
# Bytes at the end of an archive in which its end records are.
_LONGEST_END = 2**16 + 128


@contextmanager
def zip_damage() -> Iterator[None]:
    """Turn what the module zipfile raises for broken archives into damage."""
    try:
        yield
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError) as error:
        raise DamageError(str(error)) from error


def open_archive(path: Path) -> zipfile.ZipFile:
    """Open a zip archive for reading, unless its directory is too large to be sensible.

    Raises
    ------
    OSError, zipfile.BadZipFile
        If the file can't be read, or is no archive.
    """
    size = _size_of_directory(path)
    if size > _LARGEST_DIRECTORY:
        raise zipfile.BadZipFile(
            f"its directory of members has {size} bytes, the most is {_LARGEST_DIRECTORY}"
        )
    return zipfile.ZipFile(path)


# The other ways to pack are unpacked by zipfile without any bound.
_WAYS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_OTHER_WAYS = {9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd"}
_ENCRYPTED = 1


def require_known_way(path: Path, member: zipfile.ZipInfo) -> None:
    """Refuse a member of a zip archive that is packed in a way that is not read.

    Raises
    ------
    FaultdiagError
        If it is encrypted, or packed by another method than deflate.
    """
    if member.flag_bits & _ENCRYPTED:
        raise FaultdiagError(f"{path}: {member.filename} is encrypted; pack it without a password")
    if member.compress_type not in _WAYS:
        way = _OTHER_WAYS.get(member.compress_type, f"the method {member.compress_type}")
        raise FaultdiagError(
            f"{path}: {member.filename} is packed with {way}, which is not read; pack it with "
            "deflate"
        )


def _size_of_directory(path: Path) -> int:
    """Return how many bytes the list of members has, from both end records; 0 where none is."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LONGEST_END))
        tail = file.read()
    at, wide = tail.rfind(b"PK\5\6"), tail.rfind(b"PK\6\6")
    short = struct.unpack_from("<I", tail, at + 12)[0] if 0 <= at <= len(tail) - 22 else 0
    if not 0 <= wide <= len(tail) - 56:
        return int(short)
    # Where the long record counts, the short one holds its largest number.
    long = struct.unpack_from("<Q", tail, wide + 40)[0]
    return int(max(long, 0 if short == 2**32 - 1 else short))


def is_hdf5(path: Path) -> bool:
    """Return whether a file is HDF5: its signature is at byte 0, or after a user block.

    A user block has 512 bytes or a power of two above; MATLAB's has 512.

    Raises
    ------
    OSError
        If the file can't be read.
    """
    with path.open("rb") as file:
        return _has_hdf5_signature(file.read(HDF5_PLACES[-1] + len(HDF5_SIGNATURE)))


def _has_hdf5_signature(begin: bytes) -> bool:
    return any(begin.startswith(HDF5_SIGNATURE, offset) for offset in HDF5_PLACES)


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file.

    Raises
    ------
    OSError
        If the file can't be read.
    """
    with path.open("rb") as file:
        return file.read(_HEAD)


# No recording of anything that moves packs to a hundredth. Small files may be anything.
MOST_UNPACKED_PER_BYTE = 100
# Channels of one recording, and arrays of one file.
MOST_CHANNELS = 1024
MOST_ARRAYS = 10_000
ALWAYS_UNPACKED = 64 * 2**20
_PIECE = 2**20


class DamageError(Exception):
    """A file that contradicts its own format; `reading` turns it into the user's error."""


def unpacked_dtype(dtype: np.dtype[np.generic], size: int) -> np.dtype[np.generic]:
    """Return what `size` bytes of unpacked values are held as: float32 where they are many.

    Times lose too much by that; a vector of them is 64 MiB only after 8 million samples.
    """
    return dtype if size <= ALWAYS_UNPACKED else np.dtype(np.float32)


@contextmanager
def reading(path: Path, kind: str = "MATLAB file") -> Iterator[None]:
    """Turn whatever a broken file raises into an error that names it.

    Parameters
    ----------
    path
        The file.
    kind
        What it should be, in words.

    Raises
    ------
    FaultdiagError
        If the block finds the file damaged, too big for the memory, or can't read it.
    """
    try:
        yield
    except (DamageError, zlib.error, struct.error, EOFError) as error:
        raise FaultdiagError(
            f"{path} is a damaged or incomplete {kind}: {error}; copy or download it again"
        ) from error
    except MemoryError as error:
        raise too_large(path) from error
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> FaultdiagError:
    """Return the error for a file that the system does not let us read."""
    return FaultdiagError(
        f"{path} cannot be read: {error.strerror or error}; check its permissions and its disk"
    )


def too_large(path: Path) -> FaultdiagError:
    """Return the error for a file that needs more memory than there is."""
    return FaultdiagError(
        f"{path} does not fit into memory ({path.stat().st_size} bytes in the file); cut it into "
        "shorter recordings"
    )


def require_plausible(name: str, packed: int, unpacked: int) -> None:
    """Refuse to unpack what no recording could have been.

    Parameters
    ----------
    packed, unpacked
        Bytes in the file, and what they are said to unpack to.

    Raises
    ------
    DamageError
        If these are more than 64 MiB and more than a hundred times the packed ones.
    """
    if unpacked > max(ALWAYS_UNPACKED, MOST_UNPACKED_PER_BYTE * packed):
        raise DamageError(
            f"{name} would unpack from {packed} bytes to {unpacked}, more than "
            f"{MOST_UNPACKED_PER_BYTE} times as many: no measurement packs like that"
        )


class Readable(Protocol):
    """A packed file that is open for reading."""

    def read(self, size: int, /) -> bytes:
        """Return this number of bytes, fewer at the end."""


class Allowance:
    """The limit to which one file may unpack, all of its variables together.

    Parameters
    ----------
    size
        Bytes of the file.
    """

    def __init__(self, size: int) -> None:
        self.most = max(ALWAYS_UNPACKED, MOST_UNPACKED_PER_BYTE * size)
        self._unpacked: dict[int, int] = {}

    def take(self, place: int, size: int) -> None:
        """Count a variable, by its place in the file, that is unpacked to this number of bytes.

        Raises
        ------
        DamageError
            If all of them are more than any recording of that size.
        """
        self._unpacked[place] = size
        self._require(sum(self._unpacked.values()))

    def count(self, place: int, file: Readable) -> Iterator[bytes]:
        """Yield what a part of the file is unpacked to, in pieces; the part is known by a number.

        Raises
        ------
        DamageError
            If all parts are more than any recording of that size.
        """
        before, done = sum(self._unpacked.values()), 0
        while piece := file.read(_PIECE):
            done += len(piece)
            self._require(before + done)
            yield piece
        self._unpacked[place] = done

    def _require(self, total: int) -> None:
        if total > self.most:
            raise DamageError(
                f"it would unpack to {total} bytes or more, the most is {self.most}: no "
                "measurement packs like that"
            )


class StoredArray(Protocol):
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
        """Refuse an array whose header states more values than the file can hold.

        Raises
        ------
        DamageError
            If it can't.
        """

    def fields(self) -> Mapping[str, "StoredArray"]:
        """Return the fields of a struct of one element; nothing for anything else."""

    def scalar(self) -> float:
        """Return its first value."""

    def block(self, columns: Sequence[int], start: int, stop: int) -> NDArray[np.generic]:
        """Return samples of a table, ``(len(columns), stop - start)``, as they are stored."""


@dataclass(frozen=True, slots=True)
class Table:
    """A shape read as a table: its longer side counts samples, the other one columns.

    `upright` says whether the samples run along the first side.
    """

    samples: int
    columns: int
    upright: bool


def table(shape: Sequence[int]) -> Table | None:
    """Return the table that a shape is, or None if it has three sides longer than 1, or a 0.

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
    dtype: np.dtype[np.generic]
    samples: int
    columns: int
    interleaved: bool

    def block(self, columns: Sequence[int], start: int, stop: int) -> NDArray[np.generic]:
        """Return samples of these columns, ``(len(columns), stop - start)``.

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

    def _read(self, file: BinaryIO, place: int, count: int) -> NDArray[np.generic]:
        file.seek(self.offset + place * self.dtype.itemsize)
        content = file.read(count * self.dtype.itemsize)
        if len(content) < count * self.dtype.itemsize:
            raise DamageError("its samples end early")
        return np.frombuffer(content, self.dtype)


# Numbers converted at a time: what lies between the file and float32 stays this small.
_BLOCK = 2**19


class Samples(Protocol):
    """The source of a recording's samples."""

    def blocks(self, start: int, stop: int) -> Iterator[NDArray[np.generic]]:
        """Return the samples from `start` to `stop` in pieces ``(channels, n)``, in order."""


@dataclass(frozen=True, slots=True)
class Row:
    """One channel: an array and, where that holds several channels, which of them."""

    array: StoredArray
    column: int | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """Channels that are columns of arrays."""

    rows: tuple[Row, ...]

    def blocks(self, start: int, stop: int) -> Iterator[NDArray[np.generic]]:
        """Yield the samples from `start` to `stop` in pieces ``(channels, n)``, in order."""
        step = max(1, _BLOCK // len(self.rows))
        for first in range(start, stop, step):
            yield self._block(first, min(first + step, stop))

    def _block(self, start: int, stop: int) -> NDArray[np.generic]:
        arrays = {id(row.array): row.array for row in self.rows}
        if len(arrays) == 1:
            columns = [row.column or 0 for row in self.rows]
            return self.rows[0].array.block(columns, start, stop)
        # A value beyond float32 becomes infinite here, and `Recording` refuses it.
        with np.errstate(over="ignore", invalid="ignore"):
            piece = np.empty((len(self.rows), stop - start), np.float32)
            for key, array in arrays.items():
                places = [i for i, row in enumerate(self.rows) if id(row.array) == key]
                columns = [self.rows[i].column or 0 for i in places]
                piece[places] = array.block(columns, start, stop)
        return piece


@dataclass(frozen=True, slots=True)
class RecordingSource:
    """A recording whose samples are still in its file.

    Parameters
    ----------
    path
        The file.
    channels
        Names of the channels.
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
    time
        Time of the recording without a time zone, if the file states it.
    """

    path: Path
    channels: tuple[str, ...]
    samples: int
    sampling_rate: float | None
    rpm: float | None
    kind: str
    format: str
    content: Samples = field(repr=False)
    time: datetime | None = None

    def __post_init__(self) -> None:
        if len(self.channels) > MOST_CHANNELS:
            raise FaultdiagError(
                f"{self.path} has {len(self.channels)} channels; at most {MOST_CHANNELS} are read "
                "together: choose some with --channel"
            )

    def read(self, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Return samples as float32, ``(channels, stop - start)``.

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
                    progress()
        return signal


def distinct(names: Sequence[str]) -> list[str]:
    """Return the names made distinct: the second ``x`` becomes ``x_2``.

    Examples
    --------
    >>> distinct(["x", "y", "x", "x_2"])
    ['x', 'y', 'x_2', 'x_2_2']
    """
    unique: list[str] = []
    taken: set[str] = set()
    last: dict[str, int] = {}
    for name in names:
        fresh, number = name, last.get(name, 1)
        while fresh in taken:
            number += 1
            fresh = f"{name}_{number}"
        last[name] = number
        taken.add(fresh)
        unique.append(fresh)
    return unique
