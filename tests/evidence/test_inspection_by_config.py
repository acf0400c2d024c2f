"""`inspect --config`, files of several signals, long files, empty bands."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import resample_poly

from faultdiag.evidence.inspection import inspect_file
from tests.commands import done, refused, run

RNG = np.random.default_rng(0)
RATE = 12_000


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config of two recordings whose names state fault and speed, and one that it leaves out."""
    root = tmp_path_factory.mktemp("rig")
    for name in ("N_1500", "IR_1480", "OR_1490"):
        np.save(root / f"{name}.npy", RNG.standard_normal(60_000))
    (root / "rig.yaml").write_text(
        f"data: {{dataset: folder, root: {root}, pattern: '{{code}}_{{rpm}}', label: '{{code}}', "
        f"recorded_at: {RATE}, sampling_rate: {RATE}, channels: [acc], bearing: '6205', "
        "exclude: 'OR_*'}\nwindow: {length: 2048, stride: 2048}\n"
    )
    return root


def test_facts_are_those_of_the_config(rig: Path) -> None:
    said = done("inspect", "--config", rig / "rig.yaml", rig / "IR_1480.npy", "--json")
    (found,) = json.loads(said)
    assert (found["sampling_rate"], found["sampling_rate_source"]) == (RATE, "argument")
    assert (found["rpm"], found["label"], found["facts"]["code"]) == (1480, "IR", "IR")
    assert found["bearing"]["name"] == "6205"
    text = done("inspect", "--config", rig / "rig.yaml", rig / "IR_1480.npy")
    assert "class          IR: code IR, rpm 1480" in text


def test_all_recordings_of_a_config(rig: Path) -> None:
    for paths in ((), (rig,)):
        said = done("inspect", "--config", rig / "rig.yaml", *paths, "--json")
        assert [row["label"] for row in json.loads(said)] == ["IR", "N"]


def test_a_file_that_the_config_leaves_out(rig: Path) -> None:
    refused(
        run("inspect", "--config", rig / "rig.yaml", rig / "OR_1490.npy"),
        "rig.yaml selects no recording",
    )
    assert run("inspect").exit_code == 2


def test_the_distance_of_a_peak_from_its_line(tmp_path: Path) -> None:
    time = np.arange(10 * RATE) / RATE
    carrier = np.sin(2 * np.pi * 3000 * time)
    x = (1 + np.sin(2 * np.pi * 3.6 * 25 * time)) * carrier + 0.05 * RNG.standard_normal(time.size)
    np.savez(tmp_path / "a.npz", acc=x, fs=RATE, rpm=1500)
    found = inspect_file(tmp_path / "a.npz", bearing="6205")
    peak = found["envelope_peaks"][0]
    line = next(line for line in peak["lines"] if line["name"] == "BPFO")
    assert line["order"] == pytest.approx(3.585, abs=0.001)
    assert line["distance"] == pytest.approx(3.6 - 3.585, abs=0.01)
    assert line["tolerance"] > abs(line["distance"])
    assert "BPFO (+0.0" in done("inspect", tmp_path / "a.npz", "--bearing", "6205")


def test_several_signals_of_a_folder_are_shown(tmp_path: Path) -> None:
    for name in ("a", "b"):
        signals = {"acc": RNG.standard_normal(20_000), "mic": RNG.standard_normal(30_000)}
        np.savez(tmp_path / f"{name}.npz", **signals, fs=RATE)
    (tmp_path / "broken.npz").write_bytes(b"PK\3\4 and no more")
    result = run("inspect", tmp_path)
    assert result.exit_code == 1
    for name in ("a", "b"):
        for channel in ("acc", "mic"):
            assert any(
                line.split()[:2] == [f"{name}.npz", channel] for line in result.stdout.splitlines()
            )
    assert "broken.npz  error:" in result.stdout
    assert "choose a channel" not in result.stdout
    said = json.loads(run("inspect", tmp_path, "--json").stdout)
    assert [row.get("channels") for row in said] == [["acc"], ["mic"], ["acc"], ["mic"], None]


def test_a_long_file_is_judged_by_a_stretch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faultdiag.evidence.inspection.MOST_NUMBERS", 2**17)
    np.save(tmp_path / "a.npy", RNG.standard_normal(200_000))
    part = inspect_file(tmp_path / "a.npy", sampling_rate=RATE)
    assert part["samples"] == 200_000
    assert "131072 of the 200000 samples were looked at, from the middle" in part["warnings"][0]
    whole = inspect_file(tmp_path / "a.npy", sampling_rate=RATE, full=True)
    assert not any("looked at" in warning for warning in whole["warnings"])
    assert whole["statistics"] != part["statistics"]


def test_an_empty_band_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", acc=resample_poly(RNG.standard_normal(30_000), 4, 1), fs=48_000)
    warnings = inspect_file(tmp_path / "a.npz")["warnings"]
    said = "channel acc carries nothing above 6800 Hz, less than half of the 24000 Hz"
    assert any(said in warning for warning in warnings), warnings
