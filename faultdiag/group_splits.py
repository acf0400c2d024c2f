"""Splits that hold whole groups of recordings out: other loads, other fault sizes, any fact."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from faultdiag.errors import FaultdiagError, did_you_mean
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
from faultdiag.windows import WindowPlan


@dataclass(frozen=True, slots=True)
class _Sides:
    """Indices of the recordings trained on, tested on, and of those that lack the fact."""

    train: list[int]
    test: list[int]
    neither: list[int]

    def all(self) -> set[int]:
        return {*self.train, *self.test, *self.neither}


def across(
    items: Sequence[SplitItem],
    plan: WindowPlan,
    seed: int,
    *,
    fact: str,
    test: list[Any],
    train: list[Any] | None = None,
    fractions: Fractions = (0.7, 0.2, 0.1),
    gap: Gap | None = None,
) -> Split:
    """Train on some groups of recordings and test on others, told apart by one fact.

    Test recordings are whole; each training recording is cut in time into train and valid with
    a gap between. A class whose recordings lack the fact (CWRU's healthy ones have no fault
    size) can't be held out: it is split within its recordings, and a note says so.

    Parameters
    ----------
    fact
        The fact whose values are the groups, such as ``load_hp``.
    test, train
        Values that are tested and trained on; without `train`, all others.
    fractions
        Their first two are the ratio of train to valid; all three hold for classes that are
        split within the recording.
    gap
        Samples left out between two parts of one recording; the window length unless given.

    Raises
    ------
    FaultdiagError
        If no recording has the fact or a value, a value stands on both sides, a tested class is
        not trained on, or a recording is too short.
    """
    sides = _sides(items, fact, train, test)
    _require_trained_classes(items, fact, sides)
    gap = plan.length if gap is None else gap
    parts = no_segments()
    parts["train"], parts["valid"] = _in_time(items, sides.train, plan, fractions, gap=gap)
    parts["test"] = [Segment(i, 0, items[i].samples) for i in sides.test]
    ungrouped = within_recording(
        [items[i] for i in sides.neither], plan, seed, fractions=fractions, gap=gap
    )
    for part in PARTS:
        parts[part] += [
            Segment(sides.neither[s.recording], s.start, s.stop) for s in ungrouped.parts[part]
        ]
    return make_split(parts, fractions, *_notes(items, fact, sides), test_may_lack=True)


def _notes(items: Sequence[SplitItem], fact: str, sides: _Sides) -> list[str]:
    notes = []
    if sides.neither:
        names = ", ".join(items[i].name for i in sides.neither)
        notes.append(
            f"split within the recording, because they have no {fact}: {names}; for their class "
            "the test part is no other group"
        )
    left = [item.name for i, item in enumerate(items) if i not in sides.all()]
    if left:
        notes.append(f"in neither group of {fact}, so left out: {', '.join(left)}")
    return notes


def across_loads(
    items: Sequence[SplitItem],
    plan: WindowPlan,
    seed: int,
    *,
    test: list[Any],
    train: list[Any] | None = None,
    fractions: Fractions = (0.7, 0.2, 0.1),
    gap: Gap | None = None,
) -> Split:
    """`across` the motor load, ``load_hp``: the same bearings at other loads."""
    return across(
        items, plan, seed, fact="load_hp", test=test, train=train, fractions=fractions, gap=gap
    )


def across_sizes(
    items: Sequence[SplitItem],
    plan: WindowPlan,
    seed: int,
    *,
    test: list[Any],
    train: list[Any] | None = None,
    fractions: Fractions = (0.7, 0.2, 0.1),
    gap: Gap | None = None,
) -> Split:
    """`across` the fault size: faults of another size, and so other physical bearings."""
    return across(
        items, plan, seed, fact="size", test=test, train=train, fractions=fractions, gap=gap
    )


def _sides(
    items: Sequence[SplitItem], fact: str, train: Sequence[Any] | None, test: Sequence[Any]
) -> _Sides:
    facts = sorted({name for item in items for name in item.facts})
    if fact not in facts:
        raise FaultdiagError(
            f"split.fact is '{fact}'{did_you_mean(fact, facts)}, which no recording has; known: "
            f"{', '.join(facts)}"
        )
    values = list(dict.fromkeys(v for item in items if (v := item.facts.get(fact)) is not None))
    train = [v for v in values if v not in test] if train is None else train
    for side, asked in (("train", train), ("test", test)):
        _require_known(side, fact, asked, values)
    both = [value for value in train if value in test]
    if both:
        raise FaultdiagError(
            f"split.train and split.test both have {fact} {_shown(both)}; "
            "a group stands on one side"
        )
    groups = [item.facts.get(fact) for item in items]
    return _Sides(
        train=[i for i, group in enumerate(groups) if group in train],
        test=[i for i, group in enumerate(groups) if group in test],
        neither=[i for i, group in enumerate(groups) if group is None],
    )


def _require_known(side: str, fact: str, asked: Sequence[Any], values: Sequence[Any]) -> None:
    strange = [value for value in asked if value not in values]
    if strange or not asked:
        hint = did_you_mean(str(strange[0]), map(str, values)) if strange else ""
        raise FaultdiagError(
            f"split.{side} is {_shown(asked) or 'empty'}{hint}; the recordings have {fact} "
            f"{_shown(values)}"
        )


def _require_trained_classes(items: Sequence[SplitItem], fact: str, sides: _Sides) -> None:
    known = {items[i].label for i in [*sides.train, *sides.neither]}
    strange = sorted({items[i].label for i in sides.test} - known)
    if strange:
        raise FaultdiagError(
            f"the test part has {', '.join(strange)}, which no training recording has; train on "
            f"another {fact} too, leave the class out with data.select, or make data.label coarser"
        )


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


def _shown(values: Sequence[Any]) -> str:
    return ", ".join(str(value) for value in values)
