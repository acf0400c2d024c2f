"""`faultdiag check` and `faultdiag prepare` of a config, be it one split or several folds."""

from collections.abc import Sequence

from faultdiag import checking
from faultdiag.config import Config
from faultdiag.errors import FaultdiagError
from faultdiag.folds import Fold, expand, has_folds
from faultdiag.metrics import format_table
from faultdiag.prepared import Prepared
from faultdiag.preparing import prepare
from faultdiag.sharing_text import duplicate_lines
from faultdiag.splits import PARTS

COLUMNS = {
    "fold": "fold",
    **{part: f"{part} windows" for part in PARTS},
    "recordings": "test recordings",
    "classes": "test classes",
    "shared": "shared samples",
    "leak": "leak",
}


def check_config(config: Config) -> str:
    """Check a config as `faultdiag.checking.check_config`; of several folds, each one's parts.

    The first fold is checked in full.

    Raises
    ------
    FaultdiagError
        For anything that would stop training later; the message names the fold.
    """
    if not has_folds(config):
        return checking.check_config(config)
    folds = expand(config)
    first = f"{folds[0].title}, the first of {len(folds)}:"
    text = checking.check_config(folds[0].config)
    return "\n".join([first, text, "", fold_table(folds, prepare_folds(folds))])


def prepare_config(config: Config) -> str:
    """Prepare a config, or each of its folds, and give what stands in the parts as text.

    Raises
    ------
    FaultdiagError
        As `faultdiag.preparing.prepare`; the message names the fold.
    """
    if has_folds(config):
        folds = expand(config)
        made = prepare_folds(folds)
        return f"{fold_table(folds, made)}\nprepared in {made[0].folder.parent}"
    prepared = prepare(config)
    described = checking.describe_prepared(prepared, config.data.healthy)
    return f"{described}\nprepared in {prepared.folder}"


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
