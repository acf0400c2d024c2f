"""The folds of a training as a table."""

from collections.abc import Sequence

from faultdiag.documents import Document
from faultdiag.metrics.tables import format_table
from faultdiag.preparing.folds import Fold
from faultdiag.report.data import common_notes, duplicate_lines, split_lines
from faultdiag.report.training import summary
from faultdiag.splits.sharing import LEVELS
from faultdiag.training.folds import RESULTS, FoldRuns, spread
from faultdiag.training.session import Run

COLUMNS = {
    "fold": "fold",
    "windows": "test windows",
    "accuracy": "accuracy %",
    "macro_f1": "macro-F1 %",
    "right": "recordings right",
    "leak": "leak",
}


def training_text(result: Run | FoldRuns) -> str:
    """Return the table of a finished training, or of all its folds."""
    return folds_text(result) if isinstance(result, FoldRuns) else summary(result)


def folds_text(result: FoldRuns) -> str:
    """Return the table of all folds, what they share, and where their files are."""
    rows, folds = result.rows(), result.folds
    for row in rows:
        row["right"] = f"{row['recordings_right']} of {row['recordings']}"
    right, recordings = (sum(r[key] for r in rows) for key in ("recordings_right", "recordings"))
    splits = [run.metrics["split"] for run in result.runs]
    worst = min(splits, key=lambda split: LEVELS.index(split["leak"]))
    notes = common_notes([split["notes"] for split in splits])
    return "\n".join(
        [
            format_table(rows, COLUMNS),
            f"mean ± sd over {len(rows)} folds: accuracy {_shown(rows, 'accuracy')} %, macro-F1 "
            f"{_shown(rows, 'macro_f1')} %; {right} of {recordings} recordings right",
            *_leaks(folds, splits),
            *split_lines({**worst, "duplicates": _shared_by_all(splits), "notes": notes}),
            f"run folders and {RESULTS}: {result.folder}",
        ]
    )


def _leaks(folds: Sequence[Fold], splits: Sequence[Document]) -> list[str]:
    """Name the folds that leak, and the copies that carry samples into their test parts."""
    lines = []
    for fold, split in zip(folds, splits, strict=True):
        copies = [row for row in split["duplicates"] if row["leak"]]
        lines += [f"fold '{fold.name}': {line}" for line in duplicate_lines(copies)]
    return lines


def _shared_by_all(splits: Sequence[Document]) -> list[object]:
    """Return the copies that leak in no fold; those that do are named with their folds."""
    leaking = {str(row["recordings"]) for s in splits for row in s["duplicates"] if row["leak"]}
    return [row for row in splits[0]["duplicates"] if str(row["recordings"]) not in leaking]


def _shown(rows: Sequence[Document], score: str) -> str:
    values = spread(rows, score)
    return f"{100 * (values['mean'] or 0):.1f} ± {100 * (values['sd'] or 0):.1f}"
