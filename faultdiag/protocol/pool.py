"""Cells in processes of their own, of which one may be killed without ending the others."""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import contextmanager

from faultdiag.config import Config
from faultdiag.protocol.cell import LESS_MEMORY
from faultdiag.protocol.plan import Cell
from faultdiag.protocol.store import Row

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
                cell = queue.popleft()
                running[submit(work, *_one_thread(cell))] = cell
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
        error = future.exception()
        if isinstance(error, BrokenExecutor):
            return {"reason": f"its process was killed, alone too ({_how(error)}); {LESS_MEMORY}"}
        return future.result()


def _how(error: BaseException) -> str:
    found = [name for name in signal.Signals.__members__ if f"{name}(" in str(error)]
    return f"by {found[0]}" if found else "it ended without a word"


def _one_thread(cell: Cell) -> tuple[Config, tuple[float, ...]]:
    train = cell.config.train.model_copy(update={"threads": 1})
    return cell.config.model_copy(update={"train": train}), cell.noise


@contextmanager
def _workers(jobs: int) -> Iterator[Callable[..., Future[Row]]]:
    """Give how to submit work to new processes, none of which outlives the block."""
    from joblib.externals.loky import ProcessPoolExecutor

    pool = ProcessPoolExecutor(jobs, initializer=_begin, initargs=(os.getpid(),), env=_ENVIRONMENT)
    try:
        yield pool.submit
    finally:
        pool.shutdown(wait=True, kill_workers=True)


def _begin(parent: int) -> None:
    """Leave an interrupt to the parent, and end when it has ended, however it did."""
    from tqdm import tqdm

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Its own lock is a semaphore of the system, which a process that is killed leaves behind.
    tqdm.set_lock(threading.RLock())
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
