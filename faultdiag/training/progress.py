"""Where a training stands, epoch by epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Progress:
    """Where training stands: rows of history, and the best epoch by validation so far."""

    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0

    @property
    def epoch(self) -> int:
        """Epochs finished."""
        return len(self.history)

    def note(self, row: dict[str, Any]) -> bool:
        """Add the row of a finished epoch and say whether it is the best so far."""
        self.history.append(row)
        best = self.history[self.best_epoch - 1] if self.best_epoch else None
        if best is None or _merit(row) > _merit(best):
            self.best_epoch = row["epoch"]
        return bool(self.best_epoch == row["epoch"])


def _merit(row: Mapping[str, Any]) -> tuple[float, float]:
    """Accuracy first; of equals the one with the smaller loss."""
    return row["valid_accuracy"], -row["valid_loss"]


def progress_line(row: Mapping[str, Any], epochs: int) -> str:
    """What is logged of an epoch where stderr is no terminal and no bar is shown."""
    return (
        f"epoch {row['epoch']} of {epochs}: training loss {row['train_loss']:.4g}, validation "
        f"accuracy {row['valid_accuracy']:.4f}, {row['seconds']:.1f} s\n"
    )
