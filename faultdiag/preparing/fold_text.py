"""The folds of a config as a table."""

from collections.abc import Sequence

from faultdiag.metrics import format_table
from faultdiag.prepared import Prepared
from faultdiag.preparing.folds import Fold
from faultdiag.sharing.text import duplicate_lines
from faultdiag.splits import PARTS

COLUMNS = {
    "fold": "fold",
    **{part: f"{part} windows" for part in PARTS},
    "recordings": "test recordings",
    "classes": "test classes",
    "shared": "shared samples",
    "leak": "leak",
}


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
