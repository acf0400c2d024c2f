"""What two parts share, against sets of samples, and the word for the worst of it."""

import json
from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from faultdiag.splits.duplicates import Duplicate
from faultdiag.splits.sharing import Origin, Sharing, share
from faultdiag.splits.within import PARTS

Part = dict[int, NDArray[np.int64]]

law = settings(max_examples=80, deadline=None)
LENGTH = 10


def origin(run: int, bearing: str | None = "b", condition: str | None = "c", **more: object):
    return Origin(**{"name": f"r{run}", "label": "X", "factor": 1.0} | more | {
        "run": run, "bearing": bearing, "condition": condition,
    })  # fmt: skip


def copy(
    one: int, other: int, start: tuple[int, int], samples: int, channels: tuple[int, int] = (0, 0)
) -> Duplicate:
    return Duplicate((one, other), channels, start, samples, 1.0, 0.0, 1.0)


def parts(**starts: Mapping[int, list[int]]) -> dict[str, Part]:
    return {part: {r: np.array(row) for r, row in starts.get(part, {}).items()} for part in PARTS}


def samples(part: Part) -> dict[int, set[int]]:
    return {r: {i for s in row.tolist() for i in range(s, s + LENGTH)} for r, row in part.items()}


starts = st.lists(st.integers(0, 60), min_size=1, max_size=4).map(np.array)
drawn_parts = st.fixed_dictionaries(
    {part: st.dictionaries(st.integers(0, 2), starts, max_size=3) for part in PARTS}
)


@law
@given(drawn_parts)
def test_samples_and_recordings_of_each_two_parts(drawn: dict[str, Part]) -> None:
    found = share(drawn, LENGTH, [origin(i) for i in range(3)]).pairs
    assert list(found) == ["train-valid", "train-test", "valid-test"]
    for one, other in combinations(PARTS, 2):
        left, right = samples(drawn[one]), samples(drawn[other])
        both = left.keys() & right.keys()
        assert found[f"{one}-{other}"]["samples"] == sum(len(left[r] & right[r]) for r in both)
        assert found[f"{one}-{other}"]["recordings"] == len(both)


@law
@given(drawn_parts, st.integers(0, 30), st.integers(0, 30), st.integers(1, 40))
def test_samples_shared_through_a_copy(
    drawn: dict[str, Part], first: int, second: int, length: int
) -> None:
    found = share(
        drawn,
        LENGTH,
        [origin(0), origin(1), origin(2)],
        [copy(0, 1, (first, second), length)],
        ["DE"],
    )
    common = set(range(length))
    leak = False
    for one, other in combinations(PARTS, 2):
        left, right = samples(drawn[one]), samples(drawn[other])
        expected = sum(len(left.get(r, set()) & right.get(r, set())) for r in range(3))
        for a, b in ((left, right), (right, left)):
            through = {i - first for i in a.get(0, ())} & {i - second for i in b.get(1, ())}
            expected += len(through & common)
            leak = leak or (other == "test" and bool(through & common))
        assert found.pairs[f"{one}-{other}"]["samples"] == expected
    [row] = found.duplicates
    assert row["leak"] == leak
    in_first = [p for p in PARTS if {i - first for i in samples(drawn[p]).get(0, ())} & common]
    assert row["parts"][0] == in_first
    assert json.loads(json.dumps(found.to_dict()["leak_by_class"])) == found.leak_by_class


def test_a_copy_at_another_rate_is_compared_as_recorded() -> None:
    # 4000 samples at 48 kHz are 1000 at 12 kHz; the other recording was declared at 12 kHz.
    known = [origin(0, factor=0.25), origin(1)]
    drawn = parts(train={0: [500]}, test={1: [1_500, 3_000]})
    found = share(drawn, 500, known, [copy(0, 1, (0, 0), 4_000)], ["DE"])
    # 500 to 1000 of the first are 2000 to 4000 of the second, whose windows hold 500 of them.
    assert found.pairs["train-test"]["samples"] == 125
    assert found.leak == "samples"


def test_channels_of_a_copied_recording_are_counted_once() -> None:
    rows = [copy(0, 1, (0, 0), 100, channels) for channels in ((0, 0), (1, 1))]
    drawn = parts(train={0: [0]}, test={1: [0]})
    found = share(drawn, LENGTH, [origin(0), origin(1)], rows, ["DE", "FE"])
    assert found.pairs["train-test"]["samples"] == LENGTH
    assert [row["channels"] for row in found.duplicates] == [["DE", "DE"], ["FE", "FE"]]


def test_a_second_channel_that_is_the_first_is_no_leak() -> None:
    rows = [copy(0, 0, (0, 0), 100, (0, 1))]
    drawn = parts(train={0: [0]}, test={0: [50]})
    found = share(drawn, LENGTH, [origin(0)], rows, ["DE", "FE"])
    assert found.leak == "recording"
    assert not found.duplicates[0]["leak"]
    assert found.pairs["train-test"]["samples"] == 0


def test_a_recording_that_repeats_itself_leaks_from_part_to_part() -> None:
    drawn = parts(train={0: [0]}, test={0: [50]})
    found = share(drawn, LENGTH, [origin(0)], [copy(0, 0, (50, 0), 50)], ["DE"])
    assert found.leak == "samples"
    assert found.pairs["train-test"]["samples"] == LENGTH
    assert found.duplicates[0]["parts"] == [["test"], ["train"]]


@pytest.mark.parametrize("part", ["train", "valid"])
def test_a_copy_of_what_was_trained_on_or_chosen_by_is_the_worst(part: str) -> None:
    drawn = parts(**{part: {0: [0]}, "test": {1: [100]}})
    found = share(drawn, LENGTH, [origin(0), origin(0)], [copy(0, 1, (0, 100), 8)], ["DE"])
    assert (found.leak, found.duplicates[0]["leak"]) == ("samples", True)
    assert found.pairs[f"{part}-test"]["samples"] == 8


TRAIN, TEST = {0: [0]}, {1: [0]}
LEVELS = {
    "samples": (parts(train={0: [0]}, test={0: [5]}), [origin(0)], "samples"),
    "valid counts too": (parts(valid={0: [0]}, test={0: [5]}), [origin(0)], "samples"),
    "recording": (parts(train={0: [0]}, test={0: [50]}), [origin(0)], "recording"),
    "copy elsewhere": (parts(train=TRAIN, test=TEST), [origin(0), origin(0)], "recording"),
    "bearing": (parts(train=TRAIN, test=TEST), [origin(0), origin(1)], "bearing"),
    "test unknown": (parts(train=TRAIN, test=TEST), [origin(0), origin(1, None)], "unknown"),
    "train unknown": (parts(train=TRAIN, test=TEST), [origin(0, None), origin(1)], "unknown"),
    "nothing": (parts(train=TRAIN, test=TEST), [origin(0), origin(1, "other")], "none"),
    "no test window": (parts(train=TRAIN), [origin(0)], "none"),
}


@pytest.mark.parametrize(("drawn", "known", "level"), LEVELS.values(), ids=LEVELS)
def test_the_worst_that_train_and_test_share(
    drawn: dict[str, Part], known: list[Origin], level: str
) -> None:
    assert share(drawn, LENGTH, known).leak == level


def test_each_class_has_a_level_and_the_worst_is_that_of_the_split() -> None:
    known = [
        origin(0, "n", label="N"),
        origin(1, "ir 7", label="IR"),
        origin(2, "ir 14", label="IR"),
        origin(3, "or 7", label="OR"),
        origin(4, "or 7", label="OR"),
    ]
    drawn = parts(train={0: [0], 1: [0], 3: [0]}, test={0: [50], 2: [0], 4: [0]})
    found = share(drawn, LENGTH, known)
    assert found.leak_by_class == {"IR": "none", "N": "recording", "OR": "bearing"}
    assert found.leak == "recording"
    assert found.pairs["train-test"] == {
        "samples": 0,
        "recordings": 1,
        "bearings": 2,
        "conditions": 1,
    }


@pytest.mark.parametrize(
    ("train", "test", "count"),
    [(["a", "b"], ["b", "a"], 2), (["a"], ["b"], 0), ([None], ["b"], None), ([None], [None], None),
     (["a", None], ["a", "b"], 1)],
)  # fmt: skip
def test_unknown_bearings_and_conditions_are_not_none(
    train: list[str | None], test: list[str | None], count: int | None
) -> None:
    known = [origin(i, value, value) for i, value in enumerate([*train, *test])]
    drawn = parts(
        train={i: [0] for i in range(len(train))},
        test={i: [0] for i in range(len(train), len(known))},
    )
    found: Sharing = share(drawn, LENGTH, known)
    assert found.pairs["train-test"]["bearings"] == count
    assert found.pairs["train-test"]["conditions"] == count
