"""The windows that all sides train on: ten simulated recordings, 700 training windows each."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faultdiag.config.schema import Config, load_config, parse_config
from faultdiag.preparing.folder import gather
from faultdiag.preparing.prepare import prepare
from faultdiag.simulation.folder import simulate_folder
from faultdiag.system.files import write_text

BATCH = 128
LENGTH = 2048


@dataclass(frozen=True)
class Material:
    """The baseline's windows: prepared, and as arrays for the peers; how many are for training.

    The folder holds ``benchmark.yaml``, and ``windows.npy`` and ``labels.npy`` of the training
    part.
    """

    folder: Path
    windows: int

    @property
    def config(self) -> Path:
        """The config file of the baseline on these data."""
        return self.folder / "benchmark.yaml"


def baseline(folder: Path, *, epochs: int = 20, **window: int) -> Config:
    """Return the config of the published baseline on the recordings of a folder."""
    return parse_config(
        {
            "data": {
                "dataset": "synthetic",
                "root": str(folder / "recordings"),
                "prepared": str(folder / "prepared"),
            },
            "window": {"length": LENGTH, **(window or {"per_class": 1000})},
            "model": {
                "name": "wdcnn",
                "attention": {"name": "eca", "after": [2], "residual": True},
            },
            "train": {"epochs": epochs, "batch_size": BATCH},
        }
    )


def write_material(folder: Path, seconds: float = 10.0) -> Material:
    """Simulate ten recordings, prepare them, and write their training windows as arrays."""
    simulate_folder(folder / "recordings", seconds=seconds)
    config = baseline(folder)
    write_text(folder / "benchmark.yaml", config.to_yaml())
    prepared = prepare(config)
    windows = prepared.windows.of("train")
    x = gather(prepared.signals, prepared.positions(windows), prepared.length)
    np.save(folder / "windows.npy", x)
    np.save(folder / "labels.npy", windows.label.astype(np.int64))
    return Material(folder, len(windows))


def read_config(folder: Path) -> Config:
    """Read the config that `write_material` wrote."""
    return load_config(folder / "benchmark.yaml")
