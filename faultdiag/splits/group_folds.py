"""The folds of a split across groups: which groups each one trains on and tests on."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from faultdiag.errors import FaultdiagError
from faultdiag.splits import SplitItem
from faultdiag.splits.fold_options import EACH, PAIRS
from faultdiag.splits.group_sides import Groups, take_sides
from faultdiag.splits.grouping import Grouping, groups_of_classes, in_order, undivided


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
