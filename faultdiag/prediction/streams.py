"""A process that makes things of one task after another and sends them through a pipe.

What it has made waits in the pipe, and it waits with it: so what is made and not yet taken stays
bounded however much a task makes.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from faultdiag.system.processes import begin, inherited, keep_freed_memory

# Bytes that a pipe holds, where the system lets it.
_PIPE = 2**20
# Whether a pipe can be read and written without its connection, as on Windows it can't.
_DIRECT = hasattr(os, "readv")
_END = "end"

Task = TypeVar("Task")
Make = Callable[..., Iterator[Any]]


class LostError(Exception):
    """The process was killed, or ended in another way than it should."""


class Stream(Generic[Task]):
    """A process that works on tasks in the order in which they are given.

    Parameters
    ----------
    make
        What gives the things of a task, in the process: any that can be pickled; arrays of
        float32 go without. A function of a module, because the process imports it.
    more
        Further arguments of `make`, the same for all tasks.
    """

    def __init__(self, make: Callable[..., Iterator[Any]], *more: Any) -> None:
        # Spawned, not forked: a forked child of a process that has used torch can hang.
        context = get_context("spawn")
        theirs, self._give = context.Pipe(duplex=False)
        self._take, sending = context.Pipe(duplex=False)
        with suppress(ImportError, OSError, AttributeError):
            import fcntl

            fcntl.fcntl(sending.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
        self.pending: deque[Task] = deque()
        arguments = (theirs, sending, os.getpid(), make, more)
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        try:
            with inherited():
                self._process.start()
        finally:
            # So that the end of the process is the end of the pipe.
            theirs.close()
            sending.close()

    def give(self, task: Task) -> None:
        """Give a task; what a process that is gone was given is still pending."""
        self.pending.append(task)
        with suppress(OSError):
            self._give.send(task)

    def made(self, patience: float) -> Iterator[Any]:
        """Give what is made of the first pending task, as it comes; then it is no longer pending.

        Parameters
        ----------
        patience
            Seconds of waiting after which a None is given in between.

        Raises
        ------
        LostError
            If the process is gone.
        """
        try:
            while True:
                while not self._take.poll(patience):
                    yield None
                thing = self._take.recv()
                if isinstance(thing, str) and thing == _END:
                    break
                yield self._array(*thing[1:]) if isinstance(thing, tuple) else thing
        except (EOFError, OSError) as error:
            raise LostError from error
        self.pending.popleft()

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self._give.close()
        self._take.close()

    def _array(self, *shape: int) -> NDArray[np.float32]:
        # Read where it is wanted; a connection's own way copies it twice more.
        found = np.empty(shape, np.float32)
        left = found.reshape(-1).view(np.uint8).data
        while left.nbytes:
            count = os.readv(self._take.fileno(), [left])
            if not count:
                raise EOFError
            left = left[count:]
        return found


def _serve(tasks: Connection, results: Connection, parent: int, make: Make, more: Any) -> None:
    begin(parent)
    keep_freed_memory()
    with suppress(EOFError, BrokenPipeError):
        while True:
            for thing in make(tasks.recv(), *more):
                if isinstance(thing, np.ndarray) and _DIRECT:
                    results.send(("array", *thing.shape))
                    _write(results.fileno(), thing)
                else:
                    results.send(thing)
            results.send(_END)


def _write(pipe: int, array: NDArray[np.float32]) -> None:
    left = np.ascontiguousarray(array, np.float32).reshape(-1).view(np.uint8).data
    while left.nbytes:
        left = left[os.write(pipe, left) :]
