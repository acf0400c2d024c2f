"""A process that reads one recording after another and sends its events through a pipe.

What it has read waits in the pipe, and it waits with it: what is read and not yet taken stays
bounded however long a recording is.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from faultdiag.prediction.events import End, Pause, ReadEvent, Windows
from faultdiag.system.deadline import report_progress
from faultdiag.system.processes import begin, inherited, keep_freed_memory

# Bytes that a pipe holds, where the system allows it.
_PIPE = 2**20
# Whether a pipe can be read and written without its connection; on Windows it can't.
_DIRECT = hasattr(os, "readv")

Task = TypeVar("Task")
Work = Callable[..., Iterator[ReadEvent]]


class LostError(Exception):
    """The process was killed, or ended in another way than it should."""


class HungError(Exception):
    """The process has shown no sign of progress for too long."""


@dataclass(frozen=True, slots=True)
class _Alive:
    """The process has made progress."""


@dataclass(frozen=True, slots=True)
class _RawWindows:
    """Windows of this shape follow in the pipe as plain bytes."""

    shape: tuple[int, ...]


class Stream(Generic[Task]):
    """A process that works on tasks in the order in which they are submitted.

    Parameters
    ----------
    work
        Yields the events of a task, in the process; the last one is an `End`. A function of a
        module, because the process imports it.
    more
        Further arguments of `work`, the same for all tasks.
    """

    def __init__(self, work: Work, *more: Any) -> None:
        # Spawned, not forked: a forked child of a process that has used torch can hang.
        context = get_context("spawn")
        tasks, self._tasks = context.Pipe(duplex=False)
        self._events, sending = context.Pipe(duplex=False)
        with suppress(ImportError, OSError, AttributeError):
            import fcntl

            fcntl.fcntl(sending.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
        self.pending: deque[Task] = deque()
        arguments = (tasks, sending, os.getpid(), work, more)
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        try:
            with inherited():
                self._process.start()
        finally:
            # So that the end of the process is the end of the pipe.
            tasks.close()
            sending.close()

    def submit(self, task: Task) -> None:
        """Add a task; it is pending even if the process is gone."""
        self.pending.append(task)
        with suppress(OSError):
            self._tasks.send(task)

    def events(self, patience: float, limit: float | None = None) -> Iterator[ReadEvent | Pause]:
        """Yield the events of the first pending task as they come; then it is done.

        Parameters
        ----------
        patience
            Seconds without an event after which a `Pause` is yielded.
        limit
            Seconds that the process may work without an event or a sign of progress.

        Raises
        ------
        LostError
            If the process is gone.
        HungError
            If the limit has passed.
        """
        try:
            while True:
                waited_from = time.monotonic()
                while not self._events.poll(patience):
                    if limit is not None and time.monotonic() - waited_from > limit:
                        raise HungError
                    yield Pause()
                event = self._receive()
                if isinstance(event, _Alive):
                    continue
                if isinstance(event, End):
                    break
                yield event
        except (EOFError, OSError) as error:
            raise LostError from error
        self.pending.popleft()
        yield End()

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self._tasks.close()
        self._events.close()

    def _receive(self) -> ReadEvent | _Alive:
        received: ReadEvent | _Alive | _RawWindows = self._events.recv()
        if not isinstance(received, _RawWindows):
            return received
        # Read into its place: a connection's own way copies it twice more.
        values = np.empty(received.shape, np.float32)
        left = values.reshape(-1).view(np.uint8).data
        while left.nbytes:
            count = os.readv(self._events.fileno(), [left])
            if not count:
                raise EOFError
            left = left[count:]
        return Windows(values)


def _serve(tasks: Connection, events: Connection, parent: int, work: Work, more: Any) -> None:
    begin(parent)
    keep_freed_memory()
    report_progress(lambda: events.send(_Alive()))
    with suppress(EOFError, BrokenPipeError):
        while True:
            for event in work(tasks.recv(), *more):
                if isinstance(event, Windows) and _DIRECT:
                    events.send(_RawWindows(event.values.shape))
                    _write(events.fileno(), event.values)
                else:
                    events.send(event)


def _write(pipe: int, array: NDArray[np.float32]) -> None:
    left = np.ascontiguousarray(array, np.float32).reshape(-1).view(np.uint8).data
    while left.nbytes:
        left = left[os.write(pipe, left) :]
