"""A representation from config to diagnosis: it travels in the checkpoint, and speed with it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import faultdiag
from faultdiag.api.train import train
from faultdiag.checkpoint import load
from faultdiag.errors import FaultdiagError
from faultdiag.inference import WindowBatches
from faultdiag.prediction.diagnose import diagnose_files
from faultdiag.preparing.prepare import prepare
from tests.data_fixtures import signal, tiny_config, write_recording

pytestmark = pytest.mark.usefixtures("no_figures")

ORDERS = {"name": "order_envelope_spectrum", "bins": 64, "max_order": 8}


@pytest.fixture(scope="module")
def run(recordings: Path, prepared_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "orders"
    config = tiny_config(recordings, prepared_root, model__representation=ORDERS, train__epochs=1)
    return train(config, run=folder, device="cpu").folder


def test_every_representation_trains_and_predicts(
    recordings: Path, prepared_root: Path, tmp_path: Path
) -> None:
    for name in ("spectrum", "envelope_spectrum", {"name": "stft", "segment": 32}):
        config = tiny_config(recordings, prepared_root, model__representation=name, train__epochs=1)
        finished = train(config, run=tmp_path / "run", device="cpu", overwrite=True)
        recording = faultdiag.read_recording(recordings / "105.mat", sampling_rate=12000)
        (diagnosis,) = faultdiag.load(finished.folder).predict([recording])
        assert diagnosis.label in {"N", "IR", "B"}
        assert load(finished.folder).model_spec.front.document() == name


def test_a_spectrum_tells_the_tones_apart(
    recordings: Path, prepared_root: Path, tmp_path: Path
) -> None:
    config = tiny_config(
        recordings, prepared_root, model__representation="spectrum", train__epochs=4
    )
    finished = train(config, run=tmp_path / "run", device="cpu")
    assert finished.metrics["test"]["accuracy"] == 1.0


def test_shaft_orders_need_a_speed_to_predict(run: Path, recordings: Path, tmp_path: Path) -> None:
    diagnoser = faultdiag.load(run)
    recording = faultdiag.read_recording(recordings / "105.mat", sampling_rate=12000)
    slow, fast = (
        diagnoser.diagnose(replace(recording, rpm=rpm)).probabilities for rpm in (600.0, 1800.0)
    )
    assert slow != fast
    with pytest.raises(FaultdiagError, match="needs the shaft speed; give rpm="):
        diagnoser.diagnose(replace(recording, rpm=None))


def test_a_speed_that_contradicts_the_file_is_refused_and_else_the_one_given_counts(
    run: Path, tmp_path: Path
) -> None:
    from scipy.io import savemat

    stated = write_recording(tmp_path / "stated.mat", 105)
    silent = tmp_path / "silent.mat"
    savemat(silent, {"x": signal(1500.0, 12000, 30000, 105)})
    diagnoser = faultdiag.load(run)

    def chances(path: Path, rpm: float | None) -> object:
        (row,) = diagnose_files(diagnoser, [path], sampling_rate=12000, rpm=rpm)
        return row.probabilities if row.status == "ok" else row.error

    assert isinstance(chances(stated, None), dict)
    assert chances(stated, None) == chances(stated, 1797.0)
    assert chances(stated, 600.0) == (
        f"{stated}: --rpm is 600 rpm; the file says 1797 rpm; leave out what is wrong, or let "
        "your own win with --override-rate"
    )
    assert chances(silent, 600.0) != chances(silent, 1797.0)
    assert str(chances(silent, None)).startswith(
        f"{silent}: the model sees shaft orders and needs the shaft speed; give --rpm, or a"
    )


def test_training_names_the_recordings_without_a_speed(
    recordings: Path, prepared_root: Path
) -> None:
    prepared = prepare(tiny_config(recordings, prepared_root))
    prepared.recordings[1] = replace(prepared.recordings[1], rpm=None)
    batches = WindowBatches(prepared, prepared.windows.of("train"), torch.device("cpu"))
    message = "needs the shaft speed, which is unknown of 105; leave them out with data.select"
    with pytest.raises(FaultdiagError, match=re.escape(message)):
        batches.shaft_rates(torch.arange(2))


def test_each_window_has_the_speed_of_its_recording(recordings: Path, prepared_root: Path) -> None:
    prepared = prepare(tiny_config(recordings, prepared_root))
    prepared.recordings[1] = replace(prepared.recordings[1], rpm=600.0)
    windows = prepared.windows.of("train")
    batches = WindowBatches(prepared, windows, torch.device("cpu"))
    rates = batches.shaft_rates(torch.arange(len(windows))).numpy()
    assert rates[windows.recording == 1] == pytest.approx(10.0)
    assert rates[windows.recording != 1] == pytest.approx(1797 / 60)


def test_a_representation_that_cannot_be_is_told_before_any_data(tmp_path: Path) -> None:
    config = tiny_config(tmp_path / "nowhere", tmp_path, model__representation="spectre")
    message = "model.representation: unknown representation 'spectre' (did you mean 'spectrum'?)"
    with pytest.raises(FaultdiagError, match=re.escape(message)):
        train(config, run=tmp_path / "run", device="cpu")
