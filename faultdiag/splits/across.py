"""Splits that hold out whole groups of recordings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

import numpy as np

from faultdiag.datasets.selection import match_value
from faultdiag.errors import FaultdiagError
from faultdiag.signal.recording import Segment
from faultdiag.signal.windows import WindowPlan
from faultdiag.splits.base import (
    EACH,
    PAIRS,
    FoldNumber,
    Folds,
    Grouping,
    group_by,
    groups_of_classes,
    in_order,
    option_problems,
    undivided,
)
from faultdiag.splits.within import (
    PARTS,
    SHORTEN,
    Fractions,
    Gap,
    Split,
    SplitItem,
    make_split,
    minimum_samples,
    no_segments,
    part_sizes,
    require_samples,
    within_recording,
)


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


@dataclass(frozen=True, slots=True)
class FoldGroups:
    """One fold: its name and the groups of each side."""

    name: str
    groups: Groups


def plan_folds(
    items: Sequence[SplitItem], grouping: Grouping, folds: str | int, seed: int
) -> list[FoldGroups]:
    """Give all folds, in an order that depends on the recordings and the seed alone.

    A group whose classes have no other group (CWRU's healthy bearing) is never tested on alone:
    it is among the training groups of every fold, and its classes are split within their
    recordings.

    Parameters
    ----------
    folds
        ``each`` tests on one group after the other and trains on all others; ``pairs`` trains
        on one and tests on another, every ordered pair; a number K deals the groups to K test
        parts of like classes, drawn by `seed`.

    Raises
    ------
    FaultdiagError
        If no class has two groups, or a class has fewer groups than K.
    """
    alone = undivided(items, grouping)
    divided = in_order(
        group for item, group in zip(items, grouping.groups, strict=True) if item.label not in alone
    )
    shared = [group for group in grouping.values if group not in divided]
    if folds == PAIRS:
        return [
            FoldGroups(f"{train}→{test}", Groups([train, *shared], [test]))
            for train, test in permutations(divided, 2)
        ]
    if folds == EACH:
        return [
            FoldGroups(str(test), Groups(_without(grouping.values, [test]), [test]))
            for test in divided
        ]
    dealt = _deal(items, grouping, int(folds), seed, alone=alone)
    return [
        FoldGroups(f"fold {i} of {folds}", Groups(_without(grouping.values, test), test))
        for i, test in enumerate(dealt, start=1)
    ]


def _without(groups: Sequence[Any], left_out: Sequence[Any]) -> list[Any]:
    return [group for group in groups if group not in left_out]


def _deal(
    items: Sequence[SplitItem], grouping: Grouping, folds: int, seed: int, *, alone: set[str]
) -> list[list[Any]]:
    """Deal the groups to `folds` test parts whose classes are as alike as whole groups allow."""
    from sklearn.model_selection import StratifiedGroupKFold

    for label, groups in groups_of_classes(items, grouping).items():
        if label not in alone and len(groups) < folds:
            shown = ", ".join(map(str, groups))
            raise FaultdiagError(
                f"split.folds is {folds}, but class {label} has {len(groups)} groups of "
                f"{grouping.fact} ({shown}); use at most {len(groups)}"
            )
    values = grouping.values
    rows = [
        (item.label, values.index(group))
        for item, group in zip(items, grouping.groups, strict=True)
        if item.label not in alone and group is not None
    ]
    labels, groups = (list(column) for column in zip(*rows, strict=True))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    parts = splitter.split(np.zeros(len(rows)), labels, groups)
    return [in_order(values[groups[row]] for row in test) for _, test in parts]


def choose_folds(
    items: Sequence[SplitItem],
    grouping: Grouping,
    folds: str | int,
    seed: int,
    fold: int | None = None,
) -> list[FoldGroups]:
    """Give the one fold of this number, or all of them, each one that can be trained and tested.

    Raises
    ------
    FaultdiagError
        As `plan_folds`, if there is no such fold, or if a fold tests a class that it doesn't
        train on.
    """
    planned = plan_folds(items, grouping, folds, seed)
    if fold is not None:
        if fold >= len(planned):
            names = ", ".join(f"{i} ({one.name})" for i, one in enumerate(planned))
            raise FaultdiagError(
                f"split.fold is {fold}; folds: {folds} of {grouping.fact} are {names}"
            )
        planned = [planned[fold]]
    for one in planned:
        try:
            take_sides(items, grouping, one.groups)
        except FaultdiagError as error:
            raise FaultdiagError(f"fold '{one.name}' of {grouping.fact}: {error}") from error
    return planned


Named = list[Any] | None


def across(
    items: Sequence[SplitItem],
    plan: WindowPlan,
    seed: int,
    *,
    fact: str,
    test: Named = None,
    train: Named = None,
    valid: Named = None,
    folds: Folds | None = None,
    fold: FoldNumber | None = None,
    fractions: Fractions = (0.7, 0.2, 0.1),
    gap: Gap | None = None,
) -> Split:
    """Train on some groups of recordings and test on others, told apart by one fact.

    Test recordings are whole. Unless `valid` names groups, each training recording is cut in
    time into train and valid with a gap between. A class of which no group can be held out,
    because its recordings lack the fact or all have the same, is split within its recordings,
    and a note says so.

    Parameters
    ----------
    fact
        The fact whose values are the groups, such as ``load_hp``.
    test, train, valid
        Values that are tested on, trained on, and that the epoch is chosen by; without `train`,
        all others are trained on.
    folds, fold
        In place of them: a way to name the groups of several folds (see
        `faultdiag.splits.across.plan_folds`), and which of these it is, from 0 on.
    fractions
        Their first two are the ratio of train to valid; all three hold for classes that are
        split within the recording.
    gap
        Samples left out between two parts of one recording; the window length unless given.

    Raises
    ------
    FaultdiagError
        If no recording has the fact or a value, a value stands on two sides, the same recording
        in two groups, a tested class is not trained on, no class can be divided, or a recording
        is too short.
    """
    grouping = group_by("across", items, fact)
    groups = _groups(
        items, grouping, seed, test=test, train=train, valid=valid, folds=folds, fold=fold
    )
    return _hold_out(items, plan, grouping, groups, fractions=fractions, gap=gap)


def _across(strategy: str, meaning: str) -> Callable[..., Split]:
    """Give `across` for the fact that a strategy stands for."""

    def split(
        items: Sequence[SplitItem],
        plan: WindowPlan,
        seed: int,
        *,
        test: Named = None,
        train: Named = None,
        valid: Named = None,
        folds: Folds | None = None,
        fold: FoldNumber | None = None,
        fractions: Fractions = (0.7, 0.2, 0.1),
        gap: Gap | None = None,
    ) -> Split:
        grouping = group_by(strategy, items)
        groups = _groups(
            items, grouping, seed, test=test, train=train, valid=valid, folds=folds, fold=fold
        )
        return _hold_out(items, plan, grouping, groups, fractions=fractions, gap=gap)

    split.__name__ = split.__qualname__ = strategy
    split.__doc__ = meaning
    return split


across_loads = _across(
    "across_loads",
    "`across` the motor load, ``load_hp``: the same bearings at other loads.",
)
across_sizes = _across(
    "across_sizes",
    "`across` the fault size: faults of another size, and so other physical bearings.",
)
across_bearings = _across(
    "across_bearings",
    "`across` the physical bearing, ``specimen``; ``bearing`` where no recording has that.",
)
across_recordings = _across(
    "across_recordings",
    "As `across`, every recording a group of its own, called by its name.",
)


def _groups(
    items: Sequence[SplitItem],
    grouping: Grouping,
    seed: int,
    *,
    test: Named,
    train: Named,
    valid: Named,
    folds: str | int | None,
    fold: int | None,
) -> Groups:
    """Give the groups of each side as they are named, or as a fold names them."""
    options = {"test": test, "train": train, "valid": valid, "folds": folds, "fold": fold}
    problems = option_problems(options)
    if problems:
        raise FaultdiagError("; ".join(f"split.{key}: {text}" for key, text in problems.items()))
    if test is not None:
        return name_groups(grouping, test=test, train=train, valid=valid)
    if folds is None or fold is None:
        raise FaultdiagError(
            f"split.folds is {folds}, which is several splits, and one is needed here; choose one "
            "with split.fold, such as 0, or run them all with `faultdiag train`"
        )
    (chosen,) = choose_folds(items, grouping, folds, seed, fold)
    return chosen.groups


def _hold_out(
    items: Sequence[SplitItem],
    plan: WindowPlan,
    grouping: Grouping,
    groups: Groups,
    *,
    fractions: Fractions,
    gap: int | None,
) -> Split:
    gap = plan.length if gap is None else gap
    sides = take_sides(items, grouping, groups)
    parts = no_segments()
    parts["test"] = _whole(items, sides.test, plan, "test")
    if groups.valid is None:
        parts["train"], parts["valid"] = _in_time(items, sides.train, plan, fractions, gap=gap)
    else:
        parts["train"] = _whole(items, sides.train, plan, "training")
        parts["valid"] = _whole(items, sides.valid, plan, "validation")
    inside = within_recording(
        [items[i] for i in sides.within], plan, 0, fractions=fractions, gap=gap
    )
    for part in PARTS:
        parts[part] += [
            Segment(sides.within[s.recording], s.start, s.stop) for s in inside.parts[part]
        ]
    notes = notes_of(items, grouping.fact, sides)
    return make_split(parts, fractions, *notes, test_may_lack=True)


def _whole(
    items: Sequence[SplitItem], indices: Sequence[int], plan: WindowPlan, part: str
) -> list[Segment]:
    terms = f"window.length {plan.length}"
    require_samples(f"a {part} recording", [items[i] for i in indices], plan.length, terms)
    return [Segment(i, 0, items[i].samples) for i in indices]


def _in_time(
    items: Sequence[SplitItem],
    trained: Sequence[int],
    plan: WindowPlan,
    fractions: Sequence[float],
    *,
    gap: int,
) -> tuple[list[Segment], list[Segment]]:
    """Cut training recordings into train and valid, train first."""
    ratio = fractions[:2]
    terms = f"window.length {plan.length}, train to valid {ratio[0]:g} to {ratio[1]:g}, gap {gap}"
    needed = minimum_samples(plan.length, ratio, gap)
    require_samples(
        "a training recording", [items[i] for i in trained], needed, terms, shorten=SHORTEN
    )
    train, valid = [], []
    for i in trained:
        size, rest = part_sizes(items[i].samples - gap, ratio)
        train.append(Segment(i, 0, size))
        valid.append(Segment(i, size + gap, size + gap + rest))
    return train, valid
