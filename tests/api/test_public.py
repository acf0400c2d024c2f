"""The public API: every name is there, and works on recordings, files, folders and arrays."""

from pathlib import Path

import numpy as np
import pytest

import faultdiag
from faultdiag.errors import FaultdiagError
from tests.data_fixtures import tiny_config


def test_dir_shows_the_public_names_and_each_can_be_used() -> None:
    assert dir(faultdiag) == sorted(faultdiag.__all__)
    for name in faultdiag.__all__:
        assert getattr(faultdiag, name) is not None
    with pytest.raises(AttributeError, match="module 'faultdiag' has no attribute 'trian'"):
        faultdiag.trian  # noqa: B018


def test_lists_name_every_component() -> None:
    assert faultdiag.models.list() == list(faultdiag.models.NETWORKS)
    assert "eca" in faultdiag.attention.list()


def test_train_takes_settings_by_keyword(
    recordings: Path, prepared_root: Path, tmp_path: Path
) -> None:
    config = tiny_config(recordings, prepared_root)
    run = faultdiag.train(config, run=tmp_path / "run", device="cpu", train__epochs=1)
    assert isinstance(run, faultdiag.Run)
    assert run.epochs == 1
    with pytest.raises(FaultdiagError, match=r"train\.epoch"):
        faultdiag.train(config, run=tmp_path / "other", train__epoch=1)


def test_predict_takes_files_folders_recordings_and_arrays(trained: Path, recordings: Path) -> None:
    diagnoser = faultdiag.load(trained, device="cpu")
    path = recordings / "105.mat"
    recording = faultdiag.read_recording(path, sampling_rate=12000)
    options = {"sampling_rate": 12000}
    (by_path,) = faultdiag.predict(trained, path, device="cpu", **options)
    (by_recording,) = faultdiag.predict(diagnoser, recording)
    (by_array,) = faultdiag.predict(diagnoser, recording.signal[:1], **options)
    assert by_path == by_recording == by_array
    assert isinstance(by_path, faultdiag.Diagnosis)
    assert faultdiag.evaluate(trained, device="cpu")["test"]["windows"] > 0
    with pytest.raises(FaultdiagError, match="has no sampling rate; give sampling_rate in Hz"):
        faultdiag.predict(diagnoser, recording.signal)
    with pytest.raises(FaultdiagError, match="cannot diagnose dict; give a Recording"):
        diagnoser.diagnose({"a": 1})  # type: ignore[arg-type]


def test_an_empty_folder_is_refused(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(FaultdiagError, match="holds no recording"):
        faultdiag.predict(trained, tmp_path, device="cpu")


def test_simulate_and_inspect(tmp_path: Path) -> None:
    files = faultdiag.simulate(str(tmp_path / "rig"), sizes=["007"], seconds=2.0)
    result = faultdiag.inspect(files[0])
    assert result["samples"] > 0
    assert np.isfinite(faultdiag.read_recording(files[0]).signal).all()
