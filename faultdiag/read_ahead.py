"""Recordings read and resampled in processes of their own, ahead of the model, in order."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Future

from faultdiag.reading import Asked, Needs, Ready, try_ready
from faultdiag.workers import workers

# Recordings per process that may be read and not yet diagnosed: what bounds the memory.
AHEAD = 3

Read = Ready | str


def read_ahead(files: Iterable[Asked], needs: Needs, jobs: int) -> Generator[tuple[Asked, Read]]:
    """Give each file with its recording at the model's rate, or the message why there is none.

    With one job the files are read in this process, each when it is asked for; with more, in so
    many processes, `AHEAD` for each of them at most. When a process is killed, as by a system
    that is out of memory, the files that were being read are read again alone, and the one that
    it is killed for again gives a message. Whatever ends the iteration early, an interrupt too,
    ends the processes.
    """
    if jobs == 1:
        yield from ((one, try_ready(one, needs)) for one in files)
        return
    waiting = iter(files)
    while True:
        suspects: list[tuple[Asked, Future[Read]]] = []
        yield from _together(waiting, suspects, needs, jobs)
        if not suspects:
            return
        for one, future in suspects:
            killed = isinstance(future.exception(), BrokenExecutor)
            yield one, _alone(one, needs) if killed else future.result()


def _together(
    waiting: Iterator[Asked], suspects: list[tuple[Asked, Future[Read]]], needs: Needs, jobs: int
) -> Generator[tuple[Asked, Read]]:
    """Read until nothing is left, or a process was killed: `suspects` is what was under way."""
    with workers(jobs) as submit:
        ahead: deque[tuple[Asked, Future[Read]]] = deque()
        while True:
            while len(ahead) < AHEAD * jobs and (one := next(waiting, None)) is not None:
                future = submit(try_ready, one, needs)
                if future is None:
                    future = _broken()
                ahead.append((one, future))
                if future.done() and future.exception() is not None:
                    break
            if not ahead:
                return
            if isinstance(ahead[0][1].exception(), BrokenExecutor):
                suspects += ahead
                return
            one, future = ahead.popleft()
            yield one, future.result()


def _broken() -> Future[Read]:
    future: Future[Read] = Future()
    future.set_exception(BrokenExecutor())
    return future


def _alone(one: Asked, needs: Needs) -> Read:
    with workers(1) as submit:
        future = submit(try_ready, one, needs)
        if future is None or isinstance(future.exception(), BrokenExecutor):
            return (
                f"{one.path}: the process that read it was killed, alone too, as by a system that "
                "is out of memory; free some, or cut the recording into shorter ones"
            )
        read: Read = future.result()
        return read
