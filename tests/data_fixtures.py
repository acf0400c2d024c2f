"""Small recordings in CWRU's names and variables, and a config that trains on them in a second."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faultdiag.config.schema import Config, parse_config

# Number, sampling rate in Hz and the frequencies that tell the classes apart. The healthy
# recording is at 48 kHz, as CWRU's is.
CASES = {97: (48_000, 500.0), 105: (12_000, 1500.0), 118: (12_000, 3500.0)}
SAMPLES = {97: 60_000, 105: 30_000, 118: 30_000}
SECONDS = 2.5


def signal(
    frequency: float, rate: float, samples: int, seed: int, *, noise: float = 0.3
) -> NDArray[np.float64]:
    """A sine in white noise."""
    time = np.arange(samples) / rate
    rng = np.random.default_rng(seed)
    return np.sin(2 * np.pi * frequency * time) + noise * rng.standard_normal(samples)


def write_mat(path: Path, number: int, **channels: NDArray[Any]) -> Path:
    """Write channels such as ``DE=...`` as CWRU does; equal channels give equal bytes."""
    from scipy.io import savemat

    variables = {f"X{number:03d}_{name}_time": x[:, None] for name, x in channels.items()}
    savemat(path, {**variables, f"X{number:03d}RPM": np.array([[1797]], np.uint16)})
    with path.open("r+b") as file:
        # savemat writes the time of day here.
        file.write(b"MATLAB 5.0 MAT-file of a test".ljust(116))
    return path


def write_recording(path: Path, number: int, *, seed: int = 0, samples: int | None = None) -> Path:
    """Write one recording of `CASES`, drive end and fan end."""
    rate, frequency = CASES[number]
    count = samples or SAMPLES[number]
    drive = signal(frequency, rate, count, seed * 1000 + number)
    fan = signal(frequency / 2, rate, count, seed * 1000 + number + 500)
    return write_mat(path, number, DE=drive, FE=fan)


def write_recordings(folder: Path, *, seed: int = 0) -> Path:
    """Write all of `CASES` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in CASES:
        write_recording(folder / f"{number}.mat", number, seed=seed)
    return folder


def write_many(folder: Path, count: int) -> Path:
    """Write short recordings ``0.mat``, ``1.mat`` and so on; ``4.mat`` cannot be read."""
    for number in range(count):
        case = list(CASES)[number % 3]
        write_recording(folder / f"{number}.mat", case, seed=number, samples=4_000)
    (folder / "4.mat").write_bytes(b"no MATLAB")
    return folder


def tiny(root: Path, prepared: Path, **changes: Any) -> dict[str, Any]:
    """Return a config of three classes as plain data; ``train__epochs=5`` changes one setting."""
    config: dict[str, Any] = {
        "seed": 0,
        "data": {
            "root": str(root),
            "prepared": str(prepared),
            "select": {"number": list(CASES)},
            "label": "{code}",
        },
        "window": {"length": 256, "stride": 128},
        "split": {"strategy": "within_recording"},
        "model": {"name": "cnn1d", "widths": [4, 8], "kernels": [7]},
        "train": {"epochs": 3, "batch_size": 8, "learning_rate": 0.005, "threads": 1},
    }
    config = deepcopy(config)
    for path, value in changes.items():
        *parents, last = path.split("__")
        node = config
        for key in parents:
            node = node.setdefault(key, {})
        node[last] = value
    return config


def tiny_config(root: Path, prepared: Path, **changes: Any) -> Config:
    """Return the config of `tiny`, checked."""
    return parse_config(tiny(root, prepared, **changes))


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size` bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# Number and frequency of two faults at two sizes and loads each, and one healthy recording.
GROUPED = {97: 500.0, 105: 1500.0, 106: 1500.0, 169: 1600.0, 118: 3500.0, 119: 3500.0, 185: 3600.0}


def write_grouped(folder: Path) -> Path:
    """Write recordings that can be split across loads and sizes; the healthy one is at 0 hp."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frequency in GROUPED.items():
        rate = 48_000 if number == 97 else 12_000
        drive = signal(frequency, rate, rate // 2, number)
        write_mat(folder / f"{number}.mat", number, DE=drive)
    return folder


def grouped(root: Path, prepared: Path, strategy: str, **options: Any) -> Config:
    """Return a config that splits what `write_grouped` wrote."""
    changes: dict[str, Any] = {
        "data__select": {"number": list(GROUPED)},
        "split": {"strategy": strategy, **options},
        "train__epochs": 1,
    }
    return tiny_config(root, prepared, **changes)
