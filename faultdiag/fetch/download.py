"""Fetch a public dataset: requests and urllib3 ask, pooch checks the digest and stores.

What no library does is here: to continue in the middle of a file, and to leave a connection that
brings next to nothing.
"""

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import TimeoutError as NothingYetError
from multiprocessing.pool import IMapIterator, ThreadPool
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import quote, urlsplit

import urllib3
from urllib3.exceptions import InvalidHeader, NewConnectionError

from faultdiag.datasets.base import sha256
from faultdiag.errors import FaultdiagError, printable
from faultdiag.fetch.sources import PART, RemoteFile, Source, choose_files, source_of
from faultdiag.system.files import sync
from faultdiag.system.locks import own_folder

if TYPE_CHECKING:
    import requests


Status: TypeAlias = Literal["present", "fetched", "failed"]

ATTEMPTS = 5
TIMEOUT = 30.0
PAUSE = 1.0
_TICK = 0.2
# Seconds to wait for downloads that were stopped.
_PATIENCE = 2.0


"""Requests in a row that bring no byte before a file is given up."""
# A connection that brings less than this within the timeout has stalled.
_CHUNK = 8192
# Answers that may be another one next time.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
# Seconds; a server that asks for more is asked another day.
_LONGEST_WAIT = 300.0
_LONGEST_PAUSE = 60.0
_WEB_PAGE = (b"<!doctype html", b"<html")


@dataclass(frozen=True, slots=True)
class FileResult:
    """The outcome for one file.

    Parameters
    ----------
    file
        The file.
    status
        Whether it was there, was fetched, or neither.
    path
        Its place.
    received
        Bytes downloaded for it.
    error
        Why it failed.
    """

    file: RemoteFile
    status: Status
    path: Path
    received: int = 0
    error: str | None = None


_LENGTH = re.compile(r"[0-9]{1,18}")


class RefusedError(Exception):
    """The file can't be had; others may."""


class BrokenError(Exception):
    """The connection broke; another may not."""


class Retry(urllib3.Retry):
    """urllib3's retries with a limit to what a server may ask to wait."""

    def parse_retry_after(self, retry_after: str) -> float:
        """Return the seconds of a Retry-After header; 0 for one that says nothing.

        Raises
        ------
        RefusedError
            If they are too many.
        """
        try:
            seconds = super().parse_retry_after(retry_after)
        except (InvalidHeader, ValueError, OverflowError):
            return 0.0
        if seconds > _LONGEST_WAIT:
            raise RefusedError(f"the server asks to wait {seconds:.0f} s; try again then")
        return seconds


@dataclass(frozen=True, slots=True)
class Connection:
    """The session and the patience that all downloads share.

    Parameters
    ----------
    session
        Asks up to `ATTEMPTS` times, with growing pauses.
    timeout
        Seconds to wait for a connection, and for the next 8 KiB.
    pause
        Seconds to wait after a failure; each further one doubles them.
    stop
        Once it is set, no request begins.
    """

    session: "requests.Session"
    timeout: float
    pause: float
    stop: threading.Event


@contextmanager
def connect(jobs: int, timeout: float, pause: float) -> Iterator[Connection]:
    """Open connections for a number of downloads at once; see `Connection`."""
    import requests
    from requests.adapters import HTTPAdapter

    retry = Retry(
        total=ATTEMPTS - 1,
        redirect=False,
        status_forcelist=_PASSING,
        backoff_factor=pause,
        backoff_max=_LONGEST_PAUSE,
        backoff_jitter=pause,
        raise_on_status=False,
    )
    with requests.Session() as session:
        session.headers.update({"User-Agent": _user_agent(), "Accept-Encoding": "identity"})
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=retry, pool_maxsize=jobs))
        yield Connection(session, timeout, pause, threading.Event())


def _user_agent() -> str:
    try:
        return f"faultdiag/{version('faultdiag')}"
    except PackageNotFoundError:
        return "faultdiag"


class Download:
    """The download of one file; what an interrupted one left in ``<name>.part`` is continued.

    Parameters
    ----------
    file
        The file.
    target
        Its place; its name appears when all of its bytes are there and right.
    connection
        What it shares with other downloads.
    """

    def __init__(self, file: RemoteFile, target: Path, connection: Connection) -> None:
        self.received = 0
        self._file = file
        self._target = target
        self._part = target.with_name(target.name + PART)
        self._connection = connection
        self._response: requests.Response | None = None

    def run(self) -> FileResult:
        """Fetch the file.

        Raises
        ------
        FaultdiagError
            If no other file would fare better: the folder can't be written, the server can't be
            reached.
        """
        try:
            self._retrieve()
        except FaultdiagError:
            self._connection.stop.set()
            raise
        except RefusedError as error:
            reason = f"{self._file.url}: {error}"
            return FileResult(self._file, "failed", self._target, self.received, reason)
        return FileResult(self._file, "fetched", self._target, self.received)

    def stop(self) -> None:
        """End all downloads from another thread, and this one's connection."""
        self._connection.stop.set()
        if self._response is not None:
            with suppress(OSError, ValueError, RuntimeError):
                self._response.raw.shutdown()

    def _retrieve(self) -> None:
        """Download and check the file, once more if the first bytes are wrong."""
        import pooch

        known = f"sha256:{self._file.sha256}"
        name, folder = self._target.name, self._target.parent
        for attempt in (1, 2):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                pooch.retrieve(self._file.url, known, name, folder, downloader=self._download)
            except OSError as error:
                raise FaultdiagError(
                    f"cannot write {self._part}: {error.strerror or error}; free some space or "
                    "choose another folder with --out"
                ) from error
            except ValueError as error:  # pooch's, of a digest
                difference = self._difference() or str(error)
                self._part.unlink(missing_ok=True)
                if attempt == 2:
                    raise RefusedError(f"{difference}; discarded") from error
            else:
                self._part.unlink(missing_ok=True)
                return

    def _difference(self) -> str:
        """Return how the bytes that came differ from the published ones; ``""`` without them."""
        if not self._part.exists():
            return ""
        with self._part.open("rb") as part:
            is_page = part.read(512).lstrip().lower().startswith(_WEB_PAGE)
        size, file = self._size(), self._file
        page = "the server sent a web page in its place: " if is_page else ""
        sizes = f" ({size} bytes, not {file.length})" if size != file.length else ""
        return f"{page}its sha256 is {sha256(self._part)}, expected {file.sha256}{sizes}"

    def _download(self, url: str, temporary: str, _: object) -> None:
        """Download to a temporary file; this is a downloader of pooch."""
        # Only the part may be left if the process is killed.
        Path(temporary).unlink()
        if self._size() > self._file.length:
            self._part.unlink()
        failures = 0
        while (size := self._size()) < self._file.length:
            try:
                self._receive(url, size)
                break
            except BrokenError as error:
                failures = 1 if self._size() > size else failures + 1
                if failures >= ATTEMPTS:
                    raise RefusedError(f"{error}, {failures} times") from error
                self._connection.stop.wait(
                    min(self._connection.pause * 2.0 ** (failures - 1), _LONGEST_PAUSE)
                )
        sync(self._part)
        try:
            # The part stays until the digest is checked.
            os.link(self._part, temporary)
        except OSError:
            self._part.replace(temporary)

    def _size(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _receive(self, url: str, offset: int) -> None:
        """Receive the file from a byte on, or from its beginning if the server has no ranges."""
        try:
            with self._ask(url, offset) as response:
                self._response = response
                self._check(response, offset)
                self._copy(response)
        finally:
            self._response = None
            if self._part.exists() and not self._size():
                self._part.unlink()

    def _ask(self, url: str, offset: int) -> "requests.Response":
        """Ask for the file from a byte on."""
        import requests

        if self._connection.stop.is_set():
            raise RefusedError("stopped")
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        connection = self._connection
        try:
            return connection.session.get(
                url, headers=headers, stream=True, timeout=connection.timeout
            )
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
            raise RefusedError(f"the address cannot be used: {error}") from error
        except requests.TooManyRedirects as error:
            raise RefusedError("the server redirects in circles") from error
        except requests.RequestException as error:
            text = f"{_innermost(error)}, {ATTEMPTS} times"
            if _is_unreachable(error):
                raise FaultdiagError(f"{url} cannot be reached: {text}") from error
            raise RefusedError(f"the connection failed: {text}") from error

    def _check(self, response: "requests.Response", offset: int) -> None:
        """Check an answer before its content; remove a part that it doesn't continue."""
        status = response.status_code
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and offset:
            self._part.unlink()
            raise BrokenError("the server has no more bytes than were there already")
        if status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            times = f", {ATTEMPTS} times" if status in _PASSING else ""
            raise RefusedError(f"the server answers {status} {response.reason or ''}{times}")
        if status == HTTPStatus.PARTIAL_CONTENT:
            begins = re.match(r"bytes ([0-9]{1,18})-", response.headers.get("Content-Range", ""))
            if begins is None or int(begins[1]) != offset:
                self._part.unlink(missing_ok=True)
                raise BrokenError("the server sends another part of the file than requested")
        elif offset:
            self._part.unlink()

    def _copy(self, response: "requests.Response") -> None:
        """Append the content of an answer to the part."""
        received = 0
        with self._part.open("ab") as part:
            for data in self._chunks(response):
                if part.tell() + len(data) > self._file.length:
                    raise RefusedError(f"the server sends more than its {self._file.length} bytes")
                part.write(data)
                part.flush()
                received += len(data)
                self.received += len(data)
        promised = response.headers.get("Content-Length", "")
        if promised and not _LENGTH.fullmatch(promised):
            raise BrokenError(f"the server gives the length '{printable(promised[:60])}'")
        if promised and received < int(promised):
            raise BrokenError(f"the connection ended after {received} of {promised} bytes")

    def _chunks(self, response: "requests.Response") -> Iterator[bytes]:
        """Iterate over what comes, until the end or until too little comes."""
        since, count = time.monotonic(), 0
        while not self._connection.stop.is_set():
            try:
                data = response.raw.read1(16 * _CHUNK, decode_content=False)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise BrokenError(f"the connection broke: {_innermost(error)}") from error
            if not data:
                return
            yield data
            count += len(data)
            now = time.monotonic()
            if count >= _CHUNK:
                since, count = now, 0
            elif now - since > self._connection.timeout:
                raise BrokenError("the connection stalled")
        raise RefusedError("stopped")


def _is_unreachable(error: "requests.RequestException") -> bool:
    """Return whether no connection was made, so that none will be for other files."""
    import requests

    reason = getattr(error.args[0], "reason", None) if error.args else None
    unreachable = (requests.exceptions.ConnectTimeout, requests.exceptions.SSLError)
    return isinstance(error, unreachable) or isinstance(reason, NewConnectionError)


def _innermost(error: BaseException) -> str:
    """Return the message at the root of a chain; those around it repeat it at length."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error) or type(error).__name__


@dataclass(frozen=True, slots=True)
class FetchResults:
    """The outcome of `fetch`: one result per file, in the order of the dataset."""

    name: str
    folder: Path
    source: Source
    files: list[FileResult]

    @property
    def failed(self) -> list[FileResult]:
        """The files that are not there."""
        return [result for result in self.files if result.status == "failed"]


def fetch(
    name: str,
    *,
    out: Path,
    only: Sequence[str] = (),
    base_url: str | None = None,
    jobs: int = 4,
    timeout: float = TIMEOUT,
    pause: float = PAUSE,
    progress: Callable[[int, int, int], object] = lambda *_: None,
) -> FetchResults:
    """Download the files of a dataset that a folder lacks, each checked by its digest.

    Parameters
    ----------
    name
        A public dataset.
    out
        The folder; made if missing. A file in it or below it, under whatever name, is recognised
        by its bytes and not fetched again.
    only
        Patterns; see `choose_files`.
    base_url
        Address of a mirror; the dataset's own addresses if None.
    jobs
        Connections at once.
    timeout
        Seconds to wait for a connection, and for the next 8 KiB.
    pause
        Seconds to wait between attempts; each further one doubles them.
    progress
        Called several times a second with the number of files done, of all files, and of bytes
        received.

    Raises
    ------
    FaultdiagError
        If the dataset or a pattern is unknown, the address can't be used, none is known, the
        folder can't be read or written, or the server can't be reached.
    """
    source = source_of(name)
    files = _wanted_files(source, only, base_url)
    if out.exists() and not out.is_dir():
        raise FaultdiagError(f"{out} is a file; name a folder with --out")
    results, missing = _settled(source, files, out)
    owned = own_folder(out, "choose another folder with --out") if missing else nullcontext()
    with owned, connect(jobs, timeout, pause) as connection:
        if any((out / file.file).exists() for file in missing):
            # The owner before has fetched them between the look and the lock.
            results, missing = _settled(source, files, out)
        downloads = [Download(file, out / file.file, connection) for file in missing]
        for result in _run(downloads, jobs, lambda n: progress(len(results), len(files), n)):
            results.append(result)
    progress(len(results), len(files), sum(result.received for result in results))
    order = {file.file: number for number, file in enumerate(files)}
    return FetchResults(
        name, out, source, sorted(results, key=lambda result: order[result.file.file])
    )


def _wanted_files(source: Source, only: Sequence[str], base_url: str | None) -> list[RemoteFile]:
    """Return the chosen files of a dataset, at the addresses of a mirror if there is one."""
    files = choose_files(source.files, only, source.patterns)
    if base_url is None:
        return files
    mirror = _mirror(base_url)
    return [replace(file, url=f"{mirror}/{quote(file.file)}") for file in files]


def _settled(
    source: Source, files: Sequence[RemoteFile], out: Path
) -> tuple[list[FileResult], list[RemoteFile]]:
    """Return the results of files that need or allow no download, and the other files.

    Raises
    ------
    FaultdiagError
        If files are missing and no address of any file is known.
    """
    present, blocked = source.survey(out)
    results, missing = [], []
    for file in files:
        problem = _problem(file, source, blocked.get(file.file))
        if file.file in present:
            results.append(FileResult(file, "present", present[file.file]))
        elif problem is not None:
            results.append(FileResult(file, "failed", out / file.file, error=problem))
        else:
            missing.append(file)
    if len(present) < len(files) and not any(file.url for file in files):
        raise FaultdiagError(
            f"no lasting address of the files of {source.title} is known; get them from "
            f"{source.place}, unpack them into {out}, then fetch again to check them"
        )
    return results, missing


def _problem(file: RemoteFile, source: Source, blocked: Path | None) -> str | None:
    """Return why a file can't be fetched, or None."""
    if blocked is not None:
        return (
            f"{blocked} is there with other bytes than the published file; move or delete it, "
            "then fetch again"
        )
    return None if file.url else f"no lasting address is known; get it from {source.place}"


def _run(
    downloads: Sequence[Download], jobs: int, on_tick: Callable[[int], object]
) -> Iterator[FileResult]:
    """Run downloads side by side and iterate over their results as they come.

    Raises
    ------
    FaultdiagError
        If a file can't be written or the server can't be reached; the rest is stopped.
    """
    import pooch

    if not downloads:
        return
    for logger in (pooch.get_logger(), logging.getLogger("urllib3")):
        logger.setLevel(logging.ERROR)
    # The threads are daemons: an interrupt does not wait for a connection that is being made.
    with ThreadPool(jobs) as pool:
        pending = pool.imap_unordered(Download.run, downloads)
        try:
            for _ in downloads:
                yield _next(pending, lambda: on_tick(sum(d.received for d in downloads)))
        except FaultdiagError as error:
            _stop(downloads)
            _wait(pending)
            raise FaultdiagError(f"{error}; fetch again to continue") from error
        finally:
            _stop(downloads)


def _stop(downloads: Sequence[Download]) -> None:
    for download in downloads:
        download.stop()


def _wait(pending: "IMapIterator[FileResult]") -> None:
    """Wait a little for downloads that were stopped: they remove their temporary files."""
    deadline = time.monotonic() + _PATIENCE
    while (left := deadline - time.monotonic()) > 0:
        try:
            pending.next(timeout=left)
        except FaultdiagError:
            continue
        except (StopIteration, NothingYetError):
            return


def _next(pending: "IMapIterator[FileResult]", on_tick: Callable[[], object]) -> FileResult:
    while True:
        on_tick()
        try:
            return pending.next(timeout=_TICK)
        except NothingYetError:
            continue


def _mirror(url: str) -> str:
    """Return an address without its last slash, if files can be below it."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment:
        raise FaultdiagError(
            f"--base-url is '{url}'; give the address of a folder that holds the files, such as "
            "https://example.org/cwru/"
        )
    return url.rstrip("/")
