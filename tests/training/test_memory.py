"""Anonymous memory of a training grows as the signals do, whatever the overlap."""

from pathlib import Path

import numpy as np
import pytest

from faultdiag.config.schema import Config
from tests.data_fixtures import tiny_config
from tests.training.children import peak_anonymous, start, train_three_steps

LENGTH = 1024
MIB = 2**20 // 4  # samples


def config_of(folder: Path, samples: int, stride: int) -> Config:
    """Three classes of two recordings each, `samples` in all."""
    rng = np.random.default_rng(0)
    for label in ("a", "b", "c"):
        (folder / label).mkdir(parents=True)
        for number in (1, 2):
            x = rng.standard_normal(samples // 6, dtype=np.float32)
            np.save(folder / label / f"{number}.npy", x)
    data = {
        "dataset": "folder",
        "root": str(folder),
        "prepared": str(folder.with_name(f"{folder.name}-prepared")),
        "recorded_at": 12_000,
        "sampling_rate": 12_000,
        "label": "{label}",
    }
    config = tiny_config(folder, folder, train__epochs=1)
    document = config.model_dump(mode="json") | {"data": data, "seed": 0}
    document["window"] = {"length": LENGTH, "stride": stride}
    return Config.model_validate(document)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("stride", [1, LENGTH])
def test_memory_grows_no_faster_than_the_signals(stride: int, tmp_path: Path) -> None:
    def peak(name: str, samples: int) -> float:
        config = config_of(tmp_path / name, samples, stride)
        return peak_anonymous(start(train_three_steps, config, tmp_path / f"{name}-run"))

    small, large = 4, 20  # MiB of signals
    growth = peak("large", large * MIB) - peak("small", small * MIB)
    assert growth <= 1.5 * (large - small)
