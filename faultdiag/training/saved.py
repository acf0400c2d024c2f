"""``last.pt`` of a run: written so that there is always a whole one, and read to go on from."""

import os
import secrets
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from faultdiag.checkpoint import Checkpoint, load, save
from faultdiag.config import Config
from faultdiag.config.training import schedule_of
from faultdiag.errors import FaultdiagError
from faultdiag.evaluation import read_split, same_recordings
from faultdiag.prepared import Prepared
from faultdiag.schedules import SHAPED

LAST, PREVIOUS = "last.pt", "previous.pt"

# Settings that may differ when a run is resumed: where the same data lies, how far to go, and
# what changes no result.
_FREE = {"data.root", "data.prepared", "train.epochs", "train.graphs", "train.tensorboard"}


def save_last(folder: Path, checkpoint: Checkpoint) -> None:
    """Write ``last.pt``; what it held before is ``previous.pt`` from then on.

    Raises
    ------
    FaultdiagError
        If it can't be written; ``last.pt`` is as it was.
    """
    last = folder / LAST
    if last.exists():
        spare = folder / f".{PREVIOUS}.{secrets.token_hex(4)}"
        with suppress(OSError):  # a disk without hard links: there is no previous.pt then
            os.link(last, spare)
            spare.replace(folder / PREVIOUS)
        spare.unlink(missing_ok=True)
    save(last, checkpoint)


def drop_previous(folder: Path) -> None:
    """Remove ``previous.pt``, which a finished training has no use for."""
    (folder / PREVIOUS).unlink(missing_ok=True)


def last_state(folder: Path, config: Config, prepared: Prepared) -> Checkpoint | None:
    """Give where a run was interrupted, or None where nothing was trained yet.

    Where ``last.pt`` is damaged, ``previous.pt`` is taken, and a message on stderr says so.

    Raises
    ------
    FaultdiagError
        If it was trained with another config or on other data; what differs is named.
    """
    path, last = _newest(folder)
    if last is None:
        return None
    if last.training is None:
        raise FaultdiagError(
            f"{path} holds no state of a training (a copy of best.pt?); start anew with --overwrite"
        )
    _require_same_config(path, last, config)
    if last.epoch and not (folder / "best.pt").is_file():
        raise FaultdiagError(
            f"{folder} can't be resumed: it has a {path.name} but no best.pt; start anew with "
            "--overwrite, or give another with --run"
        )
    same_recordings(read_split(folder), prepared, "or start anew with --overwrite")
    return last


def _newest(folder: Path) -> tuple[Path, Checkpoint | None]:
    path, previous = folder / LAST, folder / PREVIOUS
    if not path.is_file():
        return path, None
    try:
        return path, load(path)
    except FaultdiagError as error:
        if not previous.is_file():
            raise
        last = load(previous)
        sys.stderr.write(f"{error}\ngoing on from {previous}, after epoch {last.epoch}\n")
        return previous, last


def _require_same_config(path: Path, last: Checkpoint, config: Config) -> None:
    differing = _differences(last.config, config.model_dump(mode="json"))
    if differing:
        raise FaultdiagError(
            f"{path} was trained with another config: {'; '.join(differing)}; give "
            f"{path.parent / 'config.yaml'}, or start anew with --overwrite"
        )
    epochs = config.train.epochs
    if last.epoch > epochs:
        raise FaultdiagError(
            f"{path} has {last.epoch} epochs behind it and train.epochs is {epochs}; "
            "give as many or more, or start anew with --overwrite"
        )
    schedule, _ = schedule_of(config.train.schedule)
    before = last.config["train"]["epochs"]
    if schedule in SHAPED and before != epochs:
        raise FaultdiagError(
            f"{path} was trained for train.epochs {before} and now it is {epochs}; the schedule "
            f"'{schedule}' ends with the last epoch, so this would be another training: give "
            f"{before}, or start anew with --overwrite"
        )


def _differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    before, now = _flat(there), _flat(here)
    return [
        f"{path} is {now.get(path)}, there {before.get(path)}"
        for path in sorted((before.keys() | now.keys()) - _FREE)
        if before.get(path) != now.get(path)
    ]


def _flat(tree: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        leaves |= (
            _flat(value, f"{place}{key}.") if isinstance(value, dict) else {place + key: value}
        )
    return leaves
