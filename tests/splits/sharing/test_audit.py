"""The audit against brute force: sets of samples instead of sorted intervals."""

import json
from collections import Counter
from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from faultdiag.splits.sharing import Audit, audit_windows
from faultdiag.splits.within import PARTS

Part = dict[int, NDArray[np.int64]]
Parts = dict[str, Part]

law = settings(max_examples=80, deadline=None)
starts = st.lists(st.integers(0, 40), min_size=1, max_size=6)
arrays = starts.map(lambda s: np.array(s, dtype=np.int64))
parts = st.fixed_dictionaries(
    {part: st.dictionaries(st.integers(0, 2), arrays, max_size=3) for part in PARTS}
)
lengths = st.integers(1, 12)


def windows(part: Part, length: int) -> list[set[tuple[int, int]]]:
    return [{(r, i) for i in range(s, s + length)} for r in part for s in part[r].tolist()]


def union(part: Part, length: int) -> set[tuple[int, int]]:
    return set().union(*windows(part, length))


@law
@given(parts, lengths)
def test_shared_samples_lie_under_windows_of_two_or_more_parts(drawn: Parts, length: int) -> None:
    counts = Counter(i for part in PARTS for i in union(drawn[part], length))
    expected = sum(count >= 2 for count in counts.values())
    assert audit_windows(drawn, length).shared_samples == expected


@law
@given(parts, lengths)
def test_a_test_window_leaks_if_it_overlaps_a_training_window(drawn: Parts, length: int) -> None:
    seen = union(drawn["train"], length)
    leaks = [bool(window & seen) for window in windows(drawn["test"], length)]
    expected = sum(leaks) / len(leaks) if leaks else 0.0
    assert audit_windows(drawn, length).leaking_test_windows == expected


@law
@given(parts, lengths)
def test_valid_test_overlap_is_the_mean_of_the_best_overlaps(drawn: Parts, length: int) -> None:
    valid = windows(drawn["valid"], length)
    best = [
        max((len(window & other) / length for other in valid), default=0.0)
        for window in windows(drawn["test"], length)
    ]
    expected = np.mean(best) if best else 0.0
    assert np.isclose(audit_windows(drawn, length).valid_test_overlap, expected, rtol=1e-12)


@law
@given(parts, lengths)
def test_disjoint_windows_is_the_size_of_the_largest_disjoint_subset(
    drawn: Parts, length: int
) -> None:
    def largest(at: list[int]) -> int:
        return max(
            size
            for size in range(len(at) + 1)
            for subset in combinations(at, size)
            if all(abs(a - b) >= length for a, b in combinations(subset, 2))
        )

    expected = {part: sum(largest(s.tolist()) for s in drawn[part].values()) for part in PARTS}
    assert audit_windows(drawn, length).disjoint_windows == expected


def test_the_same_place_in_two_recordings_is_not_shared() -> None:
    drawn = {
        "train": {0: np.array([0, 100])},
        "valid": {1: np.array([0])},
        "test": {2: np.array([0]), 1: np.array([50])},
    }
    expected = Audit(0, 0.0, 0.0, {"train": 2, "valid": 1, "test": 2})
    assert audit_windows(drawn, 50) == expected


def test_an_audit_becomes_plain_json() -> None:
    drawn = {
        "train": {0: np.array([0, 4])},
        "valid": {0: np.array([20])},
        "test": {0: np.array([8, 22])},
    }
    document = audit_windows(drawn, 8).to_dict()
    assert json.loads(json.dumps(document)) == {
        "shared_samples": 10,
        "leaking_test_windows": 0.5,
        "valid_test_overlap": 0.375,
        "disjoint_windows": {"train": 1, "valid": 1, "test": 2},
    }
