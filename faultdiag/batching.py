"""Full batches out of the windows of many recordings, and what belongs to whom behind them."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Key = TypeVar("Key")

# Seconds that windows wait for others to fill their batch with, at most, while others come.
PATIENCE = 1.0


class Batching(Generic[Key]):
    """Passes a stream of parts on, its windows as probabilities.

    All batches have the same size, the rest of one that is not full being earlier windows whose
    result is thrown away: so that what a network says of a window doesn't depend on how many
    others there are, which decides in which order it adds up numbers.

    Parameters
    ----------
    score
        From windows ``(size, channels, length)`` and shaft speeds in rpm ``(size,)`` to
        probabilities ``(size, classes)``.
    size, channels, length
        Of a batch.
    """

    def __init__(
        self,
        score: Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float64]],
        size: int,
        channels: int,
        length: int,
    ) -> None:
        self._score = score
        self._windows = np.zeros((size, channels, length), np.float32)
        self._rpm = np.zeros(size, np.float32)
        self._filled = 0
        self._since = 0.0
        self._waiting: deque[tuple[Key, Any]] = deque()

    def run(self, parts: Iterable[tuple[Key, Any] | None]) -> Iterator[tuple[Key, Any]]:
        """Give the parts in their order, each array of windows as one or more of probabilities.

        Parameters
        ----------
        parts
            Each with whose it is. Windows are ``(channels, windows x length)``; what has an
            attribute `rpm` says the speed of those that follow. None stands for a time in which
            nothing came: then a batch is not waited for until it is full.
        """
        rpm = np.float32(0)
        for part in parts:
            if part is None:
                yield from self._flush()
                continue
            key, thing = part
            rpm = np.float32(getattr(thing, "rpm", rpm) or 0)
            if isinstance(thing, np.ndarray):
                yield from self._fill(key, thing, rpm)
            elif self._filled:
                self._waiting.append((key, thing))
            else:
                yield key, thing
            if self._filled and time.monotonic() - self._since > PATIENCE:
                yield from self._flush()
        yield from self._flush()

    def _fill(
        self, key: Key, windows: NDArray[np.float32], rpm: np.float32
    ) -> Iterator[tuple[Key, Any]]:
        size, channels, length = self._windows.shape
        # (channels, windows, length): views of what was read, copied once, into the batch.
        apart = windows.reshape(channels, -1, length)
        done = 0
        while done < apart.shape[1]:
            if not self._filled:
                self._since = time.monotonic()
            count = min(apart.shape[1] - done, size - self._filled)
            places = slice(self._filled, self._filled + count)
            self._windows[places] = apart[:, done : done + count].transpose(1, 0, 2)
            self._rpm[places] = rpm
            self._waiting.append((key, places))
            self._filled, done = places.stop, done + count
            if self._filled == size:
                yield from self._flush()

    def _flush(self) -> Iterator[tuple[Key, Any]]:
        probabilities = self._score(self._windows, self._rpm) if self._filled else None
        self._filled = 0
        while self._waiting:
            key, thing = self._waiting.popleft()
            if probabilities is not None and isinstance(thing, slice):
                yield key, probabilities[thing]
            else:
                yield key, thing
