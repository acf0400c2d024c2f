"""Validation groups chosen among the training groups: ``split.valid: across``.

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

from faultdiag.errors import FaultdiagError
from faultdiag.splits.base import Grouping, in_order
from faultdiag.splits.within import SplitItem


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
