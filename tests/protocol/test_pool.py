"""Cells in processes: one thread each, a killed one is not the end, and none survives."""

import time
from contextlib import closing
from functools import partial
from pathlib import Path

from faultdiag.protocol.plan import Cell
from faultdiag.protocol.run import run_cells
from tests.protocol.cells import BROKEN, FINE, HUNGRY, KILLED, SLOW, cell, config, work


def of(epochs: int, seed: int) -> Cell:
    made = config(epochs=epochs).model_copy(update={"seed": seed})
    return cell(seed=seed, config=made)


def begun(folder: Path, epochs: int, seed: int) -> list[str]:
    return (folder / f"{epochs}-{seed}").read_text().splitlines()


def gone(pid: int) -> bool:
    """Whether a process has ended; a zombie that nobody asked for has."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def test_one_job_runs_in_this_process_on_its_threads(tmp_path: Path) -> None:
    import os

    cells = [of(FINE, seed) for seed in range(3)]
    found = list(run_cells(cells, partial(work, folder=tmp_path), 1))
    assert [c for c, _ in found] == cells
    assert begun(tmp_path, FINE, 0) == [f"{os.getpid()} None"]


def test_a_killed_process_costs_its_own_cell_only(tmp_path: Path) -> None:
    cells = [of(FINE, 0), of(KILLED, 1), of(HUNGRY, 2), of(BROKEN, 3), of(FINE, 4)]
    found = {c.seed: row for c, row in run_cells(cells, partial(work, folder=tmp_path), 2)}
    assert sorted(found) == [0, 1, 2, 3, 4]
    for seed in (0, 2, 4):
        assert found[seed]["accuracy"] == 0.5, seed
    assert found[1]["reason"].startswith("its process was killed, alone too, as by a system")
    assert found[3]["reason"] == "it broke"
    assert len(begun(tmp_path, KILLED, 1)) == 2, "once beside others, once alone"
    assert len(begun(tmp_path, BROKEN, 3)) == 1, "an error of its own is no reason to try again"
    lines = [line for seed in (0, 4) for line in begun(tmp_path, FINE, seed)]
    assert {line.split()[1] for line in lines} == {"1"}


def test_no_process_outlives_an_iteration_that_ends_early(tmp_path: Path) -> None:
    cells = [of(SLOW, 0), of(SLOW, 1), of(FINE, 2)]
    with closing(run_cells(cells, partial(work, folder=tmp_path), 2)) as rows:
        first, _ = next(rows)
        assert first.seed == 0
        while not (tmp_path / f"{SLOW}-1").exists():
            time.sleep(0.01)
    workers = {
        int(line.split()[0])
        for path in tmp_path.iterdir()
        for line in path.read_text().splitlines()
    }
    assert workers
    assert (tmp_path / "slept-0").exists()
    assert not (tmp_path / "slept-1").exists(), "it was waited for"
    assert all(gone(pid) for pid in workers)
