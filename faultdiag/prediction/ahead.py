"""Recordings read in processes of their own, ahead of the model, in their order.

What it has read waits in the pipe, and it waits with it: what is read and not yet taken stays
bounded however long a recording is.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from faultdiag.prediction.events import End, Failure, Pause, ReadEvent, Windows
from faultdiag.prediction.reading import ModelInput, ReadRequest, one_line, read_events
from faultdiag.readers.read import too_slow
from faultdiag.system.deadline import report_progress
from faultdiag.system.processes import begin, inherited, keep_freed_memory

# Recordings per process that are requested and not yet diagnosed. The process holds one of them,
# or a piece of it, and the pipe as much as fits into it.
AHEAD = 3
# Seconds without an event after which a pause is reported.
PATIENCE = 1.0
# Seconds that a process has, beyond twice the time limit of a file, to notice the limit itself:
# what it calls may not return.
GRACE = 10.0


def read_ahead(
    requests: Iterable[ReadRequest], model: ModelInput, jobs: int, limit: float | None = None
) -> Generator[tuple[ReadRequest, ReadEvent] | Pause]:
    """Yield the events of each file, file by file in their order.

    With one job the files are read in this process, each when it is needed; with more, in that
    many processes, each a little ahead. A `Pause` comes whenever no event came for `PATIENCE`
    seconds. When a process is killed, as by a system that is out of memory, the file that it was
    reading is read once more in a new process; if that is killed too, the file fails. So does a
    file of which nothing is read for `limit` seconds; a process that doesn't notice the limit is
    killed. Whatever ends the iteration early, an interrupt too, ends the processes.
    """
    if jobs == 1:
        for request in requests:
            yield from ((request, event) for event in read_events(request, model, limit))
        return
    with ExitStack() as stack:
        readers = [stack.enter_context(closing(_Reader(model, limit))) for _ in range(jobs)]
        waiting, order = iter(requests), deque[tuple[ReadRequest, _Reader]]()
        for request in islice(waiting, AHEAD * jobs):
            order.append((request, readers[len(order) % jobs]))
            order[-1][1].submit(request)
        while order:
            request, reader = order.popleft()
            for event in reader.events():
                yield event if isinstance(event, Pause) else (request, event)
            for following in islice(waiting, 1):
                order.append((following, reader))
                reader.submit(following)


class _Reader:
    """A process that reads files; another takes its place when it is killed."""

    def __init__(self, model: ModelInput, limit: float | None) -> None:
        self._more = (model, limit)
        self._limit = limit
        self._patience = (PATIENCE, None if limit is None else 2 * limit + GRACE)
        self._stream: Stream[ReadRequest] = Stream(read_events, *self._more)

    def submit(self, request: ReadRequest) -> None:
        self._stream.submit(request)

    def events(self) -> Iterator[ReadEvent | Pause]:
        """Yield the events of the first file that was submitted and not yet read."""
        count = 0
        try:
            for event in self._stream.events(*self._patience):
                count += not isinstance(event, Pause)
                yield event
        except LostError:
            self._restart()
            yield from self._once_more(count)
        except HungError:
            yield from self._hung()

    def _once_more(self, skipped: int) -> Iterator[ReadEvent | Pause]:
        """Read the first file again; its first events are those that were yielded before."""
        request = self._stream.pending[0]
        try:
            for event in self._stream.events(*self._patience):
                skipped -= not isinstance(event, Pause)
                if isinstance(event, Pause) or skipped < 0:
                    yield event
        except HungError:
            yield from self._hung()
        except LostError:
            self._stream.pending.popleft()
            self._restart()
            yield Failure(
                f"{request.path}: the process that read it was killed, twice, as by a system that "
                "is out of memory; free some, or cut the recording into shorter ones"
            )
            yield End()

    def _hung(self) -> Iterator[ReadEvent]:
        request = self._stream.pending.popleft()
        self._restart()
        yield Failure(one_line(too_slow(request.path, self._limit)))
        yield End()

    def _restart(self) -> None:
        lost = self._stream
        lost.close()
        self._stream = Stream(read_events, *self._more)
        for request in lost.pending:
            self._stream.submit(request)

    def close(self) -> None:
        self._stream.close()


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


_Message: TypeAlias = ReadEvent | _Alive | _RawWindows


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

    def __init__(self, work: Work, *more: object) -> None:
        # Spawned, not forked: a forked child of a process that has used torch can hang.
        context = get_context("spawn")
        tasks, self._tasks = context.Pipe(duplex=False)
        self._events, sending = context.Pipe(duplex=False)
        with suppress(ImportError, OSError, AttributeError):
            import fcntl

            for end in (sending, self._tasks):
                fcntl.fcntl(end.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
        self.pending: deque[Task] = deque()
        self._received: deque[_Message] = deque()
        arguments = (tasks, sending, os.getpid(), work)
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        try:
            with inherited():
                self._process.start()
        finally:
            # So that the end of the process is the end of the pipe.
            tasks.close()
            sending.close()
        # Not among the arguments: while these are written, nobody notices that the process died,
        # and what is more than a pipe holds is waited for until the process has imported all.
        self._send(more)

    def submit(self, task: Task) -> None:
        """Add a task; it is pending even if the process is gone."""
        self.pending.append(task)
        self._send(task)

    def _send(self, message: object) -> None:
        with suppress(OSError):
            self._tasks.send(message)

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
                while not (self._received or self._events.poll(patience)):
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
        if not self._received:
            self._received.extend(self._events.recv())
        received = self._received.popleft()
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


def _serve(tasks: Connection, events: Connection, parent: int, work: Work) -> None:
    begin(parent)
    keep_freed_memory()
    report_progress(lambda: events.send([_Alive()]))
    with suppress(EOFError, BrokenPipeError):
        more = tasks.recv()
        while True:
            _send_events(work(tasks.recv(), *more), events)


def _send_events(stream: Iterator[ReadEvent], pipe: Connection) -> None:
    """Send the events of a task; small ones go with the next large one, or with the end.

    Each message costs both sides a few calls of the system.
    """
    waiting: list[_Message] = []
    for event in stream:
        if isinstance(event, Windows) and _DIRECT:
            pipe.send([*waiting, _RawWindows(event.values.shape)])
            _write(pipe.fileno(), event.values)
            waiting = []
        else:
            waiting.append(event)
        if isinstance(event, End) or not _DIRECT:
            pipe.send(waiting)
            waiting = []


def _write(pipe: int, array: NDArray[np.float32]) -> None:
    left = np.ascontiguousarray(array, np.float32).reshape(-1).view(np.uint8).data
    while left.nbytes:
        left = left[os.write(pipe, left) :]
