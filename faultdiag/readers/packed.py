"""Recordings in gzip and zip files, and in sheets of Excel: unpacked into a temporary file.

A zip of several recordings has their channels as ``file:channel``. All that one file unpacks to is
counted together.
"""

import gzip
import os
import shutil
import signal
import subprocess
import sys
import weakref
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path, PurePosixPath
from tempfile import gettempdir, mkdtemp
from typing import IO

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError, needs_extra
from faultdiag.readers import excel_rows
from faultdiag.readers.base import Reader, Variable, channels_of
from faultdiag.readers.source import (
    Allowance,
    DamageError,
    RecordingSource,
    Samples,
    open_archive,
    reading,
    require_known_way,
    zip_damage,
)
from faultdiag.signal.recording import require_channels

_MOST_MEMBERS = 1000
_OTHER_FOLDER = "free some space, or set the variable TMPDIR to another folder"


class Scratch:
    """A temporary folder that is removed with the last reference to it.

    Raises
    ------
    FaultdiagError
        If none can be made.
    """

    def __init__(self) -> None:
        try:
            self.path = Path(mkdtemp(prefix="faultdiag-"))
        except OSError as error:
            raise FaultdiagError(
                f"a temporary folder can't be made: {error.strerror or error}; {_OTHER_FOLDER}"
            ) from error
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
                pieces = Allowance(path.stat().st_size).count(0, file)
                return _unpack(path, name, pieces)
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

    with reading(path, "zip archive"), zip_damage(), open_archive(path) as archive:
        members = recordings_in_zip(archive, tuple(READERS))[:_MOST_MEMBERS]
        allowance = Allowance(path.stat().st_size)
        readers = {member.filename: _member(path, archive, member, allowance) for member in members}
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


def _member(
    path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, allowance: Allowance
) -> UnpackedRecording:
    with _opened(archive, member) as file:
        pieces = allowance.count(id(member), file)
        return _unpack(path, PurePosixPath(member.filename).name, pieces)


def _opened(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    """Open a member for reading; where it is read to its end the checksum is compared.

    Raises
    ------
    FaultdiagError
        If it is encrypted, or packed by a method that is not read.
    """
    require_known_way(Path(str(archive.filename)), member)
    return archive.open(member)


def _unpack(path: Path, name: str, pieces: Iterable[bytes]) -> UnpackedRecording:
    """Write a packed file into a temporary folder, under its own name."""
    folder = Scratch()
    inner = folder.path / name
    try:
        with inner.open("wb") as out:
            out.writelines(pieces)
    except OSError as error:
        if error.errno not in excel_rows.NO_ROOM_ERRORS:
            raise
        raise _no_room(path, str(error.strerror)) from error
    return UnpackedRecording(path, inner, folder)


def _no_room(path: Path, reason: str) -> FaultdiagError:
    return FaultdiagError(
        f"{path} is unpacked into {gettempdir()}, where it finds no room: {reason}; {_OTHER_FOLDER}"
    )


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
        If python-calamine is not installed, the file is damaged, needs more memory or time than
        its size justifies, no sheet holds numbers, or the temporary folder has no room.
    """
    with needs_extra("tables", f"{path} is an Excel file"):
        import_module("python_calamine")
    folder = Scratch()
    inner = folder.path / f"{path.stem}.tsv"
    with reading(path, "Excel file"):
        with zip_damage():
            _compare_checksums(path)
        code, reason = _write_sheet(path, inner)
        if code == excel_rows.DAMAGED:
            raise DamageError(inner.read_text("utf-8"))
    if code or not inner.is_file():
        raise _sheet_failure(path, code, reason)
    return UnpackedRecording(path, inner, folder)


def _compare_checksums(path: Path) -> None:
    with open_archive(path) as archive:
        allowance = Allowance(path.stat().st_size)
        for member in archive.infolist():
            with _opened(archive, member) as file:
                for _ in allowance.count(id(member), file):
                    pass


# Linux and macOS number these signals differently.
_TOO_LARGE = {excel_rows.TOO_LARGE} | {
    -getattr(signal, name) for name in ("SIGKILL", "SIGXCPU", "SIGABRT") if hasattr(signal, name)
}


def _megabytes(path: Path) -> int:
    """Return the memory that the sheets of a file may need, the program itself included."""
    return 256 + path.stat().st_size // 2**16


def _seconds(path: Path) -> int:
    """Return the time of the processor that the sheets of a file may need."""
    return 2 + path.stat().st_size // 2**20


def _write_sheet(path: Path, inner: Path) -> tuple[int, str]:
    """Start the program that writes a sheet as text, and return its exit code and last words."""
    limits = (_megabytes(path), _seconds(path), Allowance(path.stat().st_size).most)
    places = (str(path), str(inner), *map(str, limits), *map(str, sys.path))
    words = [sys.executable or "", "-P", excel_rows.__file__, *places]
    try:
        done = subprocess.run(words, stderr=subprocess.PIPE, check=False)
    except OSError as error:
        return 1, error.strerror or str(error)
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return done.returncode, lines[-1] if lines else f"exit code {done.returncode}"


def _sheet_failure(path: Path, code: int, reason: str) -> FaultdiagError:
    """Return the error for an exit code of the program that writes a sheet."""
    if code == excel_rows.NO_NUMBERS:
        return FaultdiagError(f"{path} has no sheet with two rows of numbers")
    if code - excel_rows.NO_ROOM in excel_rows.NO_ROOM_ERRORS:
        return _no_room(path, os.strerror(code - excel_rows.NO_ROOM))
    if code in _TOO_LARGE:
        return FaultdiagError(
            f"{path}: its sheets need more than {_megabytes(path)} MB of memory or "
            f"{_seconds(path)} s, too much for its size; delete cells that are far from the "
            "others and other sheets, or save the recording as .csv"
        )
    return FaultdiagError(
        f"{path}: the process that reads Excel files failed ({reason}); it is started with the "
        f"Python in sys.executable, {sys.executable!r}; save the recording as .csv"
    )
