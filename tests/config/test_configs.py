"""Every config that comes with faultdiag loads, is a starter, builds and takes one step."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from faultdiag.config.load import starter_texts
from faultdiag.config.schema import Config, load_config
from faultdiag.inference import WindowBatches
from faultdiag.preparing.prepare import prepare
from faultdiag.simulation.folder import simulate_folder
from faultdiag.training.loop import Trainer, trainer_settings
from faultdiag.training.specs import complete_spec, resolve_spec

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


# Settings of configs with long windows, for the short recordings of these tests.
SHORT = {
    "cwru_loads": (
        "window={length: 5000, stride: 500, test_stride: 5000}",
        "split.test=[0]",
        "split.gap=1000",
    ),
    "cwru_rigs": (
        "window={length: 6000, stride: 3000, test_stride: 6000}",
        "split={strategy: within_recording, fractions: [0.4, 0.3, 0.3], gap: 1000}",
        "data.select.group=[normal, 12k_DE]",
    ),
    "cwru_ends": (
        "window={length: 6000, stride: 3000, test_stride: 6000}",
        "split={strategy: within_recording, fractions: [0.4, 0.3, 0.3], gap: 1000}",
        "data.select.group=[12k_DE]",
    ),
    "cwru_noise": ("window={length: 2048, stride: 512, test_stride: 2048}", "split.gap=1000"),
    "cwru_sizes": (
        "window={length: 6000, stride: 3000, test_stride: 6000}",
        "split.gap=1000",
    ),
}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten classes at two loads, just long enough for windows of 2048 samples."""
    folder = tmp_path_factory.mktemp("simulated")
    simulate_folder(folder, seconds=2.1, loads=(0, 3))
    return folder


def load(path: Path, *overrides: str) -> Config:
    config = load_config(path, overrides)
    assert config.data.dataset in {"cwru", "synthetic"}, "there is no tiny data for this dataset"
    return config


def test_there_are_configs_and_each_is_a_starter() -> None:
    assert len(CONFIGS) >= 4
    assert starter_texts() == {path.stem: path.read_text(encoding="utf-8") for path in CONFIGS}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_its_network_can_be_built(path: Path) -> None:
    resolve_spec(load(path))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_takes_one_step(
    path: Path, simulated: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.getbasetemp() / "prepared of configs"
    places = f"data.root={simulated}", f"data.prepared={place}"
    config = load(path, *places, *SHORT.get(path.stem, ()))
    prepared = prepare(config)
    faults = 3 if config.data.label in {"{code}", "{fault}"} else 9
    assert len(prepared.classes) == faults + len(config.data.healthy)
    assert set(config.data.healthy) <= set(prepared.classes)
    network = complete_spec(resolve_spec(config), prepared)[0].build()
    before = {name: value.clone() for name, value in network.named_parameters()}
    train, valid = (
        WindowBatches(prepared, prepared.windows.of(part).take(slice(0, 32)), torch.device("cpu"))
        for part in ("train", "valid")
    )
    settings = replace(trainer_settings(config), epochs=1, steps=None)
    segments = prepared.segments("train")
    trainer = Trainer(network, train, valid, settings, segments=segments)
    (row,) = trainer.fit(lambda *_: None).history
    assert row["train_loss"] > 0
    moved = [name for name, value in network.named_parameters() if not value.equal(before[name])]
    assert any("classify." in name for name in moved)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_says_what_it_is_for(path: Path) -> None:
    first, *rest = path.read_text(encoding="utf-8").splitlines()
    assert first.startswith("# ")
    assert first.endswith((".", ",")), "a sentence"
    assert rest
