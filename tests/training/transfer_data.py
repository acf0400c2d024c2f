"""Two domains that a small network tells apart by their sound, and configs that transfer."""

from pathlib import Path
from typing import Any

import numpy as np

from faultdiag.config.schema import Config, parse_config
from tests.data_fixtures import tiny, write_mat

# Numbers of two faults at 0 to 2 hp, and the frequency of each in Hz. Another load shifts it.
FAULTS = {105: 1500.0, 106: 1500.0, 107: 1500.0, 118: 3000.0, 119: 3000.0, 120: 3000.0}
SHIFT = {105: 0.0, 106: 200.0, 107: 400.0, 118: 0.0, 119: 200.0, 120: 400.0}
SAMPLES = 24_000


def write_domains(folder: Path) -> Path:
    """Write two faults at three loads."""
    folder.mkdir(parents=True, exist_ok=True)
    time = np.arange(SAMPLES) / 12_000
    for number, frequency in FAULTS.items():
        rng = np.random.default_rng(number)
        tone = np.sin(2 * np.pi * (frequency + SHIFT[number]) * time)
        write_mat(folder / f"{number}.mat", number, DE=tone + 0.5 * rng.standard_normal(SAMPLES))
    return folder


def transfer_document(root: Path, prepared: Path, **changes: Any) -> dict[str, Any]:
    """A config as plain data: trained at 0 hp, tested at 2 hp; ``transfer__method`` is mk_mmd."""
    usual: dict[str, Any] = {
        "data__select": {"number": list(FAULTS)},
        "split": {"strategy": "across_loads", "train": [0], "test": [2], "gap": 256},
        "train__epochs": 3,
        "train__batch_size": 16,
        "window": {"length": 256, "stride": 192},
        "transfer": {"method": "mk_mmd", "start_epoch": 1},
    }
    return tiny(root, prepared, **(usual | changes))


def transfer_config(root: Path, prepared: Path, **changes: Any) -> Config:
    """The config of `transfer_document`, checked."""
    return parse_config(transfer_document(root, prepared, **changes))
