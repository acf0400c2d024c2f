"""TDMS files as recordings."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultdiag.errors import FaultdiagError
from faultdiag.readers.read import list_variables, open_recording, read_recording
from tests.readers.samples import RATE, SAMPLES, signal, tdms

nptdms = pytest.importorskip("nptdms")
X = signal()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.tdms"


def write(path: Path, *objects: Any) -> Path:
    with nptdms.TdmsWriter(str(path)) as writer:
        writer.write_segment(list(objects))
    path.with_name("a.tdms_index").unlink(missing_ok=True)
    return path


def channel(name: str, values: Any, group: str = "g", **properties: Any) -> Any:
    return nptdms.ChannelObject(group, name, np.asarray(values), properties)


def test_channels_rate_and_speed(path: Path) -> None:
    path.write_bytes(tdms())
    source = open_recording(path)
    assert (source.channels, source.samples) == (("x", "y"), SAMPLES)
    assert (source.sampling_rate, source.rpm, source.kind) == (RATE, 1500, "float64")
    np.testing.assert_array_equal(source.read(), X.T.astype(np.float32))
    np.testing.assert_array_equal(source.read(99, 1234), X.T[:, 99:1234].astype(np.float32))
    assert [(str(v), v.channel) for v in list_variables(path)] == [
        ("g/x (2000 float64)", "x"),
        ("g/y (2000 float64)", "y"),
    ]
    assert read_recording(path, channel="y").channels == ("y",)
    with pytest.raises(FaultdiagError, match=r"a\.tdms has no channel 'z'; it has: x, y"):
        read_recording(path, channel="z")


def test_names_that_stand_in_two_groups(path: Path) -> None:
    write(path, channel("x", X[:, 0]), channel("x", X[:, 1], "h"), channel("w", ["a", "b"]))
    assert read_recording(path).channels == ("g/x", "h/x")
    assert [v.channel for v in list_variables(path)] == ["g/x", None, "h/x"]


def test_when_a_waveform_begins(path: Path) -> None:
    begun = np.datetime64("2024-05-06T07:08:09.5")
    write(path, channel("x", X[:, 0], wf_increment=1 / RATE, wf_start_time=begun))
    assert open_recording(path).time == datetime(2024, 5, 6, 7, 8, 9, 500_000)
    never = np.datetime64("1904-01-01T00:00:00")
    write(path, channel("x", X[:, 0], wf_increment=1 / RATE, wf_start_time=never))
    assert open_recording(path).time is None


def test_a_rate_among_the_properties(path: Path) -> None:
    write(path, channel("x", X[:, 0], SamplingRate=25_600.0, rpm=900))
    recording = read_recording(path)
    assert (recording.sampling_rate, recording.rpm) == (25_600, 900)


def test_channels_that_do_not_go_together(path: Path) -> None:
    write(path, channel("x", X[:, 0]), channel("y", X[:50, 1]))
    with pytest.raises(
        FaultdiagError, match=r"in length in samples: x has 2000, y has 50; read one"
    ):
        read_recording(path)
    write(path, channel("x", X[:, 0], fs=1000.0), channel("y", X[:, 1], fs=2000.0))
    with pytest.raises(
        FaultdiagError, match=r"differ in sampling rate in Hz: x has 1000.0, y has 2"
    ):
        read_recording(path)
    assert read_recording(path, channel="y").sampling_rate == 2000


def test_no_signal(path: Path) -> None:
    write(path, channel("words", ["a", "b"]))
    with pytest.raises(FaultdiagError, match=r"holds no signal: .*; its channels: g/words \(2 "):
        read_recording(path)


def test_a_file_that_is_cut(path: Path) -> None:
    path.write_bytes(tdms()[:-100])
    with pytest.raises(
        FaultdiagError, match="damaged or incomplete TDMS file: it ends within its l"
    ):
        list_variables(path)


def test_what_is_no_tdms(path: Path) -> None:
    path.write_bytes(b"\0\1\2\3")
    with pytest.raises(FaultdiagError, match=r"is no TDMS file: it begins with b'\\x00\\x01"):
        list_variables(path)


def test_without_nptdms(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(tdms())
    monkeypatch.setitem(sys.modules, "nptdms", None)
    with pytest.raises(
        FaultdiagError,
        match=r"a\.tdms is a TDMS file, but nptdms is not .* pip install 'faultdiag\[tdms\]'",
    ):
        list_variables(path)


@pytest.mark.parametrize("kind", ["Reciprocal", "Lookup 2", "polynomial"])
def test_a_scaling_that_is_not_known_is_refused(path: Path, kind: str) -> None:
    scaled = {"NI_Number_Of_Scales": 1, "NI_Scale[0]_Scale_Type": kind}
    write(path, channel("x", X[:, 0], **scaled), channel("y", X[:, 1]))
    with pytest.raises(FaultdiagError, match=rf"channel x is scaled by '{kind}', which is not kn"):
        read_recording(path)
    assert read_recording(path, channel="y").samples == SAMPLES


@pytest.mark.parametrize(
    ("name", "value"),
    [("SamplingRate", "25600"), ("Sample rate", "25.6 kHz"), ("dt", 1 / 25_600)],
)
def test_a_rate_of_the_file_or_of_a_group(path: Path, name: str, value: Any) -> None:
    root = nptdms.RootObject({name: value})
    write(path, root, nptdms.GroupObject("g", {"rpm": "1480"}), channel("x", X[:, 0]))
    recording = read_recording(path)
    assert (recording.sampling_rate, recording.rpm) == (25_600, 1480)
