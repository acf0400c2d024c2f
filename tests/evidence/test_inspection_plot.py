"""Pictures of recordings: they are written whole, and show what there is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from faultdiag.errors import FaultdiagError
from faultdiag.evidence.inspection import (
    InspectOptions,
    inspect_file,
    open_subject,
)
from faultdiag.report.inspection import best_envelope, plot_inspection

FS, RPM = 12000, 1797


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "a$1_2$.mat"
    t = np.arange(3 * FS) / FS
    x = (1 + np.cos(2 * np.pi * 5.4 * RPM / 60 * t)) * np.sin(2 * np.pi * 3000 * t)
    x += 0.2 * np.random.default_rng(0).normal(size=t.size)
    savemat(path, {"X001_DE_time": x[:, None], "X001RPM": RPM})
    return path


def size(png: Path) -> tuple[int, int]:
    """Width and height of a PNG, from its header."""
    data = png.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sampling_rate": FS / 4, "bearing": "6205"},
        {"sampling_rate": 100 * FS, "channel": "DE"},
    ],
)
def test_a_picture_whatever_is_known(recording: Path, tmp_path: Path, options: dict) -> None:
    png = tmp_path / "picture.png"
    plot_inspection(recording, png, InspectOptions(**options))
    assert size(png) == (1300, 1118)
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]


def test_a_silent_channel_is_drawn(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"y": np.zeros((5000, 1))})
    plot_inspection(
        tmp_path / "a.mat", tmp_path / "a.png", InspectOptions(sampling_rate=1000, rpm=RPM)
    )
    assert size(tmp_path / "a.png") == (1300, 1118)
    savemat(tmp_path / "b.mat", {"y": np.ones((3, 1))})
    plot_inspection(tmp_path / "b.mat", tmp_path / "b.png", InspectOptions(sampling_rate=1000))
    assert size(tmp_path / "b.png") == (1300, 1118)


def test_the_band_is_that_of_the_table(recording: Path) -> None:
    best = best_envelope(open_subject(recording, InspectOptions(sampling_rate=FS, bearing="6205")))
    assert best is not None
    band, envelope, peak = best
    assert peak is not None
    assert peak.matches == ("BPFI",)
    listed = inspect_file(recording, sampling_rate=FS, bearing="6205")["envelope_peaks"]
    row = next(row for row in listed if row["matches"] == ["BPFI"])
    assert tuple(row["band"]) == band
    place = envelope.frequencies[envelope.amplitudes[5:].argmax() + 5]
    assert place == pytest.approx(row["frequency"], abs=1)


def test_without_a_fault_it_is_the_band_of_the_strongest_line(recording: Path) -> None:
    subject = open_subject(recording, InspectOptions(sampling_rate=FS))
    best = best_envelope(subject)
    assert best is not None
    assert best[2] is not None
    assert best[2].order == pytest.approx(5.4, abs=0.02)
    noise = replace(
        subject,
        recording=replace(
            subject.recording,
            signal=np.random.default_rng(0).normal(size=(1, 3 * FS)).astype(np.float32),
        ),
    )
    drawn = best_envelope(noise)
    assert drawn is not None
    assert (drawn[0], drawn[2]) == ((0.0, FS / 2), None)


def test_a_folder_that_is_missing(recording: Path, tmp_path: Path) -> None:
    with pytest.raises(FaultdiagError, match=r"cannot write .*picture\.png"):
        plot_inspection(
            recording, tmp_path / "none" / "picture.png", InspectOptions(sampling_rate=FS)
        )


@pytest.mark.real
def test_the_fault_is_marked(real_data: Path, tmp_path: Path) -> None:
    for name, order in (("105", 5.40), ("130", 3.60)):
        path = real_data / "cwru" / "12k_DE" / f"{name}.mat"
        best = best_envelope(open_subject(path))
        assert best is not None
        place = best[1].frequencies[best[1].amplitudes.argmax()]
        assert place / 29.95 == pytest.approx(order, abs=0.02)
    plot_inspection(path, tmp_path / "130.png")
    assert size(tmp_path / "130.png") == (1300, 1118)
