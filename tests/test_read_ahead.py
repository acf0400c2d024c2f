"""Reading in processes: the order, the errors, and processes that are killed."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest

from faultdiag import read_ahead as subject
from faultdiag.read_ahead import AHEAD, read_ahead
from faultdiag.reading import Asked, Needs, Ready, try_ready

NEEDS = Needs(("DE",), 12_000.0)


@pytest.fixture
def files(recordings: Path, tmp_path: Path) -> list[Asked]:
    bad = tmp_path / "bad.mat"
    bad.write_bytes(b"no MATLAB")
    paths = [recordings / "97.mat", bad, recordings / "105.mat", recordings / "118.mat"]
    return [Asked(path, "FE" if path.name == "118.mat" else None) for path in paths]


def test_processes_give_what_one_gives_in_its_order(files: list[Asked]) -> None:
    alone = list(read_ahead(files, NEEDS, 1))
    together = list(read_ahead(files, NEEDS, 2))
    assert [one for one, _ in together] == files
    for (_, a), (_, b) in zip(alone, together, strict=True):
        if isinstance(a, str):
            assert a == b
            assert "bad.mat" in a
        else:
            assert isinstance(b, Ready)
            np.testing.assert_array_equal(a.signal, b.signal)
            assert (a.channels, a.recorded_at, a.rate_source) == (
                (b.channels, b.recorded_at, b.rate_source)
            )
    assert active_children() == []


def killing(one: Asked, needs: Needs) -> Ready | str:
    """Read, but be killed over a bad file."""
    if one.path.name == "bad.mat":
        os.kill(os.getpid(), signal.SIGKILL)
    return try_ready(one, needs)


def test_a_process_that_is_killed_costs_one_recording(
    files: list[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "try_ready", killing)
    found = list(read_ahead([*files, *files[2:]], NEEDS, 2))
    assert [one.path.name for one, _ in found] == [
        *("97.mat", "bad.mat", "105.mat", "118.mat", "105.mat", "118.mat"),
    ]
    assert [isinstance(read, str) for _, read in found] == [False, True, *[False] * 4]
    assert "bad.mat: the process that read it was killed, alone too" in str(found[1][1])


def test_what_is_read_ahead_is_bounded_and_ends_with_the_reader(files: list[Asked]) -> None:
    taken = []

    def endless() -> Iterator[Asked]:
        while True:
            taken.append(1)
            yield files[0]

    with closing(read_ahead(endless(), NEEDS, 2)) as reading:
        next(reading)
        assert len(taken) == 2 * AHEAD
        assert active_children()
    assert active_children() == []


def test_too_little_memory_is_a_message(
    files: list[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("faultdiag.reading.make_ready", full)
    ((_, read),) = read_ahead(files[:1], NEEDS, 1)
    assert str(read).endswith("97.mat does not fit into the memory; cut it into shorter recordings")
