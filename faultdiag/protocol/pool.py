"""Cells in processes of their own, of which one may be killed without ending the others."""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from faultdiag.config import Config
from faultdiag.protocol.cell import LESS_MEMORY
from faultdiag.protocol.plan import Cell
from faultdiag.protocol.store import Row

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

# From the config of a cell and its levels of noise to its row.
Work = Callable[[Config, tuple[float, ...]], Row]
Rows = Generator[tuple[Cell, Row]]

# Each worker has one thread: several small networks side by side make better use of the cores
# than one network on all of them.
_ENVIRONMENT = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LOKY_MAX_CPU_COUNT"), "1"
)


def run_cells(cells: Sequence[Cell], work: Work, jobs: int) -> Rows:
    """Run cells and give each with its row as it is finished.

    With one job they run in this process, on as many threads as it has; with more, in processes
    of one thread each. When one of those is killed, as by a system that is out of memory, the
    cells that ran then are run again alone, and so are those that found too little memory.
    Whatever ends the iteration early, an interrupt too, ends the processes.
    """
    if jobs == 1:
        yield from ((cell, work(cell.config, cell.noise)) for cell in cells)
        return
    queue = deque(cells)
    while queue:
        suspects: list[Cell] = []
        yield from _together(queue, suspects, work, jobs)
        for cell in suspects:
            yield cell, _alone(cell, work)


def _together(queue: deque[Cell], suspects: list[Cell], work: Work, jobs: int) -> Rows:
    """Run what is queued until nothing is left, or a cell is to be run again alone."""
    with _workers(jobs) as submit:
        running: dict[Future[Row], Cell] = {}
        while running or (queue and not suspects):
            # No more than run at once: whatever was submitted may have been the killer.
            while queue and len(running) < jobs and not suspects:
                if not (future := submit(work, *_one_thread(queue[0]))):
                    break
                running[future] = queue.popleft()
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                cell = running.pop(future)
                killed = isinstance(future.exception(), BrokenExecutor)
                if killed or future.result().get("memory"):
                    suspects.append(cell)
                else:
                    yield cell, future.result()


def _alone(cell: Cell, work: Work) -> Row:
    with _workers(1) as submit:
        future = submit(work, *_one_thread(cell))
        if future is None or isinstance(future.exception(), BrokenExecutor):
            return {
                "reason": f"its process was killed, alone too, as by a system that is out of "
                f"memory; {LESS_MEMORY}"
            }
        return future.result()


def _one_thread(cell: Cell) -> tuple[Config, tuple[float, ...]]:
    train = cell.config.train.model_copy(update={"threads": 1})
    return cell.config.model_copy(update={"train": train}), cell.noise


@contextmanager
def _workers(jobs: int) -> Iterator[Callable[..., Future[Row] | None]]:
    """Give how to submit work to new processes, none of which outlives the block.

    Submitting gives None once one of them has been killed.
    """
    # Not loky: to end its processes it needs pgrep or psutil, which not every system has.
    # Spawned, not forked: a forked child of a process that has used torch can hang.
    context = get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, initializer=_begin, initargs=(os.getpid(),))
    started: dict[int, BaseProcess] = {}

    def submit(work: Work, *arguments: Any) -> Future[Row] | None:
        try:
            with _inherited():
                return pool.submit(work, *arguments)
        except BrokenExecutor:
            return None
        finally:
            started.update(pool._processes or {})

    try:
        yield submit
    finally:
        for process in started.values():
            process.kill()
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _inherited() -> Iterator[None]:
    """Start processes with one thread each that leave an interrupt to this one."""
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT)
    # Blocked, not ignored: an interrupt that comes now is this process's a moment later.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _begin(parent: int) -> None:
    """End when the parent has ended, however it did."""
    from tqdm import tqdm

    # Its own lock is a semaphore of the system, which a process that is killed leaves behind.
    tqdm.set_lock(threading.RLock())
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
