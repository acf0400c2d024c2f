"""HDF5 files as recordings: MATLAB 7.3 and any other."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from faultdiag.errors import FaultdiagError
from faultdiag.readers.read import list_variables, open_recording, read_recording
from tests.readers.samples import SAMPLES, hdf5, matlab_array, signal

X = signal()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.h5"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["105.mat", "anything.h5"])
def test_matlab_7_3_reads_as_the_older_versions_do(tmp_path: Path, packed: bool, name: str) -> None:
    new, old = tmp_path / name, tmp_path / "old" / "105.mat"
    new.write_bytes(hdf5(matlab=True, userblock=512, packed=packed))
    old.parent.mkdir()
    note = {"note": "text", "X105RPM": np.uint16(1797)}
    savemat(old, {"X105_DE_time": X[:, :1], "X105_FE_time": X[:, 1:], **note})
    first, second = read_recording(new), read_recording(old)
    assert (first.channels, first.rpm, first.sampling_rate) == (("DE", "FE"), 1797, None)
    assert second.channels == first.channels
    np.testing.assert_array_equal(first.signal, second.signal)
    assert {str(v): v.channel for v in list_variables(new)} == {
        str(v): v.channel for v in list_variables(old)
    }


@pytest.mark.parametrize("packed", [False, True])
def test_a_plain_file(path: Path, packed: bool) -> None:
    path.write_bytes(hdf5(packed=packed))
    source = open_recording(path)
    assert source.channels == ("run/vib_1", "run/vib_2")
    assert (source.samples, source.sampling_rate, source.kind) == (SAMPLES, 12_000, "float64")
    np.testing.assert_array_equal(source.read(), X.T.astype(np.float32))
    np.testing.assert_array_equal(source.read(150, 1990), X.T[:, 150:1990].astype(np.float32))


@pytest.mark.parametrize("shape", [(60,), (60, 1), (1, 60), (1, 60, 1), (60, 3), (3, 60)])
@pytest.mark.parametrize("matlab", [False, True])
def test_rows_columns_and_tables(path: Path, shape: tuple[int, ...], matlab: bool) -> None:
    values = np.arange(float(np.prod(shape))).reshape(shape)
    with h5py.File(path, "w") as root:
        if matlab:
            matlab_array(root, "x", values, "double")
        else:
            root["x"] = values
    table = values.reshape([n for n in shape if n != 1])
    expected = table.T if table.ndim == 2 and shape[0] == 60 else np.atleast_2d(table)
    np.testing.assert_array_equal(read_recording(path).signal, expected)
    assert list_variables(path)[0].shape == shape


def test_a_struct_with_signal_rate_and_speed(path: Path) -> None:
    with h5py.File(path, "w", userblock_size=512) as root:
        bearing = root.create_group("bearing")
        bearing.attrs["MATLAB_class"] = np.bytes_("struct")
        matlab_array(bearing, "gs", X[:, :1], "double")
        matlab_array(bearing, "sr", np.array([[48828]], np.uint16), "uint16")
        matlab_array(bearing, "rate", np.array([[25.0]]), "double")
    recording = read_recording(path)
    assert (recording.channels, recording.sampling_rate, recording.rpm) == (("gs",), 48828, 1500)
    assert [(str(v), v.channel) for v in list_variables(path)] == [("bearing (1×1 struct)", "gs")]


def test_rate_and_speed_beside_the_signal_and_times(path: Path) -> None:
    with h5py.File(path, "w") as root:
        root["x"], root["t"], root["rpm"] = X, np.arange(SAMPLES) / 25_600, 1500
    recording = read_recording(path)
    assert (recording.channels, recording.sampling_rate, recording.rpm) == (
        ("x_1", "x_2"),
        25_600,
        1500,
    )
    with h5py.File(path, "r+") as root:
        root.attrs["fs"] = 48_000.0
    assert read_recording(path).sampling_rate == 48_000


def test_what_is_no_signal_is_listed_by_its_kind(path: Path) -> None:
    with h5py.File(path, "w") as root:
        hidden = root.create_group("#refs#")
        matlab_array(hidden, "a", np.ones((50, 1), np.uint8), "logical")
        cells = np.array([[hidden["a"].ref]], h5py.ref_dtype)
        root.create_dataset("c", data=cells).attrs["MATLAB_class"] = np.bytes_("cell")
        pair = np.zeros((1, 50), [("real", "f8"), ("imag", "f8")])
        root.create_dataset("z", data=pair).attrs["MATLAB_class"] = np.bytes_("double")
        matlab_array(root, "l", np.ones((50, 1), np.uint8), "logical")
        matlab_array(root, "e", np.array([0, 0], np.uint64), "double").attrs["MATLAB_empty"] = 1
        sparse = root.create_group("s")
        sparse.attrs["MATLAB_sparse"] = 5
        sparse["data"] = X
        root["words"] = ["a", "b"]
        root["other"] = h5py.ExternalLink("other.h5", "/x")
    assert [str(variable) for variable in list_variables(path)] == [
        "c (1×1 cell)",
        "e (0×0 double)",
        "l (50×1 logical)",
        "s (1×1 sparse)",
        "words (2 object)",
        "z (50×1 complex double)",
    ]
    with pytest.raises(FaultdiagError, match=r"a\.h5 holds no signal: .*; its variables: c \(1×1"):
        read_recording(path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"shape": (10**12,), "chunks": (1000,)},
            "x would unpack from 0 bytes to 8000000000000, m",
        ),
        ({"shape": (10**9,)}, "x states 8000000000 bytes of samples, 0 are there"),
        ({"shape": (1000,), "external": [("/etc/passwd", 0, 8000)]}, "samples of x lie in another"),
    ],
)
def test_samples_that_are_not_there(path: Path, options: dict[str, Any], said: str) -> None:
    with h5py.File(path, "w") as root:
        root.create_dataset("x", dtype="f8", **options)
    with pytest.raises(
        FaultdiagError, match=rf"a\.h5 is a damaged or incomplete HDF5 file: .*{said}"
    ):
        open_recording(path)


def test_what_is_no_hdf5(path: Path) -> None:
    path.write_bytes(b"\0\1\2\3 something else")
    with pytest.raises(FaultdiagError, match=r"is no HDF5 file: it begins with b'\\x00\\x01\\x02"):
        read_recording(path)


@pytest.mark.parametrize("userblock", [0, 512])
def test_a_driver_in_the_superblock_is_refused(tmp_path: Path, userblock: int) -> None:
    path = tmp_path / "a.h5"
    content = bytearray(hdf5(userblock=userblock, matlab=bool(userblock)))
    place = userblock + 24 + 3 * 8  # of the address of the driver's block, undefined before
    assert content[place : place + 8] == b"\xff" * 8
    content[place : place + 8] = (255).to_bytes(8, "little")
    path.write_bytes(content)
    with pytest.raises(FaultdiagError, match="one of the parts of a file in several parts"):
        read_recording(path)
