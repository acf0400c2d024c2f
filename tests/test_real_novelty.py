"""Recordings of other rigs are ranked above the test segments of the rig that was trained on."""

from pathlib import Path

import numpy as np
import pytest

from faultdiag.api.train import train
from faultdiag.checkpoint import load as load_checkpoint
from faultdiag.config.schema import Config, load_config, parse_config
from faultdiag.prediction.diagnose import diagnose_files
from faultdiag.prediction.diagnoser import load
from faultdiag.preparing.folder import gather
from faultdiag.preparing.prepare import prepare

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("no_figures")]

CONFIGS = Path(__file__).parents[1] / "configs"


def brief(name: str, root: Path, folder: Path, model: str) -> Config:
    """Return a shipped config with wide strides, a small model and one epoch."""
    plain = load_config(CONFIGS / f"{name}.yaml").model_dump(mode="json", exclude_unset=True)
    plain["data"] |= {"root": str(root), "prepared": str(folder / "prepared")}
    plain["window"]["stride"] = 2048
    plain["model"] = {"name": model}
    plain["train"] = {"epochs": 1, "threads": 1}
    return parse_config(plain)


def segment_scores(run: Path, config: Config) -> list[float]:
    """Novelty of the test segment of each recording."""
    prepared, fitted = prepare(config), load_checkpoint(run).novelty
    assert fitted is not None
    windows = prepared.windows.of("test")
    positions = prepared.positions(windows)
    raw = gather(prepared.signals, positions, prepared.length)
    return [fitted.score(raw[windows.recording == i]) for i in windows.by_recording()]


@pytest.mark.parametrize(
    ("name", "model", "rate"),
    # The classes of one load have one recording each: the threshold is fitted on validation
    # windows. Over four loads it is fitted on recordings held out, 38 of them, and no rate
    # under that of the largest can be stated.
    [("cwru_10class_0hp", "wdcnn", 0.01), ("cwru_4loads", "logistic", 1 / 39)],
)
def test_other_rigs_rank_above_the_test_segments(
    name: str, model: str, rate: float, real_data: Path, tmp_path: Path
) -> None:
    config = brief(name, real_data / "cwru", tmp_path, model)
    run = train(config, run=tmp_path / "run", device="cpu")
    known = np.array(segment_scores(run.folder, config))
    others = sorted([*(real_data / "mfpt").glob("*.mat"), *(real_data / "uestc").glob("*.mat")])
    rows = list(diagnose_files(load(run.folder, device="cpu"), others))
    assert [row.error for row in rows if row.status == "error"] == []
    strange = np.array([row.novelty for row in rows])
    auroc = (strange[:, None] > known).mean() + (strange[:, None] == known).mean() / 2
    assert len(strange) == len(others)
    assert auroc >= 0.95
    assert (strange > 1).all()
    share = run.metrics["novelty"]["test_share"]
    assert share == pytest.approx((known > 1).mean())
    assert run.metrics["novelty"]["false_positive_rate"] == pytest.approx(rate)
