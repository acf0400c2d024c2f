"""Recordings read piece by piece: the same windows as at once, in bounded memory."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultdiag.prediction import reading
from faultdiag.prediction.reading import Asked, Needs, Opened, read_windows, try_read, windows_of
from faultdiag.signal import resampling
from faultdiag.signal.recording import Recording

NEEDS = Needs(("DE",), 12_000.0, 256, speed=False)


def collected(parts: Any) -> tuple[Opened, list[np.ndarray[Any, Any]]]:
    opened, *pieces = parts
    return opened, pieces


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "HELD", 5_000)
    monkeypatch.setattr(reading, "PIECE", 2_000)
    for module in (resampling, reading.survey.__globals__):
        if isinstance(module, dict):
            monkeypatch.setitem(module, "BLOCK", 4_096)
        else:
            monkeypatch.setattr(module, "BLOCK", 4_096)


@pytest.fixture
def signal() -> np.ndarray[Any, Any]:
    return np.random.default_rng(3).standard_normal((2, 20_000)).astype(np.float32) + 0.5


@pytest.mark.parametrize("rate", [12_000.0, 48_000.0, 10_000.0])
def test_a_long_recording_gives_what_a_short_one_does(
    rate: float, signal: Any, tmp_path: Path, small_pieces: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "x.npy", signal)
    needs = Needs(("a", "b"), 12_000.0, 256, speed=False)
    asked = Asked(tmp_path / "x.npy", None, rate)
    opened, pieces = collected(read_windows(asked, needs))
    assert len(pieces) > 3
    assert {piece.shape[1] % 256 for piece in pieces} == {0}
    monkeypatch.setattr(reading, "HELD", 10**9)
    monkeypatch.setattr(reading, "PIECE", 10**9)
    again, (whole,) = collected(read_windows(asked, needs))
    assert again == opened
    assert opened.windows * 256 == whole.shape[1]
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), whole)
    given = Recording(signal, tmp_path / "x.npy", ("ch1", "ch2"), rate)
    _, (there,) = collected(windows_of(given, needs))
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
    asked = Asked(tmp_path / "x.npy", None, 12_000.0)
    (said,) = try_read(asked, NEEDS)
    assert (
        f"2 of 20000 samples are NaN or infinite, the first at sample {min(place, 19_990)} of"
        in (str(said))
    )
    monkeypatch.setattr(reading, "HELD", 10**9)
    assert [said] == list(try_read(asked, NEEDS)), "as of a short one"


def test_a_constant_channel_of_a_long_recording(tmp_path: Path, small_pieces: None) -> None:
    np.save(tmp_path / "x.npy", np.full(20_000, 2.0, np.float32))
    (said,) = try_read(Asked(tmp_path / "x.npy", None, 12_000.0), NEEDS)
    assert "is constant: all 20000 samples are 2; a vibration" in str(said)


def test_a_rate_far_from_the_models_names_the_file(tmp_path: Path, signal: Any) -> None:
    np.save(tmp_path / "x.npy", signal[0])
    (said,) = try_read(Asked(tmp_path / "x.npy", None, 1e-3), NEEDS)
    assert str(said).startswith(f"{tmp_path / 'x.npy'}: resampling from 0.001 Hz to 12000 Hz")


# The file is sparse: zeros that take no room, and something at its beginning that varies.
SPARSE = """
import resource, sys
from pathlib import Path
import numpy as np
from faultdiag.prediction.reading import Asked, Needs, Opened, read_windows
from faultdiag.prediction import reading
import scipy.signal
reading.HELD = reading.PIECE = 2**18
path, rate, room = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + room, used + room))
windows = 0
parts = read_windows(Asked(path, None, rate), Needs(("x",), 12000.0, 2048, False))
opened = next(parts)
for piece in parts:
    windows += piece.shape[1] // 2048
assert windows == opened.windows, (windows, opened)
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
