"""Splits that hold whole groups of recordings out: other loads, sizes, bearings, any fact."""

from collections.abc import Callable, Sequence
from typing import Any

from faultdiag.errors import FaultdiagError
from faultdiag.recording import Segment
from faultdiag.splits import (
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
from faultdiag.splits.fold_options import FoldNumber, Folds, option_problems
from faultdiag.splits.group_folds import choose_folds
from faultdiag.splits.group_sides import Groups, name_groups, notes_of, take_sides
from faultdiag.splits.grouping import Grouping, group_by
from faultdiag.windows import WindowPlan

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
        `faultdiag.splits.group_folds.plan_folds`), and which of these it is, from 0 on.
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
