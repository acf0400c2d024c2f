"""MATLAB files as recordings: CWRU, MFPT, UESTC and any one signal, with their quirks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultdiag.errors import FaultdiagError
from faultdiag.readers.read import list_variables, read_recording

RAMP = np.arange(60.0)


def save(path: Path, variables: Mapping[str, Any]) -> Path:
    from scipy.io import savemat

    savemat(path, dict(variables), oned_as="column")
    return path


def channels_of(path: Path) -> dict[str, str | None]:
    return {variable.name: variable.channel for variable in list_variables(path)}


def test_cwru_channels_speed_and_strays(tmp_path: Path) -> None:
    variables = {
        "X277_BA_time": RAMP + 2,
        "X277_FE_time": RAMP + 1,
        "X277_DE_time": RAMP,
        "X277RPM": np.array([[1725]], np.uint16),
        "i": np.zeros((1, 100), np.int16),
        "ans": 3.0,
        "note": "text",
    }
    path = save(tmp_path / "277.mat", variables)
    recording = read_recording(path)
    assert recording.channels == ("DE", "FE", "BA")
    assert (recording.rpm, recording.sampling_rate, recording.samples) == (1725, None, 60)
    np.testing.assert_array_equal(recording.signal[:, 0], [0, 1, 2])
    assert channels_of(path)["X277_FE_time"] == "FE"
    assert channels_of(path)["i"] is None


def test_cwru_takes_its_own_number_for_every_channel(tmp_path: Path) -> None:
    variables = {
        "X098_DE_time": RAMP,
        "X098_FE_time": RAMP[:40],
        "X098RPM": 1772.0,
        "X099_DE_time": RAMP + 5,
        "X099_FE_time": RAMP + 6,
        "X099RPM": 1750.0,
        "ans": 1.0,
    }
    path = save(tmp_path / "Time_Normal_2_099.mat", variables)
    recording = read_recording(path)
    assert recording.channels == ("DE", "FE")
    assert recording.rpm == 1750
    np.testing.assert_array_equal(recording.signal[:, 0], [5, 6])
    assert channels_of(path)["X098_DE_time"] is None
    assert channels_of(path)["X099_DE_time"] == "DE"


def test_cwru_without_its_own_number_takes_the_only_one(tmp_path: Path) -> None:
    path = save(tmp_path / "174.mat", {"X173_DE_time": RAMP, "X173RPM": 1796.0})
    assert read_recording(path).rpm == 1796
    path = save(tmp_path / "3001.mat", {"X056_DE_time": RAMP, "X057_FE_time": RAMP})
    assert read_recording(path).channels == ("DE",)
    path = save(tmp_path / "5.mat", {"X056_FE_time": RAMP})
    assert read_recording(path).channels == ("FE",)


def test_cwru_with_several_numbers_and_none_its_own(tmp_path: Path) -> None:
    variables = {"X098_DE_time": RAMP, "X099_DE_time": RAMP + 1, "X099RPM": 1750.0}
    path = save(tmp_path / "healthy.mat", variables)
    said = (
        r"healthy\.mat holds the signals of several recordings \(X098_DE_time, X099_DE_time\) and "
        r"its name tells none of them; name the variable as the channel, such as 'X098_DE_time'; "
        r"its variables: X098_DE_time \(60×1 double\), X099_DE_time \(60×1 double\)"
    )
    for channel in (None, "DE"):
        with pytest.raises(FaultdiagError, match=said):
            read_recording(path, channel=channel)
    assert set(channels_of(path).values()) == {None}
    chosen = read_recording(path, channel="X099_DE_time")
    assert (chosen.channels, chosen.rpm, chosen.signal[0, 0]) == (("DE",), 1750, 1)


def test_an_own_number_that_stands_twice_in_the_name(tmp_path: Path) -> None:
    variables = {"X098_DE_time": RAMP, "X099_DE_time": RAMP}
    path = save(tmp_path / "98_99.mat", variables)
    with pytest.raises(FaultdiagError, match="several recordings"):
        read_recording(path)


def test_a_bad_channel_does_not_spoil_another(tmp_path: Path) -> None:
    broken = np.where(RAMP == 7, np.nan, RAMP)
    variables = {"X097_DE_time": RAMP, "X097_FE_time": broken, "X097_BA_time": RAMP[:9]}
    path = save(tmp_path / "97.mat", variables)
    assert read_recording(path, channel="DE").samples == 60
    with pytest.raises(FaultdiagError, match="1 of 60 samples are NaN or infinite, the first at s"):
        read_recording(path, channel="FE")
    with pytest.raises(
        FaultdiagError, match="differ in length in samples: DE has 60, FE has 60, BA has 9; read"
    ):
        read_recording(path)


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300])
def test_values_beyond_float32_are_refused_without_a_warning(tmp_path: Path, value: float) -> None:
    path = save(tmp_path / "1.mat", {"x": np.append(RAMP, value)})
    with pytest.raises(FaultdiagError, match=r"NaN or infinite, the first at sample 60"):
        read_recording(path)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (RAMP + 1j, "60×1 complex double"),
        ("text", "1×4 char"),
        (np.array(["a", 1.0], object), "2×1 cell"),
        (np.zeros((0, 1)), "0×1 double"),
        (np.ones((3, 20)), "3×20 double"),
        (RAMP > 3, "60×1 logical"),
        ({"a": 1.0}, "1×1 struct"),
    ],
)
def test_a_cwru_channel_that_is_no_vector_of_real_numbers(
    tmp_path: Path, values: Any, found: str
) -> None:
    path = save(tmp_path / "97.mat", {"X097_DE_time": values, "X097_FE_time": RAMP})
    said = rf"97\.mat: channel DE is {found}; a channel must be a vector of real numbers"
    with pytest.raises(FaultdiagError, match=said):
        read_recording(path, channel="DE")
    assert read_recording(path, channel="FE").samples == 60


@pytest.mark.parametrize("speed", [0.0, -5.0, np.nan, np.inf, "fast", np.zeros((0, 0)), 1 + 1j])
def test_a_speed_that_is_none_counts_as_unknown(tmp_path: Path, speed: Any) -> None:
    path = save(tmp_path / "97.mat", {"X097_DE_time": RAMP, "X097RPM": speed})
    assert read_recording(path).rpm is None


def test_mfpt(tmp_path: Path) -> None:
    bearing = {"rate": np.uint8(25), "load": "50", "gs": RAMP[:, None], "sr": np.uint16(48828)}
    path = save(tmp_path / "InnerRaceFault_vload_2.mat", {"bearing": bearing, "BPFO": 81.125})
    for channel in (None, "gs", "bearing"):
        recording = read_recording(path, channel=channel)
        assert recording.channels == ("gs",)
        assert (recording.sampling_rate, recording.rpm) == (48828, 1500)
        np.testing.assert_array_equal(recording.signal[0], RAMP)
    assert channels_of(path) == {"bearing": "gs", "BPFO": None}


def test_a_bearing_that_is_not_mfpts(tmp_path: Path) -> None:
    said = r"holds no signal: one vector of real numbers is needed; its variables: bearing \("
    path = save(tmp_path / "a.mat", {"bearing": {"speed": 25.0}})
    with pytest.raises(FaultdiagError, match=said + r"1×1 struct\)"):
        read_recording(path)
    path = save(tmp_path / "b.mat", {"bearing": np.array([{"gs": 1}, {"gs": 2}], object)})
    with pytest.raises(FaultdiagError, match=said):
        read_recording(path)


def test_uestc(tmp_path: Path) -> None:
    variables = {"Data": RAMP, "SampleFrequency": np.uint16(20000), "StartTime": "x", "Other": RAMP}
    recording = read_recording(save(tmp_path / "N_1000_1.mat", variables))
    assert (recording.channels, recording.sampling_rate) == (("Data",), 20000)
    assert recording.rpm is None


@pytest.mark.parametrize("shape", [(60, 1), (1, 60), (1, 1, 60)])
def test_any_one_vector_is_a_channel(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = save(tmp_path / "z.mat", {"VarName6": RAMP.reshape(shape), "load": 3.0, "who": "me"})
    recording = read_recording(path)
    assert recording.channels == ("VarName6",)
    np.testing.assert_array_equal(recording.signal, RAMP[None])


@pytest.mark.parametrize("transposed", [False, True])
def test_a_long_table_has_its_channels_along_the_shorter_side(
    tmp_path: Path, transposed: bool
) -> None:
    table = np.stack([RAMP, RAMP * 2, RAMP * 3])
    path = save(tmp_path / "t.mat", {"acc": table if transposed else table.T})
    recording = read_recording(path)
    assert recording.channels == ("acc_1", "acc_2", "acc_3")
    np.testing.assert_array_equal(recording.signal, table)
    np.testing.assert_array_equal(read_recording(path, channel="acc_3").signal[0], RAMP * 3)
    assert channels_of(path) == {"acc": "acc_1, acc_2, acc_3"}


def test_several_signals_are_named_and_one_can_be_chosen(tmp_path: Path) -> None:
    path = save(tmp_path / "s.mat", {"left": RAMP, "right": RAMP * 2, "gain": 2.0})
    with pytest.raises(
        FaultdiagError,
        match=r"s\.mat holds several signals \(left, right\); choose a channel; its variables: l",
    ):
        read_recording(path)
    assert read_recording(path, channel="right").signal[0, 1] == 2
    assert read_recording(path, channel=["right", "left"]).channels == ("right", "left")


@pytest.mark.parametrize("values", [3.0, "text", np.ones((30, 30)), np.ones((2, 30, 2)), RAMP * 1j])
def test_a_file_without_a_signal_lists_what_it_has(tmp_path: Path, values: Any) -> None:
    path = save(tmp_path / "n.mat", {"thing": values})
    with pytest.raises(
        FaultdiagError, match=r"n\.mat holds no signal: .*; its variables: thing \("
    ):
        read_recording(path)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("beside", "rate", "rpm"),
    [
        ({"fs": 25600.0, "rpm": 1500.0}, 25600, 1500),
        ({"Fs": np.uint16(12000), "RPM": np.uint16(1797)}, 12000, 1797),
        ({"SampleRate": 12000.0, "fs": 12000.0}, 12000, None),
        ({"SampleRate": 12000.0, "fs": 48000.0}, None, None),
        ({"fs": 12.8, "rpm": -3.0, "rate": 25.0, "speed": 30.0}, None, None),
        ({"fs": "12000", "rpm": 1j}, None, None),
        ({"t": np.arange(60) / 48000}, 48000, None),
        ({"Time_ms": np.arange(60.0)}, 1000, None),
    ],
)
def test_rate_and_speed_beside_any_signal(
    tmp_path: Path, *, packed: bool, beside: dict[str, Any], rate: float | None, rpm: float | None
) -> None:
    from scipy.io import savemat

    path = tmp_path / "run.mat"
    savemat(path, {"vib": RAMP, **beside}, do_compression=packed, oned_as="column")
    recording = read_recording(path)
    assert recording.channels == ("vib",)
    assert (recording.sampling_rate, recording.rpm) == (rate, rpm)


def test_a_rate_beside_a_cwru_signal_is_not_its_rate(tmp_path: Path) -> None:
    path = save(tmp_path / "97.mat", {"X097_DE_time": RAMP, "fs": 12000.0, "rpm": 1500.0})
    recording = read_recording(path)
    assert (recording.sampling_rate, recording.rpm) == (None, None)


def test_times_of_another_length_are_a_signal(tmp_path: Path) -> None:
    path = save(tmp_path / "t.mat", {"vib": RAMP, "t": np.arange(30.0)})
    with pytest.raises(FaultdiagError, match=r"holds several signals \(t, vib\)"):
        read_recording(path)


def test_the_fields_of_any_struct(tmp_path: Path) -> None:
    data = {"acc": np.stack([RAMP, RAMP * 2]), "fs": 25600.0, "rpm": 1500.0, "unit": "g"}
    path = save(tmp_path / "s.mat", {"data": data, "count": 3.0})
    recording = read_recording(path)
    assert recording.channels == ("data.acc_1", "data.acc_2")
    assert (recording.sampling_rate, recording.rpm) == (25600, 1500)
    assert channels_of(path) == {"data": "data.acc_1, data.acc_2", "count": None}
    # A signal beside the struct is the one that is meant.
    path = save(tmp_path / "s.mat", {"data": data, "x": RAMP})
    assert read_recording(path).channels == ("x",)


def test_a_sparse_matrix_is_no_signal(tmp_path: Path) -> None:
    from scipy.sparse import csc_array

    path = save(tmp_path / "n.mat", {"thing": csc_array(np.eye(30))})
    with pytest.raises(FaultdiagError, match=r"its variables: thing \(30×30 sparse\)"):
        read_recording(path)


def test_a_long_list_of_variables_is_cut(tmp_path: Path) -> None:
    path = save(tmp_path / "n.mat", {f"v{n}": float(n) for n in range(30)})
    with pytest.raises(FaultdiagError, match=r"v19 \(1×1 double\), …$"):
        read_recording(path)


@pytest.mark.real
def test_every_real_file_reads_with_its_length_speed_and_rate(
    real_data: Path, real_files: list[Path]
) -> None:
    from scipy.io import whosmat

    for path in real_files:
        recording = read_recording(path)
        found = {name: max(shape) for name, shape, _ in whosmat(path)}
        dataset = path.relative_to(real_data).parts[0]
        rate = {"cwru": None, "mfpt": 48828, "uestc": 20000}[dataset]
        assert recording.sampling_rate == rate
        if dataset == "cwru":
            assert recording.samples == next(n for v, n in found.items() if v.endswith("DE_time"))
            assert recording.channels[0] == "DE"
            assert recording.rpm is None or abs(recording.rpm - 1760) < 40
        else:
            assert recording.samples == (146484 if dataset == "mfpt" else 262144)
            assert recording.rpm == (1500 if dataset == "mfpt" else None)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "channels", "samples", "rpm"),
    [
        ("normal/97", ("DE", "FE"), 243938, 1796),
        ("normal/99", ("DE", "FE"), 485063, None),
        ("12k_DE/3001", ("DE",), 120801, None),
        ("12k_DE/105", ("DE", "FE", "BA"), 121265, 1797),
        ("48k_DE/174", ("DE", "FE"), 63788, 1796),
    ],
)
def test_quirks_of_the_real_files(
    real_data: Path, name: str, channels: tuple[str, ...], samples: int, rpm: float | None
) -> None:
    recording = read_recording(real_data / "cwru" / f"{name}.mat")
    assert recording.channels == channels
    assert (recording.samples, recording.rpm) == (samples, rpm)
