"""Splits across groups: whole groups on one side, everything else said."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError
from faultdiag.signal.windows import WindowPlan
from faultdiag.splits.across import (
    across,
    across_bearings,
    across_loads,
    across_recordings,
    across_sizes,
)
from faultdiag.splits.within import PARTS, STRATEGIES, Split, SplitItem

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
        "in no wanted group of load_hp, so left out: IR-1-007, B-1-007, IR-2-007, B-2-007",
    )


EXCLUDED = "split.folds: folds: each names the groups by itself; leave {} out, or folds"


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
            "split.test names groups of load_hp: no recording has 4; there are: 0, 1, 2, 3",
        ),
        (
            {"fact": "size", "test": ["07"], "train": ["014"]},
            "split.test names groups of size: no recording has \"07\" (did you mean '007'?); "
            'there are: "007", "014"',
        ),
        (
            {"fact": "size", "test": ["014"], "valid": [7]},
            "split.valid names groups of size: 7 is a number and the values are text; write "
            '"007" in quotes',
        ),
        (
            {"fact": "load_hp", "test": [0, 1, 2], "valid": [3]},
            "split.valid and split.test take every load_hp (0, 1, 2, 3), which leaves none to "
            "train on; name fewer",
        ),
        (
            {"fact": "load_hp", "test": [0], "valid": ["0"]},
            "split.valid and split.test both have load_hp 0; a group belongs to one part only",
        ),
        ({"fact": "load_hp", "test": [0], "folds": "each"}, EXCLUDED.format("test")),
        (
            {"fact": "load_hp", "train": [0], "valid": [1], "folds": "each"},
            EXCLUDED.format("train, valid"),
        ),
        (
            {"fact": "load_hp", "fold": 0},
            "split.fold: it chooses one of split.folds, and there are none; add folds: each; "
            "split.test: name the groups to test on, as in test: [1, 2], or let folds do it: "
            "each, pairs or a number",
        ),
        (
            {"fact": "load_hp", "folds": "pairs"},
            "split.folds is pairs, which is several splits, and one is needed here; choose one "
            "with split.fold, such as 0, or run them all with `faultdiag train`",
        ),
        (
            {"fact": "load_hp", "test": [0], "train": [0, 1]},
            "split.train and split.test both have load_hp 0; a group belongs to one part only",
        ),
        (
            {"fact": "load_hp", "test": []},
            "split.test is empty; the recordings have load_hp 0, 1, 2, 3",
        ),
    ],
)
def test_impossible_groups_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(FaultdiagError, match=f"^{re.escape(message)}$"):
        STRATEGIES.build("across", [*four_loads(), item("IR", 1, "014")], PLAN, 0, **options)


def test_a_class_that_is_tested_but_not_trained_is_refused() -> None:
    items = [*four_loads(), item("N", 0), item("N", 1)]
    message = (
        "the test part has N, which no training recording has; train on another load_hp too, "
        "leave the class out with data.select, or make data.label coarser"
    )
    with pytest.raises(FaultdiagError, match=f"^{re.escape(message)}$"):
        across(items, PLAN, 0, fact="load_hp", test=[0, 1])
    with pytest.raises(FaultdiagError, match=f"^{re.escape(message.replace('test', 'valid'))}$"):
        across(items, PLAN, 0, fact="load_hp", test=[2], valid=[0, 1])


def test_a_class_of_one_group_is_split_within_and_said() -> None:
    items = [*four_loads(), item("N", 2)]
    for options in ({"test": [2]}, {"test": [0]}, {"test": [0], "valid": [2]}):
        split = across_loads(items, PLAN, 0, **options)
        for part in PARTS:
            (segment,) = (s for s in split.parts[part] if s.recording == 8)
            assert 0 < segment.samples < 5000
        assert split.notes == (
            "split within the recording, because their class has one load_hp only: N-2-007; for "
            "their class the test part is no other group",
        )
    split = across_loads(items, PLAN, 0, train=[3], test=[0])
    assert all(s.recording != 8 for part in PARTS for s in split.parts[part])


def test_a_class_that_is_not_tested_is_said() -> None:
    items = [*four_loads(), item("N", 1), item("N", 2)]
    split = across_loads(items, PLAN, 0, test=[0])
    assert split.notes == ("the test part has no recording of N",)


def test_no_class_with_two_groups_is_refused() -> None:
    items = [
        SplitItem(f"{code}{size}", 5000, f"{code}{size}", {"code": code, "size": size})
        for code in ("IR", "B")
        for size in ("007", "014")
    ]
    message = (
        "no class has two groups of size (B007 only 007), so none can be tested on a group that "
        'it was not trained on; make data.label coarser, such as "{code}", select more '
        "recordings, or use split.strategy within_recording"
    )
    with pytest.raises(FaultdiagError, match=f"^{re.escape(message)}$"):
        across_sizes(items, PLAN, 0, test=["007"])
    with pytest.raises(FaultdiagError, match=r"label coarser, select more recordings, or use"):
        across_sizes([items[0], items[3]], PLAN, 0, test=["007"])


def test_valid_groups_are_whole_and_nowhere_else() -> None:
    items = four_loads()
    split = across_loads(items, PLAN, 0, test=[0], valid=["1"])
    assert loads_in(split, items, "train") == {2, 3}
    assert loads_in(split, items, "valid") == {1}
    assert loads_in(split, items, "test") == {0}
    assert {s.samples for part in PARTS for s in split.parts[part]} == {5000}


def test_a_valid_group_that_lacks_a_class_is_refused() -> None:
    items = [*four_loads(), item("N", 0), item("N", 2)]
    message = (
        "split.valid has no recording of N, and the epoch is chosen by it; name a load_hp of each "
        "class, or leave valid out to cut it from the training recordings"
    )
    with pytest.raises(FaultdiagError, match=f"^{re.escape(message)}$"):
        across_loads(items, PLAN, 0, test=[0], valid=[1])


@pytest.mark.parametrize(("load", "part"), [(0, "test"), (1, "validation"), (2, "training")])
def test_a_whole_recording_shorter_than_a_window_is_named(load: int, part: str) -> None:
    items = [*four_loads(), item("IR", load, "014", samples=99)]
    with pytest.raises(
        FaultdiagError,
        match=rf"^a {part} recording needs 100 samples a recording \(window\.length 100\); "
        rf"IR-{load}-014 has 99; leave them out",
    ):
        across_loads(items, PLAN, 0, test=[0], valid=[1])


def test_the_same_bytes_in_two_groups_are_refused() -> None:
    facts = [{"load_hp": load} for load in (0, 1, 0, 1)]
    labels, bytes_ = ("IR", "IR", "B", "B"), ("a", "b", "c", "a")
    items = [SplitItem(*row) for row in zip("abcd", [5000] * 4, labels, facts, bytes_, strict=True)]
    message = (
        "a and d are the same recording (the same bytes) in two groups of load_hp: 0 and 1; leave "
        "one out with data.select or correct its facts"
    )
    with pytest.raises(FaultdiagError, match=f"^{re.escape(message)}$"):
        across_loads(items, PLAN, 0, test=[0])
    with pytest.raises(FaultdiagError, match="in two groups of recording: a and d"):
        across_recordings(items, PLAN, 0, test=["a", "c"])


def test_recordings_are_groups_by_their_names() -> None:
    items = four_loads()
    split = across_recordings(items, PLAN, 0, test=["IR-0-007", "B-3-007"])
    assert [s.recording for s in split.parts["test"]] == [0, 7]
    assert [s.recording for s in split.parts["train"]] == [1, 2, 3, 4, 5, 6]


def specimen(label: str, bearing: str, name: str | None) -> SplitItem:
    facts = {"bearing": bearing} if name is None else {"bearing": bearing, "specimen": name}
    return SplitItem(f"{label}-{bearing}-{name}", 5000, label, facts)


def test_bearings_are_specimens_or_else_what_the_manifest_calls_bearing() -> None:
    items = [specimen(label, "6205", n + label) for label in ("IR", "B") for n in "pq"]
    split = across_bearings(items, PLAN, 0, test=["pIR", "qB"])
    assert [s.recording for s in split.parts["test"]] == [0, 3]
    items = [specimen(label, n + label, None) for label in ("IR", "B") for n in "pq"]
    assert across_bearings(items, PLAN, 0, test=["pIR", "qB"]).parts == split.parts
    message = (
        "split.strategy across_bearings groups recordings by their fact specimen or bearing, which "
        "none has; known: load_hp, size; state it, or name another with strategy across and "
        "split.fact"
    )
    with pytest.raises(FaultdiagError, match=f"^{re.escape(message)}$"):
        across_bearings(four_loads(), PLAN, 0, test=["p"])


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
