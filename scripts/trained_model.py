"""Train a model on simulated recordings for a measurement: only its speed matters."""

from pathlib import Path
from typing import Any

from faultdiag.api.train import train
from faultdiag.config.schema import parse_config

WDCNN = {"name": "wdcnn", "attention": {"name": "eca", "after": [2], "residual": True}}


def train_model(folder: Path, model: dict[str, Any], *, length: int, per_class: int) -> None:
    """Train a model for one epoch on the recordings in ``folder/base``, into ``folder/run``."""
    data = {"dataset": "synthetic", "root": str(folder / "base"), "prepared": str(folder / "p")}
    config = parse_config(
        {
            "data": data,
            "window": {"length": length, "per_class": per_class},
            "model": model,
            "train": {"epochs": 1},
        }
    )
    train(config, run=folder / "run", device="cpu")
