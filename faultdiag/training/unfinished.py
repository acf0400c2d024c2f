"""Whether a run came to its end, and what its best checkpoint is if it didn't."""

import json
import sys
from pathlib import Path

from faultdiag.checkpoint import Checkpoint, load


def warn_unfinished(run: Path) -> None:
    """Warn on stderr where a run folder is not trained to its end."""
    if (run / "best.pt").is_file() and (note := unfinished_note(run, load(run))):
        sys.stderr.write(f"warning: {note}\n")


def unfinished_note(folder: Path, best: Checkpoint) -> str | None:
    """Say that a run was not trained to its end, or not scored since; None where it was.

    Parameters
    ----------
    folder
        The run folder; a folder without ``environment.json`` is none.
    best
        Its ``best.pt``.
    """
    if not (folder / "environment.json").is_file():
        return None
    # The line of an epoch is written after its checkpoint.
    trained = max(_lines(folder / "history.jsonl"), best.epoch)
    if _scored_epochs(folder / "metrics.json", trained) >= trained:
        return None
    from faultdiag.training.folder import train_command

    command = train_command(folder / "config.yaml", [], folder, "--resume")
    calibrated = " and its confidences are not yet calibrated" if best.temperature == 1 else ""
    return (
        f"{folder} is not finished: {trained} of {best.config['train']['epochs']} epochs are "
        f"trained, best.pt is from epoch {best.epoch}{calibrated}; go on with: {command}"
    )


def _lines(path: Path) -> int:
    try:
        return len(path.read_text(encoding="utf-8").splitlines())
    except OSError:
        return 0


def _scored_epochs(path: Path, trained: int) -> int:
    """After how many epochs ``metrics.json`` was written; 0 without it."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        # A run of before the selection was written had its metrics at its end.
        return int(document.get("selection", {}).get("last_epoch", trained))
    except (OSError, ValueError, AttributeError, TypeError):
        return 0
