"""Evidence beside diagnoses: in rows, in the API, from processes, and when things are missing."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from faultdiag.errors import FaultdiagError
from faultdiag.prediction.diagnose import diagnose_files
from faultdiag.prediction.diagnoser import Diagnoser, load
from faultdiag.prediction.predict import PredictionSettings, predict_paths
from faultdiag.prediction.rows import COLUMNS, EVIDENCE_COLUMNS
from faultdiag.signal.recording import Recording
from tests.commands import run
from tests.evidence.signals import FS, RPM, impacts, prominence_at


@pytest.fixture(scope="module")
def diagnoser(trained: Path) -> Diagnoser:
    return load(trained, device="cpu")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Impacts of an inner and of an outer race, and one file that says no speed."""
    folder = tmp_path_factory.mktemp("impacts")
    signals = {
        "inner": impacts(5.40, seconds=5.0, jitter=0.01, modulation=0.8, noise=0.2),
        "outer": impacts(3.60, seconds=5.0, jitter=0.01, noise=0.2),
    }
    for name, x in signals.items():
        savemat(folder / f"{name}.mat", {"DE": x[:, None], "rpm": RPM, "fs": float(FS)})
    savemat(folder / "unknown.mat", {"DE": signals["inner"][:, None], "fs": float(FS)})
    return [folder / f"{name}.mat" for name in ("inner", "outer", "unknown")]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def predict(trained: Path, files: list[Path], out: Path, **options: Any) -> list[dict[str, str]]:
    defaults = {"sampling_rate": float(FS), "device": "cpu", "bearing": "6205", "evidence": True}
    predict_paths(trained, files, PredictionSettings(out=out, **defaults | options))
    return rows_of(out)


def test_the_columns_follow_the_probabilities(
    trained: Path, files: list[Path], tmp_path: Path, diagnoser: Diagnoser
) -> None:
    rows = predict(trained, files, tmp_path / "out.csv", rpm=RPM)
    assert list(rows[0]) == [*COLUMNS, *diagnoser.classes, *EVIDENCE_COLUMNS]
    plain = predict(trained, files, tmp_path / "plain.csv", evidence=False, rpm=RPM)
    assert list(plain[0]) == [*COLUMNS, *diagnoser.classes]
    kept = [{k: v for k, v in row.items() if k in plain[0] and k != "signature"} for row in rows]
    assert kept == [{k: v for k, v in row.items() if k != "signature"} for row in plain]
    assert [row["signature"] for row in plain] == ["", "", ""]


def test_the_values_are_those_of_the_signal(
    trained: Path, files: list[Path], tmp_path: Path, diagnoser: Diagnoser
) -> None:
    inner, outer, _ = predict(trained, files, tmp_path / "out.csv", rpm=RPM)
    assert (inner["evidence_physics"], inner["signature"]) == ("inner", "yes")
    assert inner["evidence_line"] in {"BPFI", "2×BPFI"}
    harmonic = 2 if inner["evidence_line"].startswith("2") else 1
    assert float(inner["evidence_order"]) == pytest.approx(harmonic * 5.4, rel=2e-3)
    assert int(inner["evidence_sidebands"]) >= 3
    assert (outer["evidence_physics"], outer["evidence_line"][-4:]) == ("outer", "BPFO")
    assert float(inner["evidence_tolerance"]) == 0.015
    x = impacts(5.40, seconds=5.0, jitter=0.01, modulation=0.8, noise=0.2)
    low, high = map(float, inner["evidence_band"].split("-"))
    frequency = float(inner["evidence_frequency"])
    expected = prominence_at(x, FS, (low, high), frequency)
    assert float(inner["evidence_prominence"]) == pytest.approx(expected, abs=0.15)
    length = diagnoser.length
    windows = x[: x.size // length * length].reshape(-1, length)
    rms = np.median(windows.std(axis=1))
    assert float(inner["evidence_rms"]) == pytest.approx(rms, rel=0.01)


def test_ratios_are_over_the_healthy_windows_of_the_model(
    trained: Path, recordings: Path, tmp_path: Path, diagnoser: Diagnoser
) -> None:
    files = [recordings / "97.mat", recordings / "105.mat"]
    rows = predict(trained, files, tmp_path / "o.csv", sampling_rate=None)
    assert float(rows[0]["evidence_rms_ratio"]) == pytest.approx(1.0, rel=0.02)
    assert float(rows[0]["evidence_kurtosis_ratio"]) == pytest.approx(1.0, rel=0.05)
    reference = diagnoser.facts.healthy_reference
    assert reference is not None
    expected = float(rows[1]["evidence_rms"]) / reference.channels["DE"].rms
    assert float(rows[1]["evidence_rms_ratio"]) == pytest.approx(expected, rel=1e-4)


def test_what_is_missing_is_said(trained: Path, files: list[Path], tmp_path: Path) -> None:
    (row,) = predict(trained, files[2:], tmp_path / "out.csv")
    assert row["evidence_physics"] == row["evidence_order"] == row["signature"] == ""
    assert row["evidence_agreement"] == "unknown"
    assert "the shaft speed is not known; give it with --rpm" in row["evidence_missing"]
    assert float(row["evidence_frequency"]) > 0
    (row,) = predict(trained, files[:1], tmp_path / "out2.csv", bearing=None, rpm=RPM)
    assert "the bearing is not known" in row["evidence_missing"]
    assert float(row["evidence_order"]) > 0


def test_a_recording_of_one_window_has_evidence_too(
    trained: Path, tmp_path: Path, diagnoser: Diagnoser
) -> None:
    path = tmp_path / "short.mat"
    savemat(path, {"DE": impacts(5.4, seconds=0.03)[:, None], "rpm": RPM, "fs": float(FS)})
    (row,) = predict(trained, [path], tmp_path / "out.csv", rpm=RPM)
    assert row["windows"] == "1"
    assert "the recording is too short" in row["evidence_missing"]
    assert float(row["evidence_rms"]) > 0


def test_an_unknown_bearing_is_an_error_before_anything_is_read(
    trained: Path, files: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(FaultdiagError, match="unknown bearing '62O5'"):
        predict(trained, files, tmp_path / "out.csv", bearing="62O5")
    assert not list(tmp_path.iterdir())


def test_processes_give_the_same_evidence(trained: Path, files: list[Path], tmp_path: Path) -> None:
    alone = predict(trained, files, tmp_path / "a.csv", rpm=RPM)
    assert predict(trained, files, tmp_path / "b.csv", rpm=RPM, jobs=2) == alone


def test_json_has_the_columns_of_the_csv(trained: Path, files: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    options = ["--sampling-rate", FS, "--rpm", RPM, "--bearing", "6205", "--evidence", "--json"]
    run("predict", trained, files[0], *options, "--out", out)
    document = json.loads(out.read_text())
    assert list(document)[-len(EVIDENCE_COLUMNS) :] == list(EVIDENCE_COLUMNS)
    assert document["evidence_physics"] == "inner"


def test_the_api_gives_evidence_where_it_is_wanted(diagnoser: Diagnoser, files: list[Path]) -> None:
    stated = {"sampling_rate": float(FS), "rpm": RPM, "bearing": "6205"}
    assert diagnoser.diagnose(files[0], **stated).evidence is None  # type: ignore[arg-type]
    diagnosis = diagnoser.diagnose(files[0], evidence=True, **stated)  # type: ignore[arg-type]
    assert diagnosis.evidence is not None
    assert diagnosis.evidence.physics is not None
    assert diagnosis.evidence.physics.part == "inner"
    agrees = diagnosis.label == "IR"
    assert diagnosis.evidence.agreement == ("agrees" if agrees else "disagrees")


def test_a_recording_says_its_bearing_among_its_facts(diagnoser: Diagnoser) -> None:
    x = impacts(5.40, seconds=3.0, jitter=0.01, modulation=0.8)[None].astype(np.float32)
    recording = Recording(x, Path("memory"), ("DE",), float(FS), RPM, {"bearing": "6205"})
    evidence = diagnoser.diagnose(recording, evidence=True).evidence
    assert evidence is not None
    assert evidence.matched is not None
    assert evidence.matched.fault == "BPFI"


def test_disagreements_are_printed(trained: Path, files: list[Path], tmp_path: Path) -> None:
    options = ["--sampling-rate", FS, "--rpm", RPM, "--bearing", "6205", "--evidence"]
    done = run("predict", trained, *files[:2], *options, "--out", tmp_path / "o.csv")
    assert done.exit_code == 0
    disagreeing = [r for r in rows_of(tmp_path / "o.csv") if r["evidence_agreement"] == "disagrees"]
    assert disagreeing
    assert f"network and envelope disagree on {len(disagreeing)} recording" in done.stderr
    assert "; envelope: " in done.stderr


def test_a_damaged_file_is_a_row_without_evidence(diagnoser: Diagnoser, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mat"
    bad.write_bytes(b"nothing")
    (row,) = diagnose_files(diagnoser, [bad], evidence=True)
    assert (row.status, row.evidence) == ("error", None)
