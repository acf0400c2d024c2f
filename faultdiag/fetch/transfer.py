"""One download: its source, its part file, the transfer."""

import errno
import hashlib
import os
import re
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol

from faultdiag.errors import FaultdiagError, did_you_mean

if TYPE_CHECKING:
    from requests import Response


@dataclass(frozen=True, slots=True)
class Wanted:
    r"""A file that can be fetched.

    Parameters
    ----------
    file
        Its name at the server and in the folder: ``"105.mat"``.
    title
        What it is, in words.
    names
        What a pattern is compared with.
    algorithm, digest
        Its SHA-256, or the SHA-1 that git gives a blob (of ``blob <length>\0`` and the bytes).
    length
        Bytes, or None where not known.
    most
        No more bytes than this are taken from a server.
    """

    file: str
    title: str
    names: tuple[str, ...]
    algorithm: Literal["sha256", "git-blob-sha1"]
    digest: str
    length: int | None
    most: int

    def digest_of(self, path: Path) -> str:
        """Give the digest of a file's bytes, of the kind that is known of this one."""
        with path.open("rb") as file:
            if self.algorithm == "sha256":
                return hashlib.file_digest(file, "sha256").hexdigest()
            header = b"blob %d\0" % path.stat().st_size
            start = hashlib.sha1(header, usedforsecurity=False)
            return hashlib.file_digest(file, lambda: start).hexdigest()

    def difference(self, path: Path) -> str | None:
        """Say how a file's bytes differ from what they should be, or None where they don't."""
        found = self.digest_of(path)
        if found == self.digest:
            return None
        size = path.stat().st_size
        lengths = f" ({size} bytes, not {self.length})" if self.length not in {None, size} else ""
        return f"{self.algorithm} is {found}, expected {self.digest}{lengths}"


@dataclass(frozen=True, slots=True)
class Survey:
    """What a folder holds already: files by name, and why others can't be fetched into it."""

    present: Mapping[str, Path] = field(default_factory=dict)
    blocked: Mapping[str, str] = field(default_factory=dict)


class Source(Protocol):
    """A dataset that can be fetched; built without arguments."""

    base_url: str
    licence: str
    citation: str
    patterns: str
    """What a pattern is compared with, in words with examples."""

    def files(self) -> Sequence[Wanted]:
        """Give all of its files."""

    def survey(self, folder: Path) -> Survey:
        """Give which of them lie in a folder already, under whatever name, by their bytes."""


def choose(files: Sequence[Wanted], only: Sequence[str], patterns: str) -> list[Wanted]:
    """Give the files of which a name matches one of the patterns, all for no pattern.

    ``*`` stands for anything, ``?`` for one character and ``[12]`` for one of these; case does
    not count. A pattern must match the whole of a name.

    Raises
    ------
    FaultdiagError
        If a pattern matches nothing; every such pattern is told.
    """
    matched = [{file.file for file in files if _matches(file, pattern)} for pattern in only]
    problems = [
        _nothing(pattern, files, patterns)
        for pattern, found in zip(only, matched, strict=True)
        if not found
    ]
    if problems:
        raise FaultdiagError("\n".join(problems))
    kept = set().union(*matched)
    return [file for file in files if not only or file.file in kept]


def _matches(file: Wanted, pattern: str) -> bool:
    return any(fnmatchcase(name.lower(), pattern.strip().lower()) for name in file.names)


def _nothing(pattern: str, files: Sequence[Wanted], patterns: str) -> str:
    names = dict.fromkeys(name for file in files for name in file.names)
    near = did_you_mean(pattern.replace("*", "").replace("?", "").strip("_"), names)
    return (
        f"--only '{pattern}' matches none of the {len(files)} files{near}; it is compared with "
        f"{patterns}; * stands for anything"
    )


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


# A connection that brings less than this within the timeout has stalled.
CHUNK = 8192
# What a server may not mean next time it is asked.
PASSING = {408, 425, 429, 500, 502, 503, 504}


class RefusedError(Exception):
    """The server says no, and would say so again."""


class BrokenError(Exception):
    """The attempt failed and another may not.

    Parameters
    ----------
    reason
        Why.
    wait
        Seconds that the server asks to wait, or None.
    reached
        Whether the server answered at all.
    """

    def __init__(self, reason: str, *, wait: float | None = None, reached: bool = True) -> None:
        super().__init__(reason)
        self.wait = wait
        self.reached = reached


class Transfer:
    """One request for a file, from the end of its part on.

    pooch's downloader makes the request, follows redirects and hands over the bytes; what it
    leaves to others is here: going on in the middle of a file, what an answer means, a
    connection that brings nothing more, and an end before the end.

    Parameters
    ----------
    url
        What is asked for.
    part
        Where the bytes go.
    most
        Bytes the file can have.
    timeout
        Seconds to connect, and to wait for the next bytes.
    """

    def __init__(self, url: str, part: Part, *, most: int, timeout: float) -> None:
        self.url = url
        self.moved = time.monotonic()
        self.received = 0
        self._part = part
        self._most = most
        self._timeout = timeout
        self._response: Response | None = None
        self._promised: int | None = None
        self._aborted = ""

    def run(self) -> None:
        """Receive the rest of the file.

        Raises
        ------
        RefusedError, BrokenError
            If it does not come to its end.
        CannotWriteError
            If it can't be written.
        """
        import pooch
        import requests

        headers = {"User-Agent": user_agent(), "Accept-Encoding": "identity"}
        if self._part.length:
            headers["Range"] = f"bytes={self._part.length}-"
        download = pooch.HTTPDownloader(
            chunk_size=CHUNK,
            timeout=(self._timeout, self._timeout),
            headers=headers,
            hooks={"response": self._begin},
        )
        try:
            download(self.url, self, None)
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
            raise RefusedError(f"the address cannot be used: {error}") from error
        except requests.exceptions.TooManyRedirects as error:
            raise RefusedError("the server redirects in circles") from error
        except OSError as error:  # those of requests are OSErrors too
            reached = self._response is not None
            raise BrokenError(self._aborted or _reason(error), reached=reached) from error
        finally:
            if self._response is not None:
                self._response.close()
        self._require_all()

    def write(self, data: bytes) -> int:
        """Take bytes from pooch."""
        self.moved = time.monotonic()
        if self._aborted:
            raise BrokenError(self._aborted)
        if self._part.length + len(data) > self._most:
            raise RefusedError(f"the server sends more than the {self._most} bytes it has")
        self.received += len(data)
        return self._part.write(data)

    def flush(self) -> None:
        """Do nothing: the part is not buffered, and pooch asks after every chunk."""

    def stalled(self) -> bool:
        """Tell whether an answer was begun and nothing more has come within the timeout."""
        return self._response is not None and time.monotonic() - self.moved > self._timeout

    def abort(self, reason: str) -> None:
        """End the attempt from another thread."""
        self._aborted = reason
        if self._response is not None:
            # Reading stops at once; closing the response from here would not make it.
            with suppress(OSError, ValueError, AttributeError):
                connection = socket.fromfd(
                    self._response.raw.fileno(), socket.AF_INET, socket.SOCK_STREAM
                )
                with connection:
                    connection.shutdown(socket.SHUT_RDWR)

    def _begin(self, response: "Response", *_: Any, **__: Any) -> None:
        """Judge an answer before its content is read."""
        self.moved = time.monotonic()
        if response.is_redirect:
            return
        self._response = response
        status, offset = response.status_code, self._part.length
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and offset:
            self._part.restart()
            raise BrokenError("the server has no more bytes than were there already")
        if status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            raise _refusal(response)
        if status == HTTPStatus.PARTIAL_CONTENT:
            begins = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
            if begins is None or int(begins[1]) != offset:
                self._part.restart()
                raise BrokenError("the server sends another part of the file than was asked for")
        elif offset:
            self._part.restart()
        length = response.headers.get("Content-Length", "")
        self._promised = int(length) if length.isdecimal() else None
        if length and self._promised is None:
            raise BrokenError(f"the server gives the length '{length}'")

    def _require_all(self) -> None:
        if self._aborted:
            raise BrokenError(self._aborted)
        if self._promised is not None and self.received < self._promised:
            raise BrokenError(
                f"the connection ended after {self.received} of {self._promised} bytes"
            )


def user_agent() -> str:
    """Name the program and its version, as polite clients do."""
    try:
        return f"faultdiag/{version('faultdiag')}"
    except PackageNotFoundError:
        return "faultdiag"


def _refusal(response: "Response") -> RefusedError | BrokenError:
    status = response.status_code
    text = f"{status} {response.reason or ''}".strip()
    if status not in PASSING:
        return RefusedError(f"the server answers {text}")
    asked = _seconds(response.headers.get("Retry-After"))
    return BrokenError(f"the server answers {text}", wait=asked)


def _seconds(retry_after: str | None) -> float | None:
    """Give what a Retry-After header asks for, a number of seconds or a date."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        when = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    moment = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)


def _reason(error: OSError) -> str:
    import requests

    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "no connection within the timeout"
    if isinstance(error, requests.exceptions.Timeout | TimeoutError):
        return "no answer within the timeout"
    if isinstance(error, requests.exceptions.SSLError):
        return f"the connection is not secure: {_innermost(error)}"
    return f"the connection failed: {_innermost(error)}"


def _innermost(error: BaseException) -> str:
    """Give the message at the root of a chain; those around it repeat it at length."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error) or type(error).__name__
