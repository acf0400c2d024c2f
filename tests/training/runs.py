"""What tests read of run folders."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from faultdiag.checkpoint import load
from faultdiag.config.schema import Config
from faultdiag.errors import FaultdiagError

Make = Callable[..., Config]


def weights(run: Path, name: str = "best.pt") -> dict[str, torch.Tensor]:
    return dict(load(run / name).model)


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
