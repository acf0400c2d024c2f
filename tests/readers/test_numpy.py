"""NumPy files as recordings: which side is which, archives, and nothing that runs."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError
from faultdiag.readers.read import list_variables, open_recording, read_range, read_recording
from tests.readers.samples import RATE, SAMPLES, npy, npz, signal

TYPES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", ">f8", ">i2"]


def write(folder: Path, content: bytes, name: str) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@given(
    kind=st.sampled_from(TYPES),
    channels=st.integers(1, 4),
    upright=st.booleans(),
    order=st.sampled_from(["C", "F"]),
    packed=st.sampled_from([None, False, True]),
    edges=st.tuples(st.integers(0, 120), st.integers(0, 120)),
)
def test_every_order_gives_the_same_signal(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    kind: str,
    channels: int,
    upright: bool,
    order: Literal["C", "F"],
    packed: bool | None,
    edges: tuple[int, int],
) -> None:
    table = (np.arange(120 * channels).reshape(channels, 120) % 101).astype(kind)
    array = np.array(table.T if upright else table, order=order)
    if packed is None:
        content, name = npy(array), "law.npy"
    else:
        content, name = npz(packed=packed, x=array), "law.npz"
    path = write(tmp_path_factory.getbasetemp(), content, name)
    np.testing.assert_array_equal(read_recording(path).signal, table)
    start, stop = sorted(edges)
    np.testing.assert_array_equal(open_recording(path).read(start, stop), table[:, start:stop])


@pytest.mark.parametrize("shape", [(100,), (1, 100), (100, 1), (1, 1, 100)])
def test_a_vector_is_one_channel(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = write(tmp_path, npy(np.arange(100.0).reshape(shape)), "a.npy")
    recording = read_recording(path)
    assert recording.channels == ("signal",)
    np.testing.assert_array_equal(recording.signal, [np.arange(100)])
    np.testing.assert_array_equal(read_range(path, "signal", 7, 9), [[7, 8]])


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("facts", "rate", "rpm"),
    [
        ({"fs": RATE, "rpm": np.array([1797])}, 12_000, 1797),
        ({"sampling_rate": 25_600.0, "RPM": 1500}, 25_600, 1500),
        ({"Sample_Rate_Hz": 25_600.0, "speed_rpm": 1500}, 25_600, 1500),
        ({"fs": RATE, "sr": 48_000}, None, None),
        ({"fs": -1.0, "rpm": 0}, None, None),
        ({"fs": 25.6, "speed": 25}, None, None),
        ({"fs": np.nan, "rpm": np.inf}, None, None),
        ({"fs": "fast", "rpm": 1 + 1j}, None, None),
        ({"t": np.arange(SAMPLES) / 48_000}, 48_000, None),
        ({"time_ms": np.arange(SAMPLES) / 48}, 48_000, None),
        ({"t": np.arange(SAMPLES, dtype=np.float32) / np.float32(48_000)}, 48_000, None),
    ],
)
def test_scalars_and_times_beside_the_signal(
    tmp_path: Path, packed: bool, facts: dict[str, Any], rate: float | None, rpm: float | None
) -> None:
    path = write(tmp_path, npz(packed=packed, x=signal(), **facts), "a.npz")
    recording = read_recording(path)
    assert recording.channels == ("x_1", "x_2")
    assert (recording.sampling_rate, recording.rpm) == (rate, rpm)


def test_uneven_times(tmp_path: Path) -> None:
    times = np.arange(SAMPLES) / RATE + 0.00003 * (np.arange(SAMPLES) % 2)
    path = write(tmp_path, npz(packed=False, x=signal(), t=times), "a.npz")
    with pytest.raises(FaultdiagError, match=r"a\.npz: the times in t are not evenly spaced: its"):
        read_recording(path)


def test_what_an_archive_holds_is_listed(tmp_path: Path) -> None:
    content = npz(packed=True, x=signal(), label="IR", odd=np.array([{}], object))
    path = write(tmp_path, content, "a.npz")
    assert [(str(v), v.channel) for v in list_variables(path)] == [
        (f"x ({SAMPLES}×2 float64)", "x_1, x_2"),
        ("label (str)", None),
        ("odd (1 object)", None),
    ]


def changed(old: bytes, new: bytes) -> bytes:
    content = npy(signal())
    assert old in content
    return content.replace(old, new)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (npy(signal())[:-8], "header states 32000 bytes of samples, 31992 are there; copy or"),
        (
            changed(b"NUMPY\1", b"NUMPY\7"),
            "there is no sound header of an array at its beginning; copy",
        ),
        (changed(b"(2000, 2)", b"(2000 2 )"), "no sound header of an array"),
        (changed(b"descr", b"descx"), "no sound header of an array"),
        (changed(b"<f8", b"<f7"), "no sound header of an array"),
        (changed(b"2000, 2", b"-200, 2"), r"its array has the dimensions \(-200, 2\)"),
        (npy(signal() + 1j), r"holds no signal: .*signal \(2000×2 complex\)"),
        (npy(np.array([{}], object)), r"holds no signal: .*signal \(1 object\)"),
        (npy(np.ones((9, 9))), r"holds no signal: .*signal \(9×9 float64\)"),
        (npy(np.zeros(9, [("a", "f8"), ("b", "i4")])), r"signal \(9 structured\)"),
    ],
)
def test_arrays_that_are_no_recording(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(FaultdiagError, match=rf"a\.npy .*{said}"):
        read_recording(write(tmp_path, content, "a.npy"))


def test_a_flipped_byte_in_packed_samples_is_seen_by_its_checksum(tmp_path: Path) -> None:
    content = bytearray(npz(packed=True, x=signal()))
    content[9000] ^= 1
    path = write(tmp_path, bytes(content), "a.npz")
    assert open_recording(path).samples == SAMPLES
    with pytest.raises(FaultdiagError, match=r"a\.npz is a damaged or incomplete NumPy archive"):
        read_recording(path)


def test_a_range_outside(tmp_path: Path) -> None:
    source = open_recording(write(tmp_path, npy(signal()), "a.npy"))
    assert source.read(5, 5).shape == (2, 0)
    for start, stop in ((-1, 5), (0, SAMPLES + 1), (6, 5)):
        with pytest.raises(ValueError, match=rf"samples {start} to {stop} are asked for, .* 2000"):
            source.read(start, stop)


def test_a_file_cut_after_it_was_opened(tmp_path: Path) -> None:
    path = write(tmp_path, npy(signal()), "a.npy")
    source = open_recording(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(
        FaultdiagError, match=r"a\.npy is a damaged .*: its samples end early; copy"
    ):
        source.read()
    path.unlink()
    with pytest.raises(FaultdiagError, match=r"a\.npy cannot be read: No such file"):
        source.read()
