"""Advice on what is read next: where it is given, and for which pages."""

import mmap
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from faultdiag.preparing.window_index import ReadAhead

pytestmark = pytest.mark.skipif(
    not hasattr(mmap, "MADV_WILLNEED"), reason="the system takes no advice on memory maps"
)
SAMPLES = 100_000


@pytest.fixture
def signals(tmp_path: Path) -> NDArray[np.float32]:
    np.save(tmp_path / "signals.npy", np.arange(SAMPLES, dtype=np.float32))
    mapped: NDArray[np.float32] = np.load(tmp_path / "signals.npy", mmap_mode="c")
    return mapped


class Mapping(mmap.mmap):
    """Notes the advice it is given."""

    def madvise(self, option: int, start: int = 0, length: int = 0) -> None:
        self.advice = [*getattr(self, "advice", []), (option, start, length)]
        super().madvise(option, start, length or len(self))


def test_the_pages_of_all_windows_are_asked_for(tmp_path: Path) -> None:
    content = np.arange(SAMPLES, dtype=np.float32).tobytes()
    (tmp_path / "x").write_bytes(bytes(128) + content)
    with (tmp_path / "x").open("rb") as file:
        mapping = Mapping(file.fileno(), 0, access=mmap.ACCESS_COPY)
    signals = np.ndarray((SAMPLES,), np.float32, buffer=mapping, offset=128)
    ahead = ReadAhead(signals, least=1)
    assert ahead.active
    ahead.fetch(np.array([[0, 50_000], [99_000, 1_000]]), 1000)
    first, *windows = mapping.advice
    assert first[0] == mmap.MADV_RANDOM
    for (option, page, size), start in zip(windows, (0, 50_000, 99_000, 1_000), strict=True):
        assert option == mmap.MADV_WILLNEED
        assert page % mmap.PAGESIZE == 0
        assert page <= 128 + 4 * start < page + mmap.PAGESIZE
        assert page + size == 128 + 4 * (start + 1000)
    assert np.array_equal(signals, np.arange(SAMPLES))
    del signals, ahead


def test_a_memory_map_of_numpy_is_advised(signals: NDArray[np.float32]) -> None:
    ahead = ReadAhead(signals, least=signals.nbytes)
    assert ahead.active
    ahead.fetch(np.array([SAMPLES - 1000, 0]), 1000)
    assert np.array_equal(signals, np.arange(SAMPLES))


def test_small_signals_and_those_in_memory_are_left_alone(signals: NDArray[np.float32]) -> None:
    for left in (ReadAhead(signals), ReadAhead(np.zeros(10, np.float32), least=1)):
        assert not left.active
        left.fetch(np.array([0]), 5)


def test_a_system_that_takes_no_advice(
    signals: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(mmap, "MADV_WILLNEED")
    assert not ReadAhead(signals, least=1).active
