"""Windows against their definitions, sample by sample."""

import re
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError
from faultdiag.signal.windows import (
    WindowPlan,
    best_overlap,
    count_disjoint,
    count_shared,
    covered_intervals,
    spread_starts,
    strided_starts,
)

law = settings(max_examples=60, deadline=None)
lengths = st.integers(1, 12)
some_starts = st.lists(st.integers(0, 60), max_size=8).map(lambda s: np.array(s, dtype=np.int64))


def samples(start: int, length: int) -> set[int]:
    return set(range(start, start + length))


def covered(starts: NDArray[np.int64], length: int) -> set[int]:
    return {i for start in starts.tolist() for i in samples(start, length)}


@law
@given(st.integers(0, 50), st.integers(0, 80), lengths, st.integers(1, 15))
def test_strided_starts_are_all_that_fit(start: int, size: int, length: int, stride: int) -> None:
    stop = start + size
    fitting = [s for s in range(start, stop, stride) if s + length <= stop]
    found = strided_starts(start, stop, length, stride)
    assert found.tolist() == fitting
    assert found.dtype == np.int64


@law
@given(st.integers(0, 10**9), lengths, st.integers(1, 200), st.data())
def test_spread_starts_are_distinct_even_and_inside(
    start: int, length: int, distinct: int, data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, distinct))
    stop = start + length + distinct - 1
    found = spread_starts(start, stop, length, count)
    assert len(set(found.tolist())) == count
    assert all(start <= s <= stop - length for s in found.tolist())
    if count > 1:
        assert (found[0], found[-1]) == (start, stop - length)
        even = start + np.arange(count) * (distinct - 1) / (count - 1)
        assert np.abs(found - even).max() <= 0.5001


@pytest.mark.parametrize(
    ("start", "stop", "count", "has"), [(10, 30, 14, 13), (0, 7, 1, 0), (0, 0, 1, 0), (0, 8, 2, 1)]
)
def test_more_windows_than_a_segment_has(start: int, stop: int, count: int, has: int) -> None:
    expected = (
        f"{count} windows of 8 samples are asked of 105.mat of {stop - start} samples, which has "
        f"{has} distinct ones; lower window.per_class"
    )
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        spread_starts(start, stop, 8, count, source="105.mat")
    with pytest.raises(FaultdiagError, match="are asked of a segment of"):
        spread_starts(start, stop, 8, count)
    assert len(spread_starts(start, stop, 8, has)) == has


@law
@given(some_starts, lengths)
def test_count_disjoint_is_the_size_of_the_largest_disjoint_subset(
    starts: NDArray[np.int64], length: int
) -> None:
    def disjoint(subset: tuple[int, ...]) -> bool:
        return all(abs(a - b) >= length for a, b in combinations(subset, 2))

    largest = max(
        size
        for size in range(len(starts) + 1)
        if any(disjoint(subset) for subset in combinations(starts.tolist(), size))
    )
    assert count_disjoint(starts, length) == largest


@law
@given(some_starts, some_starts, lengths)
def test_best_overlap_is_the_largest_share_that_one_window_holds(
    starts: NDArray[np.int64], others: NDArray[np.int64], length: int
) -> None:
    expected = [
        max((len(samples(a, length) & samples(b, length)) for b in others.tolist()), default=0)
        for a in starts.tolist()
    ]
    assert best_overlap(starts, others, length).tolist() == [n / length for n in expected]


@law
@given(some_starts, lengths)
def test_covered_intervals_cover_the_same_samples_without_touching(
    starts: NDArray[np.int64], length: int
) -> None:
    intervals = covered_intervals(starts, length)
    assert {i for a, b in intervals.tolist() for i in range(a, b)} == covered(starts, length)
    assert (intervals[1:, 0] > intervals[:-1, 1]).all()
    assert intervals.shape == (len(intervals), 2)


@law
@given(st.lists(some_starts, min_size=1, max_size=4), lengths)
def test_count_shared_counts_the_samples_of_two_or_more_sets(
    sets: list[NDArray[np.int64]], length: int
) -> None:
    counts = Counter(i for starts in sets for i in covered(starts, length))
    expected = sum(count >= 2 for count in counts.values())
    assert count_shared([covered_intervals(starts, length) for starts in sets]) == expected


def test_a_plan_tells_the_stride_of_each_part() -> None:
    plan = WindowPlan(2048, 128, None, 1024)
    assert [plan.stride_of(part) for part in ("train", "valid", "test")] == [128, 128, 1024]
    assert WindowPlan(2048, None, 1000, 2048).stride_of("train") is None


def test_validation_windows_overlap_sixteen_times_at_most() -> None:
    plan = WindowPlan(2048, 1, None, 2048)
    assert [plan.stride_of(part) for part in ("train", "valid", "test")] == [1, 16, 2048]
    assert WindowPlan(64, 1, None, 64).stride_of("valid") == 4
    assert WindowPlan(8, 1, None, 8).stride_of("valid") == 1
