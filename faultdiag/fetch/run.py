"""Fetch a public dataset."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from multiprocessing import TimeoutError as NothingYetError
from multiprocessing.pool import IMapIterator, ThreadPool
from pathlib import Path
from urllib.parse import quote, urlsplit

from faultdiag.errors import FaultdiagError
from faultdiag.fetch.download import Download, FileResult, connect
from faultdiag.fetch.sources import RemoteFile, Source, choose_files, source_of
from faultdiag.system.locks import own_folder

TIMEOUT = 30.0
PAUSE = 1.0
_TICK = 0.2
# Seconds to wait for downloads that were stopped.
_PATIENCE = 2.0


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
