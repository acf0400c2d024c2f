"""The whole way on real recordings: train, evaluate, predict under other names."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from faultdiag.api.train import train
from faultdiag.cli.app import app
from faultdiag.config.schema import parse_config
from faultdiag.errors import FaultdiagError
from faultdiag.evaluation import evaluate_run
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.prepare import prepare

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("no_figures")]

SETTINGS = {
    "window": {"length": 2048, "per_class": 200},
    "model": {"name": "wdcnn"},
    "train": {"epochs": 6, "batch_size": 8, "threads": 1},
}


@pytest.fixture(scope="module")
def run(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of four classes at 0 hp: healthy, inner race, ball, outer race."""
    folder = tmp_path_factory.mktemp("real")
    data = {
        "root": str(real_data / "cwru"),
        "prepared": str(folder / "prepared"),
        "select": {"number": [97, 105, 118, 130]},
        "label": "{code}",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("faultdiag.api.train.draw_run", lambda _: None)
        return train(parse_config({"data": data, **SETTINGS}), run=folder / "run").folder


def test_the_healthy_recording_is_resampled(run: Path) -> None:
    (folder,) = (run.parent / "prepared").iterdir()
    prepared = Prepared(folder)
    assert prepared.notes == ["resampled from 48000 Hz to 12000 Hz: 97"]
    lengths = {r.name: r.samples for r in prepared.recordings}
    assert lengths["97"] == -(-243_938 // 4)
    assert prepared.audit.shared_samples == 0


def test_training_and_evaluating_agree(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test"]["recording_accuracy"] == 1.0
    assert metrics["test"]["accuracy"] > 0.9
    assert evaluate_run(run, "test")["test"] == metrics["test"]


def test_recordings_are_known_under_any_name(run: Path, real_data: Path, tmp_path: Path) -> None:
    files = {
        "pump.mat": ("normal/97.mat", "N", 48_000),
        "fan.mat": ("12k_DE/105.mat", "IR", 12_000),
        "mill.mat": ("12k_DE/130.mat", "OR", 12_000),
        "mixer.mat": ("48k_DE/109.mat", "IR", 48_000),
    }
    for name, (source, *_) in files.items():
        shutil.copy(real_data / "cwru" / source, tmp_path / name)
    words = ["predict", str(run), *(str(tmp_path / name) for name in files), "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(r["label"], r["sampling_rate"]) for r in rows] == [
        (label, rate) for _, label, rate in files.values()
    ]
    assert {row["sampling_rate_source"] for row in rows} == {"catalogue"}
    assert {row["channel"] for row in rows} == {"DE"}


def test_a_recording_too_short_for_three_parts_is_named(real_data: Path, tmp_path: Path) -> None:
    # 174 has 1.3 s at 48 kHz.
    data = {
        "root": str(real_data / "cwru"),
        "prepared": str(tmp_path / "prepared"),
        "select": {"load_hp": [0], "group": ["normal", "48k_DE"]},
        "label": "{code}",
    }
    settings = {"data": data, **SETTINGS}
    with pytest.raises(FaultdiagError, match=r"needs 24576 samples .*; 174 has 15947; leave them"):
        prepare(parse_config(settings))
    settings["window"] = {"length": 1024, "per_class": 120}
    prepared = prepare(parse_config(settings))
    assert [r.name for r in prepared.recordings] == ["97", "109", "122", "135", "174"]
    assert {r.recorded_at for r in prepared.recordings} == {48_000}
    missing = len(prepared.document["missing"])
    assert missing > 0
    assert prepared.notes[0].startswith(
        f"{missing} of the {missing + 5} recordings selected are not in the folder: "
    )
    assert prepared.notes[1] == "resampled from 48000 Hz to 12000 Hz: 97, 109, 122, 135, 174"
