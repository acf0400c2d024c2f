"""Splits across groups: whole groups on one side, everything else said."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError
from faultdiag.group_splits import across, across_loads, across_sizes
from faultdiag.splits import PARTS, STRATEGIES, Split, SplitItem
from faultdiag.windows import WindowPlan

PLAN = WindowPlan(length=100, stride=20, per_class=None, test_stride=100)


def item(label: str, load: int, size: str | None = "007", samples: int = 5000) -> SplitItem:
    return SplitItem(f"{label}-{load}-{size}", samples, label, {"load_hp": load, "size": size})


def four_loads() -> list[SplitItem]:
    return [item(label, load) for load in range(4) for label in ("IR", "B")]


def loads_in(split: Split, items: list[SplitItem], part: str) -> set[object]:
    return {items[s.recording].facts["load_hp"] for s in split.parts[part]}


def test_test_groups_are_whole_and_nowhere_else() -> None:
    items = four_loads()
    split = across_loads(items, PLAN, 0, test=[0, 1, 2])
    assert loads_in(split, items, "train") == loads_in(split, items, "valid") == {3}
    assert loads_in(split, items, "test") == {0, 1, 2}
    assert {(s.start, s.stop) for s in split.parts["test"]} == {(0, 5000)}
    assert split.notes == ()
    assert split.test_may_lack


@given(
    samples=st.lists(st.integers(1000, 9000), min_size=8, max_size=8),
    gap=st.integers(0, 300),
    test=st.sets(st.integers(0, 3), min_size=1, max_size=3),
)
def test_no_sample_on_two_sides_and_the_gap_is_kept(
    samples: list[int], gap: int, test: set[int]
) -> None:
    items = [item(f"c{i % 2}", i // 2, samples=n) for i, n in enumerate(samples)]
    split = across_loads(items, PLAN, 0, test=sorted(test), gap=gap)
    seen = [(s.recording, s.start, s.stop) for part in PARTS for s in split.parts[part]]
    for before, after in pairwise(sorted(seen)):
        assert before[0] != after[0] or after[1] - before[2] == gap
    assert loads_in(split, items, "test") == test
    assert loads_in(split, items, "train") == set(range(4)) - test
    for train, valid in zip(split.parts["train"], split.parts["valid"], strict=True):
        assert train.recording == valid.recording
        assert train.samples / (train.samples + valid.samples) == pytest.approx(7 / 9, abs=2e-3)


def test_a_class_without_the_fact_is_split_within_and_said() -> None:
    items = [item("IR", 0, "007"), item("IR", 0, "014"), item("N", 0, None)]
    split = across_sizes(items, PLAN, 0, test=["014"])
    assert [s.recording for s in split.parts["test"]] == [1, 2]
    assert [s.recording for s in split.parts["train"]] == [0, 2]
    assert split.parts["test"][1].start > split.parts["train"][1].stop
    assert split.notes == (
        "split within the recording, because they have no size: N-0-None; for their class the "
        "test part is no other group",
    )


def test_groups_on_neither_side_are_left_out_and_said() -> None:
    items = four_loads()
    split = across_loads(items, PLAN, 0, train=[3], test=[0])
    assert split.notes == (
        "in neither group of load_hp, so left out: IR-1-007, B-1-007, IR-2-007, B-2-007",
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"fact": "load", "test": [0]},
            "split.fact is 'load' (did you mean 'load_hp'?), which no recording has; known: "
            "load_hp, size",
        ),
        (
            {"fact": "load_hp", "test": [4]},
            "split.test is 4; the recordings have load_hp 0, 1, 2, 3",
        ),
        (
            {"fact": "size", "test": ["07"], "train": ["007"]},
            "split.test is 07 (did you mean '007'?); the recordings have size 007",
        ),
        (
            {"fact": "load_hp", "test": [0], "train": [0, 1]},
            "split.train and split.test both have load_hp 0; a group stands on one side",
        ),
        (
            {"fact": "load_hp", "test": []},
            "split.test is empty; the recordings have load_hp 0, 1, 2, 3",
        ),
    ],
)
def test_impossible_groups_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(FaultdiagError, match=f"^{re.escape(message)}$"):
        STRATEGIES.build("across", four_loads(), PLAN, 0, **options)


def test_a_class_that_is_tested_but_not_trained_is_refused() -> None:
    items = [*four_loads(), item("N", 0)]
    message = (
        "the test part has N, which no training recording has; train on another load_hp too, "
        "leave the class out with data.select, or make data.label coarser"
    )
    with pytest.raises(FaultdiagError, match=f"^{re.escape(message)}$"):
        across(items, PLAN, 0, fact="load_hp", test=[0])


def test_a_short_training_recording_is_named_with_what_it_needs() -> None:
    items = [item("IR", 0), item("IR", 1, samples=549)]
    with pytest.raises(FaultdiagError, match=r"a training recording needs 550 samples .*IR-1-007"):
        across_loads(items, PLAN, 0, test=[0])
    enough = [item("IR", 0), item("IR", 1, samples=550)]
    split = across_loads(enough, PLAN, 0, test=[0])
    assert split.parts["valid"][0].samples == 100


def test_the_minimum_is_exact_where_the_parts_round() -> None:
    fractions = (0.63, 0.27, 0.1)
    short, enough = ([item("IR", 0), item("IR", 1, samples=n)] for n in (433, 434))
    with pytest.raises(FaultdiagError, match="needs 434 samples"):
        across_loads(short, PLAN, 0, test=[0], fractions=fractions)
    split = across_loads(enough, PLAN, 0, test=[0], fractions=fractions)
    assert split.parts["valid"][0].samples >= 100


def test_the_shorthands_are_the_fact() -> None:
    items = [item("IR", load, size) for load in (0, 1) for size in ("007", "014")]
    by_load = across(items, PLAN, 0, fact="load_hp", test=[1])
    by_size = across(items, PLAN, 0, fact="size", test=["014"])
    assert across_loads(items, PLAN, 0, test=[1]) == by_load
    assert across_sizes(items, PLAN, 0, test=["014"]) == by_size
