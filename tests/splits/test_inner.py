"""Validation groups held out inside the training part."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError
from faultdiag.signal.windows import WindowPlan
from faultdiag.splits.across import across, across_loads, across_sizes
from faultdiag.splits.base import Grouping, cut_in_time, inner_groups
from faultdiag.splits.within import PARTS, STRATEGIES, Split, SplitItem

PLAN = WindowPlan(length=100, stride=20, per_class=None, test_stride=100)


def item(label: str, load: int, size: str = "007") -> SplitItem:
    return SplitItem(f"{label}-{load}-{size}", 5000, label, {"load_hp": load, "size": size})


def four_loads(*labels: str) -> list[SplitItem]:
    return [item(label, load) for load in range(4) for label in labels or ("IR", "B")]


def loads_in(split: Split, items: list[SplitItem], part: str) -> set[object]:
    return {items[s.recording].facts["load_hp"] for s in split.parts[part]}


def test_a_training_group_is_held_out_whole() -> None:
    items = four_loads()
    split = across_loads(items, PLAN, 0, test=[3], valid="across")
    assert loads_in(split, items, "train") == {0, 1}
    assert loads_in(split, items, "valid") == {2}
    assert loads_in(split, items, "test") == {3}
    assert {(s.start, s.stop) for part in PARTS for s in split.parts[part]} == {(0, 5000)}
    assert (split.fact, split.held_out) == ("load_hp", "load_hp 2")
    assert split.notes == ("validation holds out load_hp 2 of the training groups",)


def test_every_fold_of_each_holds_out_another_group() -> None:
    items = four_loads()
    options = {"fact": "load_hp", "folds": "each", "valid": "across"}
    for fold in range(4):
        split = STRATEGIES.build("across", items, PLAN, 0, **options, fold=fold)
        parts = [loads_in(split, items, part) for part in PARTS]
        assert parts[2] == {fold}
        assert len(parts[1]) == 1
        assert len(parts[0] | parts[1] | parts[2]) == sum(map(len, parts)) == 4


def test_a_class_with_one_training_group_is_cut_in_time() -> None:
    items = [*four_loads(), item("N", 1), item("N", 3)]
    split = across_loads(items, PLAN, 0, test=[3], valid="across")
    healthy = {
        part: [s for s in split.parts[part] if items[s.recording].label == "N"] for part in PARTS
    }
    assert [items[s.recording].facts["load_hp"] for s in healthy["train"]] == [1]
    assert [items[s.recording].facts["load_hp"] for s in healthy["valid"]] == [1]
    assert healthy["train"][0].stop + 100 == healthy["valid"][0].start
    assert split.notes[1] == (
        "cut in time into train and valid, because their class has one training load_hp only: "
        "N-1-007"
    )


def test_one_training_group_cannot_be_held_out() -> None:
    message = (
        "split.valid is across, but every class has training recordings of one load_hp only "
        "(IR: 0), so none can be held out; train on two or more, or leave split.valid out to cut "
        "validation from the training recordings"
    )
    with pytest.raises(FaultdiagError, match=f"^{re.escape(message)}$"):
        across_loads(four_loads(), PLAN, 0, test=[1], train=[0], valid="across")


def test_a_word_other_than_across_is_refused() -> None:
    message = "valid is 'acros'; write a list of groups, or across to hold out some"
    with pytest.raises(FaultdiagError, match=message):
        STRATEGIES.build("across_loads", four_loads(), PLAN, 0, test=[1], valid="acros")


def test_without_across_nothing_is_held_out() -> None:
    split = across_loads(four_loads(), PLAN, 0, test=[1])
    assert (split.fact, split.held_out) == ("load_hp", "")
    named = across_loads(four_loads(), PLAN, 0, test=[1], valid=[2])
    assert named.held_out == "load_hp 2"


def test_of_many_groups_a_share_is_held_out() -> None:
    items = [SplitItem(f"{c}{i:02}", 5000, c, {"g": f"{c}{i:02}"}) for c in "AB" for i in range(18)]
    split = across(items, PLAN, 0, fact="g", test=["A00", "B00"], valid="across")
    count = {c: sum(items[s.recording].label == c for s in split.parts["valid"]) for c in "AB"}
    assert count == {"A": 4, "B": 4}  # 2 / 9 of 17


@given(st.data())
def test_every_class_stays_in_both_parts(data: st.DataObject) -> None:
    rows = data.draw(
        st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 5)), min_size=2, max_size=20)
    )
    rows += [("A", 0), ("A", 1)]
    items = [SplitItem(str(i), 0, label) for i, (label, _) in enumerate(rows)]
    grouping = Grouping("g", tuple(group for _, group in rows))
    valid = inner_groups(items, grouping, grouping.values, 0.22)
    train = [group for group in grouping.values if group not in valid]
    assert valid
    assert train
    timed = cut_in_time(items, grouping, train, valid)
    for label in {label for label, _ in rows} - timed:
        groups = {group for name, group in rows if name == label}
        assert groups & set(train)
        assert groups & set(valid)


def test_sizes_are_held_out_at_the_edge() -> None:
    items = [item(label, 0, size) for size in ("007", "014", "021") for label in ("IR", "B")]
    split = across_sizes(items, PLAN, 0, test=["014"], valid="across")
    assert split.held_out == "size 021"
