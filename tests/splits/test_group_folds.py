"""Folds of groups: every group tested once, nothing on two sides, nothing drawn by chance alone."""

import re
from importlib import import_module
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError
from faultdiag.preparing.window_index import open_windows, write_windows
from faultdiag.signal.windows import WindowPlan
from faultdiag.splits.across import choose_folds, plan_folds
from faultdiag.splits.base import Grouping, group_by, groups_of_classes, in_order
from faultdiag.splits.within import PARTS, STRATEGIES, Split, SplitItem

# The first number of folds imports scikit-learn, which takes its time.
pytestmark = pytest.mark.usefixtures("splitter")
PLAN = WindowPlan(length=100, stride=30, per_class=None, test_stride=100)


@pytest.fixture(scope="module")
def splitter() -> None:
    import_module("sklearn.model_selection")


def item(label: str, group: object, name: str = "", samples: int = 5000) -> SplitItem:
    facts = {} if group is None else {"g": group}
    return SplitItem(name or f"{label}-{group}", samples, label, facts)


def loads(*labels: str, among: int = 4) -> list[SplitItem]:
    return [item(label, load) for load in range(among) for label in labels]


def by_g(items: list[SplitItem]) -> Grouping:
    return group_by("across", items, "g")


@st.composite
def recordings(draw: st.DrawFn) -> list[SplitItem]:
    """Recordings of two to four classes in up to five groups, some of them in none."""
    groups = st.one_of(st.none(), st.integers(0, 2), st.sampled_from(["p", "q"]))
    rows = draw(
        st.lists(
            st.tuples(st.sampled_from("ABCD"), groups, st.integers(1200, 3000)),
            min_size=4,
            max_size=12,
        )
    )
    made = [item(label, g, f"{i}", n) for i, (label, g, n) in enumerate(rows)]
    # One class at least can be divided.
    return [*made, item("A", 0, "first"), item("A", 1, "second")]


def test_pairs_are_all_ordered_pairs() -> None:
    items = loads("IR", "B")
    folds = plan_folds(items, by_g(items), "pairs", 0)
    assert len(folds) == 12
    assert [fold.name for fold in folds[:4]] == ["0→1", "0→2", "0→3", "1→0"]
    for fold in folds:
        (train,), (test,) = fold.groups.train, fold.groups.test
        assert fold.name == f"{train}→{test}"
        assert train != test


def test_each_leaves_one_out() -> None:
    items = [item("IR", size) for size in ("021", "007", "014")]
    items += [item("N", None)]
    folds = plan_folds(items, by_g(items), "each", 0)
    assert [(f.name, f.groups.test, f.groups.train) for f in folds] == [
        ("007", ["007"], ["014", "021"]),
        ("014", ["014"], ["007", "021"]),
        ("021", ["021"], ["007", "014"]),
    ]


def bearings() -> list[SplitItem]:
    """Three bearings of each fault at two loads, and one healthy one."""
    names = [(code, f"{code}-{n}") for code in ("IR", "B", "OR") for n in range(3)]
    rows = [*names, ("N", "N")]
    return [item(code, name, f"{name}@{load}") for code, name in rows for load in range(2)]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_number_deals_bearings_of_every_fault_to_every_fold(seed: int) -> None:
    items = bearings()
    folds = plan_folds(items, by_g(items), 3, seed)
    assert [fold.name for fold in folds] == ["fold 1 of 3", "fold 2 of 3", "fold 3 of 3"]
    for fold in folds:
        assert sorted(name.partition("-")[0] for name in fold.groups.test) == ["B", "IR", "OR"]
        assert "N" in fold.groups.train


def test_the_seed_deals_and_nothing_else() -> None:
    items = bearings()
    dealt = [
        [fold.groups.test for fold in plan_folds(items, by_g(items), 3, seed)] for seed in range(9)
    ]
    assert dealt[4] == [f.groups.test for f in plan_folds(items, by_g(items), 3, 4)]
    assert len({str(folds) for folds in dealt}) > 1


@settings(max_examples=40, deadline=None)
@given(items=recordings(), seed=st.integers(0, 9))
def test_every_group_is_tested_once(items: list[SplitItem], seed: int) -> None:
    grouping = by_g(items)
    groups = {label: g for label, g in groups_of_classes(items, grouping).items() if len(g) > 1}
    divided = in_order(group for found in groups.values() for group in found)
    fewest = min(map(len, groups.values()))
    for folds in ("each", *range(2, fewest + 1)):
        planned = plan_folds(items, grouping, folds, seed)
        tested = [group for fold in planned for group in fold.groups.test]
        assert in_order(tested) == divided
        assert len(tested) == len(divided)
        for fold in planned:
            assert in_order([*fold.groups.train, *fold.groups.test]) == grouping.values
            assert not {*fold.groups.train} & {*fold.groups.test}


def chosen(items: list[SplitItem], folds: object, seed: int, fold: int) -> Split | None:
    try:
        return STRATEGIES.build("across", items, PLAN, seed, fact="g", folds=folds, fold=fold)
    except FaultdiagError as error:
        if "which no training recording has" not in str(error):
            raise
        return None


@settings(max_examples=40, deadline=None)
@given(items=recordings(), folds=st.sampled_from(["each", "pairs", 2]), fold=st.integers(0, 1))
def test_no_sample_and_no_group_on_two_sides(
    items: list[SplitItem], folds: object, fold: int
) -> None:
    split = chosen(items, folds, 0, fold)
    if split is None:
        return
    segments = sorted((s, part) for part in PARTS for s in split.parts[part])
    for (before, one), (after, other) in pairwise(segments):
        gap = after.start - before.stop if before.recording == after.recording else PLAN.length
        assert one != other or before.recording != after.recording
        assert gap >= PLAN.length
    used = {part: {segment.recording for segment in split.parts[part]} for part in PARTS}
    within = used["train"] & used["test"]
    noted = " ".join(split.notes)
    assert all(re.search(rf"[ ]{items[i].name}[,;]", noted) for i in within)
    group = {
        part: {items[recording].facts.get("g") for recording in used[part] - within}
        for part in PARTS
    }
    assert not group["test"] & (group["train"] | group["valid"])
    assert None not in group["test"] | group["train"]


@settings(max_examples=40, deadline=None)
@given(items=recordings(), fold=st.integers(0, 1))
def test_windows_stay_inside_the_segments_of_their_part(
    items: list[SplitItem], fold: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    split = chosen(items, "each", 0, fold)
    if split is None:
        return
    path = tmp_path_factory.getbasetemp() / "windows of folds.npz"
    write_windows(path, split, PLAN, [0] * len(items))
    windows = open_windows(path)
    for part in PARTS:
        for recording, starts in windows.of(part).by_recording().items():
            (segment,) = (s for s in split.parts[part] if s.recording == recording)
            assert starts.min() >= segment.start
            assert starts.max() + PLAN.length <= segment.stop


def test_more_folds_than_a_class_has_groups() -> None:
    items = [*loads("IR"), item("B", 0), item("B", 2)]
    message = "split.folds is 3, but class B has 2 groups of g (0, 2); use at most 2"
    with pytest.raises(FaultdiagError, match=f"^{re.escape(message)}$"):
        plan_folds(items, by_g(items), 3, 0)
    assert len(plan_folds(items, by_g(items), 2, 0)) == 2


def test_a_fold_that_there_is_not() -> None:
    items = loads("IR", "B", among=3)
    message = "split.fold is 3; folds: each of g are 0 (0), 1 (1), 2 (2)"
    with pytest.raises(FaultdiagError, match=f"^{re.escape(message)}$"):
        choose_folds(items, by_g(items), "each", 0, 3)
    (last,) = choose_folds(items, by_g(items), "each", 0, 2)
    assert (last.name, last.groups.test) == ("2", [2])


def test_a_fold_that_tests_what_it_does_not_train_is_named() -> None:
    items = [*loads("IR", "B", among=3), item("N", 0), item("N", 2)]
    message = "fold '1→0' of g: the test part has N, which no training recording has; train on"
    with pytest.raises(FaultdiagError, match=f"^{re.escape(message)}"):
        choose_folds(items, by_g(items), "pairs", 0)
    (alone,) = choose_folds(items, by_g(items), "pairs", 0, 1)
    assert alone.name == "0→2"
    assert len(choose_folds(items, by_g(items), "each", 0)) == 3


def test_no_class_that_can_be_divided() -> None:
    items = [item("IR", 0), item("B", 1)]
    with pytest.raises(FaultdiagError, match=r"^no class has two groups of g \(B only 1\)"):
        plan_folds(items, by_g(items), "each", 0)
