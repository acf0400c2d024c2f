"""The folder of a run with folds: a run folder for each fold, and the table of them."""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from faultdiag.errors import FaultdiagError
from faultdiag.training import folder as run_folder

RESULTS = "folds.json"


def folder_names(names: Iterable[str]) -> list[str]:
    """Give each fold a folder name that every file system takes, no two alike.

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
    """Refuse a folder that folds may not be written to, and give the folds that are in it.

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
    present = sorted(path.name for path in run.iterdir())
    ours = {*names, *_listed(run)}
    strange = [name for name in present if name not in {*ours, RESULTS}]
    if strange:
        more = ", …" if len(strange) > 3 else ""
        raise FaultdiagError(
            f"--run {run} is to hold a folder for each fold, and has something else "
            f"({', '.join(strange[:3])}{more}); give a new folder"
        )
    for name in present:
        if name in ours:
            run_folder.require_free(run / name, overwrite=overwrite, resume=resume)
    return [name for name in present if name in ours]


def _listed(run: Path) -> list[str]:
    """Give the folders of the folds that were trained here before."""
    try:
        document = json.loads((run / RESULTS).read_text(encoding="utf-8"))
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
