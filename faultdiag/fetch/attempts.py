"""Downloads that are tried again."""

import queue
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from faultdiag.errors import FaultdiagError
from faultdiag.fetch.transfer import BrokenError, BusyError, Part, RefusedError, Transfer, Wanted

Status: TypeAlias = Literal["present", "fetched", "failed"]

# Attempts in a row that bring no new byte; one that brings some starts the count anew.
ATTEMPTS = 5
# Wrong bytes may be those of a damaged part; those of a fresh download are the server's.
MOST_WRONG = 2
LONGEST_PAUSE = 60.0
# A server that asks for more is asked again another day.
LONGEST_WAIT = 300.0


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one file.

    Parameters
    ----------
    wanted
        The file.
    status
        Whether it was there, was fetched, or neither.
    path
        Where it lies, or would.
    received
        Bytes downloaded for it.
    error
        Why there is none.
    """

    wanted: Wanted
    status: Status
    path: Path
    received: int = 0
    error: str | None = None


class UnreachableError(FaultdiagError):
    """No answer from the server: no other file would come either."""


class StoppedError(Exception):
    """The whole run is to end."""


class Pace:
    """How long to wait: each worker after its failures, all of them where the server asks.

    Parameters
    ----------
    pause
        Seconds after the first failure; each further one doubles it, give or take a half, so
        that workers that failed together do not come back together.
    """

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._until = 0.0
        self._stop = threading.Event()

    def stop(self) -> None:
        """End all waiting."""
        self._stop.set()

    def hold(self, seconds: float) -> None:
        """Let no request begin before so many seconds have passed."""
        self._until = max(self._until, time.monotonic() + seconds)

    def wait(self) -> None:
        """Wait as long as a server asked."""
        while (left := self._until - time.monotonic()) > 0 and not self._stop.is_set():
            self._stop.wait(left)
        if self._stop.is_set():
            raise StoppedError

    def back_off(self, failures: int) -> None:
        """Wait after so many failures in a row."""
        seconds = self._pause * 2.0 ** (failures - 1) * random.uniform(0.5, 1.5)
        if failures:
            self._stop.wait(min(seconds, LONGEST_PAUSE))


class Download:
    """The way of one file from a server to its place.

    Parameters
    ----------
    wanted
        The file.
    url
        Its address.
    target
        Its final place.
    pace
        Shared by all downloads of a run.
    timeout
        Seconds, for each attempt to connect and each piece to come.
    """

    def __init__(
        self, wanted: Wanted, url: str, target: Path, *, pace: Pace, timeout: float
    ) -> None:
        self.transfer: Transfer | None = None
        self._earlier = 0
        self._wanted = wanted
        self._url = url
        self._target = target
        self._pace = pace
        self._timeout = timeout
        self._farthest = 0
        self._failures = 0
        self._wrong = 0

    @property
    def received(self) -> int:
        """Bytes that came, in all attempts."""
        return self._earlier + (self.transfer.received if self.transfer else 0)

    def run(self) -> Row:
        """Fetch the file.

        Raises
        ------
        CannotWriteError, UnreachableError
            If no other file would fare better.
        StoppedError
            If the run ended meanwhile.
        """
        try:
            with Part(self._target) as part:
                return self._run(part)
        except BusyError:
            return self._failed("another faultdiag fetch is downloading it; wait for that one")
        except RefusedError as error:
            return self._failed(f"{self._url}: {error}")

    def _run(self, part: Part) -> Row:
        if self._is_there():  # another process was faster
            return Row(self._wanted, "present", self._target)
        # The part may be whole: a process can be killed between its last byte and its name.
        complete = bool(part.length) and self._wanted.difference(part.path) is None
        while not complete:
            self._farthest = max(self._farthest, part.length)
            try:
                self._attempt(part)
            except BrokenError as error:
                self._note(error, part.length)
                continue
            complete = self._check(part)
        part.finish()
        return Row(self._wanted, "fetched", self._target, self.received)

    def _attempt(self, part: Part) -> None:
        self._pace.back_off(self._failures)
        self._pace.wait()
        transfer = Transfer(self._url, part, most=self._wanted.most, timeout=self._timeout)
        self._earlier, self.transfer = self.received, transfer
        transfer.run()

    def _note(self, error: BrokenError, length: int) -> None:
        """Count a broken attempt, or give up."""
        farther = length > self._farthest
        self._failures = 1 if farther else self._failures + 1
        if self._failures >= ATTEMPTS:
            if not error.reached:
                raise UnreachableError(f"{self._url} cannot be reached: {error}") from error
            raise RefusedError(f"{error}, {ATTEMPTS} times") from error
        if error.wait is not None and error.wait > LONGEST_WAIT:
            raise RefusedError(f"{error} and asks to wait {error.wait:.0f} s; try again then")
        if error.wait is not None:
            self._pace.hold(error.wait)

    def _check(self, part: Part) -> bool:
        """Tell whether a part is the file; discard it where not, the second time for good."""
        difference = self._wanted.difference(part.path)
        if difference is None:
            return True
        page = _page(part.path)
        part.restart()
        self._wrong += 1
        self._farthest = 0
        if self._wrong >= MOST_WRONG:
            raise RefusedError(f"{page}its {difference}; discarded")
        return False

    def _is_there(self) -> bool:
        return self._target.exists() and self._wanted.difference(self._target) is None

    def _failed(self, why: str) -> Row:
        return Row(self._wanted, "failed", self._target, self.received, why)


def _page(path: Path) -> str:
    with path.open("rb") as file:
        begins = file.read(200).lstrip().lower()
    html = begins.startswith((b"<!doctype", b"<html", b"<?xml", b"<head"))
    return "the server sent a web page in its place: " if html else ""


_TICK = 0.2


class Downloads:
    """Downloads that share a pace, so many at once.

    Parameters
    ----------
    downloads
        What to do.
    pace
        What they wait by.
    jobs
        How many at once.
    """

    def __init__(self, downloads: Sequence[Download], *, pace: Pace, jobs: int) -> None:
        self._downloads = downloads
        self._pace = pace
        self._jobs = min(jobs, len(downloads))
        self._waiting = iter(downloads)
        self._taking = threading.Lock()
        self._outcomes: queue.SimpleQueue[Row | FaultdiagError | None] = queue.SimpleQueue()

    @property
    def received(self) -> int:
        """Bytes that came so far."""
        return sum(download.received for download in self._downloads)

    def rows(self, on_tick: Callable[[], object]) -> Iterator[Row]:
        """Give the rows as they come.

        Parameters
        ----------
        on_tick
            Called several times a second.

        Raises
        ------
        FaultdiagError
            If the folder takes no more or the server can't be reached; nothing else is tried.
        """
        # Daemons: who interrupts the run does not wait for a connection that is being made.
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self._jobs)]
        try:
            for thread in threads:
                thread.start()
            for _ in self._downloads:
                yield self._next(on_tick)
        finally:
            self._end(threads)

    def _next(self, on_tick: Callable[[], object]) -> Row:
        while True:
            on_tick()
            self._watch()
            try:
                outcome = self._outcomes.get(timeout=_TICK)
            except queue.Empty:
                continue
            if isinstance(outcome, Row):
                return outcome
            raise outcome or RuntimeError("a download ended without an outcome")

    def _watch(self) -> None:
        for download in self._downloads:
            transfer = download.transfer
            if transfer is not None and transfer.stalled():
                transfer.abort("the connection stalled")

    def _work(self) -> None:
        while (download := self._take()) is not None:
            outcome: Row | FaultdiagError | None = None
            try:
                outcome = download.run()
            except StoppedError:
                return
            except FaultdiagError as error:
                outcome = error
            finally:
                self._outcomes.put(outcome)
            if not isinstance(outcome, Row):
                # Only now: the error must be the first outcome that is none.
                self._pace.stop()
                return

    def _take(self) -> Download | None:
        with self._taking:
            return next(self._waiting, None)

    def _end(self, threads: Sequence[threading.Thread]) -> None:
        self._pace.stop()
        for download in self._downloads:
            if download.transfer is not None:
                download.transfer.abort("stopped")
        for thread in threads:
            thread.join(timeout=1.0)
