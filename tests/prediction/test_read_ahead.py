"""Reading in processes: the order, the errors, and processes that are killed."""

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from multiprocessing import active_children, spawn
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultdiag.prediction import ahead, reading
from faultdiag.prediction.ahead import AHEAD, LostError, Stream, read_ahead
from faultdiag.prediction.events import End, Failure, Header, Pause, ReadEvent, Windows
from faultdiag.prediction.reading import ModelInput, ReadRequest, read_events
from faultdiag.readers import source

MODEL = ModelInput(("DE",), 12_000.0, 256, needs_speed=False)


@pytest.fixture
def requests(recordings: Path, tmp_path: Path) -> list[ReadRequest]:
    bad = tmp_path / "bad.mat"
    bad.write_bytes(b"no MATLAB")
    paths = [recordings / "97.mat", bad, recordings / "105.mat", recordings / "118.mat"]
    return [ReadRequest(path, "FE" if path.name == "118.mat" else None) for path in paths]


def gather(requests: Any, jobs: int) -> list[tuple[str, list[ReadEvent]]]:
    """Read files; return the name of each and its events but for the end."""
    found: list[tuple[str, list[ReadEvent]]] = []
    last: ReadEvent = End()
    for event in read_ahead(requests, MODEL, jobs):
        if isinstance(event, Pause):
            continue
        request, this = event
        if last == End():
            found.append((request.path.name, []))
        last = this
        if this != End():
            found[-1][1].append(this)
    assert last == End()
    return found


def same(a: ReadEvent, b: ReadEvent) -> bool:
    if isinstance(a, Windows) and isinstance(b, Windows):
        return np.array_equal(a.values, b.values)
    return a == b


def test_processes_give_what_one_gives_in_its_order(requests: list[ReadRequest]) -> None:
    alone, together = gather(requests * 3, 1), gather(requests * 3, 2)
    assert [name for name, _ in together] == [request.path.name for request in requests * 3]
    for (_, a), (_, b) in zip(alone, together, strict=True):
        assert len(a) == len(b)
        assert all(map(same, a, b))
    kinds = [[type(event) for event in events] for _, events in alone[:4]]
    assert kinds == [[Header, Windows], [Failure], [Header, Windows], [Header, Windows]]
    assert "bad.mat" in str(alone[1][1][0])
    assert active_children() == []


def killing(request: ReadRequest, model: ModelInput, limit: float | None) -> Iterator[ReadEvent]:
    """Read in small pieces, but be killed over a bad file, and once in the middle of another."""
    reading.PIECE = 1_000
    mark = request.path.with_name("killed")
    for number, event in enumerate(read_events(request, model, limit)):
        if request.path.name == "bad.mat" or (number == 5 and not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        yield event


def test_a_process_that_is_killed_is_replaced(
    requests: list[ReadRequest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = [ReadRequest(tmp_path / f"{i}.mat") for i in (1, 2, 3)]
    for request in there:
        request.path.write_bytes(requests[2].path.read_bytes())
    ((_, (header, whole)),) = gather(there[:1], 1)
    assert isinstance(whole, Windows)
    monkeypatch.setattr(ahead, "read_events", killing)
    found = gather([there[0], requests[1], *there[1:]], 2)
    assert [name for name, _ in found] == ["1.mat", "bad.mat", "2.mat", "3.mat"]
    (failure,) = found[1][1]
    assert "bad.mat: the process that read it was killed, twice" in str(failure)
    for _, events in (found[0], *found[2:]):
        first, *pieces = events
        assert first == header
        assert len(pieces) > 30
        values = [piece.values for piece in pieces if isinstance(piece, Windows)]
        np.testing.assert_array_equal(np.concatenate(values, axis=1), whole.values)
    assert active_children() == []


def test_what_is_read_ahead_is_bounded_and_ends_with_the_reader(
    requests: list[ReadRequest],
) -> None:
    taken = []

    def endless() -> Iterator[ReadRequest]:
        while True:
            taken.append(1)
            yield requests[0]

    with closing(read_ahead(endless(), MODEL, 2)) as events:
        next(events)
        assert len(taken) == 2 * AHEAD
        assert active_children()
    assert active_children() == []


@pytest.mark.skipif(os.name != "posix", reason="no /bin/false")
def test_a_process_that_dies_at_its_start_is_noticed() -> None:
    executable = spawn.get_executable()
    spawn.set_executable("/bin/false")
    try:
        # More than a pipe holds, so that writing it can't end before it is read.
        stream: Stream[int] = Stream(read_events, bytes(2**21))
    finally:
        spawn.set_executable(executable)
    stream.submit(1)
    with pytest.raises(LostError):
        list(stream.events(1.0))
    stream.close()


def slow(request: ReadRequest, model: ModelInput, limit: float | None) -> Iterator[ReadEvent]:
    for event in read_events(request, model, limit):
        if event == End():
            time.sleep(0.3)
        yield event


def test_a_pause_is_reported(requests: list[ReadRequest], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "read_events", slow)
    monkeypatch.setattr(ahead, "PATIENCE", 0.05)
    events = list(read_ahead(requests[:1], MODEL, 2))
    assert Pause() in events
    kinds = [type(event[1]) for event in events if not isinstance(event, Pause)]
    assert kinds == [Header, Windows, End]


def test_too_little_memory_is_a_message(
    requests: list[ReadRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("faultdiag.prediction.reading.open_reader", full)
    ((_, (failure,)),) = gather(requests[:1], 1)
    assert isinstance(failure, Failure)
    expected = r"97\.mat does not fit into memory \(\d+ bytes in the file\); cut it into shorter"
    assert re.search(expected, failure.message)


def hanging(request: ReadRequest, model: ModelInput, limit: float | None) -> Iterator[ReadEvent]:
    """Hang over a bad file as a library can: no signal and no exception gets through."""
    if request.path.name == "bad.mat":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        time.sleep(60)
    yield from read_events(request, model, limit and None)


def test_a_process_that_hangs_is_killed_and_the_others_are_read(
    requests: list[ReadRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "read_events", hanging)
    monkeypatch.setattr(ahead, "GRACE", 8.0)  # a new process must have started by then
    monkeypatch.setattr(ahead, "PATIENCE", 0.1)
    events = [
        event[1] for event in read_ahead(requests, MODEL, 2, 0.1) if not isinstance(event, Pause)
    ]
    assert [event.message for event in events if isinstance(event, Failure)] == [
        f"{requests[1].path} took longer than 0.1 s without anything read; copy it to a faster "
        "disk, or allow more time with predict --file-timeout"
    ]
    assert sum(isinstance(event, Header) for event in events) == 3
    assert events.count(End()) == 4
    assert active_children() == []


class Odd:
    """A reader whose file takes long, whatever it does, or one that fails."""

    def __init__(self, what: str) -> None:
        self.what = what

    def variables(self) -> list[Any]:
        if self.what == "sleep":
            time.sleep(60)
        while self.what == "loop":
            pass
        raise ZeroDivisionError("a \x1b[2J bug")


@pytest.mark.parametrize("what", ["sleep", "loop"])
def test_a_file_that_takes_too_long_is_a_message(
    what: str, requests: list[ReadRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "open_reader", lambda _: Odd(what))
    began = time.monotonic()
    failure, end = read_events(requests[0], MODEL, 0.2)
    assert "took longer than 0.2 s without anything read" in str(failure)
    assert end == End()
    assert time.monotonic() - began < 10


def test_what_nobody_expected_is_a_message_with_its_traceback_in_the_log(
    requests: list[ReadRequest], monkeypatch: pytest.MonkeyPatch, log: Path
) -> None:
    monkeypatch.setattr(reading, "open_reader", lambda _: Odd("fail"))
    failure, end = read_events(requests[0], MODEL)
    assert end == End()
    assert failure == Failure(
        f"{requests[0].path} could not be read: ZeroDivisionError: a \\x1b[2J bug; that is a bug "
        f"in faultdiag: please report it with this file and {log}, which has the traceback"
    )
    assert "in variables" in log.read_text()
    assert "\x1b" not in log.read_text()


def test_a_long_file_that_moves_on_is_read_whatever_the_limit(
    requests: list[ReadRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = source.Rows.blocks

    def slowly(self: Any, start: int, stop: int) -> Iterator[Any]:
        for piece in real(self, start, stop):
            time.sleep(0.15)
            yield piece

    monkeypatch.setattr(source, "_BLOCK", 2_000)
    monkeypatch.setattr(source.Rows, "blocks", slowly)
    events = list(read_events(requests[0], MODEL, 0.6))
    assert [type(event) for event in events] == [Header, Windows, End]
