"""Splits between a labelled source and an unlabelled target, for transfer.

The source is cut into train, valid and ``source_test``, as the split's strategy cuts recordings.
The target is cut into ``target_adapt``, whose labels nothing in training reads, and test, with a
gap between, or whole recordings on each side. So there are two figures of the target: on what a
network was adapted to (transductive), and on what it has never seen (inductive).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from faultdiag.documents import Document
from faultdiag.errors import FaultdiagError, counted
from faultdiag.signal.recording import Segment
from faultdiag.signal.windows import WindowPlan
from faultdiag.splits.base import ACROSS
from faultdiag.splits.within import (
    PARTS,
    SEEDED,
    SHORTEN,
    SOURCE_TEST,
    STRATEGIES,
    TARGET_ADAPT,
    Split,
    SplitItem,
    minimum_samples,
    part_sizes,
    random_windows,
    require_samples,
    within_recording,
)

HoldOut = Literal["time", "recordings", "windows"]

# The smallest share that a split takes.
_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class TargetPlan:
    """The division of the target domain into recordings to adapt to and to test.

    Parameters
    ----------
    adapt
        Share of the target to which a network adapts.
    hold_out
        ``time``: that share of each recording, from its start, and after a gap the rest is
        tested; ``recordings``: that share of the recordings whole, and the others are tested;
        ``windows``: that share of the windows of each recording, drawn at random, as in published
        comparisons. The others are tested and lie between them, so that the figure leaks.
    gap
        Samples between the two parts of a recording; the window length unless given.
    """

    adapt: float = 0.6
    hold_out: HoldOut = "time"
    gap: int | None = None


def split_domains(
    items: Sequence[SplitItem],
    plan: WindowPlan,
    seed: int,
    *,
    strategy: str,
    options: Document,
    target: Sequence[int] | None,
    cut: TargetPlan,
) -> Split:
    """Split source and target.

    Parameters
    ----------
    items
        The recordings of both.
    strategy, options
        The split of a config. It is that of the source; with ``random_windows`` and
        ``legacy_wdcnn`` the target's windows are dealt at random, too.
    target
        Which items are the target; None: those that the strategy, one across groups, tests on.
    cut
        How the target is cut.

    Raises
    ------
    FaultdiagError
        If nothing says what the target is, source or target has no recording, a recording is in
        both, or one is too short.
    """
    if strategy == "file":
        return _from_file(items, plan, seed, options)
    if target is None:
        inner, target = _across(items, plan, seed, strategy, options)
    else:
        inner = _source(items, plan, seed, target, strategy=strategy, options=options)
    source = {segment.recording for part in PARTS for segment in inner.parts[part]}
    _require_both(items, sorted(source), target)
    own = [items[i] for i in target]
    at_random = strategy in SEEDED or cut.hold_out == "windows"
    adapt, test = _cut_target(own, plan, seed, cut, at_random=at_random)
    parts = {
        "train": inner.parts["train"],
        "valid": inner.parts["valid"],
        "test": _renumbered(test, target),
        TARGET_ADAPT: _renumbered(adapt, target),
        SOURCE_TEST: inner.parts["test"],
    }
    shares = {**inner.shares, TARGET_ADAPT: cut.adapt, SOURCE_TEST: inner.shares["test"]}
    note = _note(own, plan, cut, at_random=at_random)
    return replace(
        inner, parts=parts, shares=shares, notes=(*inner.notes, note), test_may_lack=True
    )


def _source(
    items: Sequence[SplitItem],
    plan: WindowPlan,
    seed: int,
    target: Sequence[int],
    *,
    strategy: str,
    options: Document,
) -> Split:
    """Split the recordings that are not of the target by the strategy."""
    source = [i for i in range(len(items)) if i not in {*target}]
    _require_both(items, source, target)
    try:
        inner = STRATEGIES.build(strategy, [items[i] for i in source], plan, seed, **options)
    except FaultdiagError as error:
        left_out = f"the {len(target)} recordings of transfer.target are not of the source"
        raise FaultdiagError(f"{error} ({left_out})") from error
    parts = {part: _renumbered(inner.parts[part], source) for part in PARTS}
    return replace(inner, parts=parts)


def _across(
    items: Sequence[SplitItem],
    plan: WindowPlan,
    seed: int,
    strategy: str,
    options: Document,
) -> tuple[Split, list[int]]:
    """Return the source's split and the target's recordings of a strategy across groups."""
    if not strategy.startswith(ACROSS):
        raise FaultdiagError(
            f"transfer.target is missing, and split.strategy {strategy} tests on no other "
            "recordings; name the target, such as transfer.target: {fact: load_hp, values: [0]}, "
            "or use a strategy across groups, such as split: {strategy: across_loads, train: [3], "
            "test: [0]}"
        )
    split = STRATEGIES.build(strategy, items, plan, seed, **options)
    used = {part: {segment.recording for segment in split.parts[part]} for part in PARTS}
    parts = _cut_source(items, plan, split, options, used)
    return replace(split, parts=parts), sorted(used["test"] - used["train"] - used["valid"])


def _cut_source(
    items: Sequence[SplitItem],
    plan: WindowPlan,
    split: Split,
    options: Document,
    used: Mapping[str, set[int]],
) -> dict[str, tuple[Segment, ...]]:
    """Cut a test part out of the source's recordings, too, whose others the split tests on.

    Recordings that the split validates on whole stay whole. Those it trains on whole are cut into
    train and test, all others into train, valid and test.
    """
    fractions = options.get("fractions", (0.7, 0.2, 0.1))
    gap = options.get("gap")
    both = sorted(used["train"] & used["valid"])
    trained = sorted(used["train"] - used["valid"])
    three = within_recording([items[i] for i in both], plan, 0, fractions=fractions, gap=gap)
    shares = (fractions[0] + fractions[1], fractions[2])
    names = {"what": "a source recording", "term": "train to test"}
    first, last = cut_in_time([items[i] for i in trained], plan, shares, gap, **names)
    whole = [s for s in split.parts["valid"] if s.recording not in used["train"]]
    return {
        "train": (*_renumbered(three.parts["train"], both), *_renumbered(first, trained)),
        "valid": (*_renumbered(three.parts["valid"], both), *whole),
        "test": (*_renumbered(three.parts["test"], both), *_renumbered(last, trained)),
    }


def _require_both(items: Sequence[SplitItem], source: Sequence[int], target: Sequence[int]) -> None:
    if not target:
        raise FaultdiagError(
            "the target of transfer has no recording; name other values in transfer.target or in "
            "split.test"
        )
    if not source:
        raise FaultdiagError(
            f"all {counted(len(target), 'recording')} selected are of the target, so that "
            "nothing labelled is "
            "left to train on; name fewer values in transfer.target, or widen data.select"
        )
    known = {items[i].sha256: items[i].name for i in source if items[i].sha256}
    same = [items[i].name for i in target if items[i].sha256 in known]
    if same:
        raise FaultdiagError(
            f"the target is the source: {_some(same)} (the same bytes) {_is_are(same)} in both; "
            "give recordings of another machine or condition in transfer.target"
        )


def _is_are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _some(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _renumbered(segments: Sequence[Segment], places: Sequence[int]) -> tuple[Segment, ...]:
    return tuple(Segment(places[s.recording], s.start, s.stop) for s in segments)


def _cut_target(
    items: Sequence[SplitItem], plan: WindowPlan, seed: int, cut: TargetPlan, *, at_random: bool
) -> tuple[Sequence[Segment], Sequence[Segment]]:
    """Return the segments to adapt to, and those to test on."""
    if at_random:
        # Each recording counts by itself: its class must not decide how many windows it gives.
        alone = [replace(item, label=item.name) for item in items]
        shares = (cut.adapt - _LEAST, _LEAST, 1 - cut.adapt)
        split = random_windows(alone, plan, seed, fractions=shares)
        return split.parts["train"], split.parts["test"]
    if cut.hold_out == "recordings":
        return _whole_recordings(items, plan, cut.adapt)
    shares_in_time = (cut.adapt, 1 - cut.adapt)
    names = {"what": "a target recording", "term": "transfer.adapt"}
    return cut_in_time(items, plan, shares_in_time, cut.gap, **names)


def cut_in_time(
    items: Sequence[SplitItem],
    plan: WindowPlan,
    shares: tuple[float, float],
    gap: int | None,
    *,
    what: str,
    term: str,
) -> tuple[list[Segment], list[Segment]]:
    """Cut each recording in time into two parts with a gap between.

    Parameters
    ----------
    shares
        Shares of the two parts, which sum to 1.
    gap
        Samples between; the window length unless given.
    what, term
        What the recordings and the shares are called in a message.

    Raises
    ------
    FaultdiagError
        If a recording is too short for a window in each part.
    """
    gap = plan.length if gap is None else gap
    terms = f"window.length {plan.length}, {term} {shares[0]:g}, gap {gap}"
    needed = minimum_samples(plan.length, shares, gap)
    require_samples(what, items, needed, terms, shorten=SHORTEN)
    first, second = [], []
    for i, item in enumerate(items):
        size, rest = part_sizes(item.samples - gap, shares)
        first.append(Segment(i, 0, size))
        second.append(Segment(i, size + gap, size + gap + rest))
    return first, second


def _whole_recordings(
    items: Sequence[SplitItem], plan: WindowPlan, share: float
) -> tuple[list[Segment], list[Segment]]:
    """Deal whole recordings to both parts, evenly along their order and whatever their class."""
    if len(items) < 2:
        raise FaultdiagError(
            f"transfer.hold_out recordings needs two target recordings or more and there is "
            f"{items[0].name} alone; use transfer.hold_out: time"
        )
    require_samples("a target recording", items, plan.length, f"window.length {plan.length}")
    count = min(max(round(share * len(items)), 1), len(items) - 1)
    # Recording i is adapted to where the running share passes a whole number.
    chosen = {
        i for i in range(len(items)) if (i + 1) * count // len(items) > i * count // len(items)
    }
    whole = [Segment(i, 0, item.samples) for i, item in enumerate(items)]
    adapt = [segment for segment in whole if segment.recording in chosen]
    return adapt, [segment for segment in whole if segment.recording not in chosen]


def _note(items: Sequence[SplitItem], plan: WindowPlan, cut: TargetPlan, *, at_random: bool) -> str:
    text = f"transfer: {len(items)} target recordings, adapted to without labels"
    share = f"{cut.adapt:.0%}"
    if at_random:
        return f"{text}: {share} of the windows of each, drawn at random, and tested on the others"
    if cut.hold_out == "recordings":
        return f"{text}: {share} of them whole, and tested on the others"
    gap = plan.length if cut.gap is None else cut.gap
    return f"{text}: the first {share} of each, a gap of {gap} samples, and tested on the rest"


def _from_file(items: Sequence[SplitItem], plan: WindowPlan, seed: int, options: Document) -> Split:
    split = STRATEGIES.build("file", items, plan, seed, **options)
    if not split.parts.get(TARGET_ADAPT):
        raise FaultdiagError(
            f"the split {options['path']} has no part {TARGET_ADAPT}; give the split.json of a run "
            "with transfer, or another split.strategy"
        )
    return split
