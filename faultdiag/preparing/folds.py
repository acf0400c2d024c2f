"""The folds of a config: each one is a config that can be trained like any other."""

from collections.abc import Sequence
from dataclasses import dataclass

from faultdiag.config.schema import Config, TargetData, parse_config, target_of
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.prepare import prepare
from faultdiag.preparing.recordings import label_entries, select_recordings
from faultdiag.splits.across import FoldGroups, choose_folds, name_groups, with_inner_groups
from faultdiag.splits.base import ACROSS, Grouping, group_by
from faultdiag.splits.within import STRATEGIES, SplitItem


@dataclass(frozen=True)
class Fold:
    """One fold: its name, "" where a config has none, and its config, whose groups are named.

    ``undivided`` is the fact by which no inner groups could be held out, if requested.
    """

    name: str
    config: Config
    undivided: str = ""

    @property
    def title(self) -> str:
        """The name in a sentence: ``fold 0→1``, ``fold 1 of 3``."""
        return self.name if self.name.startswith("fold ") else f"fold {self.name}"


def has_folds(config: Config) -> bool:
    """Return whether a config describes several splits, which `expand` separates."""
    options = config.split.options
    return options.get("folds") is not None and options.get("fold") is None


def _require_labelled(config: Config) -> None:
    target = target_of(config)
    if isinstance(target, TargetData) and not target.labelled:
        raise FaultdiagError(
            "transfer.target.label is null, so the target can't be scored, and a comparison needs "
            "scores; state its label, or train without folds"
        )


def _items(config: Config) -> list[SplitItem]:
    """Return the recordings of a config with their facts and labels, unread."""
    entries = select_recordings(config).entries
    labels = label_entries(entries, config.data.label)
    return [
        SplitItem(entry.name, 0, label, entry.facts)
        for entry, label in zip(entries, labels, strict=True)
    ]


def expand(config: Config, *, inner: bool = False) -> list[Fold]:
    """Return the folds of a config, or the config itself where it has none.

    Each fold's config names its groups in ``split.test`` and ``split.train`` instead of
    ``split.folds``. Only the facts of the recordings are read, not their signals.

    Parameters
    ----------
    inner
        Set ``split.valid: across`` wherever a split across groups says nothing of validation and
        has training groups to hold out.

    Raises
    ------
    FaultdiagError
        If there are no recordings, the groups can't be dealt to such folds, a fold tests a class
        that it doesn't train on, or it is to hold out training groups and has too few.
    """
    strategy, options = config.split.strategy, config.split.options
    _require_labelled(config)
    inner = inner and strategy.startswith(ACROSS) and "valid" not in options
    if options.get("folds") is None and not inner:
        return [Fold("", config)]
    items = _items(config)
    checked = STRATEGIES.check_options(strategy, options)
    grouping = group_by(strategy, items, checked.get("fact"))
    planned = _planned(items, grouping, checked, config.seed)
    if options.get("valid") == ACROSS:
        _require_inner(items, grouping, planned)
    return [_fold(config, row, _inner(items, grouping, row) if inner else None) for row in planned]


def _planned(
    items: Sequence[SplitItem], grouping: Grouping, options: Document, seed: int
) -> list[FoldGroups]:
    if options.get("folds") is not None:
        return choose_folds(items, grouping, options["folds"], seed, options.get("fold"))
    test, train = options["test"], options.get("train")
    return [FoldGroups("", name_groups(grouping, test=test, train=train, valid=None))]


def _require_inner(
    items: Sequence[SplitItem], grouping: Grouping, planned: Sequence[FoldGroups]
) -> None:
    for row in planned:
        try:
            with_inner_groups(items, grouping, row.groups)
        except FaultdiagError as error:
            raise FaultdiagError(f"fold '{row.name}' of {grouping.fact}: {error}") from error


def _inner(items: Sequence[SplitItem], grouping: Grouping, row: FoldGroups) -> tuple[bool, str]:
    """Return whether a fold has inner groups to hold out, and their fact."""
    try:
        with_inner_groups(items, grouping, row.groups)
    except FaultdiagError:
        return False, grouping.fact
    return True, grouping.fact


def _fold(config: Config, row: FoldGroups, inner: tuple[bool, str] | None) -> Fold:
    document: Json = config.model_dump(mode="json")
    split = {k: v for k, v in document["split"].items() if k not in {"folds", "fold"}}
    split |= {"test": list(row.groups.test), "train": list(row.groups.train)}
    works, fact = inner or (False, "")
    if works:
        split["valid"] = ACROSS
    named = parse_config({**document, "split": split}, row.name)
    return Fold(row.name, named, "" if works else fact)


def prepare_folds(folds: Sequence[Fold]) -> list[Prepared]:
    """Prepare each fold.

    Raises
    ------
    FaultdiagError
        As `faultdiag.preparing.prepare.prepare`; the message names the fold.
    """
    made = []
    for fold in folds:
        try:
            made.append(prepare(fold.config))
        except FaultdiagError as error:
            raise FaultdiagError(f"{fold.title}: {error}") from error
    return made
