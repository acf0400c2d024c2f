"""Reading in processes: the order, the errors, and processes that are killed."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultdiag.prediction import reading
from faultdiag.prediction import reading as subject
from faultdiag.prediction.reading import AHEAD, Asked, Needs, Opened, Part, read_ahead, try_read

NEEDS = Needs(("DE",), 12_000.0, 256, speed=False)


@pytest.fixture
def files(recordings: Path, tmp_path: Path) -> list[Asked]:
    bad = tmp_path / "bad.mat"
    bad.write_bytes(b"no MATLAB")
    paths = [recordings / "97.mat", bad, recordings / "105.mat", recordings / "118.mat"]
    return [Asked(path, "FE" if path.name == "118.mat" else None) for path in paths]


def gather(files: Any, jobs: int) -> list[tuple[str, list[Part]]]:
    """Read files; give the name of each and its parts but for the None at its end."""
    found: list[tuple[str, list[Part]]] = []
    last = None
    for part in read_ahead(files, NEEDS, jobs):
        if part is None:
            continue
        one, thing = part
        if last is None:
            found.append((one.path.name, []))
        last = thing
        if thing is not None:
            found[-1][1].append(thing)
    assert last is None
    return found


def same(a: Part, b: Part) -> bool:
    return np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b  # type: ignore[arg-type]


def test_processes_give_what_one_gives_in_its_order(files: list[Asked]) -> None:
    alone, together = gather(files * 3, 1), gather(files * 3, 2)
    assert [name for name, _ in together] == [one.path.name for one in files * 3]
    for (_, a), (_, b) in zip(alone, together, strict=True):
        assert len(a) == len(b)
        assert all(map(same, a, b))
    kinds = [[type(part) for part in parts] for _, parts in alone[:4]]
    assert kinds == [[Opened, np.ndarray], [str], [Opened, np.ndarray], [Opened, np.ndarray]]
    assert "bad.mat" in str(alone[1][1][0])
    assert active_children() == []


def killing(one: Asked, needs: Needs) -> Iterator[Any]:
    """Read in small pieces, but be killed over a bad file, and once in the middle of another."""
    reading.PIECE = 1_000
    mark = one.path.with_name("killed")
    for number, part in enumerate(try_read(one, needs)):
        if one.path.name == "bad.mat" or (number == 5 and not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        yield part


def test_a_process_that_is_killed_is_replaced(
    files: list[Asked], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = [Asked(tmp_path / f"{i}.mat") for i in (1, 2, 3)]
    for one in there:
        one.path.write_bytes(files[2].path.read_bytes())
    (whole,) = gather(there[:1], 1)
    monkeypatch.setattr(subject, "try_read", killing)
    found = gather([there[0], files[1], *there[1:]], 2)
    assert [name for name, _ in found] == ["1.mat", "bad.mat", "2.mat", "3.mat"]
    (said,) = found[1][1]
    assert "bad.mat: the process that read it was killed, twice" in str(said)
    for _, parts in (found[0], *found[2:]):
        opened, *pieces = parts
        assert opened == whole[1][0]
        assert len(pieces) > 30
        assert same(np.concatenate(pieces, axis=1), whole[1][1])
    assert active_children() == []


def test_what_is_read_ahead_is_bounded_and_ends_with_the_reader(files: list[Asked]) -> None:
    taken = []

    def endless() -> Iterator[Asked]:
        while True:
            taken.append(1)
            yield files[0]

    with closing(read_ahead(endless(), NEEDS, 2)) as parts:
        next(parts)
        assert len(taken) == 2 * AHEAD
        assert active_children()
    assert active_children() == []


def slow(one: Asked, needs: Needs) -> Iterator[Any]:
    import time

    yield from try_read(one, needs)
    time.sleep(0.3)


def test_a_pause_is_told(files: list[Asked], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "try_read", slow)
    monkeypatch.setattr(subject, "PATIENCE", 0.05)
    parts = list(read_ahead(files[:1], NEEDS, 2))
    assert None in parts
    assert [part[1] is None for part in parts if part is not None] == [False, False, True]


def test_too_little_memory_is_a_message(
    files: list[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("faultdiag.prediction.reading.read_windows", full)
    ((_, (said,)),) = gather(files[:1], 1)
    assert str(said).endswith("97.mat does not fit into the memory; cut it into shorter recordings")
