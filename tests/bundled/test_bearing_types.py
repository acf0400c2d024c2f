"""The model in the box: what it says of machines that it has not seen, and what it refuses."""

import csv
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

import faultdiag
from faultdiag import checkpoint
from faultdiag.bundled.catalogue import MODELS
from faultdiag.errors import FaultdiagError
from faultdiag.signal.recording import Recording
from faultdiag.signal.resampling import resample
from faultdiag.simulation.rig import Case, mounted, simulate_recording
from tests.commands import done, run

MODEL = MODELS["bearing-types"]
NAME = MODEL.name
ROOT = Path(__file__).parents[2]
BEARING = "NU205"
CASES = {
    "healthy": Case(97, None, None, 0),
    "inner": Case(105, "inner", "014", 0),
    "outer": Case(130, "outer", "014", 0),
    "ball": Case(118, "ball", "021", 0),
}


@pytest.fixture(scope="module")
def signals() -> dict[str, tuple[np.ndarray, float]]:
    """Signals of a machine with another bearing, at 12 kHz, and their speeds."""
    signals = {}
    for label, case in CASES.items():
        made = simulate_recording(case, seconds=3.5, seed=5, bearing=mounted(BEARING))
        x = made.channels["DE"][None].astype(np.float32)
        x = x if case.sampling_rate == 12_000 else resample(x, case.sampling_rate, 12_000)
        signals[label] = (x[0], made.rpm)
    return signals


@pytest.fixture(scope="module")
def files(
    signals: dict[str, tuple[np.ndarray, float]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The same as files that state nothing, in a folder with a manifest that does."""
    folder = tmp_path_factory.mktemp("machine")
    rows = ["path,sampling_rate,rpm,bearing"]
    for label, (x, rpm) in signals.items():
        np.save(folder / f"{label}.npy", x)
        rows.append(f"{label}.npy,12000,{rpm},{BEARING}")
    (folder / "list.csv").write_text("\n".join(rows))
    return folder


def test_what_the_list_says_is_in_the_file() -> None:
    model = checkpoint.load(Path(NAME))
    assert model.classes == MODEL.classes
    assert model.length / model.sampling_rate == MODEL.seconds
    assert MODEL.path.stat().st_size + MODEL.card.stat().st_size < 100_000
    assert model.signature is not None
    assert MODEL.card.read_text().startswith("---\nlibrary_name: faultdiag")
    (row,) = json.loads(done("models", "--bundled", "--json"))
    assert (row["name"], row["checkpoint"]) == (NAME, str(MODEL.path))
    assert done("models", "--bundled").startswith(f"{NAME}: ")


@pytest.mark.parametrize("rate", [12_000, 25_600, 51_200])
def test_it_names_the_part_of_another_machine_at_any_rate(
    signals: dict[str, tuple[np.ndarray, float]], rate: int
) -> None:
    diagnoser = faultdiag.load(NAME)
    recordings = [
        Recording(resample(x[None], 12_000, rate), Path(f"{label}.npy"), ("x",), rate, rpm)
        for label, (x, rpm) in signals.items()
    ]
    diagnoses = diagnoser.predict(recordings, bearing=BEARING)
    assert [diagnosis.label for diagnosis in diagnoses] == list(signals)
    assert [d.signature for d in diagnoses] == ["no", "yes", "yes", "yes"]


def test_a_manifest_says_speed_and_bearing(files: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    result = run("predict", NAME, files / "list.csv", "--out", out)
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [Path(row["path"]).stem for row in rows] == [row["label"] for row in rows]
    assert rows[1]["evidence_line"] == "BPFI", "the evidence comes without being asked for"
    assert float(rows[1]["evidence_order"]) == pytest.approx(7.8, rel=0.02)
    assert f"what {NAME} can't know:" in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--bearing", BEARING], "needs the shaft speed; give --rpm, or a manifest's column rpm"),
        ([], "to a few percent only; the model sees the fault orders of the bearing and needs"),
        (["--rpm", "1797"], "needs its geometry; give --bearing, or a manifest's column bearing"),
    ],
)
def test_it_refuses_without_speed_or_geometry(
    files: Path, options: list[str], message: str
) -> None:
    given = ["--sampling-rate", 12000, *options]
    result = run("predict", NAME, files / "inner.npy", *given, "--json")
    assert result.exit_code == 1
    row = json.loads(result.stdout.splitlines()[0])
    assert row["status"] == "error"
    assert message in row["error"]


def test_a_recording_that_is_too_short_has_a_clear_row(files: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "short.npy", np.load(files / "inner.npy")[:30_000])
    known = ["--sampling-rate", 12000, "--bearing", BEARING, "--rpm", 1797, "--json"]
    result = run("predict", NAME, tmp_path / "short.npy", *known)
    assert result.exit_code == 1
    error = json.loads(result.stdout.splitlines()[0])["error"]
    assert "has 30000 samples at 12000 Hz, the model needs 36000 for one window" in error


def test_a_run_of_that_name_wins_with_a_note(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / NAME).symlink_to(trained)
    caplog.set_level("INFO", logger="faultdiag")
    assert faultdiag.load(NAME).classes != MODEL.classes
    assert f"note: {NAME} is the one in this folder, not the model" in caplog.text


def test_a_name_that_is_nearly_right_is_suggested() -> None:
    with pytest.raises(FaultdiagError, match=r"did you mean 'bearing-types'"):
        faultdiag.load("bearing-type")


@pytest.mark.real
def test_the_weights_are_what_the_script_gives(real_data: Path) -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "train_bearing_types.py"))
    again, stored = script["model"](real_data / "cwru"), checkpoint.load(Path(NAME))
    assert again.calibration == stored.calibration
    assert set(again.model) == set(stored.model)
    assert all(torch.equal(again.model[name], stored.model[name]) for name in stored.model)


@pytest.mark.real
def test_another_rig_is_named_as_the_card_says(real_data: Path) -> None:
    paths = sorted((real_data / "mfpt").glob("*.mat"))
    diagnoses = faultdiag.load(NAME).predict(paths)
    assert [(d.label, d.signature) for d in diagnoses] == [
        *[("inner", "yes")] * 2,
        *[("outer", "yes")] * 2,
    ]
    assert "| MFPT, 48,828 Hz, 2 inner and 2 outer race | 4 of 4 |" in MODEL.card.read_text()
