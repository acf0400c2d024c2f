"""Windows of many recordings in batches of one size, and each result back where it belongs."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultdiag.prediction import batching
from faultdiag.prediction.batching import Batching
from faultdiag.prediction.events import End, Header, Pause, Probabilities, Windows

SIZE, CHANNELS, LENGTH = 4, 2, 3


def header(rpm: float | None) -> Header:
    return Header(("a", "b"), rpm, 12_000.0, "file", 1)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3) as threads:
        yield threads


class Network:
    """Says of each window its number and speed, and remembers the batches."""

    def __init__(self) -> None:
        self.shapes: set[tuple[int, ...]] = set()
        self.batches = 0

    def __call__(self, windows: Any, conditions: Any) -> Any:
        self.shapes.add(windows.shape)
        self.batches += 1
        return np.stack([windows[:, 1, 2].astype(float), conditions[:, 0].astype(float)], axis=1)


def windows(numbers: list[int]) -> Windows:
    values = np.zeros((CHANNELS, len(numbers), LENGTH), np.float32)
    values[1, :, 2] = numbers
    return Windows(values.reshape(CHANNELS, -1))


@given(st.lists(st.lists(st.integers(1, 11), max_size=3), max_size=8), st.integers(1, 3))
@settings(deadline=None, max_examples=40)
def test_every_window_comes_back_in_its_place(lengths: list[list[int]], threads: int) -> None:
    events: list[Any] = []
    expected, number = [], 0
    for key, pieces in enumerate(lengths):
        events.append((key, header(60.0 * (1 + key))))
        for count in pieces:
            events.append((key, windows(list(range(number, number + count)))))
            expected += [(key, float(i), 1.0 + key) for i in range(number, number + count)]
            number += count
        events.append((key, End()))
    network = Network()
    found: list[Any] = []
    order = []
    shape = (SIZE, CHANNELS, LENGTH)
    with ThreadPoolExecutor(threads) as pool:
        for key, event in Batching(network, shape, pool, threads=threads).run(events):
            if isinstance(event, Probabilities):
                assert order[-1] == (key, Header)
                found += [(key, *row) for row in event.values.tolist()]
            else:
                order.append((key, type(event)))
    assert found == expected
    assert order == [(key, kind) for key in range(len(lengths)) for kind in (Header, End)]
    assert network.batches == -(-number // SIZE), "full but for the last"
    assert network.shapes <= {shape}


def test_a_pause_does_not_leave_windows_waiting(pool: ThreadPoolExecutor) -> None:
    network = Network()

    def events() -> Any:
        yield "a", header(None)
        yield "a", windows([1])
        yield "a", End()
        assert not seen[1:]
        yield Pause()
        assert [key for key, _ in seen] == ["a"] * 3
        yield "b", header(None)

    seen: list[Any] = []
    for event in Batching[str](network, (SIZE, CHANNELS, LENGTH), pool).run(events()):
        seen.append(event)
    assert network.batches == 1


def test_windows_do_not_wait_longer_than_their_patience(
    monkeypatch: pytest.MonkeyPatch, pool: ThreadPoolExecutor
) -> None:
    monkeypatch.setattr(batching, "PATIENCE", -1.0)
    network = Network()
    events = [(key, windows([key])) for key in range(5)]
    assert len(list(Batching[int](network, (SIZE, CHANNELS, LENGTH), pool).run(events))) == 5
    assert network.batches == 5


def test_an_error_of_the_network_is_passed_on(pool: ThreadPoolExecutor) -> None:
    def failing(*_: Any) -> Any:
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        list(Batching[int](failing, (SIZE, CHANNELS, LENGTH), pool).run([(0, windows([1]))]))


def test_what_waits_for_the_network_is_bounded(pool: ThreadPoolExecutor) -> None:
    ahead = []
    network = Network()

    def slow(*batch: Any) -> Any:
        time.sleep(0.002)
        return network(*batch)

    def events() -> Any:
        for key in range(40):
            ahead.append(key - network.batches)
            yield key, windows([key] * SIZE)

    shape = (SIZE, CHANNELS, LENGTH)
    found = list(Batching[int](slow, shape, pool, threads=2).run(events()))
    assert [key for key, _ in found] == list(range(40))
    assert max(ahead) <= 4
