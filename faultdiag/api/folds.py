"""Train the folds of a config, each in a run folder of its own."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from faultdiag.api.train import train
from faultdiag.config.schema import Config
from faultdiag.errors import FaultdiagError
from faultdiag.metrics.intervals import mean_interval
from faultdiag.metrics.tables import format_table
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.folds import Fold, expand, has_folds, prepare_folds
from faultdiag.report import training
from faultdiag.report.data import common_notes, describe_prepared, duplicate_lines, split_lines
from faultdiag.splits.sharing import LEVELS
from faultdiag.system.files import write_json
from faultdiag.training import run_folder
from faultdiag.training.session import Run
from faultdiag.training.specs import resolve_spec

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


SCORES = ("accuracy", "macro_f1", "recording_accuracy")
COLUMNS = {
    "fold": "fold",
    "windows": "test windows",
    "accuracy": "accuracy %",
    "macro_f1": "macro-F1 %",
    "right": "recordings right",
    "leak": "leak",
}


def train_all(
    config: Config,
    *,
    run: Path,
    device: str = "auto",
    overwrite: bool = False,
    resume: bool = False,
    tell: Callable[[str], None] = lambda _: None,
    on_begun: Callable[[], None] | None = None,
) -> str:
    """Train a config, or each of its folds in a folder below `run`, and give the result as text.

    Parameters
    ----------
    run, device, overwrite, resume, on_begun
        As of `faultdiag.training.session.train`.
    tell
        Called with what the user wants to read before each training.

    Raises
    ------
    FaultdiagError
        As `faultdiag.training.session.train`.
    """
    flags: dict[str, Any] = {"device": device, "overwrite": overwrite, "resume": resume}
    if not has_folds(config):
        return training.summary(_train(config, run, tell, on_begun=on_begun, **flags))
    folds = expand(config)
    names = folder_names(fold.name for fold in folds)
    earlier = require_free(run, names, overwrite=overwrite, resume=resume)
    resolve_spec(config)
    # What is wrong with the last fold is told before hours of training, not after.
    prepare_folds(folds)
    runs: list[Run] = []

    def begun() -> None:
        # From here on all folds are this training's, so that the ones to come can be resumed.
        if overwrite and not runs:
            clear(run, [name for name in earlier if name != names[0]], names)
        if on_begun:
            on_begun()

    for name, fold in zip(names, folds, strict=True):
        tell(f"training {len(runs) + 1} of {len(folds)}: {fold.title}")
        runs.append(_train(fold.config, run / name, tell, on_begun=begun, **flags))
        _write(run, names, folds, runs)
    return _text(run, folds, runs)


def _train(config: Config, run: Path, tell: Callable[[str], None], **flags: Any) -> Run:
    def on_prepared(prepared: Prepared) -> None:
        tell(describe_prepared(prepared, config.data.healthy))
        if flags["resume"] and not (run / "last.pt").exists():
            tell(f"nothing to resume in {run}: starting anew")

    return train(config, run=run, on_prepared=on_prepared, **flags)


def _row(fold: Fold, run: Run) -> dict[str, Any]:
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


def _spread(rows: Sequence[Mapping[str, Any]], score: str) -> dict[str, float | None]:
    interval = mean_interval([row[score] for row in rows])
    return {"mean": interval.mean, "sd": interval.sd}


def _write(run: Path, names: Sequence[str], folds: Sequence[Fold], runs: Sequence[Run]) -> None:
    """Write the table as far as there are runs; its means are null until it is whole."""
    rows = [_row(*pair) for pair in zip(folds, runs, strict=False)]
    whole = len(rows) == len(folds)
    document = {
        "folds": [
            {"folder": name, **(rows[i] if i < len(rows) else {"fold": folds[i].name})}
            for i, name in enumerate(names)
        ],
        "overall": {score: _spread(rows, score) for score in SCORES} if whole else None,
    }
    write_json(run / RESULTS, document)


def _text(run: Path, folds: Sequence[Fold], runs: Sequence[Run]) -> str:
    rows = [_row(*pair) for pair in zip(folds, runs, strict=True)]
    for row in rows:
        row["right"] = f"{row['recordings_right']} of {row['recordings']}"
    right, recordings = (sum(r[key] for r in rows) for key in ("recordings_right", "recordings"))
    splits = [one.metrics["split"] for one in runs]
    worst = min(splits, key=lambda split: LEVELS.index(split["leak"]))
    notes = common_notes([split["notes"] for split in splits])
    return "\n".join(
        [
            format_table(rows, COLUMNS),
            f"mean ± sd over {len(rows)} folds: accuracy {_shown(rows, 'accuracy')} %, macro-F1 "
            f"{_shown(rows, 'macro_f1')} %; {right} of {recordings} recordings right",
            *_leaks(folds, splits),
            *split_lines({**worst, "duplicates": _shared_by_all(splits), "notes": notes}),
            f"run folders and {RESULTS}: {run}",
        ]
    )


def _leaks(folds: Sequence[Fold], splits: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name the folds that leak, and the copies that carry samples into their test parts."""
    lines = []
    for fold, split in zip(folds, splits, strict=True):
        copies = [row for row in split["duplicates"] if row["leak"]]
        lines += [f"fold '{fold.name}': {line}" for line in duplicate_lines(copies)]
    return lines


def _shared_by_all(splits: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Give the copies that leak in no fold; those that do are named with their folds."""
    leaking = {str(row["recordings"]) for s in splits for row in s["duplicates"] if row["leak"]}
    return [row for row in splits[0]["duplicates"] if str(row["recordings"]) not in leaking]


def _shown(rows: Sequence[Mapping[str, Any]], score: str) -> str:
    spread = _spread(rows, score)
    return f"{100 * (spread['mean'] or 0):.1f} ± {100 * (spread['sd'] or 0):.1f}"
