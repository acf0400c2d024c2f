"""`faultdiag train` of a config with folds: every fold a run of its own, and their table."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from faultdiag.checking import split_lines
from faultdiag.config import Config
from faultdiag.errors import FaultdiagError
from faultdiag.files import write_json
from faultdiag.fold_checking import common_notes
from faultdiag.folds import Fold, expand, has_folds
from faultdiag.metrics import format_table, mean_interval
from faultdiag.prepared import Prepared
from faultdiag.training import report
from faultdiag.training.fold_folders import RESULTS, clear, folder_names, require_free
from faultdiag.training.run import Run, train

SCORES = ("accuracy", "macro_f1", "recording_accuracy")
COLUMNS = {
    "fold": "fold",
    "windows": "test windows",
    "accuracy": "accuracy %",
    "macro_f1": "macro-F1 %",
    "right": "recordings right",
}


def train_all(
    config: Config,
    *,
    run: Path,
    device: str = "auto",
    overwrite: bool = False,
    resume: bool = False,
    on_run: Callable[[str, Path], None] | None = None,
    on_prepared: Callable[[Prepared], None] | None = None,
    on_begun: Callable[[], None] | None = None,
) -> str:
    """Train a config, or each of its folds in a folder below `run`, and give the result as text.

    Parameters
    ----------
    run, device, overwrite, resume, on_prepared, on_begun
        As of `faultdiag.training.run.train`.
    on_run
        Called before each run with the name of its fold, "" where there is one run only, and
        its folder.

    Raises
    ------
    FaultdiagError
        As `faultdiag.training.run.train`; for folds the message names the fold.
    """
    folds = expand(config) if has_folds(config) else [Fold("", config)]
    several = has_folds(config)
    names = folder_names(fold.name for fold in folds)
    earlier = require_free(run, names, overwrite=overwrite, resume=resume) if several else []
    runs: list[Run] = []

    def begun() -> None:
        # From here on all folds are this training's, so that the ones to come can be resumed.
        if several and overwrite and not runs:
            clear(run, [name for name in earlier if name != names[0]], names)
        if on_begun:
            on_begun()

    flags: dict[str, Any] = {"device": device, "overwrite": overwrite, "resume": resume}
    for name, fold in zip(names, folds, strict=True):
        place = run / name if several else run
        if on_run:
            on_run(fold.name, place)
        runs.append(_train(fold, run=place, on_prepared=on_prepared, on_begun=begun, **flags))
        if several:
            _write(run, names, folds, runs)
    return _text(run, folds, runs) if several else report.summary(runs[0])


def _train(fold: Fold, **options: Any) -> Run:
    try:
        return train(fold.config, **options)
    except FaultdiagError as error:
        if not fold.name:
            raise
        raise FaultdiagError(f"fold {fold.name}: {error}") from error


def _row(fold: Fold, run: Run) -> dict[str, Any]:
    test = run.metrics["test"]
    rows = test["recording"]["rows"]
    return {
        "fold": fold.name,
        "windows": test["windows"],
        "disjoint_windows": run.metrics["split"]["disjoint_windows"]["test"],
        "recordings": test["recordings"],
        "recordings_right": sum(row["predicted"] == row["label"] for row in rows),
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
    worst = max(splits, key=lambda split: float(split["leaking_test_windows"]))
    notes = common_notes([split["notes"] for split in splits])
    return "\n".join(
        [
            format_table(rows, COLUMNS),
            f"mean ± sd over {len(rows)} folds: accuracy {_shown(rows, 'accuracy')} %, macro-F1 "
            f"{_shown(rows, 'macro_f1')} %; {right} of {recordings} recordings right",
            *split_lines({**worst, "notes": notes}),
            f"run folders and {RESULTS}: {run}",
        ]
    )


def _shown(rows: Sequence[Mapping[str, Any]], score: str) -> str:
    spread = _spread(rows, score)
    return f"{100 * (spread['mean'] or 0):.1f} ± {100 * (spread['sd'] or 0):.1f}"
