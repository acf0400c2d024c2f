"""Which recordings a split across groups trains on, chooses by and tests on."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from faultdiag.datasets.selection import match_value
from faultdiag.errors import FaultdiagError
from faultdiag.splits import SplitItem
from faultdiag.splits.grouping import Grouping, undivided


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of each side; `valid` is None where it is cut from the training recordings."""

    train: Sequence[Any]
    test: Sequence[Any]
    valid: Sequence[Any] | None = None


@dataclass(frozen=True, slots=True)
class Sides:
    """Indices of the recordings on each side.

    ``lacking`` have no group and ``alone`` are of a class with one group: both are split within
    the recording. ``left`` are in none of the groups asked for.
    """

    train: list[int]
    valid: list[int]
    test: list[int]
    lacking: list[int]
    alone: list[int]
    left: list[int]

    @property
    def within(self) -> list[int]:
        """Those that are split within the recording."""
        return sorted([*self.lacking, *self.alone])


def name_groups(
    grouping: Grouping,
    *,
    test: Sequence[Any],
    train: Sequence[Any] | None,
    valid: Sequence[Any] | None,
) -> Groups:
    """Check the groups asked for and give them as the recordings have them.

    Raises
    ------
    FaultdiagError
        If a group is none of the recordings', stands on two sides, or a side is empty.
    """
    asked = {"train": train, "valid": valid, "test": test}
    found = {
        side: _matched(side, grouping, groups)
        for side, groups in asked.items()
        if groups is not None
    }
    for one, other in combinations(found, 2):
        both = [group for group in found[one] if group in found[other]]
        if both:
            raise FaultdiagError(
                f"split.{one} and split.{other} both have {grouping.fact} {_shown(both)}; "
                "a group stands on one side"
            )
    taken = [group for groups in found.values() for group in groups]
    rest = [group for group in grouping.values if group not in taken]
    if train is None and not rest:
        raise FaultdiagError(
            f"{' and '.join(f'split.{side}' for side in found)} take every {grouping.fact} "
            f"({_shown(grouping.values)}), which leaves none to train on; name fewer"
        )
    return Groups(found.get("train", rest), found["test"], found.get("valid"))


def _matched(side: str, grouping: Grouping, asked: Sequence[Any]) -> list[Any]:
    known = grouping.values
    if not asked:
        raise FaultdiagError(
            f"split.{side} is empty; the recordings have {grouping.fact} {_shown(known)}"
        )
    try:
        return list(dict.fromkeys(match_value(group, known) for group in asked))
    except FaultdiagError as error:
        raise FaultdiagError(f"split.{side} names groups of {grouping.fact}: {error}") from error


def take_sides(items: Sequence[SplitItem], grouping: Grouping, groups: Groups) -> Sides:
    """Give each recording its side.

    Raises
    ------
    FaultdiagError
        If no class can be divided, the same bytes stand in two groups, a class is tested on or
        chosen by but not trained on, or a named `valid` lacks a class.
    """
    _require_distinct(items, grouping)
    alone = undivided(items, grouping)
    valid = groups.valid or []
    sides = Sides([], [], [], [], [], [])
    for i, (item, group) in enumerate(zip(items, grouping.groups, strict=True)):
        if group is None:
            sides.lacking.append(i)
        elif group not in (*groups.train, *valid, *groups.test):
            sides.left.append(i)
        elif item.label in alone:
            sides.alone.append(i)
        else:
            side = "test" if group in groups.test else "valid" if group in valid else "train"
            getattr(sides, side).append(i)
    _require_classes(items, grouping.fact, sides, named_valid=groups.valid is not None)
    return sides


def _require_distinct(items: Sequence[SplitItem], grouping: Grouping) -> None:
    first: dict[str, int] = {}
    for i, item in enumerate(items):
        before = first.setdefault(item.sha256, i) if item.sha256 else i
        if grouping.groups[before] != grouping.groups[i]:
            raise FaultdiagError(
                f"{items[before].name} and {item.name} are the same recording (the same bytes) in "
                f"two groups of {grouping.fact}: {grouping.groups[before]} and "
                f"{grouping.groups[i]}; leave one out with data.select or mend its facts"
            )


def _require_classes(
    items: Sequence[SplitItem], fact: str, sides: Sides, *, named_valid: bool
) -> None:
    trained = {items[i].label for i in [*sides.train, *sides.within]}
    for part in ("valid", "test"):
        strange = sorted({items[i].label for i in getattr(sides, part)} - trained)
        if strange:
            raise FaultdiagError(
                f"the {part} part has {', '.join(strange)}, which no training recording has; "
                f"train on another {fact} too, leave the class out with data.select, or make "
                "data.label coarser"
            )
    lacking = sorted(trained - {items[i].label for i in [*sides.valid, *sides.within]})
    if named_valid and lacking:
        raise FaultdiagError(
            f"split.valid has no recording of {', '.join(lacking)}, and the epoch is chosen by it; "
            f"name a {fact} of each class, or leave valid out to cut it from the training "
            "recordings"
        )


def notes_of(items: Sequence[SplitItem], fact: str, sides: Sides) -> list[str]:
    """Give what must be said of recordings that are not held out whole."""
    remark = "for their class the test part is no other group"
    reasons = (
        (sides.lacking, f"because they have no {fact}"),
        (sides.alone, f"because their class has one {fact} only"),
    )
    notes = [
        f"split within the recording, {reason}: {_names(items, indices)}; {remark}"
        for indices, reason in reasons
        if indices
    ]
    if sides.left:
        notes.append(f"in no group of {fact} asked for, so left out: {_names(items, sides.left)}")
    tested = {items[i].label for i in [*sides.test, *sides.within]}
    untested = sorted({items[i].label for i in sides.train} - tested)
    if untested:
        notes.append(f"the test part has no recording of {', '.join(untested)}")
    return notes


def _names(items: Sequence[SplitItem], indices: Sequence[int]) -> str:
    return ", ".join(items[i].name for i in indices)


def _shown(values: Sequence[Any]) -> str:
    return ", ".join(str(value) for value in values)
