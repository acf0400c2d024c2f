"""Windows of many recordings in batches of one size, and each result back where it belongs."""

import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultdiag.prediction import batching
from faultdiag.prediction.batching import Batching

SIZE, CHANNELS, LENGTH = 4, 2, 3


@dataclass(frozen=True)
class Begun:
    rpm: float | None


class Network:
    """Says of each window its number and speed, and remembers the batches."""

    def __init__(self) -> None:
        self.shapes: set[tuple[int, ...]] = set()
        self.batches = 0

    def __call__(self, windows: Any, rpm: Any) -> Any:
        self.shapes.add(windows.shape)
        self.batches += 1
        return np.stack([windows[:, 1, 2].astype(float), rpm.astype(float)], axis=1)


def windows(numbers: list[int]) -> Any:
    found = np.zeros((CHANNELS, len(numbers), LENGTH), np.float32)
    found[1, :, 2] = numbers
    return found.reshape(CHANNELS, -1)


@given(st.lists(st.lists(st.integers(1, 11), max_size=3), max_size=8), st.integers(1, 3))
@settings(deadline=None, max_examples=40)
def test_every_window_comes_back_in_its_place(lengths: list[list[int]], threads: int) -> None:
    parts: list[Any] = []
    expected, number = [], 0
    for key, pieces in enumerate(lengths):
        parts.append((key, Begun(100.0 + key)))
        for count in pieces:
            parts.append((key, windows(list(range(number, number + count)))))
            expected += [(key, float(i), 100.0 + key) for i in range(number, number + count)]
            number += count
        parts.append((key, None))
    network = Network()
    found: list[Any] = []
    order = []
    shape = (SIZE, CHANNELS, LENGTH)
    for key, thing in Batching(network, shape, threads=threads).run(parts):
        if isinstance(thing, np.ndarray):
            assert order[-1] == (key, "Begun")
            found += [(key, *row) for row in thing.tolist()]
        else:
            order.append((key, type(thing).__name__))
    assert found == expected
    assert order == [(k, name) for k in range(len(lengths)) for name in ("Begun", "NoneType")]
    assert network.batches == -(-number // SIZE), "full but for the last"
    assert network.shapes <= {shape}


def test_a_pause_does_not_leave_windows_waiting() -> None:
    network = Network()

    def parts() -> Any:
        yield "a", Begun(None)
        yield "a", windows([1])
        yield "a", None
        assert not seen[1:]
        yield None
        assert [key for key, _ in seen] == ["a"] * 3
        yield "b", Begun(None)

    seen: list[Any] = []
    seen.extend([])
    for thing in Batching(network, (SIZE, CHANNELS, LENGTH)).run(parts()):
        seen.append(thing)
    assert network.batches == 1


def test_windows_do_not_wait_longer_than_their_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "PATIENCE", -1.0)
    network = Network()
    parts = [(key, windows([key])) for key in range(5)]
    assert len(list(Batching(network, (SIZE, CHANNELS, LENGTH)).run(parts))) == 5
    assert network.batches == 5


def test_an_error_of_the_network_is_passed_on_and_its_threads_end() -> None:
    def failing(*_: Any) -> Any:
        raise RuntimeError("no memory")

    running = threading.active_count()
    with pytest.raises(RuntimeError, match="no memory"):
        list(Batching(failing, (SIZE, CHANNELS, LENGTH)).run([(0, windows([1]))]))
    assert threading.active_count() == running


def test_what_waits_for_the_network_is_bounded() -> None:
    ahead = []
    network = Network()

    def slow(*batch: Any) -> Any:
        time.sleep(0.002)
        return network(*batch)

    def parts() -> Any:
        for key in range(40):
            ahead.append(key - network.batches)
            yield key, windows([key] * SIZE)

    found = list(Batching(slow, (SIZE, CHANNELS, LENGTH), threads=2).run(parts()))
    assert [key for key, _ in found] == list(range(40))
    assert max(ahead) <= 4
