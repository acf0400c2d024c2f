"""Recordings in gzip and zip files, and in sheets of Excel: unpacked into a temporary file.

A zip of several recordings has their channels as ``file:channel``.
"""

import gzip
import re
import shutil
import weakref
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError
from faultdiag.readers.base import Reader, Variable, channels_of
from faultdiag.readers.source import (
    ALWAYS_UNPACKED,
    MOST_UNPACKED_PER_BYTE,
    DamageError,
    RecordingSource,
    Samples,
    reading,
    require_plausible,
)
from faultdiag.signal.recording import require_channels

_PIECE = 2**20
_MOST_MEMBERS = 1000
# What zipfile raises, beside BadZipFile, for members it can't unpack.
_UNPACKING = (RuntimeError, NotImplementedError, ValueError, OSError)


class Scratch:
    """A temporary folder that is removed with the last reference to it."""

    def __init__(self) -> None:
        self.path = Path(mkdtemp(prefix="faultdiag-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True)
class UnpackedRecording:
    """A recording that was unpacked into a temporary folder, which lasts as long as this.

    Parameters
    ----------
    path
        The packed file, for messages.
    inner
        The unpacked one.
    folder
        What removes it in the end.
    """

    path: Path
    inner: Path
    folder: "Scratch" = field(repr=False)

    def variables(self) -> list[Variable]:
        """Return the variables of the recording."""
        with self.named():
            return self._reader.variables()

    def source(self, channels: Sequence[str] | None) -> RecordingSource:
        """Return these channels (all for None) as an opened recording.

        Raises
        ------
        FaultdiagError
            As the reader of the recording itself.
        """
        with self.named():
            unpacked = self._reader.source(channels)
        return replace(unpacked, path=self.path, content=UnpackedSamples(unpacked.content, self))

    @cached_property
    def _reader(self) -> Reader:
        from faultdiag.readers.read import open_reader

        return open_reader(self.inner)

    @contextmanager
    def named(self) -> Iterator[None]:
        """Name the packed file in errors, and not the temporary one."""
        try:
            yield
        except FaultdiagError as error:
            text = str(error).replace(str(self.inner), str(self.path))
            raise FaultdiagError(text) from error


@dataclass(frozen=True, slots=True)
class UnpackedSamples:
    """Samples of an unpacked recording."""

    content: Samples
    owner: UnpackedRecording

    def blocks(self, start: int, stop: int) -> Iterator[NDArray[np.generic]]:
        """Yield the samples from `start` to `stop` in pieces ``(channels, n)``, in order."""
        with self.owner.named():
            yield from self.content.blocks(start, stop)


def open_gzip(path: Path) -> Reader:
    """Return the reader of a recording in a gzip file, such as ``run.csv.gz``.

    Raises
    ------
    FaultdiagError
        If it is damaged, or holds no recording.
    """
    name = path.stem if Path(path.stem).suffix else f"{path.stem}.txt"
    with reading(path, "gzip file"):
        try:
            with gzip.open(path) as file:
                return _unpack(path, file, name, path.stat().st_size)
        except (gzip.BadGzipFile, zlib.error) as error:
            raise DamageError(str(error)) from error


def open_zip(path: Path) -> Reader:
    """Return the reader of the recordings in a zip file.

    Raises
    ------
    FaultdiagError
        If it is damaged, or holds no recording.
    """
    from faultdiag.readers.read import READERS

    with reading(path, "zip archive"):
        try:
            with zipfile.ZipFile(path) as archive:
                members = recordings_in_zip(archive, tuple(READERS))[:_MOST_MEMBERS]
                readers = {m.filename: _member(path, archive, m) for m in members}
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError) as error:
            raise DamageError(str(error)) from error
    if not readers:
        raise FaultdiagError(
            f"{path} is a zip archive without a recording; files that can be read end in: "
            f"{', '.join(READERS)}"
        )
    only = next(iter(readers.values()))
    return only if len(readers) == 1 else Archive(path, readers)


def recordings_in_zip(archive: zipfile.ZipFile, suffixes: Sequence[str]) -> list[zipfile.ZipInfo]:
    """Return the members that are recordings by their suffix, hidden ones left out."""
    return [
        member
        for member in archive.infolist()
        if PurePosixPath(member.filename).suffix.lower() in set(suffixes) - {".zip"}
        and not PurePosixPath(member.filename).name.startswith(".")
        and not member.filename.startswith("__MACOSX")
    ]


def _member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> UnpackedRecording:
    with archive.open(member) as file:
        return _unpack(path, file, PurePosixPath(member.filename).name, member.compress_size)


class Readable(Protocol):
    """A packed file that is open for reading."""

    def read(self, size: int, /) -> bytes:
        """Return so many bytes, fewer at the end."""


def _unpack(path: Path, file: Readable, name: str, packed: int) -> UnpackedRecording:
    """Write a packed file into a temporary folder, under its own name."""
    folder = Scratch()
    inner = folder.path / name
    most, done = max(ALWAYS_UNPACKED, MOST_UNPACKED_PER_BYTE * packed), 0
    with inner.open("wb") as out:
        while piece := file.read(_PIECE):
            done += len(piece)
            if done > most:
                raise DamageError(
                    f"{name} would unpack from {packed} bytes to more than {most}: no "
                    "measurement packs like that"
                )
            out.write(piece)
    return UnpackedRecording(path, inner, folder)


@dataclass(frozen=True)
class Archive:
    """Several recordings in one file; their channels are ``file:channel``."""

    path: Path
    members: dict[str, UnpackedRecording]

    def variables(self) -> list[Variable]:
        """Return the variables of all recordings."""
        return [
            replace(v, name=f"{name}:{v.name}", channel=_prefixed(name, v.channel))
            for name, member in self.members.items()
            for v in member.variables()
        ]

    def source(self, channels: Sequence[str] | None) -> RecordingSource:
        """Return channels of one of the recordings.

        Raises
        ------
        FaultdiagError
            If none are named, or they are of two recordings, or not there.
        """
        every = channels_of(self.variables())
        if channels is None:
            raise FaultdiagError(
                f"{self.path} holds several signals ({', '.join(every[:20])}); choose a channel, "
                "or unpack it and name the folder"
            )
        require_channels(self.path, channels, every)
        owners = {name.partition(":")[0] for name in channels}
        if len(owners) > 1:
            raise FaultdiagError(
                f"{self.path}: {', '.join(channels)} are of several recordings; read one at a time"
            )
        own = [name.partition(":")[2] for name in channels]
        return replace(self.members[owners.pop()].source(own), channels=tuple(channels))


def _prefixed(name: str, channel: str | None) -> str | None:
    return channel and ", ".join(f"{name}:{one}" for one in channel.split(", "))


def open_excel(path: Path) -> Reader:
    """Return the reader of the first sheet of an Excel file that holds numbers.

    Raises
    ------
    FaultdiagError
        If python-calamine is not installed, the file is damaged, or no sheet holds numbers.
    """
    try:
        import python_calamine
    except ModuleNotFoundError as error:
        raise FaultdiagError(
            f"{path} is an Excel file, which needs the package python-calamine: "
            "pip install 'faultdiag[tables]'"
        ) from error
    with reading(path, "Excel file"):
        try:
            _require_dense_sheets(path)
            book = python_calamine.CalamineWorkbook.from_path(path)
            sheets = (book.get_sheet_by_name(name).to_python() for name in book.sheet_names)
            rows = next((rows for rows in sheets if _holds_numbers(rows)), None)
        except (python_calamine.CalamineError, zipfile.BadZipFile, *_UNPACKING) as error:
            raise DamageError(str(error)) from error
    if rows is None:
        raise FaultdiagError(f"{path} has no sheet with two rows of numbers")
    folder = Scratch()
    inner = folder.path / f"{path.stem}.tsv"
    lines = ["\t".join(map(_cell, row)) for row in rows]
    inner.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    return UnpackedRecording(path, inner, folder)


# A cell with a value, and where it is: an empty one ends in "/>".
_CELL = re.compile(rb'<(?:\w+:)?c\b[^>]*?\br="([A-Z]{1,3})(\d{1,15})"[^>]*(?<!/)>')
# The library holds all cells from the first to the last one, empty ones too.
_FEW_CELLS = 2_000_000
_MOST_PER_CELL = 16


def _require_dense_sheets(path: Path) -> None:
    """Refuse sheets that would need memory for cells that are not there.

    Raises
    ------
    DamageError
        If a sheet unpacks implausibly, or is nearly empty and very large.
    """
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            require_plausible(member.filename, member.compress_size, member.file_size)
            if member.filename.startswith("xl/worksheets/"):
                with archive.open(member) as file:
                    _require_dense(member.filename, file)


def _require_dense(name: str, file: Readable) -> None:
    cells, rows, columns, rest = 0, 0, 0, b""
    while piece := file.read(_PIECE):
        text, mark, rest = (rest + piece).rpartition(b"<")
        rest = mark + rest
        places = _CELL.findall(text)
        cells += len(places)
        rows = max((int(row) for _, row in places), default=rows)
        columns = max(columns, *(_column_number(c) for c in {c for c, _ in places}), 0)
        if rows * columns > max(_FEW_CELLS, _MOST_PER_CELL * cells):
            raise DamageError(
                f"{name} has a cell in row {rows}, and one in column {columns}, and only {cells} "
                "cells with a value up to there; delete the stray ones"
            )


def _column_number(letters: bytes) -> int:
    """Return the number of a column of a sheet: 1 for A, 27 for AA."""
    number = 0
    for letter in letters:
        number = 26 * number + letter - ord("A") + 1
    return number


def _holds_numbers(rows: Sequence[Sequence[object]]) -> bool:
    return sum(any(isinstance(cell, int | float) for cell in row) for row in rows) > 1


def _cell(value: object) -> str:
    """Return a cell of a sheet as text: dates as ISO, whole numbers without a point."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    isoformat = getattr(value, "isoformat", None)
    text = isoformat() if callable(isoformat) else str(value)
    return " ".join(text.split())
