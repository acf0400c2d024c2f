"""Which group a recording belongs to, and which classes have only one."""

import pytest

from faultdiag.errors import FaultdiagError
from faultdiag.splits.base import Grouping, group_by, groups_of_classes, undivided
from faultdiag.splits.within import SplitItem


def items(*rows: tuple[str, dict[str, object]]) -> list[SplitItem]:
    return [SplitItem(f"{i}", 0, label, facts) for i, (label, facts) in enumerate(rows)]


def test_each_strategy_has_its_fact() -> None:
    facts = {"load_hp": 1, "size": "007", "specimen": "p", "bearing": "6205", "rig": "left"}
    given = items(("IR", facts))
    found = {
        strategy: group_by(strategy, given)
        for strategy in ("across_loads", "across_sizes", "across_bearings", "across_recordings")
    }
    assert found == {
        "across_loads": Grouping("load_hp", (1,)),
        "across_sizes": Grouping("size", ("007",)),
        "across_bearings": Grouping("specimen", ("p",)),
        "across_recordings": Grouping("recording", ("0",)),
    }
    assert group_by("across", given, "rig") == Grouping("rig", ("left",))


def test_a_fact_that_is_always_empty_is_none() -> None:
    given = items(("IR", {"specimen": None, "bearing": "a"}), ("B", {"specimen": None}))
    assert group_by("across_bearings", given) == Grouping("bearing", ("a", None))
    with pytest.raises(FaultdiagError, match=r"^split\.fact is 'specimen', which no recording has"):
        group_by("across", given, "specimen")
    with pytest.raises(FaultdiagError, match="fact load_hp, which none has; known: no facts;"):
        group_by("across_loads", items(("IR", {})))


def test_groups_are_in_order_and_none_is_no_group() -> None:
    given = items(("IR", {"g": "b"}), ("IR", {"g": 10}), ("IR", {"g": 9}), ("N", {}))
    grouping = group_by("across", given, "g")
    assert grouping.values == [9, 10, "b"]
    assert groups_of_classes(given, grouping) == {"IR": [9, 10, "b"], "N": []}
    assert undivided(given, grouping) == {"N"}
