"""Locks on the output of a command: one owner at a time, named to other commands.

The lock is the operating system's, on a small file: ``.faultdiag.lock`` in a folder that is
written, ``.NAME.lock`` beside a file. It ends with its process, however that ends. The file alone
is no lock: one that a killed process left behind is taken over.
"""

import errno
import json
import os
import shlex
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from io import FileIO
from pathlib import Path

from faultdiag.documents import parse_json
from faultdiag.errors import FaultdiagError, printable
from faultdiag.system.files import write_errors
from faultdiag.system.terminal import note, warn

LOCK = ".faultdiag.lock"
# Seconds between two tries where a lock is waited for.
_TICK = 0.2
# Times that it is tried to read who holds a lock.
_TRIES = 10
# On Windows locked bytes can't be read, so a byte far behind the content is locked.
_FAR = 2**30
# Error numbers of a lock that somebody else holds.
_HELD = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK}
# A link in place of the lock file is not followed: what it leads to would be emptied.
_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
# Bytes of a lock file that are read.
_LONGEST = 2**16


class HeldError(FaultdiagError):
    """Another command writes there."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The command that holds a lock, its process number and machine, and since when."""

    command: str
    process: int
    machine: str
    since: str

    def __str__(self) -> str:
        """Return all of it in a sentence."""
        where = "" if self.machine == socket.gethostname() else f" on {printable(self.machine)}"
        return (
            f"`{printable(self.command)}` (process {self.process}{where}, since "
            f"{printable(self.since)})"
        )


def _this_process() -> Owner:
    words = [Path(sys.argv[0]).name or "python", *sys.argv[1:]]
    words[0] = "faultdiag" if words[0] == "__main__.py" else words[0]
    since = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return Owner(shlex.join(words), os.getpid(), socket.gethostname(), since)


@contextmanager
def own_folder(folder: Path, remedy: str, *, wait: bool = False) -> Iterator[None]:
    """Own a folder while the block runs; it is made if missing, and removed if it stays empty.

    Parameters
    ----------
    folder
        The folder that is written.
    remedy
        What else the user could do: ``"give another folder with --run"``.
    wait
        Wait for the end of another owner, with a note, in place of an error.

    Raises
    ------
    HeldError
        If another command owns it; the message names the command.
    FaultdiagError
        If the folder can't be made or written.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        with own(folder, folder / LOCK, remedy, wait=wait):
            yield
    finally:
        with suppress(OSError):
            for path in missing:
                path.rmdir()


@contextmanager
def own_file(path: Path, remedy: str) -> Iterator[None]:
    """Own a file while the block runs, whether it exists or not; links are followed.

    What is no file, such as a pipe, has no owner.

    Raises
    ------
    HeldError
        If another command owns it; the message names the command.
    FaultdiagError
        If nothing can be written in its folder.
    """
    if path.exists() and not path.is_file():
        yield
        return
    target = Path(os.path.realpath(path))
    with own(path, target.with_name(f".{target.name}.lock"), remedy):
        yield


@contextmanager
def own(target: Path, lock: Path, remedy: str, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock file of a target while the block runs; see `own_folder`."""
    file = _wait_for(target, lock) if wait else _take(target, lock, remedy)
    try:
        yield
    finally:
        _release(file, lock)


def _wait_for(target: Path, lock: Path) -> FileIO:
    shown = False
    while (file := _try(target, lock)) is None:
        if not shown:
            note(f"waiting for {_owner(lock)}, which is writing {target}")
            shown = True
        time.sleep(_TICK)
    return file


def _take(target: Path, lock: Path, remedy: str) -> FileIO:
    file = _try(target, lock)
    if file is None:
        raise HeldError(
            f"{target} is being written by {_owner(lock)}; wait until it has finished, or {remedy}"
        )
    return file


def _try(target: Path, lock: Path) -> FileIO | None:
    """Lock a file and write who holds it; None where another process holds it."""
    with write_errors(target, lock, *lock.parents):
        while True:
            file = _open(target, lock)
            if not _lock(file, target):
                file.close()
                return None
            # Between opening and locking, the owner before may have removed it.
            if _is(file, lock):
                _sign(file, lock)
                return file
            file.close()


def _sign(file: FileIO, lock: Path) -> None:
    """Write who holds a lock; on a full disk nothing is left of it."""
    try:
        file.truncate(0)
        file.write(json.dumps(asdict(_this_process())).encode())
    except OSError:
        _release(file, lock)
        raise


def _open(target: Path, lock: Path) -> FileIO:
    """Open a lock file, made if missing, and so is the folder that it is to be in."""
    in_folder = lock.parent == target
    while True:
        if in_folder:
            target.mkdir(parents=True, exist_ok=True)
        try:
            return FileIO(os.open(lock, os.O_RDWR | os.O_CREAT | _FLAGS), "r+")
        except FileNotFoundError:
            # An owner that wrote nothing removes the folder again.
            if not in_folder:
                raise


def _is(file: FileIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def _lock(file: FileIO, target: Path) -> bool:
    """Lock a file until it is closed, or return False if another process holds the lock."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(_FAR)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            file.seek(0)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            return False
        warn(
            f"the disk of {target} has no locks ({error.strerror or error}): two commands that "
            "write there at the same time are not kept apart; run one after the other"
        )
    return True


def _release(file: FileIO, lock: Path) -> None:
    """Remove a lock file and unlock it; on Windows an open file can't be removed."""
    with suppress(OSError):
        if sys.platform == "win32":
            file.close()
        lock.unlink()
    file.close()


def _owner(lock: Path) -> str:
    """Return who holds a lock, in words; it is written just after the lock is taken."""
    for _ in range(_TRIES):
        time.sleep(_TICK / 4)
        with suppress(OSError, ValueError, TypeError, KeyError, OverflowError):
            with lock.open("rb") as file:
                document = parse_json(file.read(_LONGEST))
            words = {name: str(document[name]) for name in ("command", "machine", "since")}
            return str(Owner(process=int(document["process"]), **words))
    return "another command"
