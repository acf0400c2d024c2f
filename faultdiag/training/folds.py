"""The runs of a config with folds: their folders, and the table of their results."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from faultdiag.documents import Document, Json, parse_json
from faultdiag.errors import FaultdiagError, first_names
from faultdiag.metrics.intervals import mean_interval
from faultdiag.preparing.folds import Fold
from faultdiag.system.files import write_json
from faultdiag.training import run_folder
from faultdiag.training.session import Run

RESULTS = "folds.json"
SCORES = ("accuracy", "macro_f1", "recording_accuracy")


@dataclass(frozen=True)
class FoldRuns:
    """The finished trainings of all folds of a config.

    Parameters
    ----------
    folder
        The folder with a run folder for each fold and ``folds.json``.
    folds, runs
        The folds and their trainings, in the same order.
    """

    folder: Path
    folds: tuple[Fold, ...]
    runs: tuple[Run, ...]

    def rows(self) -> list[Json]:
        """Return the results of each fold as plain values."""
        return [_row(*pair) for pair in zip(self.folds, self.runs, strict=True)]

    @property
    def metrics(self) -> Json:
        """The content of ``folds.json``: a row for each fold, and mean and sd over the folds."""
        document: Json = parse_json((self.folder / RESULTS).read_text(encoding="utf-8"))
        return document


def folder_names(names: Iterable[str]) -> list[str]:
    """Return a folder name for each fold that every file system takes, no two alike.

    Examples
    --------
    >>> folder_names(["0→1", "fold 1 of 3", "a/b", "A b"])
    ['0-to-1', 'fold-1-of-3', 'a-b', 'A-b-2']
    """
    taken: set[str] = set()
    folders: list[str] = []
    for name in names:
        plain = re.sub(r"[^\w.+-]+", "-", name.replace("→", "-to-")).strip(".-") or "fold"
        folder, count = plain, 1
        # Two names that differ by case alone are one folder on some systems.
        while folder.lower() in taken:
            count += 1
            folder = f"{plain}-{count}"
        taken.add(folder.lower())
        folders.append(folder)
    return folders


def require_free(run: Path, names: Sequence[str], *, overwrite: bool, resume: bool) -> list[str]:
    """Refuse a folder that folds may not be written to, and return the folds that are in it.

    Parameters
    ----------
    names
        Folders of the folds that are to be trained.

    Raises
    ------
    FaultdiagError
        If it holds something else, or folds that are neither to be resumed nor to be replaced.
    """
    if not run.is_dir() or (overwrite and resume):
        run_folder.require_free(run, overwrite=overwrite, resume=resume)
        return []
    present = run_folder.names_in(run)
    folds = {*names, *_listed(run)}
    strange = [name for name in present if name not in {*folds, RESULTS}]
    if strange:
        raise FaultdiagError(
            f"--run {run} is to hold a folder for each fold, and has something else "
            f"({first_names(strange)}); give a new folder"
        )
    taken = [name for name in present if name in folds]
    for name in taken:
        run_folder.require_free(run / name, overwrite=overwrite, resume=resume)
    return taken


def _listed(run: Path) -> list[str]:
    """Return the folders of the folds that were trained here before."""
    try:
        document = parse_json((run / RESULTS).read_text(encoding="utf-8"))
        return [str(row["folder"]) for row in document["folds"]]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def clear(run: Path, earlier: Sequence[str], names: Sequence[str]) -> None:
    """Remove the files of earlier folds, and the folders of those that are no longer wanted.

    Parameters
    ----------
    earlier
        Folders of folds to clear.
    names
        Folders of the folds that are to be trained; these stay, empty.
    """
    (run / RESULTS).unlink(missing_ok=True)
    for name in earlier:
        run_folder.clear(run / name)
        if name not in names:
            run_folder.discard_untrained(run / name)


def _row(fold: Fold, run: Run) -> Json:
    test = run.metrics["test"]
    rows = test["recording"]["rows"]
    return {
        "fold": fold.name,
        "windows": test["windows"],
        "disjoint_windows": run.metrics["split"]["disjoint_windows"]["test"],
        "recordings": test["recordings"],
        "recordings_right": sum(row["predicted"] == row["label"] for row in rows),
        "leak": run.metrics["split"]["leak"],
        **{score: test[score] for score in SCORES},
    }


def spread(rows: Sequence[Document], score: str) -> dict[str, float | None]:
    """Return mean and standard deviation of a score over folds."""
    interval = mean_interval([row[score] for row in rows])
    return {"mean": interval.mean, "sd": interval.sd}


def write_results(
    run: Path, names: Sequence[str], folds: Sequence[Fold], runs: Sequence[Run]
) -> None:
    """Write the table as far as there are runs; its means are null until it is whole."""
    rows = [_row(*pair) for pair in zip(folds, runs, strict=False)]
    whole = len(rows) == len(folds)
    document = {
        "folds": [
            {"folder": name, **(rows[i] if i < len(rows) else {"fold": folds[i].name})}
            for i, name in enumerate(names)
        ],
        "overall": {score: spread(rows, score) for score in SCORES} if whole else None,
    }
    write_json(run / RESULTS, document)
