"""The folds of a config: each one a config of its own that can be trained like any other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from faultdiag.config.schema import Config, parse_config
from faultdiag.errors import FaultdiagError
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.prepare import label_entries, prepare, select_recordings
from faultdiag.splits.across import FoldGroups, choose_folds
from faultdiag.splits.base import group_by
from faultdiag.splits.within import STRATEGIES, SplitItem


@dataclass(frozen=True)
class Fold:
    """One fold: its name, "" where a config has none, and its config, whose groups are named."""

    name: str
    config: Config

    @property
    def title(self) -> str:
        """The name in a sentence: ``fold 0→1``, ``fold 1 of 3``."""
        return self.name if self.name.startswith("fold ") else f"fold {self.name}"


def has_folds(config: Config) -> bool:
    """Whether a config stands for several splits, so that only `expand` gives what to train."""
    options = config.split.options
    return options.get("folds") is not None and options.get("fold") is None


def expand(config: Config) -> list[Fold]:
    """Give the folds of a config, or the config itself where it has none.

    Each fold's config names its groups in ``split.test`` and ``split.train`` in place of
    ``split.folds``. Only the facts of the recordings are read, not their signals.

    Raises
    ------
    FaultdiagError
        If no recording is there, the groups can't be dealt to such folds, or a fold tests a
        class that it doesn't train on.
    """
    options = config.split.options
    if options.get("folds") is None:
        return [Fold("", config)]
    strategy = config.split.strategy
    entries = select_recordings(config).entries
    labels = label_entries(entries, config.data.label)
    items = [
        SplitItem(entry.name, 0, label, entry.facts)
        for entry, label in zip(entries, labels, strict=True)
    ]
    checked = STRATEGIES.check_options(strategy, options)
    grouping = group_by(strategy, items, checked.get("fact"))
    folds = choose_folds(items, grouping, checked["folds"], config.seed, checked.get("fold"))
    return [Fold(fold.name, _named(config, fold)) for fold in folds]


def _named(config: Config, fold: FoldGroups) -> Config:
    document: dict[str, Any] = config.model_dump(mode="json")
    kept = {k: v for k, v in document["split"].items() if k not in {"folds", "fold"}}
    sides = {"test": list(fold.groups.test), "train": list(fold.groups.train)}
    return parse_config({**document, "split": {**kept, **sides}}, fold.name)


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
