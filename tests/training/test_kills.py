"""Trainings that are killed at random moments and resumed."""

import random
import time
from pathlib import Path

import pytest

from faultdiag.config import Config
from tests.training.children import start, train_saving_each_step
from tests.training.runs import Make, assert_same_run

KILLS = 6


@pytest.fixture(scope="module")
def config(brief: Make) -> Config:
    """With everything that has a state or draws."""
    return brief(
        model__dropout=0.3,
        train__augment={"shift": 20, "snr": [0, 10]},
        train__schedule="one_cycle",
        train__balance="sampling",
    )


def test_killed_at_random_moments_it_ends_as_if_it_had_not_been(
    config: Config, tmp_path: Path
) -> None:
    began = time.monotonic()
    whole = start(train_saving_each_step, config, tmp_path / "whole")
    whole.join()
    seconds = time.monotonic() - began
    assert whole.exitcode == 0
    moments, killed = random.Random(0), 0
    folder = tmp_path / "run"
    while killed < KILLS:
        child = start(train_saving_each_step, config, folder)
        child.join(moments.uniform(0, seconds))
        child.kill()
        child.join()
        if child.exitcode == 0:  # it was done before the moment came
            break
        killed += 1
    assert killed
    last = start(train_saving_each_step, config, folder)
    last.join()
    assert last.exitcode == 0
    assert_same_run(folder, tmp_path / "whole")
