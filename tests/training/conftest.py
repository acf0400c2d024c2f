"""A brief training, and the run it gives."""

from pathlib import Path
from typing import Any

import pytest

from faultdiag.api.train import train
from faultdiag.config.schema import Config
from tests.data_fixtures import CASES, SAMPLES, signal, tiny_config, write_mat
from tests.training.runs import Make


@pytest.fixture(scope="session")
def brief(recordings: Path, prepared_root: Path) -> Make:
    """Configs of three short epochs; ``root`` and ``place`` say where the data lies."""

    def make(root: Path = recordings, place: Path = prepared_root, **changes: Any) -> Config:
        return tiny_config(root, place, **{"train__batch_size": 32} | changes)

    return make


@pytest.fixture(scope="session")
def whole(brief: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that `brief` gives uninterrupted; tests don't write to it."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("faultdiag.api.train.draw_run", lambda _: None)
        return train(brief(), run=folder, device="cpu").folder


@pytest.fixture(scope="session")
def hard(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A config on recordings drowned in noise: windows go wrong, and training too fast."""
    root = tmp_path_factory.mktemp("hard")
    for number, (rate, frequency) in CASES.items():
        noise = 4.0 if rate > 12_000 else 2.0
        x = signal(frequency, rate, SAMPLES[number], number, noise=noise)
        write_mat(root / f"{number}.mat", number, DE=x)
    changes = {"train__batch_size": 32, "train__learning_rate": 0.02, "seed": 1}
    changes["train__running_statistics"] = "published"  # they lag, so the last epoch is worse
    return tiny_config(root, root / "prepared", **changes)


@pytest.fixture(scope="session")
def wrong(hard: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that `hard` gives, whose best epoch is not the last; tests don't write to it."""
    folder = tmp_path_factory.mktemp("runs") / "wrong"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("faultdiag.api.train.draw_run", lambda _: None)
        return train(hard, run=folder, device="cpu").folder
