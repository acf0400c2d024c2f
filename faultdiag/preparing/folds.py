"""The folds of a config: each one a config of its own that can be trained like any other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from faultdiag.config import Config, parse_config
from faultdiag.errors import FaultdiagError
from faultdiag.metrics import format_table
from faultdiag.prepared import Prepared
from faultdiag.preparing import prepare
from faultdiag.preparing.selecting import label_entries, select_recordings
from faultdiag.sharing.text import duplicate_lines
from faultdiag.splits import PARTS, STRATEGIES, SplitItem
from faultdiag.splits.group_folds import FoldGroups, choose_folds
from faultdiag.splits.grouping import group_by

COLUMNS = {
    "fold": "fold",
    **{part: f"{part} windows" for part in PARTS},
    "recordings": "test recordings",
    "classes": "test classes",
    "shared": "shared samples",
    "leak": "leak",
}


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
        As `faultdiag.preparing.prepare`; the message names the fold.
    """
    made = []
    for fold in folds:
        try:
            made.append(prepare(fold.config))
        except FaultdiagError as error:
            raise FaultdiagError(f"{fold.title}: {error}") from error
    return made


def fold_table(folds: Sequence[Fold], made: Sequence[Prepared]) -> str:
    """Give the parts of each fold as a table, and what holds for all of them."""
    rows = []
    for fold, prepared in zip(folds, made, strict=True):
        tested = prepared.windows.of("test").by_recording()
        rows.append(
            {
                "fold": fold.name,
                **{part: len(prepared.windows.of(part)) for part in PARTS},
                "recordings": len(tested),
                "classes": len({prepared.recordings[number].label for number in tested}),
                "shared": prepared.audit.shared_samples,
                "leak": prepared.sharing.leak,
            }
        )
    strategy = folds[0].config.split.strategy
    lines = [format_table(rows, COLUMNS), f"split {strategy}: {len(folds)} folds"]
    for fold, prepared in zip(folds, made, strict=True):
        copies = [row for row in prepared.sharing.duplicates if row["leak"]]
        lines += [f"fold '{fold.name}': {line}" for line in duplicate_lines(copies)]
    return "\n".join([*lines, *(f"note: {note}" for note in common_notes([m.notes for m in made]))])


def common_notes(notes: Sequence[Sequence[str]]) -> list[str]:
    """Give the notes that every fold has, and how many more there are of single folds."""
    common = [note for note in notes[0] if all(note in others for others in notes)]
    single = sum(any(note not in common for note in others) for others in notes)
    if single:
        common.append(
            f"{single} folds have notes of their own; split.fold: 0 (or 1, 2, …) checks one alone"
        )
    return common
