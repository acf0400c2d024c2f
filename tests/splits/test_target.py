"""Splits between a labelled source and an unlabelled target."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError
from faultdiag.signal.windows import WindowPlan
from faultdiag.splits.target import TargetPlan, split_domains
from faultdiag.splits.within import PARTS, SOURCE_TEST, TARGET_ADAPT, Split, SplitItem

PLAN = WindowPlan(100, 20, None, 100)
ORDER = (*PARTS, TARGET_ADAPT, SOURCE_TEST)


def items(samples: int = 4000, loads: tuple[int, ...] = (0, 1, 2)) -> list[SplitItem]:
    return [
        SplitItem(f"{load}{label}", samples + 10 * load, label, {"load_hp": load}, f"{load}{label}")
        for load in loads
        for label in ("B", "IR")
    ]


def split(
    rows: list[SplitItem],
    target: list[int] | None,
    cut: TargetPlan | None = None,
    plan: WindowPlan = PLAN,
    **options: Any,
) -> Split:
    strategy = options.pop("strategy", "within_recording")
    return split_domains(
        rows,
        plan,
        0,
        strategy=strategy,
        options=options,
        target=target,
        cut=cut or TargetPlan(),
    )


def recordings(made: Split, part: str) -> set[int]:
    return {segment.recording for segment in made.parts[part]}


def test_source_and_target_have_their_own_parts() -> None:
    made = split(items(), [0, 1])
    assert tuple(made.parts) == ORDER
    assert {part: recordings(made, part) for part in ORDER} == {
        "train": {2, 3, 4, 5},
        "valid": {2, 3, 4, 5},
        "source_test": {2, 3, 4, 5},
        "target_adapt": {0, 1},
        "test": {0, 1},
    }
    adapt, test = made.parts[TARGET_ADAPT][0], made.parts["test"][0]
    assert (adapt.start, adapt.stop) == (0, 2340)
    assert (test.start, test.stop) == (2440, 4000)
    assert made.notes[-1] == (
        "transfer: 2 target recordings, adapted to without labels: the first 60% of each, a gap of "
        "100 samples, and tested on the rest"
    )


def test_a_strategy_across_groups_names_the_domains() -> None:
    made = split(items(), None, strategy="across_loads", train=[2], test=[0])
    assert recordings(made, "train") == recordings(made, SOURCE_TEST) == {4, 5}
    assert recordings(made, "test") == recordings(made, TARGET_ADAPT) == {0, 1}
    assert "in no wanted group of load_hp, so left out: 1B, 1IR" in made.notes


def test_validation_on_other_groups_stays_whole() -> None:
    made = split(items(), None, strategy="across_loads", train=[2], valid=[1], test=[0])
    assert recordings(made, "train") == recordings(made, SOURCE_TEST) == {4, 5}
    assert {(s.recording, s.start) for s in made.parts["valid"]} == {(2, 0), (3, 0)}
    assert recordings(made, "test") == recordings(made, TARGET_ADAPT) == {0, 1}
    inner = split(items(), None, strategy="across_loads", valid="across", test=[0])
    assert recordings(inner, "train") | recordings(inner, "valid") == {2, 3, 4, 5}
    assert not recordings(inner, "train") & recordings(inner, "valid")


def test_whole_recordings_can_be_held_out() -> None:
    rows = items(loads=(0, 1, 2, 3, 4, 5))
    made = split(rows, list(range(10)), TargetPlan(0.6, "recordings"))
    adapt, test = (recordings(made, part) for part in (TARGET_ADAPT, "test"))
    assert len(adapt) == 6
    assert adapt | test == set(range(10))
    assert not adapt & test
    assert all(s.start == 0 for s in made.parts["test"])


@settings(max_examples=30, deadline=None)
@given(
    samples=st.integers(2000, 9000),
    adapt=st.floats(0.2, 0.8),
    gap=st.integers(0, 300),
    hold_out=st.sampled_from(["time", "recordings"]),
)
def test_no_sample_is_in_two_parts(samples: int, adapt: float, gap: int, hold_out: Any) -> None:
    made = split(items(samples), [0, 1], TargetPlan(adapt, hold_out, gap), gap=gap)
    for number in range(6):
        used = [
            (s.start, s.stop) for part in ORDER for s in made.parts[part] if s.recording == number
        ]
        edges = sorted(used)
        assert all(b[0] - a[1] >= gap for a, b in pairwise(edges))
        assert 0 <= edges[0][0] < edges[-1][1] <= items(samples)[number].samples


def test_the_class_of_a_target_recording_decides_nothing() -> None:
    rows = items()
    others = [
        SplitItem(r.name, r.samples, "X" if i < 2 else r.label, r.facts, r.sha256)
        for i, r in enumerate(rows)
    ]
    for options in ({}, {"strategy": "random_windows"}):
        for cut in (TargetPlan(), TargetPlan(0.5, "recordings")):
            plan = WindowPlan(100, None, 60, 100) if options else PLAN
            one = split(rows, [0, 1], cut, plan, **options)
            other = split(others, [0, 1], cut, plan, **options)
            assert one.parts == other.parts


def test_random_windows_deals_the_target_at_random_too() -> None:
    made = split(items(), [0, 1], TargetPlan(0.75), strategy="random_windows")
    adapt = [s.start for s in made.parts[TARGET_ADAPT] if s.recording == 0]
    test = [s.start for s in made.parts["test"] if s.recording == 0]
    assert len(adapt) == pytest.approx(3 * len(test), abs=3)
    overlapping = np.abs(np.subtract.outer(test, adapt)).min(axis=1) < 100
    assert overlapping.mean() > 0.9
    assert "75% of the windows of each, drawn at random" in made.notes[-1]


@pytest.mark.parametrize(
    ("rows", "target", "options", "problem"),
    [
        (
            items(),
            None,
            {},
            r"transfer\.target is missing, and split\.strategy within_recording tests on no other "
            r"recordings; name the target, such as transfer\.target: {fact: load_hp,",
        ),
        (items(), [], {}, "the target of transfer has no recording; name other values"),
        (
            items(),
            list(range(6)),
            {},
            "all 6 recordings selected are of the target, so that nothing labelled is left",
        ),
        (
            [*items(), SplitItem("copy", 4000, "B", {}, "2B")],
            [0, 6],
            {},
            r"the target is the source: copy \(the same bytes\) is in both; give recordings of",
        ),
        (
            [*items(), SplitItem("short", 250, "B", {}, "s")],
            [6],
            {},
            r"a target recording needs 350 samples a recording \(window\.length 100, "
            r"transfer\.adapt 0\.6, gap 100\); short has 250; leave them out",
        ),
    ],
)
def test_what_can_not_be_split(
    rows: list[SplitItem], target: list[int] | None, options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(FaultdiagError, match=problem):
        split(rows, target, **options)


def test_windows_between_those_adapted_to_can_be_tested() -> None:
    cut = TargetPlan(0.75, "windows")
    made = split(items(), [0, 1], cut)
    adapted, tested = (
        {(s.recording, s.start) for s in made.parts[part]} for part in (TARGET_ADAPT, "test")
    )
    assert len(adapted) / len(adapted | tested) == pytest.approx(0.75, abs=0.01)
    assert not adapted & tested
    starts = {part: [s for r, s in own if r == 0] for part, own in (("a", adapted), ("t", tested))}
    assert min(starts["a"]) < np.median(starts["t"]) < max(starts["a"]), "they lie between"
    source = split(items(), [0, 1])
    assert made.parts["train"] == source.parts["train"], "the source is cut as ever"
    assert "drawn at random" in made.notes[-1]


def test_one_target_recording_can_not_be_held_out_whole() -> None:
    with pytest.raises(FaultdiagError, match="two target recordings or more and there is 0B alone"):
        split(items(), [0], TargetPlan(0.6, "recordings"))
