"""Recordings read piece by piece: the same windows as at once, in bounded memory."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultdiag.errors import FaultdiagError
from faultdiag.prediction import reading
from faultdiag.prediction.events import End, Failure, Header, Windows
from faultdiag.prediction.reading import (
    ModelInput,
    ReadRequest,
    file_events,
    read_events,
    recording_events,
)
from faultdiag.signal import resampling
from faultdiag.signal.recording import Recording

MODEL = ModelInput(("DE",), 12_000.0, 256, needs_speed=False)


def collected(events: Any) -> tuple[Header, list[np.ndarray[Any, Any]]]:
    header, *pieces, end = events
    assert end == End()
    assert {type(piece) for piece in pieces} == {Windows}
    return header, [piece.values for piece in pieces]


def failure(request: ReadRequest) -> str:
    """The message of a file of which nothing else is read."""
    first, end = read_events(request, MODEL)
    assert isinstance(first, Failure)
    assert end == End()
    return first.message


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "HELD", 5_000)
    monkeypatch.setattr(reading, "PIECE", 2_000)
    for module in (resampling, reading):
        monkeypatch.setattr(module, "BLOCK", 4_096)


@pytest.fixture
def signal() -> np.ndarray[Any, Any]:
    return np.random.default_rng(3).standard_normal((2, 20_000)).astype(np.float32) + 0.5


@pytest.mark.parametrize("rate", [12_000.0, 48_000.0, 10_000.0])
def test_a_long_recording_gives_what_a_short_one_does(
    rate: float, signal: Any, tmp_path: Path, small_pieces: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "x.npy", signal)
    model = ModelInput(("a", "b"), 12_000.0, 256, needs_speed=False)
    request = ReadRequest(tmp_path / "x.npy", None, rate)
    header, pieces = collected(file_events(request, model))
    assert len(pieces) > 3
    assert {piece.shape[1] % 256 for piece in pieces} == {0}
    monkeypatch.setattr(reading, "HELD", 10**9)
    monkeypatch.setattr(reading, "PIECE", 10**9)
    again, (whole,) = collected(file_events(request, model))
    assert again == header
    assert header.windows * 256 == whole.shape[1]
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), whole)
    given = Recording(signal, tmp_path / "x.npy", ("ch1", "ch2"), rate)
    _, (there,) = collected(recording_events(given, model))
    np.testing.assert_array_equal(there, whole)
    np.testing.assert_array_equal(
        whole, resampling.resample(signal, rate, 12_000)[:, : whole.shape[1]]
    )


@pytest.mark.parametrize("place", [0, 4_095, 19_999])
def test_what_is_wrong_anywhere_is_told_before_the_first_window(
    place: int, signal: Any, tmp_path: Path, small_pieces: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal[0, place] = np.inf
    signal[0, 19_990] = np.nan
    np.save(tmp_path / "x.npy", signal[:1])
    request = ReadRequest(tmp_path / "x.npy", None, 12_000.0)
    message = failure(request)
    assert (
        f"2 of 20000 samples are NaN or infinite, the first at sample {min(place, 19_990)} of"
        in message
    )
    monkeypatch.setattr(reading, "HELD", 10**9)
    assert failure(request) == message, "as for a short one"


def test_a_constant_channel_of_a_long_recording(tmp_path: Path, small_pieces: None) -> None:
    np.save(tmp_path / "x.npy", np.full(20_000, 2.0, np.float32))
    message = failure(ReadRequest(tmp_path / "x.npy", None, 12_000.0))
    assert "is constant: all 20000 samples are 2; a vibration" in message


def test_a_rate_far_from_the_models_names_the_file(tmp_path: Path, signal: Any) -> None:
    np.save(tmp_path / "x.npy", signal[0])
    message = failure(ReadRequest(tmp_path / "x.npy", None, 1e-3))
    assert message.startswith(f"{tmp_path / 'x.npy'}: resampling from 0.001 Hz to 12000 Hz")


# The file is sparse: zeros that take no room, and something at its beginning that varies.
SPARSE = """
import resource, sys
from pathlib import Path
import numpy as np
from faultdiag.prediction.events import Windows
from faultdiag.prediction.reading import ModelInput, ReadRequest, file_events
from faultdiag.prediction import reading
import scipy.signal
reading.HELD = reading.PIECE = 2**18
path, rate, room = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + room, used + room))
windows = 0
events = file_events(ReadRequest(path, None, rate), ModelInput(("x",), 12000.0, 2048, False))
header = next(events)
for event in events:
    windows += event.values.shape[1] // 2048 if isinstance(event, Windows) else 0
assert windows == header.windows, (windows, header)
print(windows)
"""


@pytest.mark.parametrize(("rate", "windows"), [(12_000, 4_882), (48_000, 1_220)])
def test_memory_does_not_grow_with_the_length(rate: int, windows: int, tmp_path: Path) -> None:
    path = tmp_path / "long.npy"
    samples = 10_000_000
    np.lib.format.open_memmap(path, "w+", np.float32, (samples,))[:1000] = np.arange(1000)
    done = subprocess.run(
        [sys.executable, "-c", SPARSE, str(path), str(rate), str(30 * 2**20)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, f"{windows}\n"), done.stderr


def test_a_bearing_of_a_manifest_that_is_unknown_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.random.default_rng(0).normal(size=12_000))
    model = ModelInput(("x",), 12_000.0, 256, needs_speed=False, needs_bearing=True)
    request = ReadRequest(path, None, 12_000.0, unknown_bearing="'9999' in line 2 of m.csv")
    with pytest.raises(FaultdiagError, match=r"'9999' in line 2 of m.csv is no bearing that"):
        list(file_events(request, model))
    named = replace(request, bearing="6205", unknown_bearing=None)
    assert next(file_events(named, model)).warnings == ()


def test_a_model_of_fault_orders_assumes_no_rate(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.random.default_rng(0).normal(size=12_000))
    model = ModelInput(("x",), 12_000.0, 256, needs_speed=False, needs_bearing=True)
    request = ReadRequest(path, bearing="6205")
    with pytest.raises(FaultdiagError, match=r"nothing states its sampling rate.*--sampling-rate"):
        list(file_events(request, model))
    (header, *_) = file_events(request, replace(model, needs_bearing=False))
    assert header.sampling_rate_source == "assumed"
