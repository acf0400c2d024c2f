"""Cells, their rows and work that takes no training, for tests of what is done with them."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from faultdiag.config.schema import Config, parse_config
from faultdiag.protocol.plan import Cell
from faultdiag.protocol.results import Row
from tests.data_fixtures import signal as sine
from tests.data_fixtures import write_mat


def config(**train: Any) -> Config:
    return parse_config({"window": {"length": 256, "stride": 128}, "train": train})


def cell(
    model: str = "net", protocol: str = "within", fold: str = "", seed: int = 0, **other: Any
) -> Cell:
    made = other.pop("config", None) or config()
    return Cell(model, protocol, fold, seed, made, **other)


def scores(accuracy: float = 0.5) -> Row:
    return {
        "accuracy": accuracy,
        "macro_f1": accuracy / 2,
        "recording_accuracy": 1.0,
        "windows": 40,
        "recordings": 4,
    }


def row(accuracy: float = 0.5, noise: dict[str, float] | None = None, **other: Any) -> Row:
    """Return what `run_cell` returns of a finished cell."""
    return {
        **scores(accuracy),
        "classes": 4,
        "valid_accuracy": 0.9,
        "best_epoch": 2,
        "epochs": 3,
        "window_seconds": 256 / 12000,
        "leak": "recording",
        "shared_samples": 0,
        "leaking_test_windows": 0.0,
        "notes": [],
        "warnings": [],
        "noise": {level: scores(value) for level, value in (noise or {}).items()},
        "seconds": 1.5,
        "device": "cpu",
        "versions": {"faultdiag": "0.1.0", "torch": "2.13.0"},
        "config": {},
        **other,
    }


def write_two_loads(folder: Path) -> Path:
    """Write recordings of an inner race and a ball at 0 and 1 hp."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frequency in ((105, 1500.0), (106, 1500.0), (118, 3500.0), (119, 3500.0)):
        write_mat(folder / f"{number}.mat", number, DE=sine(frequency, 12_000, 12_000, number))
    return folder


# What a pool of processes runs: the number of epochs says what a cell does.
FINE, BROKEN, KILLED, HUNGRY, SLOW = 1, 2, 3, 4, 5


def work(config: Config, levels: tuple[str, ...], *, folder: Path) -> Row:
    """Note that the cell was begun, then end as its number of epochs says."""
    epochs = config.train.epochs
    with (folder / f"{epochs}-{config.seed}").open("a") as file:
        file.write(f"{os.getpid()} {config.train.threads}\n")
    if epochs == KILLED:
        time.sleep(0.3)  # until the cell beside it runs too
        os.kill(os.getpid(), signal.SIGKILL)
    if epochs == SLOW:
        time.sleep(20 if config.seed else 1)
        (folder / f"slept-{config.seed}").touch()
    begun = len((folder / f"{epochs}-{config.seed}").read_text().splitlines())
    if epochs == HUNGRY and begun == 1:
        return {"reason": "MemoryError", "memory": True}
    return {"reason": "it broke", "memory": False} if epochs == BROKEN else row()
