"""The index of windows: what it holds, how it lies on disk."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError
from faultdiag.preparing.window_index import WindowIndex, open_windows, write_windows
from faultdiag.signal.recording import Segment
from faultdiag.signal.windows import WindowPlan, strided_starts
from faultdiag.splits.within import PARTS, Split

SHARES = {"train": 0.7, "valid": 0.2, "test": 0.1}


def split_of(**parts: tuple[Segment, ...]) -> Split:
    return Split({part: parts.get(part, ()) for part in PARTS}, SHARES)


def written(folder: Path, split: Split, plan: WindowPlan, labels: list[int]) -> WindowIndex:
    write_windows(folder / "windows.npz", split, plan, labels)
    return open_windows(folder / "windows.npz")


segments = st.lists(
    st.builds(
        lambda recording, start, samples: Segment(recording, start, start + samples),
        st.integers(0, 4),
        st.integers(0, 1000),
        st.integers(8, 60),
    ),
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(
    parts=st.fixed_dictionaries(dict.fromkeys(PARTS, segments)),
    stride=st.integers(1, 9),
    test_stride=st.integers(1, 9),
)
def test_it_holds_every_window_of_every_segment(
    parts: dict[str, list[Segment]],
    stride: int,
    test_stride: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    labels = [3, 1, 0, 2, 1]
    split = split_of(**{part: tuple(rows) for part, rows in parts.items()})
    if not any(parts.values()):
        return
    folder = tmp_path_factory.mktemp("index")
    index = written(folder, split, WindowPlan(8, stride, None, test_stride), labels)
    for number, part in enumerate(PARTS):
        step = test_stride if part == "test" else stride
        expected = [
            (segment.recording, start, number, labels[segment.recording])
            for segment in sorted(parts[part], key=lambda s: s.recording)
            for start in range(segment.start, segment.stop - 7, step)
        ]
        found = index.of(part)
        columns = (found.recording, found.start, found.part, found.label)
        assert list(zip(*(c.tolist() for c in columns), strict=True)) == expected
        by_recording = found.by_recording()
        assert {r: s.tolist() for r, s in by_recording.items()} == {
            r: [start for recording, start, *_ in expected if recording == r]
            for r in {recording for recording, *_ in expected}
        }


def test_the_columns_are_memory_maps_that_numpy_reads_too(tmp_path: Path) -> None:
    split = split_of(train=(Segment(0, 0, 100),), test=(Segment(1, 50, 90),))
    index = written(tmp_path, split, WindowPlan(10, 3, None, 10), [4, 2])
    for name, kind in (("recording", "i4"), ("start", "i8"), ("part", "i1"), ("label", "i2")):
        column = getattr(index, name)
        assert isinstance(column, np.memmap)
        assert column.dtype == kind
        with np.load(tmp_path / "windows.npz") as arrays:
            assert set(arrays) == {"recording", "start", "part", "label"}
            np.testing.assert_array_equal(arrays[name], column)
    part = index.of("train")
    assert np.shares_memory(part.start, index.start), "a part is a view"
    np.testing.assert_array_equal(part.start, strided_starts(0, 100, 10, 3))


def test_rows_are_taken_as_copies(tmp_path: Path) -> None:
    index = written(
        tmp_path, split_of(train=(Segment(0, 0, 100),)), WindowPlan(10, 5, None, 10), [7]
    )
    some = index.take(np.array([3, 0]))
    assert len(some) == 2
    assert some.start.tolist() == [15, 0]
    assert some.label.tolist() == [7, 7]


def test_windows_per_class_are_shared_out_among_parts_and_recordings(tmp_path: Path) -> None:
    plan = WindowPlan(length=10, stride=None, per_class=20, test_stride=10)
    train = tuple(Segment(r, 0, 500) for r in range(3))
    valid = tuple(Segment(r, 600, 700) for r in range(3))
    test = tuple(Segment(r, 800, 835) for r in range(3))
    index = written(tmp_path, split_of(train=train, valid=valid, test=test), plan, [0, 0, 1])
    # Class 0 has two recordings, class 1 one: 14 and 4 windows each; the test part is strided.
    assert {r: len(s) for r, s in index.of("train").by_recording().items()} == {0: 7, 1: 7, 2: 14}
    assert {r: len(s) for r, s in index.of("valid").by_recording().items()} == {0: 2, 1: 2, 2: 4}
    strided = [s.tolist() for s in index.of("test").by_recording().values()]
    assert strided == [[800, 810, 820]] * 3
    spread = index.of("train").by_recording()[2]
    assert (spread[0], spread[-1]) == (0, 490)
    assert set(np.diff(spread).tolist()) <= {37, 38}


def test_more_windows_than_a_segment_has(tmp_path: Path) -> None:
    plan = WindowPlan(length=10, stride=None, per_class=100, test_stride=10)
    split = split_of(train=(Segment(0, 0, 40),))
    with pytest.raises(
        FaultdiagError,
        match=r"70 windows of 10 samples are asked of a segment of 40 samples, which has 31 "
        r"distinct ones; lower window\.per_class",
    ):
        write_windows(tmp_path / "windows.npz", split, plan, [0])


def test_a_part_without_windows_is_empty(tmp_path: Path) -> None:
    index = written(
        tmp_path, split_of(train=(Segment(0, 0, 50),)), WindowPlan(10, 5, None, 10), [0]
    )
    assert len(index) == len(index.of("train")) == 9
    assert len(index.of("valid")) == 0
    assert index.of("test").by_recording() == {}


def test_a_file_that_is_not_as_written(tmp_path: Path) -> None:
    path = tmp_path / "windows.npz"
    split = split_of(train=(Segment(0, 0, 50),))
    write_windows(path, split, WindowPlan(10, 5, None, 10), [0])
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(zipfile.BadZipFile):
        open_windows(path)
    np.savez(path, recording=np.zeros(3, np.int32))
    with pytest.raises(KeyError, match=r"start\.npy"):
        open_windows(path)
    np.savez(path, recording=np.zeros(3, np.int32), start=np.zeros(2), part=[1], label=[1])
    with pytest.raises(ValueError, match="its columns differ in length"):
        open_windows(path)
    with pytest.raises(FileNotFoundError):
        open_windows(tmp_path / "none.npz")
