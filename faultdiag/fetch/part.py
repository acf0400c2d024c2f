"""The beginning of a file that is being downloaded: ``<name>.part`` beside where it will lie."""

import errno
import os
import sys
from contextlib import suppress
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from faultdiag.errors import FaultdiagError

_REMEDIES = {
    errno.ENOSPC: "free some space or choose another folder with --out",
    errno.EDQUOT: "free some space or choose another folder with --out",
    errno.EFBIG: "choose a folder for larger files with --out",
    errno.EACCES: "choose a folder you may write to with --out",
    errno.EPERM: "choose a folder you may write to with --out",
    errno.EROFS: "choose a folder you may write to with --out",
}


class CannotWriteError(FaultdiagError):
    """The folder takes no more: trying the next file would fail likewise."""


class BusyError(Exception):
    """Another process is downloading the file."""


class Part:
    """A ``.part`` file, open for one process at a time.

    What an interrupted download left is kept, so that the next one goes on behind it. The final
    name appears in one step, when all bytes are on the disk.

    Parameters
    ----------
    target
        The final name.

    Raises
    ------
    CannotWriteError
        If the file can't be written.
    BusyError
        If another process has it open.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.part")

    def __enter__(self) -> "Part":
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _opened(self.path)
        except OSError as error:
            self._fail(error)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        with suppress(OSError):
            if not self.path.stat().st_size:
                self.path.unlink()

    @property
    def length(self) -> int:
        """Bytes there are."""
        return self._file.tell()

    def write(self, data: bytes) -> int:
        """Append bytes; all of them are with the system when this returns."""
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._fail(error)
        return len(data)

    def restart(self) -> None:
        """Throw away what is there."""
        self._file.seek(0)
        self._file.truncate()

    def finish(self) -> None:
        """Give the file its final name."""
        try:
            os.fsync(self._file.fileno())
            if sys.platform == "win32":
                self._file.close()  # an open file can't be renamed there
            self.path.replace(self.target)
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> NoReturn:
        number = error.errno or errno.EIO
        remedy = _REMEDIES.get(number, "choose another folder with --out")
        raise CannotWriteError(
            f"cannot write {self.path}: {os.strerror(number)}; {remedy}"
        ) from error


def _opened(path: Path) -> FileIO:
    """Open a file at its end, unbuffered and locked."""
    while True:
        file = path.open("ab", buffering=0)
        try:
            _lock(file)
            # Between opening and locking, another process may have given it its final name.
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                file.seek(0, os.SEEK_END)
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _lock(file: FileIO) -> None:
    """Lock a file until it is closed; a process that dies leaves no lock behind."""
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError from error
