"""Trainings that are killed at random moments and resumed."""

import random
import time
from pathlib import Path

import pytest

from faultdiag.config.schema import Config
from tests.training.children import start, train_saving_often
from tests.training.runs import Make, assert_same_run

KILLS = 5


@pytest.fixture(scope="module")
def config(brief: Make) -> Config:
    """With everything that has a state or draws."""
    return brief(
        train__epochs=2,
        model__dropout=0.3,
        train__augment={"shift": 20, "snr": [0, 10]},
        train__schedule="one_cycle",
        train__balance="sampling",
    )


def test_killed_at_random_moments_it_ends_as_if_it_had_not_been(
    config: Config, tmp_path: Path
) -> None:
    finish(config, tmp_path / "first")  # imports, and data are prepared
    began = time.monotonic()
    finish(config, tmp_path / "whole")
    seconds = time.monotonic() - began
    moments, killed, folder = random.Random(0), 0, tmp_path / "run"
    while killed < KILLS:
        child = start(train_saving_often, config, folder)
        child.join(moments.uniform(0, seconds))
        child.kill()
        child.join()
        if child.exitcode == 0:  # it was done before the moment came
            assert_same_run(folder, tmp_path / "whole")
            folder = tmp_path / f"run{killed}"
        killed += child.exitcode != 0
    finish(config, folder)
    assert_same_run(folder, tmp_path / "whole")


def finish(config: Config, folder: Path) -> None:
    child = start(train_saving_often, config, folder)
    child.join()
    assert child.exitcode == 0
