"""Cells in processes of their own, of which one may be killed without ending the others."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait

from faultdiag.config import Config
from faultdiag.protocol.cell import LESS_MEMORY
from faultdiag.protocol.plan import Cell
from faultdiag.protocol.store import Row
from faultdiag.workers import workers

# From the config of a cell and its levels of noise to its row.
Work = Callable[[Config, tuple[float, ...]], Row]
Rows = Generator[tuple[Cell, Row]]


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
    with workers(jobs) as submit:
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
    with workers(1) as submit:
        future = submit(work, *_one_thread(cell))
        if future is None or isinstance(future.exception(), BrokenExecutor):
            return {
                "reason": f"its process was killed, alone too, as by a system that is out of "
                f"memory; {LESS_MEMORY}"
            }
        row: Row = future.result()
        return row


def _one_thread(cell: Cell) -> tuple[Config, tuple[float, ...]]:
    train = cell.config.train.model_copy(update={"threads": 1})
    return cell.config.model_copy(update={"train": train}), cell.noise
