"""What tests read of run folders."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from faultdiag.checkpoint import load
from faultdiag.config.schema import Config
from faultdiag.errors import FaultdiagError
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.prepare import prepare
from faultdiag.preparing.window_index import WindowIndex
from faultdiag.splits.within import ALL_PARTS
from faultdiag.training import session
from faultdiag.training.loop import Settings

Make = Callable[..., Config]


def weights(run: Path, name: str = "best.pt") -> dict[str, torch.Tensor]:
    return dict(load(run / name).model)


def settings(**changes: Any) -> Settings:
    """Return the settings of a short training, with changes."""
    values: dict[str, Any] = {
        "epochs": 3,
        "batch_size": 16,
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "l2": 1e-4,
        "precision": "float32",
        "seed": 11,
    }
    return Settings(**values | changes)


def assert_same_weights(one: Path, other: Path) -> None:
    for name in ("best.pt", "last.pt"):
        first, second = weights(one, name), weights(other, name)
        assert first.keys() == second.keys()
        for key, value in first.items():
            assert torch.equal(second[key], value), f"{name}: {key}"


def metrics(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "metrics.json").read_text()))


def history(run: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def assert_same_run(one: Path, other: Path) -> None:
    assert_same_weights(one, other)
    assert metrics(one) == metrics(other)
    assert history(one) == history(other)


def refused(message: str, call: Callable[[], object]) -> None:
    with pytest.raises(FaultdiagError, match=message):
        call()


def poison(patch: pytest.MonkeyPatch, part: str, *, sample: float = 1e6, label: int = 0) -> None:
    """Make the signals and the labels of one part nonsense wherever a training opens them.

    Only in memory: on the disk, the digests would tell, and the data would be prepared again.
    """

    def poisoned(config: Config) -> Prepared:
        prepared = prepare(config)
        windows = prepared.windows
        for start in prepared.positions(windows.of(part)).ravel():
            prepared.signals[start : start + prepared.length] = sample
        labels = np.where(windows.part == ALL_PARTS.index(part), label, windows.label)
        prepared.windows = WindowIndex(
            windows.recording, windows.start, windows.part, labels.astype(np.int16)
        )
        return prepared

    patch.setattr(session, "prepare", poisoned)
