"""Honest splits share nothing between their parts, checked sample by sample."""

import re
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError
from faultdiag.signal.windows import WindowPlan, spread_starts, strided_starts
from faultdiag.splits.within import (
    PARTS,
    SEEDED,
    STRATEGIES,
    Split,
    SplitItem,
    even_shares,
    minimum_samples,
    part_sizes,
    smallest,
    within_recording,
)

law = settings(max_examples=60, deadline=None)
DEFAULTS = (0.7, 0.2, 0.1)
counts = st.integers(1, 40)
shares = st.tuples(counts, counts, counts).map(lambda n: tuple(k / sum(n) for k in n))
lengths = st.integers(1, 30)
gaps = st.none() | st.integers(0, 60)


Drawn = tuple[list[SplitItem], WindowPlan, int, Split]


@st.composite
def honest_splits(draw: st.DrawFn) -> Drawn:
    """Draw recordings, a window plan and a gap, and give their split within each recording."""
    length, fractions, gap = draw(lengths), draw(shares), draw(gaps)
    effective = length if gap is None else gap
    needed = minimum_samples(length, fractions, effective)
    extra = draw(st.lists(st.integers(0, 400), min_size=1, max_size=4))
    items = [SplitItem(f"{i}.mat", needed + more, "NIB"[i % 3]) for i, more in enumerate(extra)]
    stride = draw(st.none() | st.integers(1, 50))
    per_class = None if stride else draw(st.integers(1, 60))
    plan = WindowPlan(length, stride, per_class, draw(st.integers(1, 50)))
    split = within_recording(items, plan, 0, fractions=fractions, gap=gap)
    return items, plan, effective, split


def windows_of(split: Split, plan: WindowPlan, part: str) -> list[tuple[int, range]]:
    """Cut the segments of a part into windows: recording, and the samples of the window."""
    windows = []
    for segment in split.parts[part]:
        stride = plan.stride_of(part)
        if stride is None:
            count = min(plan.per_class or 0, segment.samples - plan.length + 1)
            starts = spread_starts(segment.start, segment.stop, plan.length, count)
        else:
            starts = strided_starts(segment.start, segment.stop, plan.length, stride)
        windows += [(segment.recording, range(s, s + plan.length)) for s in starts.tolist()]
    return windows


@law
@given(honest_splits())
def test_no_two_parts_share_a_sample(drawn: Drawn) -> None:
    items, plan, _, split = drawn
    samples = {
        part: {(r, i) for r, window in windows_of(split, plan, part) for i in window}
        for part in PARTS
    }
    for one, other in combinations(PARTS, 2):
        assert not samples[one] & samples[other]
    for part in PARTS:
        assert {r for r, _ in samples[part]} == set(range(len(items)))
        assert all(0 <= i < items[r].samples for r, i in samples[part])


@law
@given(honest_splits())
def test_no_window_leaves_its_segment(drawn: Drawn) -> None:
    _, plan, _, split = drawn
    for part in PARTS:
        inside = {s.recording: range(s.start, s.stop) for s in split.parts[part]}
        for recording, window in windows_of(split, plan, part):
            assert window[0] in inside[recording]
            assert window[-1] in inside[recording]


@law
@given(honest_splits())
def test_the_parts_and_gaps_of_a_recording_lie_end_to_end(drawn: Drawn) -> None:
    items, _, gap, split = drawn
    for index, item in enumerate(items):
        segments = [s for part in PARTS for s in split.parts[part] if s.recording == index]
        assert len(segments) == len(PARTS)
        assert (segments[0].start, segments[-1].stop) == (0, item.samples)
        assert [b.start - a.stop for a, b in pairwise(segments)] == [gap, gap]
        expected = part_sizes(item.samples - 2 * gap, list(split.shares.values()))
        assert [s.samples for s in segments] == expected


@law
@given(st.integers(0, 10**7), shares)
def test_part_sizes_follow_the_fractions_and_use_everything(
    usable: int, fractions: tuple[float, ...]
) -> None:
    sizes = part_sizes(usable, fractions)
    assert sum(sizes) == usable
    distances = [size - usable * share for size, share in zip(sizes, fractions, strict=True)]
    assert all(-1 < distance < 2 for distance in distances)
    assert distances[0] > -0.001  # what is left over goes to training


@law
@given(st.integers(0, 300), shares)
def test_no_part_shrinks_where_there_is_more_to_cut(
    usable: int, fractions: tuple[float, ...]
) -> None:
    less, more = part_sizes(usable, fractions), part_sizes(usable + 1, fractions)
    assert all(a <= b for a, b in zip(less, more, strict=True))


def test_part_sizes_are_not_cut_by_a_rounding_of_floating_point() -> None:
    assert 100 * 0.58 < 58
    assert part_sizes(100, (0.4, 0.02, 0.58)) == [40, 2, 58]
    assert part_sizes(1000, DEFAULTS) == [700, 200, 100]


def test_part_sizes_use_everything_where_fractions_sum_to_almost_one() -> None:
    fractions = (0.7, 0.2, 0.1 + 9e-10)
    assert sum(part_sizes(2_000_000_001, fractions)) == 2_000_000_001


@law
@given(st.integers(0, 1000), st.integers(1, 40))
def test_even_shares_differ_by_at_most_one(total: int, among: int) -> None:
    found = even_shares(total, among)
    assert (sum(found), len(found)) == (total, among)
    assert max(found) - min(found) <= 1


@law
@given(st.integers(0, 10**6))
def test_smallest_finds_the_border(border: int) -> None:
    assert smallest(lambda n: n >= border) == border


@law
@given(lengths, shares, gaps)
def test_the_minimum_is_exact(length: int, fractions: tuple[float, ...], gap: int | None) -> None:
    needed = minimum_samples(length, fractions, length if gap is None else gap)
    plan = WindowPlan(length, 1, None, 1)
    for samples in range(needed, needed + 25):
        item = SplitItem("a.mat", samples, "N")
        split = within_recording([item], plan, 0, fractions=fractions, gap=gap)
        assert all(windows_of(split, plan, part) for part in PARTS)
    short = SplitItem("a.mat", needed - 1, "N")
    with pytest.raises(FaultdiagError, match=f"needs {needed} samples .* has {needed - 1};"):
        within_recording([short], plan, 0, fractions=fractions, gap=gap)
    usable = needed - 1 - 2 * (length if gap is None else gap)
    assert usable < 0 or min(part_sizes(usable, fractions)) < length


def test_a_recording_of_the_minimum_at_the_defaults() -> None:
    split = within_recording(
        [SplitItem("a.mat", 24_576, "N")], WindowPlan(2048, 128, None, 2048), 0
    )
    found = {part: [(s.start, s.stop) for s in split.parts[part]] for part in PARTS}
    assert found == {
        "train": [(0, 14_336)],
        "valid": [(16_384, 20_480)],
        "test": [(22_528, 24_576)],
    }
    assert (split.shares, split.notes) == (dict(zip(PARTS, DEFAULTS, strict=True)), ())


def test_all_recordings_that_are_too_short_are_named() -> None:
    items = [
        SplitItem("97.mat", 24_575, "N"),
        SplitItem("105.mat", 24_576, "IR"),
        SplitItem("118.mat", 300, "B"),
    ]
    expected = (
        "within_recording needs 24576 samples a recording (window.length 2048, fractions "
        "[0.7, 0.2, 0.1], gap 2048); 97.mat has 24575, 118.mat has 300; leave them out with "
        "data.select or use a shorter window.length or split.gap"
    )
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        within_recording(items, WindowPlan(2048, 128, None, 2048), 0)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"fractions": [0.7, 0.3]},
            "fractions is [0.7, 0.3]; found 2 numbers; write 3, for train, valid and test, such "
            "as [0.7, 0.2, 0.1]",
        ),
        (
            {"fractions": [0.7, 0.2, 0.2]},
            "fractions is [0.7, 0.2, 0.2]; they sum to 1.1 and must sum to 1, such as "
            "[0.7, 0.2, 0.1]",
        ),
        ({"fractions": [0.8, 0.2, 0]}, "fractions is [0.8, 0.2, 0]; each must be at least 1e-06"),
        (
            {"fractions": [1.2, -0.3, 0.1]},
            "fractions is [1.2, -0.3, 0.1]; each must be at least 1e-06",
        ),
        (
            {"fractions": ["0.7", 0.2, 0.1]},
            "fractions is ['0.7', 0.2, 0.1]; Input should be a valid number",
        ),
        ({"gap": -1}, "gap is -1; Input should be greater than or equal to 0"),
        ({"gap": True}, "gap is True; Input should be a valid integer"),
        ({"gap": "2048"}, "gap is '2048'; Input should be a valid integer"),
    ],
)
def test_options_that_make_no_split(options: dict[str, object], reason: str) -> None:
    expected = f"split strategy 'within_recording': {reason}"
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        STRATEGIES.check_options("within_recording", options)


def test_fractions_that_are_not_numbers_of_floating_point_sum_to_one() -> None:
    for fractions in ([0.6, 0.3, 0.1], [0.33, 0.33, 0.34], [1 / 3, 1 / 3, 1 / 3]):
        checked = STRATEGIES.check_options("within_recording", {"fractions": fractions, "gap": 0})
        assert checked == {"fractions": tuple(fractions), "gap": 0}


# What the strategies that hold groups out can't do without; the others have defaults.
GROUPS: dict[str, dict[str, object]] = {
    "across": {"fact": "load_hp", "test": [0]},
    "across_loads": {"test": [0]},
    "across_sizes": {"test": ["007"]},
    "across_bearings": {"test": ["DE-N"]},
    "across_recordings": {"test": ["a.mat"]},
}
SAVED = {"file"}  # needs a file: tests/test_split_file.py


@pytest.mark.parametrize("strategy", sorted(set(STRATEGIES) - SAVED))
def test_only_seeded_strategies_depend_on_the_seed(strategy: str) -> None:
    plan = WindowPlan(64, None, 40, 64)
    items = [
        SplitItem("a.mat", 3000, "N", {"load_hp": 0, "size": "007", "specimen": "DE-N"}),
        SplitItem("b.mat", 4000, "N", {"load_hp": 1, "size": "014", "specimen": "FE-N"}),
    ]
    first, again, other = (
        STRATEGIES.build(strategy, items, plan, seed, **GROUPS.get(strategy, {}))
        for seed in (1, 1, 2)
    )
    assert first == again
    assert (first != other) == (strategy in SEEDED)


@pytest.mark.parametrize("strategy", sorted(set(STRATEGIES) - GROUPS.keys() - SAVED))
def test_every_strategy_without_groups_fills_every_part_and_states_its_shares(
    strategy: str,
) -> None:
    plan = WindowPlan(64, None, 40, 64)
    fractions = (0.5, 0.3, 0.2)
    items = [SplitItem(f"{n}.mat", 3000, n) for n in "NIB"]
    split = STRATEGIES.build(strategy, items, plan, 0, fractions=fractions)
    assert split.shares == dict(zip(PARTS, fractions, strict=True))
    for part in PARTS:
        assert {s.recording for s in split.parts[part]} == {0, 1, 2}
        assert all(s.samples >= 64 for s in split.parts[part])
