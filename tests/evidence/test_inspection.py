"""Inspection of files: what is known and from where, warnings, JSON and text."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from faultdiag.errors import FaultdiagError
from faultdiag.evidence.inspection import inspect_file
from faultdiag.report.inspection import format_inspection

KEYS = {
    "path",
    "variables",
    "channels",
    "units",
    "sampling_rate",
    "sampling_rate_source",
    "rpm",
    "rpm_source",
    "samples",
    "statistics",
    "rate_check",
    "bearing",
    "envelope_peaks",
    "warnings",
}
FS, RPM = 12000, 1797


def signal(seconds: float = 6.0, seed: int = 0) -> np.ndarray:
    """Whole orders of the shaft, and a modulated resonance at order 5.4, in noise."""
    t = np.arange(round(seconds * FS)) / FS
    turns = RPM / 60 * t
    lines = sum(np.cos(2 * np.pi * k * turns + k * k) for k in range(1, 32))
    ringing = (1 + np.cos(2 * np.pi * 5.4 * turns)) * np.sin(2 * np.pi * 3000 * t)
    return 0.1 * lines + ringing + np.random.default_rng(seed).normal(size=t.size)


def write(path: Path, **variables: object) -> Path:
    columns = {
        name: value[:, None] if isinstance(value, np.ndarray) else value
        for name, value in variables.items()
    }
    savemat(path, columns)
    return path


def test_all_keys_and_plain_types(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mat", X001_DE_time=signal(), X001RPM=np.array([RPM]))
    result = inspect_file(path, sampling_rate=FS, bearing="6205")
    assert set(result) == KEYS
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["path"] == str(path)
    assert result["channels"] == ["DE"]
    assert result["units"] == {"DE": None}
    assert result["samples"] == 6 * FS
    assert (result["sampling_rate"], result["sampling_rate_source"]) == (FS, "argument")
    assert (result["rpm"], result["rpm_source"]) == (RPM, "file")
    assert result["rate_check"]["verdict"] == "consistent"
    assert result["rate_check"]["suggested"] is None
    names = {v["name"]: (v["shape"], v["channel"]) for v in result["variables"]}
    assert names == {"X001_DE_time": ([6 * FS, 1], "DE"), "X001RPM": ([1, 1], None)}
    assert result["bearing"]["orders"]["bpfi"] == pytest.approx(5.415, abs=1e-3)
    assert result["warnings"] == []


def test_envelope_peaks_name_the_fault(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mat", X001_DE_time=signal(), X001RPM=np.array([RPM]))
    result = inspect_file(path, sampling_rate=FS, bearing="6205")
    peak = next(p for p in result["envelope_peaks"] if p["matches"][:1] == ["BPFI"])
    assert peak["channel"] == "DE"
    assert peak["order"] == pytest.approx(5.4, abs=0.01)
    assert peak["frequency"] == pytest.approx(5.4 * RPM / 60, rel=2e-3)
    assert len(peak["band"]) == 2


def test_a_wrong_rate_is_contradicted(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.mat",
        X001_DE_time=signal(),
        X001_FE_time=signal(seed=1),
        X001RPM=np.array([RPM]),
    )
    check = inspect_file(path, sampling_rate=3000)["rate_check"]
    assert (check["verdict"], check["suggested"]) == ("contradicted", 12000)
    text = format_inspection(inspect_file(path, sampling_rate=3000))
    assert "rate check     contradicted, 12000 Hz fits: there are lines at odd multiples" in text


def test_channels_that_disagree_decide_nothing(tmp_path: Path) -> None:
    slow = np.repeat(signal(), 2)[: 6 * FS]
    slow += 0.1 * np.random.default_rng(5).normal(size=slow.size)
    path = write(
        tmp_path / "a.mat", X001_DE_time=signal(), X001_FE_time=slow, X001RPM=np.array([RPM])
    )
    check = inspect_file(path, sampling_rate=FS)["rate_check"]
    assert (check["verdict"], check["suggested"]) == ("undecided", None)
    assert check["reason"] == "the channels disagree (DE: consistent, FE: contradicted)"


def test_a_channel_without_a_verdict_does_not_count(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(size=6 * FS)
    path = write(
        tmp_path / "a.mat", X001_DE_time=noise, X001_FE_time=signal(), X001RPM=np.array([RPM])
    )
    assert inspect_file(path, sampling_rate=FS)["rate_check"]["verdict"] == "consistent"
    assert inspect_file(path, sampling_rate=FS, channel="DE")["rate_check"]["verdict"] == (
        "undecided"
    )


def test_nothing_known(tmp_path: Path) -> None:
    result = inspect_file(write(tmp_path / "a.mat", y=signal(1.0)))
    assert (result["sampling_rate"], result["sampling_rate_source"]) == (None, None)
    assert (result["rpm"], result["rpm_source"], result["bearing"]) == (None, None, None)
    reason = "the sampling rate and the shaft speed must be known"
    assert result["rate_check"] == {"verdict": "undecided", "suggested": None, "reason": reason}
    assert result["envelope_peaks"] == []
    assert result["warnings"] == [
        "the sampling rate is not known: no envelope peaks; give it with --sampling-rate"
    ]
    assert "sampling rate  not known" in format_inspection(result)


def test_rate_without_speed_gives_hz(tmp_path: Path) -> None:
    result = inspect_file(write(tmp_path / "a.mat", y=signal()), sampling_rate=FS)
    assert result["rate_check"]["reason"] == "the shaft speed must be known"
    assert result["warnings"] == ["the shaft speed is not known: envelope peaks are in Hz only"]
    assert result["envelope_peaks"]
    assert all(peak["order"] is None for peak in result["envelope_peaks"])
    rows = format_inspection(result).split("envelope ")[1].splitlines()
    assert rows[1].split()[:2] == ["y", "-"]


def test_the_words_of_the_tables_are_explained(tmp_path: Path) -> None:
    text = format_inspection(inspect_file(write(tmp_path / "a.mat", y=signal()), sampling_rate=FS))
    head, legend = text.split("  step: ")
    for word in (" step ", " clipped", " prominence "):
        assert word in head
        assert f"{word.strip()}:" in f"step: {legend}"


def test_speed_without_bearing_warns(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mat", y=signal())
    result = inspect_file(path, sampling_rate=FS, rpm=RPM)
    assert (result["rpm"], result["rpm_source"]) == (RPM, "argument")
    assert result["rate_check"]["verdict"] == "consistent"
    assert result["warnings"] == [
        "the bearing is not known: envelope peaks are compared with the shaft rate only; "
        "name it with --bearing"
    ]


def test_too_short_for_peaks(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mat", y=signal(0.2))
    result = inspect_file(path, sampling_rate=FS, rpm=RPM, bearing="6205")
    assert result["envelope_peaks"] == []
    assert result["warnings"] == ["too short for envelope peaks: 6.0 revolutions; 16 are needed"]


def test_odd_channels_are_told(tmp_path: Path) -> None:
    x = signal(1.0).astype(np.float32)
    path = write(
        tmp_path / "a.mat",
        X001_DE_time=np.clip(x, -3, 3) + 20,
        X001_FE_time=0.984848 * (np.clip(x, -3, 3) + 20),
        X001_BA_time=np.full(x.size, 0.5),
    )
    result = inspect_file(path, sampling_rate=FS)
    warnings = "\n".join(result["warnings"])
    assert "channel DE has an offset of 20, " in warnings
    assert "channel DE stands at its extreme values in " in warnings
    assert "channel FE is 0.984848 times channel DE: no second measurement" in warnings
    assert "channel BA is constant (0.5); is the sensor connected?" in warnings
    assert result["statistics"]["BA"]["kurtosis"] is None
    assert result["statistics"]["DE"]["clipped_samples"] > 10
    assert " - " in format_inspection(result)


def test_statistics_by_channel(tmp_path: Path) -> None:
    x = np.rint(1000 * signal(1.0)) * 1e-3
    found = inspect_file(write(tmp_path / "a.mat", y=x))["statistics"]["y"]
    assert found["mean"] == pytest.approx(x.mean(), abs=1e-6)
    assert found["standard_deviation"] == pytest.approx(x.std(), rel=1e-5)
    assert found["quantisation_step"] == pytest.approx(1e-3, rel=1e-4)
    assert found["clipped_samples"] == 0
    assert set(found) >= {"rms", "peak", "crest_factor", "kurtosis", "skewness"}


def test_a_catalogue_number_in_name_and_variables(tmp_path: Path) -> None:
    result = inspect_file(write(tmp_path / "105.mat", X105_DE_time=signal()))
    by_name = "catalogue, by name"
    assert (result["sampling_rate"], result["sampling_rate_source"]) == (12000, by_name)
    assert (result["rpm"], result["rpm_source"]) == (1797, by_name)
    assert result["bearing"]["name"] == "6205"
    assert result["warnings"] == [
        "taken for CWRU recording 105 (12k_DE, IR007, 0 hp) by its name and variables, though its "
        "bytes are not that recording's: what the catalogue says of it may not hold"
    ]
    other = inspect_file(write(tmp_path / "106.mat", X105_DE_time=signal()))
    assert other["sampling_rate"] is None


def test_a_rate_given_against_the_catalogue_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "105.mat", X105_DE_time=signal())
    result = inspect_file(path, sampling_rate=48000)
    assert (result["sampling_rate"], result["sampling_rate_source"]) == (48000, "argument")
    assert "--sampling-rate is 48000 Hz; the catalogue says 12000 Hz" in result["warnings"]


def test_unknown_bearing_is_told_before_reading() -> None:
    with pytest.raises(FaultdiagError, match="unknown bearing '6250'"):
        inspect_file("nowhere.mat", bearing="6250")


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_rates_that_cannot_be(tmp_path: Path, value: float) -> None:
    path = write(tmp_path / "a.mat", y=signal(1.0))
    with pytest.raises(FaultdiagError, match=rf"the sampling rate given is {value:g} Hz; give a "):
        inspect_file(path, sampling_rate=value)
    with pytest.raises(FaultdiagError, match=rf"the shaft speed given is {value:g} rpm; give a "):
        inspect_file(path, sampling_rate=FS, rpm=value)


@pytest.mark.parametrize(("fs", "rpm"), [(1e12, 1.0), (1e-3, 1e12), (1.0, 1.0), (1e6, 1e9)])
def test_absurd_rates_are_no_crash(tmp_path: Path, fs: float, rpm: float) -> None:
    path = write(tmp_path / "a.mat", y=signal(1.0))
    result = inspect_file(path, sampling_rate=fs, rpm=rpm, bearing="6205")
    assert result["rate_check"]["verdict"] == "undecided"
    assert inspect_file(path, sampling_rate=fs)["envelope_peaks"] is not None


def test_text_is_aligned(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mat", X001_DE_time=signal(), X001_FE_time=signal(seed=1))
    text = format_inspection(inspect_file(path, sampling_rate=FS, rpm=RPM, bearing="6205"))
    lines = text.splitlines()
    assert lines[0] == str(path)
    assert "  sampling rate  12000 Hz from the argument" in lines
    assert f"  length         {6 * FS} samples, 6 s" in lines
    assert any(line.startswith("  bearing        6205: BPFO 3.585, BPFI 5.415") for line in lines)
    header = next(i for i, line in enumerate(lines) if line.startswith("  channel "))
    assert len({len(line) for line in lines[header : header + 3]}) == 1
    assert not any(line != line.rstrip() for line in lines)
    assert text.endswith("\n")


@pytest.mark.real
def test_cwru_by_its_bytes(real_data: Path) -> None:
    result = inspect_file(real_data / "cwru" / "normal" / "97.mat")
    assert (result["sampling_rate"], result["sampling_rate_source"]) == (48000, "catalogue")
    assert (result["rpm"], result["rpm_source"]) == (1796, "file")
    assert result["rate_check"]["verdict"] == "consistent"
    assert result["bearing"]["name"] == "6205"
    assert result["warnings"] == []
    assert json.dumps(result, allow_nan=False)


@pytest.mark.real
@pytest.mark.parametrize("name", ["97", "99"])
def test_the_healthy_baseline_at_12_khz(real_data: Path, name: str) -> None:
    result = inspect_file(real_data / "cwru" / "normal" / f"{name}.mat", sampling_rate=12000)
    check = result["rate_check"]
    assert (check["verdict"], check["suggested"]) == ("contradicted", 48000)
    assert "--sampling-rate is 12000 Hz; the catalogue says 48000 Hz" in result["warnings"]


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("12k_DE/105", "BPFI"),
        ("12k_DE/212", "BPFI"),
        ("48k_DE/109", "BPFI"),
        ("12k_DE/130", "BPFO"),
        ("12k_DE/236", "BPFO"),
    ],
)
def test_cwru_race_faults(real_data: Path, name: str, fault: str) -> None:
    result = inspect_file(real_data / "cwru" / f"{name}.mat", channel="DE")
    matches = [peak["matches"] for peak in result["envelope_peaks"]]
    assert any(found.endswith(fault) for found in matches[0])
    assert [fault] in matches


@pytest.mark.real
def test_other_formats(real_data: Path) -> None:
    mfpt = inspect_file(real_data / "mfpt" / "OuterRaceFault_vload_1.mat", bearing="NICE")
    assert (mfpt["sampling_rate"], mfpt["sampling_rate_source"]) == (48828, "file")
    assert (mfpt["rpm"], mfpt["rpm_source"]) == (1500, "file")
    assert mfpt["envelope_peaks"][0]["matches"] == ["BPFO"]
    uestc = inspect_file(real_data / "uestc" / "N_1000_1.mat")
    assert (uestc["sampling_rate"], uestc["rpm"]) == (20000, 1000)


@pytest.mark.parametrize(("bearing", "count"), [("6203", 1), ("6205", 0)])
def test_a_bearing_whose_lines_coincide_is_ambiguous(
    tmp_path: Path, bearing: str, count: int
) -> None:
    path = write(tmp_path / "a.mat", X001_DE_time=signal(), X001RPM=np.array([RPM]))
    warnings = inspect_file(path, sampling_rate=FS, bearing=bearing)["warnings"]
    said = [text for text in warnings if text.startswith("ambiguous: inner race or outer race")]
    assert len(said) == count
