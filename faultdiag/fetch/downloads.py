"""Several downloads at once: a few threads that take files from a list."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence

from faultdiag.errors import FaultdiagError
from faultdiag.fetch.attempts import Download, Pace, Row, StoppedError

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
