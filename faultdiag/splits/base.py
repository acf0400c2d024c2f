"""Groups of recordings by a fact: options of splits across them, validation groups within training.

Validation windows cut from the training recordings say how well the network knows these
recordings. They cannot say how well it will do on another load or bearing: there every network
looks perfect. Here whole groups of the fact that the test part is held out by are held out a second
time, inside the training part, as in nested cross-validation [1]_.

References
----------
.. [1] Varma, Simon, "Bias in error estimation when using cross-validation for model selection",
   BMC Bioinformatics 7:91, 2006, doi:10.1186/1471-2105-7-91
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, Field

from faultdiag.datasets.base import values_of
from faultdiag.documents import Document
from faultdiag.errors import FaultdiagError, did_you_mean
from faultdiag.splits.within import SplitItem

# The physical bearing, and the designation that replaces it where a dataset doesn't state it.
SPECIMEN, DESIGNATION = "specimen", "bearing"
RECORDING = "recording"

_FACTS = {
    "across_loads": ("load_hp",),
    "across_sizes": ("size",),
    "across_bearings": (SPECIMEN, DESIGNATION),
}


@dataclass(frozen=True, slots=True)
class Grouping:
    """The fact that groups recordings, and the group of each recording; None where it has none."""

    fact: str
    groups: tuple[object, ...]

    @property
    def values(self) -> list[object]:
        """The distinct groups, numbers before texts, each in order."""
        return in_order(self.groups)


def in_order(groups: Iterable[object]) -> list[object]:
    """Return the distinct groups in order, without None.

    Examples
    --------
    >>> in_order(["b", None, 10, "a", 9, "b"])
    [9, 10, 'a', 'b']
    """
    rows = [{"group": group} for group in groups if group is not None]
    return list(values_of(rows).get("group", ()))


def group_by(strategy: str, items: Sequence[SplitItem], fact: str | None = None) -> Grouping:
    """Group recordings by the fact of a strategy.

    Parameters
    ----------
    fact
        The fact of strategy ``across``; the other strategies have their own.

    Raises
    ------
    FaultdiagError
        If no recording has the fact.
    """
    if strategy == "across_recordings":
        return Grouping(RECORDING, tuple(item.name for item in items))
    known = _known_facts(items)
    facts = _FACTS[strategy] if fact is None else (fact,)
    present = [name for name in facts if name in known]
    if not present:
        raise FaultdiagError(_lacking(strategy, facts, sorted(known), named=fact is not None))
    return Grouping(present[0], tuple(item.facts.get(present[0]) for item in items))


def _known_facts(items: Sequence[SplitItem]) -> set[str]:
    """Return the facts that some recording has."""
    return {name for item in items for name, value in item.facts.items() if value is not None}


def _lacking(strategy: str, wanted: Sequence[str], known: Sequence[str], *, named: bool) -> str:
    listed = ", ".join(known) or "no facts"
    if named:
        name = wanted[0]
        hint = did_you_mean(name, known)
        return f"split.fact is '{name}'{hint}, which no recording has; known: {listed}"
    return (
        f"split.strategy {strategy} groups recordings by their fact {' or '.join(wanted)}, which "
        f"none has; known: {listed}; state it, or name another with strategy across and split.fact"
    )


def groups_of_classes(items: Sequence[SplitItem], grouping: Grouping) -> dict[str, list[object]]:
    """Return the groups of the recordings of each class, in order."""
    members: dict[str, list[object]] = {item.label: [] for item in items}
    for item, group in zip(items, grouping.groups, strict=True):
        members[item.label].append(group)
    return {label: in_order(groups) for label, groups in sorted(members.items())}


def undivided(items: Sequence[SplitItem], grouping: Grouping) -> set[str]:
    """Return the classes that have fewer than two groups.

    No group of theirs can be held out while another is trained on. CWRU's healthy recordings, for
    example, are all of one bearing.

    Raises
    ------
    FaultdiagError
        If no class has two groups.
    """
    groups = groups_of_classes(items, grouping)
    alone = {label for label, values in groups.items() if len(values) < 2}
    if len(alone) < len(groups):
        return alone
    label, values = next(iter(groups.items()))
    example = f"{label} only {values[0]}" if values else f"{label} none"
    raise FaultdiagError(
        f"no class has two groups of {grouping.fact} ({example}), so none can be tested on a group "
        f"that it was not trained on; make data.label coarser{_coarser(items, grouping)}, select "
        "more recordings, or use split.strategy within_recording"
    )


def _coarser(items: Sequence[SplitItem], grouping: Grouping) -> str:
    """Return a hint to the label ``{code}``, if that would work."""
    codes = [SplitItem(i.name, i.samples, str(i.facts.get("code"))) for i in items]
    groups = groups_of_classes(codes, grouping)
    works = len(groups) > 1 and any(len(values) > 1 for values in groups.values())
    return ', such as "{code}"' if works else ""


EACH = "each"
PAIRS = "pairs"
ACROSS = "across"
SIDES = ("train", "valid", "test")


def _folds(value: object) -> object:
    if value in {EACH, PAIRS}:
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(
            "write each (test on one group after the other), pairs (train on one group, test on "
            "another) or how many folds"
        )
    if value < 2:
        raise ValueError("folds are 2 or more: each is tested on once and trained on otherwise")
    return value


def _valid(value: object) -> object:
    if value is None or value == ACROSS or isinstance(value, list | tuple):
        return value
    raise ValueError(
        "write a list of groups, or across to hold out some of the training groups, or leave it "
        "out to cut validation from the training recordings"
    )


Folds = Annotated[str | int, BeforeValidator(_folds)]
FoldNumber = Annotated[int, Field(ge=0, strict=True)]
GroupNames = list[object] | None
ValidGroups = Annotated[list[object] | str | None, BeforeValidator(_valid)]


def option_problems(options: Document) -> dict[str, str]:
    """Return the contradictions between options of a split across groups: option -> message.

    Examples
    --------
    >>> option_problems({"folds": "each", "test": [0], "train": [1]})["folds"]
    'folds: each names the groups by itself; leave train, test out, or folds'
    """
    present = {key for key, value in options.items() if value is not None}
    if options.get("valid") == ACROSS:
        present.discard("valid")
    named = [side for side in SIDES if side in present]
    if "folds" in present:
        if not named:
            return {}
        reason = f"folds: {options['folds']} names the groups by itself"
        return {"folds": f"{reason}; leave {', '.join(named)} out, or folds"}
    problems = {}
    if "fold" in present:
        problems["fold"] = "it chooses one of split.folds, and there are none; add folds: each"
    if "test" not in present:
        problems["test"] = (
            "name the groups to test on, as in test: [1, 2], or let folds do it: each, pairs or "
            "a number"
        )
    return problems


def inner_groups(
    items: Sequence[SplitItem], grouping: Grouping, train: Sequence[object], share: float
) -> list[object]:
    """Choose the training groups to validate on.

    They are taken from the end of the ordered groups until every class has the wanted share of its
    groups among them, at least one. The end, because a load or size at the edge is as far from the
    others as one that is tested on. A class never loses its last training group, and a class with a
    single training group gives none: its recordings are cut in time.

    Parameters
    ----------
    train
        The training groups, in order.
    share
        The wanted share of the groups of each class.

    Raises
    ------
    FaultdiagError
        If every class has one training group only.

    Examples
    --------
    >>> items = [SplitItem(f"{c}{load}", 0, c) for load in range(4) for c in "AB"]
    >>> inner_groups(items, Grouping("load", (0, 0, 1, 1, 2, 2, 3, 3)), [0, 1, 2], 0.22)
    [2]
    """
    members = _groups_of_classes(items, grouping, train)
    wanted = _wanted_counts(members, grouping.fact, share)
    chosen: list[object] = []
    for group in reversed(train):
        classes = [c for c in wanted if group in members[c]]
        missing = [wanted[c] - _count(members[c], chosen) for c in classes]
        left = [len(members[c]) - _count(members[c], chosen) for c in classes]
        if max(missing, default=0) > 0 and min(left) > 1:
            chosen.append(group)
    return in_order(chosen)


def _wanted_counts(members: Mapping[str, set[object]], fact: str, share: float) -> dict[str, int]:
    """Return how many groups to take of each class that has two or more."""
    wanted = {c: max(1, round(share * len(g))) for c, g in members.items() if len(g) > 1}
    if not wanted:
        raise FaultdiagError(_undivided(fact, members))
    return wanted


def cut_in_time(
    items: Sequence[SplitItem],
    grouping: Grouping,
    train: Sequence[object],
    valid: Sequence[object],
) -> set[str]:
    """Return the classes without a group in `train` or without one in `valid`.

    Their recordings are cut in time into train and valid, because both parts need every class.
    """
    members = _groups_of_classes(items, grouping, [*train, *valid])
    return {
        label
        for label, groups in members.items()
        if not _count(groups, train) or not _count(groups, valid)
    }


def _groups_of_classes(
    items: Sequence[SplitItem], grouping: Grouping, among: Sequence[object]
) -> dict[str, set[object]]:
    members: dict[str, set[object]] = {}
    for item, group in zip(items, grouping.groups, strict=True):
        if group in among:
            members.setdefault(item.label, set()).add(group)
    return members


def _count(groups: set[object], chosen: Iterable[object]) -> int:
    return len(groups.intersection(chosen))


def _undivided(fact: str, members: Mapping[str, set[object]]) -> str:
    label, groups = next(iter(members.items()))
    return (
        f"split.valid is across, but every class has training recordings of one {fact} only "
        f"({label}: {next(iter(groups))}), so none can be held out; train on two or more, or leave "
        "split.valid out to cut validation from the training recordings"
    )
