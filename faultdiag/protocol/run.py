"""Run the cells of a protocol in a pool of processes, or on a Dask cluster."""

import json
import shutil
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import closing, contextmanager, redirect_stderr
from dataclasses import dataclass, field
from functools import partial
from io import StringIO
from pathlib import Path

from tqdm import tqdm

from faultdiag.config.schema import Config
from faultdiag.documents import Json
from faultdiag.errors import FaultdiagError, counted
from faultdiag.preparing.prepare import drawing_seed, prepare
from faultdiag.protocol.cell import LESS_MEMORY, Failure, run_cell
from faultdiag.protocol.plan import Cell, Plan
from faultdiag.protocol.results import Result, Row, Store, cell_key
from faultdiag.system.cluster import DaskCluster, Shard, WorkersKilled
from faultdiag.system.files import write_errors
from faultdiag.system.locks import own_file
from faultdiag.system.processes import workers
from faultdiag.system.terminal import note

WORKING = ".working"
"""The folder in that of a protocol where cells are trained."""
# From the config of a cell and its levels of noise to its row.
Work = Callable[[Config, tuple[str, ...]], Row]
Rows = Generator[tuple[Cell, Row]]


def run_cells(cells: Sequence[Cell], work: Work, jobs: int) -> Rows:
    """Run cells and return each with its row as it is finished.

    With one job they run in this process, on as many threads as it has; with more, in processes
    of one thread each. When one of those is killed, as by a system that is out of memory, the
    cells that ran then are run again alone, and so are those that found too little memory.
    Whatever ends the iteration early, an interrupt too, ends the processes.
    """
    if jobs == 1:
        yield from ((cell, work(cell.config, cell.levels)) for cell in cells)
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
        while True:
            # No more than run at once: whatever was submitted may have been the killer.
            while queue and len(running) < jobs and not suspects:
                if not (future := submit(work, *_one_thread(queue[0]))):
                    break
                running[future] = queue.popleft()
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                cell = running.pop(future)
                if _is_suspect(future):
                    suspects.append(cell)
                else:
                    yield cell, future.result()


def _is_suspect(future: Future[Row]) -> bool:
    """Return whether a cell's process was killed or found too little memory."""
    if isinstance(future.exception(), BrokenExecutor):
        return True
    return bool(future.result().get("memory"))


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


def _one_thread(cell: Cell) -> tuple[Config, tuple[str, ...]]:
    train = cell.config.train.model_copy(update={"threads": 1})
    return cell.config.model_copy(update={"train": train}), cell.levels


def run_on_cluster(cells: Sequence[Cell], work: Work, address: str) -> Rows:
    """Run cells on the workers of a Dask cluster and return each as it is finished.

    The workers read what was prepared from storage that they share with this process.
    """
    with DaskCluster(address) as cluster:
        note(f"Dask cluster {address}: {cluster.threads()} threads")
        for cell, row in cluster.as_finished(partial(_on_one_thread, work), cells):
            yield cell, {"reason": str(row)} if isinstance(row, WorkersKilled) else row


def _on_one_thread(work: Work, cell: Cell) -> Row:
    return work(*_one_thread(cell))


CellWork = Callable[..., Row]  # such as `run_cell`


@dataclass
class _Data:
    """The result of preparing the cells.

    Parameters
    ----------
    identities, reasons
        By the settings of the data: what it is known by, or why there is none.
    facts
        By protocol: how many recordings, and which are missing.
    """

    identities: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Json] = field(default_factory=dict)


def finish(
    plan: Plan,
    *,
    out: Path,
    jobs: int | None,
    device: str,
    merge: bool = False,
    dask: str | None = None,
    work: CellWork = run_cell,
) -> tuple[list[Result], dict[str, Json]]:
    """Return every cell of a plan with its row, and what was prepared for each protocol.

    Parameters
    ----------
    merge
        Run nothing: take the cells that shards finished.
    dask
        Address of a Dask scheduler, whose workers run the cells.

    Raises
    ------
    FaultdiagError
        If the results can't be written, or a cell is missing in `merge`.
    """
    store = Store(out)
    data = _prepare(plan)
    keys = _keys(plan, data)
    todo = _todo(plan, keys, store)
    before = sum(key not in todo for key in keys.values())
    for text in plan.notes:
        note(f"note: {text}")
    note(f"{counted(len(plan.cells), 'cell')}, {before} of them finished before")
    failed = _failures(todo, store) if merge else {}
    if not merge:
        with _working_folder(out) as folder:
            how: Json = {"jobs": jobs or default_jobs(device), "device": device}
            failed = _run(todo, store, folder, work=work, dask=dask, **how)
    results = []
    for number, cell in enumerate(plan.cells):
        row = None
        if number in keys:
            row = store.get(keys[number], cell.levels) or failed[keys[number]]
        results.append((cell, row or {"reason": data.reasons[_setting(cell.config)]}))
    return results, data.facts


def run_shard(
    plan: Plan,
    shard: Shard,
    *,
    out: Path,
    jobs: int | None,
    device: str,
    work: CellWork = run_cell,
) -> tuple[int, int]:
    """Run the cells of a shard, and return how many it has and how many of them failed.

    A cell belongs to the shard that a hash of its settings and data chooses. Data that can't be
    prepared fails the same way in every shard, and in the merged table.

    Raises
    ------
    FaultdiagError
        If the results can't be written.
    """
    store = Store(out, shard)
    how: Json = {"jobs": jobs or default_jobs(device), "device": device, "work": work}
    with own_file(store.path, "run another shard"):
        keys = _keys(plan, _prepare(plan))
        own = {number: key for number, key in keys.items() if shard.has(key)}
        todo = _todo(plan, own, store)
        note(f"shard {shard}: {len(own)} of {counted(len(plan.cells), 'cell')}, {len(todo)} to run")
        with _working_folder(out, f"{WORKING}-{shard.index}-of-{shard.count}") as folder:
            failed = _run(todo, store, folder, **how)
        for key, row in failed.items():
            store.add({"key": key, "reason": row["reason"]})
    return len(own), len(failed)


def _keys(plan: Plan, data: _Data) -> dict[int, str]:
    """Return the keys of the cells whose data could be prepared."""
    return {
        number: cell_key(cell.config, data.identities[setting])
        for number, cell in enumerate(plan.cells)
        if (setting := _setting(cell.config)) in data.identities
    }


def _todo(plan: Plan, keys: Mapping[int, str], store: Store) -> dict[str, Cell]:
    """Return the cells that are not finished, by their keys."""
    todo: dict[str, Cell] = {}
    for number, key in keys.items():
        cell = plan.cells[number]
        if store.get(key, cell.levels) is None:
            # Equal configs under two names are trained once, with the noise of both.
            levels = todo[key].levels if key in todo else ()
            todo[key] = cell if len(cell.levels) >= len(levels) else todo[key]
    return todo


def _failures(todo: Mapping[str, Cell], store: Store) -> dict[str, Row]:
    """Return why the unfinished cells failed in their shards.

    Raises
    ------
    FaultdiagError
        If a shard has not run one of them.
    """
    failures = {key: row for key in todo if (row := store.failure(key)) is not None}
    missing = [str(cell) for key, cell in todo.items() if key not in failures]
    if missing:
        named = "; ".join(missing[:3]) + ("; …" if len(missing) > 3 else "")
        raise FaultdiagError(
            f"--merge: {len(missing)} of the cells are not finished: {named}; run the shards that "
            "are missing, or the same command without --merge, which runs the rest"
        )
    return failures


def default_jobs(device: str) -> int:
    """Return the number of cores, or one where all cells would share a CUDA device."""
    from joblib import cpu_count

    from faultdiag.inference import select_device

    return 1 if select_device(device).type == "cuda" else int(cpu_count())


def _setting(config: Config) -> str:
    """Return the part of a config that decides its folder of prepared data."""
    settings = config.model_dump(mode="json", exclude={"model", "train", "seed", "transfer"})
    # How a network is adapted doesn't change what it is adapted to.
    cut = config.transfer and config.transfer.model_dump(include={"target", "adapt", "hold_out"})
    return json.dumps([settings, cut, drawing_seed(config)], sort_keys=True, default=str)


def _prepare(plan: Plan) -> _Data:
    """Prepare all data before any worker starts: two must not write the same folder."""
    cells = {_setting(cell.config): cell for cell in reversed(plan.cells)}
    data = _Data()
    for setting, cell in tqdm([*reversed(cells.items())], "preparing", unit="split", disable=None):
        with Failure() as failure, redirect_stderr(StringIO()):
            prepared = prepare(cell.config)
            data.identities[setting] = prepared.document["identity"]
            missing = list(prepared.document["missing"])
            facts = {"recordings": len(prepared.recordings), "missing": missing}
            data.facts.setdefault(cell.protocol, facts)
        if failure.reason is not None:
            data.reasons[setting] = failure.reason
    return data


@contextmanager
def _working_folder(out: Path, name: str = WORKING) -> Iterator[Path]:
    """Yield an empty folder for the runs of cells; what a killed protocol left there goes."""
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    with write_errors(out, folder):
        folder.mkdir(exist_ok=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(
    todo: Mapping[str, Cell],
    store: Store,
    folder: Path,
    *,
    jobs: int,
    device: str,
    work: CellWork,
    dask: str | None = None,
) -> dict[str, Row]:
    """Run cells, keep the rows of the finished ones and give those of the failed."""
    keys = {id(cell): key for key, cell in todo.items()}
    failed: dict[str, Row] = {}
    cells = [*todo.values()]
    own = partial(work, device=device, folder=folder)
    if dask is None:
        running = run_cells(cells, own, max(1, min(jobs, len(cells))))
    else:
        running = run_on_cluster(cells, own, dask)
    with (
        tqdm(total=len(cells), desc="cells", unit="cell", disable=None) as bar,
        closing(running) as rows,
    ):
        began = time.perf_counter()
        for number, (cell, row) in enumerate(rows, start=1):
            key = keys[id(cell)]
            if "reason" in row:
                failed[key] = row
            else:
                store.add({"key": key, "cell": str(cell), **row})
            bar.update()
            bar.set_postfix_str(str(cell))
            if bar.disable or "reason" in row:
                left = (time.perf_counter() - began) / number * (len(cells) - number)
                note(f"{number} of {len(cells)}: {cell}: {_outcome(row)}; {_time(left)} left")
    return failed


def _outcome(row: Row) -> str:
    if "reason" in row:
        return f"FAILED: {row['reason']}"
    return f"{row['accuracy']:.1%} in {row['seconds']:.0f} s"


def _time(seconds: float) -> str:
    """Return a time to wait in words.

    Examples
    --------
    >>> _time(4000), _time(200), _time(3)
    ('about 1.1 h', 'about 3 min', 'about 3 s')
    """
    if seconds >= 3600:
        return f"about {seconds / 3600:.1f} h"
    return f"about {seconds / 60:.0f} min" if seconds >= 100 else f"about {seconds:.0f} s"
