"""Full batches from the windows of many recordings, and each result back in its place."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from faultdiag.arrays import Floats, Singles
from faultdiag.prediction.events import (
    Header,
    Pause,
    Probabilities,
    ReadEvent,
    ScoredEvent,
    Windows,
)
from faultdiag.signal.bearings import CONDITIONS, KnownBearing, conditions

Key = TypeVar("Key")

# From windows (size, channels, length) and their conditions (size, 5) to probabilities
# (size, classes).
Score = Callable[[Singles, Singles], Floats]

# Seconds that windows wait at most for others to fill their batch, while others come.
PATIENCE = 1.0
# Stands for conditions that are unknown: those of windows whose result doesn't depend on them, or
# isn't used.
_ANY = 1.0


def _conditions(rpm: float | None, bearing: KnownBearing | None) -> Singles:
    known = np.array(conditions(rpm, bearing), np.float32)
    return np.where(np.isnan(known), np.float32(_ANY), known)


class _Batch:
    """Windows ``(size, channels, length)`` and their conditions, and later their probabilities."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.windows = np.zeros(shape, np.float32)
        self.conditions = np.full((shape[0], len(CONDITIONS)), _ANY, np.float32)
        self.filled = 0
        self.since = time.monotonic()
        self.future: Future[Floats] | None = None

    def put(self, windows: Singles, conditions: Singles) -> slice:
        """Copy windows ``(channels, windows, length)`` into it and return their places."""
        places = slice(self.filled, self.filled + windows.shape[1])
        self.windows[places] = windows.transpose(1, 0, 2)
        self.conditions[places] = conditions
        self.filled = places.stop
        return places


@dataclass(frozen=True, slots=True)
class _Pending:
    """Windows in a batch whose probabilities aren't there yet."""

    batch: _Batch
    places: slice


class Batching(Generic[Key]):
    """Turns a stream of events with windows into the same stream with their probabilities.

    All batches have the same size; the rest of one that is not full is zeros or earlier windows,
    whose result is not used. So the result for a window doesn't depend on how many others there
    are, by which a network would choose the order in which it adds numbers.

    Parameters
    ----------
    score
        Computes the probabilities of a batch.
    shape
        Shape of a batch: windows, channels, length.
    pool
        Threads that compute batches.
    threads
        How many of them work at once.
    """

    def __init__(
        self,
        score: Score,
        shape: tuple[int, int, int],
        pool: ThreadPoolExecutor,
        *,
        threads: int = 1,
    ) -> None:
        self._score = score
        self._shape = shape
        self._pool = pool
        self._threads = threads
        self._conditions = _conditions(None, None)
        self._free: list[_Batch] = []
        self._filling: _Batch | None = None
        self._running: deque[_Batch] = deque()
        self._waiting: deque[tuple[Key, ScoredEvent | _Pending]] = deque()

    def run(
        self, events: Iterable[tuple[Key, ReadEvent] | Pause]
    ) -> Iterator[tuple[Key, ScoredEvent]]:
        """Yield the events in their order, windows as one or more pieces of probabilities.

        Parameters
        ----------
        events
            Each with the key of its recording. At a pause, a batch that is not full is computed.
        """
        for event in events:
            if isinstance(event, Pause):
                yield from self._flush()
                continue
            yield from self._take(*event)
            if self._filling and time.monotonic() - self._filling.since > PATIENCE:
                self._submit()
            yield from self._finished(self._threads + 1)
        yield from self._flush()

    def _take(self, key: Key, event: ReadEvent) -> Iterator[tuple[Key, ScoredEvent]]:
        match event:
            case Windows(values):
                yield from self._fill(key, values)
            case Header(rpm=rpm, bearing=bearing):
                self._conditions = _conditions(rpm, bearing)
                self._waiting.append((key, event))
            case _:
                self._waiting.append((key, event))

    def _fill(self, key: Key, values: Singles) -> Iterator[tuple[Key, ScoredEvent]]:
        size, channels, length = self._shape
        windows = values.reshape(channels, -1, length)
        done = 0
        while done < windows.shape[1]:
            batch = self._filling = self._filling or self._empty()
            count = min(windows.shape[1] - done, size - batch.filled)
            places = batch.put(windows[:, done : done + count], self._conditions)
            self._waiting.append((key, _Pending(batch, places)))
            done += count
            if batch.filled == size:
                self._submit()
                yield from self._finished(self._threads + 1)

    def _empty(self) -> _Batch:
        if not self._free:
            return _Batch(self._shape)
        batch = self._free.pop()
        batch.filled, batch.since, batch.future = 0, time.monotonic(), None
        return batch

    def _submit(self) -> None:
        batch = self._filling
        if batch is not None:
            batch.future = self._pool.submit(self._score, batch.windows, batch.conditions)
            self._running.append(batch)
        self._filling = None

    def _flush(self) -> Iterator[tuple[Key, ScoredEvent]]:
        self._submit()
        yield from self._finished(0)

    def _finished(self, most: int) -> Iterator[tuple[Key, ScoredEvent]]:
        """Yield what is finished; wait for it while more than `most` batches are running."""
        while self._waiting:
            key, event = self._waiting[0]
            if isinstance(event, _Pending):
                future = event.batch.future
                if future is None or not (future.done() or len(self._running) > most):
                    return
                event = Probabilities(future.result()[event.places])
            self._waiting.popleft()
            self._release()
            yield key, event

    def _release(self) -> None:
        """Take back finished batches, to be reused."""
        pending = (event for _, event in self._waiting if isinstance(event, _Pending))
        first = next((event.batch for event in pending), None)
        while self._running and self._running[0] is not first:
            self._free.append(self._running.popleft())
