"""The history of a training, a line per epoch: JSON lines, CSV, TensorBoard."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from faultdiag.errors import FaultdiagError
from faultdiag.files import write_text

Rows = Sequence[Mapping[str, Any]]


def write_history(folder: Path, rows: Rows) -> None:
    """Write ``history.jsonl`` and, for spreadsheets, ``history.csv``.

    Raises
    ------
    FaultdiagError
        If they can't be written.
    """
    write_text(folder / "history.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(folder / "history.csv", text.getvalue())


def require_tensorboard() -> None:
    """Refuse ``train.tensorboard`` where the package is not installed.

    Raises
    ------
    FaultdiagError
        Naming the extra that brings it.
    """
    try:
        import tensorboard  # noqa: F401  # only whether it is there
    except ImportError as error:
        raise FaultdiagError(
            "train.tensorboard is true, but tensorboard is not installed; install it with "
            "pip install 'faultdiag[tensorboard]', or set it to false (history.csv and "
            "history.jsonl are always written)"
        ) from error


def write_event(folder: Path, row: Mapping[str, Any]) -> None:
    """Add the row of an epoch to the TensorBoard events of a run."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        for name, value in row.items():
            if name != "epoch":
                writer.add_scalar(name.replace("_", "/", 1), value, row["epoch"])
