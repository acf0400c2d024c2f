"""Splits that hold out whole groups of recordings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations, permutations

import numpy as np

from faultdiag.datasets.base import match_value
from faultdiag.documents import Json
from faultdiag.errors import FaultdiagError
from faultdiag.signal.recording import Segment
from faultdiag.signal.windows import WindowPlan
from faultdiag.splits.base import (
    ACROSS,
    EACH,
    PAIRS,
    FoldNumber,
    Folds,
    Grouping,
    GroupNames,
    ValidGroups,
    cut_in_time,
    group_by,
    groups_of_classes,
    in_order,
    inner_groups,
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
    """The groups of each part.

    ``valid`` is None where validation is cut from the training recordings; ``inner`` says that it
    was chosen among the training groups.
    """

    train: Sequence[object]
    test: Sequence[object]
    valid: Sequence[object] | None = None
    inner: bool = False


@dataclass(frozen=True, slots=True)
class Sides:
    """Indices of the recordings of each part.

    ``timed`` are cut in time into train and valid. ``lacking`` have no group and ``alone`` are of
    a class with one group: both are split within the recording. ``left`` are in no wanted group.
    """

    train: list[int]
    valid: list[int]
    test: list[int]
    timed: list[int]
    lacking: list[int]
    alone: list[int]
    left: list[int]

    @property
    def within(self) -> list[int]:
        """Recordings that are split within the recording."""
        return sorted([*self.lacking, *self.alone])


def name_groups(
    grouping: Grouping,
    *,
    test: Sequence[object],
    train: Sequence[object] | None,
    valid: Sequence[object] | None,
) -> Groups:
    """Check the groups that a config names and return them as the recordings have them.

    Raises
    ------
    FaultdiagError
        If no recording has a group, a group is in two parts, or a part is empty.
    """
    names = {"train": train, "valid": valid, "test": test}
    known = {
        part: _matched(part, grouping, groups)
        for part, groups in names.items()
        if groups is not None
    }
    _require_apart(known, grouping.fact)
    rest = _without(grouping.values, list(chain.from_iterable(known.values())))
    if train is None and not rest:
        raise FaultdiagError(
            f"{' and '.join(f'split.{part}' for part in known)} take every {grouping.fact} "
            f"({_shown(grouping.values)}), which leaves none to train on; name fewer"
        )
    return Groups(known.get("train", rest), known["test"], known.get("valid"))


def _require_apart(known: Mapping[str, Sequence[object]], fact: str) -> None:
    """Refuse groups that two parts name."""
    for first, second in combinations(known, 2):
        both = [group for group in known[first] if group in known[second]]
        if both:
            raise FaultdiagError(
                f"split.{first} and split.{second} both have {fact} {_shown(both)}; "
                "a group belongs to one part only"
            )


def _matched(part: str, grouping: Grouping, names: Sequence[object]) -> list[object]:
    known = grouping.values
    if not names:
        raise FaultdiagError(
            f"split.{part} is empty; the recordings have {grouping.fact} {_shown(known)}"
        )
    try:
        return list(dict.fromkeys(match_value(group, known) for group in names))
    except FaultdiagError as error:
        raise FaultdiagError(f"split.{part} names groups of {grouping.fact}: {error}") from error


def take_sides(items: Sequence[SplitItem], grouping: Grouping, groups: Groups) -> Sides:
    """Assign each recording to a part.

    Raises
    ------
    FaultdiagError
        If no class can be divided, files of the same bytes are in two groups, a class is tested or
        validated on but not trained on, or a named `valid` lacks a class.
    """
    _require_distinct(items, grouping)
    alone = undivided(items, grouping)
    timed = _timed_classes(items, grouping, groups)
    sides = Sides([], [], [], [], [], [], [])
    for i, (item, group) in enumerate(zip(items, grouping.groups, strict=True)):
        if group is None:
            sides.lacking.append(i)
        elif group not in (*groups.train, *(groups.valid or ()), *groups.test):
            sides.left.append(i)
        elif item.label in alone:
            sides.alone.append(i)
        elif group in groups.test:
            sides.test.append(i)
        elif item.label in timed:
            sides.timed.append(i)
        else:
            (sides.valid if group in (groups.valid or ()) else sides.train).append(i)
    _require_classes(items, grouping.fact, sides, groups)
    return sides


def _timed_classes(items: Sequence[SplitItem], grouping: Grouping, groups: Groups) -> set[str]:
    """Return the classes whose training recordings are cut in time into train and valid."""
    if groups.valid is None:
        return {item.label for item in items}
    return cut_in_time(items, grouping, groups.train, groups.valid) if groups.inner else set()


def _require_distinct(items: Sequence[SplitItem], grouping: Grouping) -> None:
    first: dict[str, int] = {}
    for i, item in enumerate(items):
        before = first.setdefault(item.sha256, i) if item.sha256 else i
        if grouping.groups[before] != grouping.groups[i]:
            raise FaultdiagError(
                f"{items[before].name} and {item.name} are the same recording (the same bytes) in "
                f"two groups of {grouping.fact}: {grouping.groups[before]} and "
                f"{grouping.groups[i]}; leave one out with data.select or correct its facts"
            )


def _require_classes(items: Sequence[SplitItem], fact: str, sides: Sides, groups: Groups) -> None:
    trained = {items[i].label for i in [*sides.train, *sides.timed, *sides.within]}
    for part in ("valid", "test"):
        strange = sorted({items[i].label for i in getattr(sides, part)} - trained)
        if strange:
            raise FaultdiagError(
                f"the {part} part has {', '.join(strange)}, which no training recording has; "
                f"train on another {fact} too, leave the class out with data.select, or make "
                "data.label coarser"
            )
    lacking = sorted(trained - {items[i].label for i in [*sides.valid, *sides.within]})
    if groups.valid is not None and not groups.inner and lacking:
        raise FaultdiagError(
            f"split.valid has no recording of {', '.join(lacking)}, and the epoch is chosen by it; "
            f"name a {fact} of each class, or leave valid out to cut it from the training "
            "recordings"
        )


def notes_of(items: Sequence[SplitItem], fact: str, sides: Sides, groups: Groups) -> list[str]:
    """Return notes on the recordings that are not held out whole, and on what is missing."""
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
    if groups.inner and groups.valid is not None:
        notes.append(f"validation holds out {fact} {_shown(groups.valid)} of the training groups")
    if groups.inner and sides.timed:
        notes.append(
            f"cut in time into train and valid, because their class has one training {fact} only: "
            f"{_names(items, sides.timed)}"
        )
    if sides.left:
        notes.append(f"in no wanted group of {fact}, so left out: {_names(items, sides.left)}")
    if untested := _untested(items, sides):
        notes.append(f"the test part has no recording of {', '.join(untested)}")
    return notes


def _untested(items: Sequence[SplitItem], sides: Sides) -> list[str]:
    """Return the classes that are trained on and not tested."""
    tested = {items[i].label for i in [*sides.test, *sides.within]}
    return sorted({items[i].label for i in [*sides.train, *sides.timed]} - tested)


def _names(items: Sequence[SplitItem], indices: Sequence[int]) -> str:
    return ", ".join(items[i].name for i in indices)


def _shown(values: Sequence[object]) -> str:
    return ", ".join(str(value) for value in values)


@dataclass(frozen=True, slots=True)
class FoldGroups:
    """One fold: its name and the groups of each part."""

    name: str
    groups: Groups


def plan_folds(
    items: Sequence[SplitItem], grouping: Grouping, folds: str | int, seed: int
) -> list[FoldGroups]:
    """Return all folds, in an order that depends on the recordings and the seed only.

    A group whose classes have no other group (CWRU's healthy bearing) is never tested on alone:
    it is among the training groups of every fold, and its classes are split within their
    recordings.

    Parameters
    ----------
    folds
        ``each`` tests on one group after the other and trains on all others; ``pairs`` trains
        on one and tests on another, every ordered pair; a number K deals the groups to K test
        parts of similar classes, drawn by `seed`.

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


def _without(groups: Sequence[object], left_out: Sequence[object]) -> list[object]:
    return [group for group in groups if group not in left_out]


def _deal(
    items: Sequence[SplitItem], grouping: Grouping, folds: int, seed: int, *, alone: set[str]
) -> list[list[object]]:
    """Deal the groups to `folds` test parts whose classes are as similar as whole groups allow."""
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
    """Return the fold of this number, or all folds, each checked to be trainable and testable.

    Raises
    ------
    FaultdiagError
        As `plan_folds`, if there is no such fold, or if a fold tests a class that it doesn't
        train on.
    """
    planned = plan_folds(items, grouping, folds, seed)
    if fold is not None:
        if fold >= len(planned):
            names = ", ".join(f"{i} ({row.name})" for i, row in enumerate(planned))
            raise FaultdiagError(
                f"split.fold is {fold}; folds: {folds} of {grouping.fact} are {names}"
            )
        planned = [planned[fold]]
    for row in planned:
        try:
            take_sides(items, grouping, row.groups)
        except FaultdiagError as error:
            raise FaultdiagError(f"fold '{row.name}' of {grouping.fact}: {error}") from error
    return planned


def with_inner_groups(
    items: Sequence[SplitItem],
    grouping: Grouping,
    groups: Groups,
    fractions: Sequence[float] = (0.7, 0.2, 0.1),
) -> Groups:
    """Move some training groups to validation; see `faultdiag.splits.base.inner_groups`.

    Raises
    ------
    FaultdiagError
        If every class has one training group only.
    """
    share = fractions[1] / (fractions[0] + fractions[1])
    valid = inner_groups(items, grouping, in_order(groups.train), share)
    return replace(groups, train=_without(groups.train, valid), valid=valid, inner=True)


def across(
    items: Sequence[SplitItem],
    plan: WindowPlan,
    seed: int,
    *,
    fact: str,
    test: GroupNames = None,
    train: GroupNames = None,
    valid: ValidGroups = None,
    folds: Folds | None = None,
    fold: FoldNumber | None = None,
    fractions: Fractions = (0.7, 0.2, 0.1),
    gap: Gap | None = None,
) -> Split:
    """Train on some groups of recordings and test on others; a fact says which group is which.

    Test recordings are whole. Without `valid`, each training recording is cut in time into train
    and valid with a gap between. A class that no group can be held out of, because its recordings
    lack the fact or all have the same value, is split within its recordings, with a note.

    Parameters
    ----------
    fact
        The fact whose values are the groups, such as ``load_hp``.
    test, train
        Values to test and to train on; without `train`, all others are trained on.
    valid
        Values to choose the epoch by, or ``across``: groups held out of the training groups (see
        `faultdiag.splits.base`).
    folds, fold
        Instead of `test` and `train`: a rule that names the groups of several folds (see
        `plan_folds`), and the number of this fold, from 0 on.
    fractions
        The first two are the ratio of train to valid; all three hold for classes that are split
        within the recording.
    gap
        Samples left out between two parts of one recording; the window length unless given.

    Raises
    ------
    FaultdiagError
        If no recording has the fact or a value, a value is in two parts, the same recording in two
        groups, a tested class is not trained on, no class can be divided, or a recording is too
        short.
    """
    grouping = group_by("across", items, fact)
    options = {"test": test, "train": train, "valid": valid, "folds": folds, "fold": fold}
    groups = _groups(items, grouping, seed, options, fractions)
    return _hold_out(items, plan, grouping, groups, fractions=fractions, gap=gap)


def _across(strategy: str, meaning: str) -> Callable[..., Split]:
    """Return `across` for the fact of a strategy."""

    def split(
        items: Sequence[SplitItem],
        plan: WindowPlan,
        seed: int,
        *,
        test: GroupNames = None,
        train: GroupNames = None,
        valid: ValidGroups = None,
        folds: Folds | None = None,
        fold: FoldNumber | None = None,
        fractions: Fractions = (0.7, 0.2, 0.1),
        gap: Gap | None = None,
    ) -> Split:
        grouping = group_by(strategy, items)
        options = {"test": test, "train": train, "valid": valid, "folds": folds, "fold": fold}
        groups = _groups(items, grouping, seed, options, fractions)
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
    options: Json,
    fractions: Sequence[float],
) -> Groups:
    """Return the groups of each part, as a config names them or as a fold does."""
    problems = option_problems(options)
    if problems:
        raise FaultdiagError("; ".join(f"split.{key}: {text}" for key, text in problems.items()))
    inner = options["valid"] == ACROSS
    if options["test"] is not None:
        valid = None if inner else options["valid"]
        groups = name_groups(grouping, test=options["test"], train=options["train"], valid=valid)
    else:
        groups = _fold_groups(items, grouping, seed, options["folds"], options["fold"])
    return with_inner_groups(items, grouping, groups, fractions) if inner else groups


def _fold_groups(
    items: Sequence[SplitItem],
    grouping: Grouping,
    seed: int,
    folds: str | int,
    fold: int | None,
) -> Groups:
    if fold is None:
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
    for part, name in (("train", "training"), ("valid", "validation"), ("test", "test")):
        parts[part] = _whole(items, getattr(sides, part), plan, name)
    timed = _in_time(items, sides.timed, plan, fractions, gap=gap)
    for part, segments in zip(PARTS[:2], timed, strict=True):
        parts[part] += segments
    inside = within_recording(
        [items[i] for i in sides.within], plan, 0, fractions=fractions, gap=gap
    )
    for part in PARTS:
        parts[part] += [
            Segment(sides.within[s.recording], s.start, s.stop) for s in inside.parts[part]
        ]
    notes = notes_of(items, grouping.fact, sides, groups)
    held_out = f"{grouping.fact} {_shown(groups.valid)}" if sides.valid and groups.valid else ""
    split = make_split(parts, fractions, *notes, test_may_lack=True)
    return replace(split, fact=grouping.fact, held_out=held_out)


def _whole(
    items: Sequence[SplitItem], indices: Sequence[int], plan: WindowPlan, part: str
) -> list[Segment]:
    terms = f"window.length {plan.length}"
    require_samples(f"a {part} recording", [items[i] for i in indices], plan.length, terms)
    return [Segment(i, 0, items[i].samples) for i in indices]


def _in_time(
    items: Sequence[SplitItem],
    indices: Sequence[int],
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
        "a training recording", [items[i] for i in indices], needed, terms, shorten=SHORTEN
    )
    train, valid = [], []
    for i in indices:
        size, rest = part_sizes(items[i].samples - gap, ratio)
        train.append(Segment(i, 0, size))
        valid.append(Segment(i, size + gap, size + gap + rest))
    return train, valid
