"""Full batches out of the windows of many recordings, and what belongs to whom behind them."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Key = TypeVar("Key")
Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

# From windows (size, channels, length) and shaft speeds in rpm (size,) to probabilities
# (size, classes).
Score = Callable[[Singles, Singles], Floats]

# Seconds that windows wait for others to fill their batch with, at most, while others come.
PATIENCE = 1.0
# What stands for the speed of windows whose result doesn't depend on it, or is thrown away.
_ANY_RPM = 60.0


class _Batch:
    """Windows ``(size, channels, length)`` and their speeds, and later what is said of them."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.windows = np.zeros(shape, np.float32)
        self.rpm = np.full(shape[0], _ANY_RPM, np.float32)
        self.filled = 0
        self.since = time.monotonic()
        self.future: Future[Floats] | None = None

    def put(self, windows: Singles, rpm: float) -> slice:
        """Copy windows ``(channels, windows, length)`` into it; give their places."""
        places = slice(self.filled, self.filled + windows.shape[1])
        self.windows[places] = windows.transpose(1, 0, 2)
        self.rpm[places] = rpm
        self.filled = places.stop
        return places


class Batching(Generic[Key]):
    """Passes a stream of parts on, its windows as probabilities.

    All batches have the same size, the rest of one that is not full being zeros or earlier
    windows, whose result is thrown away: so that what a network says of a window doesn't depend
    on how many others there are, by which it would choose in which order to add up numbers.

    Parameters
    ----------
    score
        What is asked of a batch.
    shape
        Of a batch: windows, channels, length.
    threads
        Batches that are worked on at once, each in a thread.
    begin
        What such a thread does first.
    """

    def __init__(
        self,
        score: Score,
        shape: tuple[int, int, int],
        *,
        threads: int = 1,
        begin: Callable[[], object] | None = None,
    ) -> None:
        self._score = score
        self._shape = shape
        self._threads = threads
        self._begin = begin
        self._free: list[_Batch] = []
        self._filling: _Batch | None = None
        self._under_way: deque[_Batch] = deque()
        self._waiting: deque[tuple[Key, Any, _Batch | None]] = deque()

    def run(self, parts: Iterable[tuple[Key, Any] | None]) -> Iterator[tuple[Key, Any]]:
        """Give the parts in their order, each array of windows as one or more of probabilities.

        Parameters
        ----------
        parts
            Each with whose it is. Windows are ``(channels, windows x length)``; what has an
            attribute `rpm` says the speed of those that follow. None stands for a time in which
            nothing came: then a batch is not waited for until it is full.
        """
        with ThreadPoolExecutor(self._threads, initializer=self._begin) as pool:
            rpm = _ANY_RPM
            for part in parts:
                if part is None:
                    yield from self._flush(pool)
                    continue
                key, thing = part
                if isinstance(thing, np.ndarray):
                    yield from self._fill(key, thing, rpm, pool)
                else:
                    rpm = float(getattr(thing, "rpm", None) or _ANY_RPM)
                    self._waiting.append((key, thing, None))
                if self._filling and time.monotonic() - self._filling.since > PATIENCE:
                    self._send(pool)
                yield from self._done(self._threads + 1)
            yield from self._flush(pool)

    def _fill(
        self, key: Key, windows: Singles, rpm: float, pool: ThreadPoolExecutor
    ) -> Iterator[tuple[Key, Any]]:
        size, channels, length = self._shape
        apart = windows.reshape(channels, -1, length)
        done = 0
        while done < apart.shape[1]:
            batch = self._filling = self._filling or self._fresh()
            count = min(apart.shape[1] - done, size - batch.filled)
            places = batch.put(apart[:, done : done + count], rpm)
            self._waiting.append((key, places, batch))
            done += count
            if batch.filled == size:
                self._send(pool)
                yield from self._done(self._threads + 1)

    def _fresh(self) -> _Batch:
        if not self._free:
            return _Batch(self._shape)
        batch = self._free.pop()
        batch.filled, batch.since, batch.future = 0, time.monotonic(), None
        return batch

    def _send(self, pool: ThreadPoolExecutor) -> None:
        batch = self._filling
        if batch is not None:
            batch.future = pool.submit(self._score, batch.windows, batch.rpm)
            self._under_way.append(batch)
        self._filling = None

    def _flush(self, pool: ThreadPoolExecutor) -> Iterator[tuple[Key, Any]]:
        self._send(pool)
        yield from self._done(0)

    def _done(self, most: int) -> Iterator[tuple[Key, Any]]:
        """Give what is finished; wait for it while more than so many batches are under way."""
        while self._waiting:
            key, thing, batch = self._waiting[0]
            if batch is not None:
                future = batch.future
                if future is None or not (future.done() or len(self._under_way) > most):
                    return
                thing = future.result()[thing]
            self._waiting.popleft()
            self._release()
            yield key, thing

    def _release(self) -> None:
        """Take back the batches of which nothing is waited for any more."""
        awaited = next((batch for _, _, batch in self._waiting if batch is not None), None)
        while self._under_way and self._under_way[0] is not awaited:
            self._free.append(self._under_way.popleft())
