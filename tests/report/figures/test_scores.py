"""What the pictures of confidence and noise show, read back from the figure."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from faultdiag.metrics.calibration import Reliability
from faultdiag.metrics.intervals import wilson_interval
from faultdiag.report.figures import noise_figure, reliability_figure

NONE = np.nan
BEFORE = Reliability(np.array([0, 10, 30]), np.array([NONE, 0.6, 0.9]), np.array([NONE, 0.2, 0.8]))
AFTER = Reliability(np.array([0, 20, 20]), np.array([NONE, 0.5, 0.8]), np.array([NONE, 0.5, 0.9]))


def test_each_part_has_its_points_and_errors(tmp_path: Path, drawn: list[Figure]) -> None:
    parts = {"valid": (BEFORE, AFTER), "test": (AFTER, BEFORE)}
    reliability_figure(parts, tmp_path / "c.png", temperature=1.837)
    above, below, other, _ = drawn[0].axes
    (diagonal,) = above.lines  # nothing else: points of few windows are not joined
    np.testing.assert_array_equal(diagonal.get_xydata(), [[0, 0], [100, 100]])
    bars, before, _, more_bars, after, _ = above.collections
    np.testing.assert_allclose(before.get_offsets(), [[60, 20], [90, 80]])
    np.testing.assert_allclose(after.get_offsets(), [[50, 50], [80, 90]])
    assert ends(bars) == [
        pytest.approx([100 * end for end in wilson_interval(2, 10) or ()]),
        pytest.approx([100 * end for end in wilson_interval(24, 30) or ()]),
    ]
    assert len(ends(more_bars)) == 2
    assert legend(above) == [
        "valid part, 40 windows",
        "calibrated",
        "temperature 1: ECE 17.5%",
        "temperature 1.84: ECE 5.0%",
    ]
    assert legend(other)[0] == "test part, 40 windows"
    shown = [patch.get_data().values.tolist() for patch in below.patches]
    assert shown == [[0, 10, 30], [0, 20, 20]]
    assert (below.get_xlabel(), above.get_ylabel()) == ("confidence, %", "right, %")


def ends(lines: object) -> list[list[float]]:
    """Lower and upper end of each vertical line."""
    return [segment[:, 1].tolist() for segment in lines.get_segments()]  # type: ignore[attr-defined]


def legend(axes: object) -> list[str]:
    found = axes.get_legend()  # type: ignore[attr-defined]
    return [found.get_title().get_text(), *(text.get_text() for text in found.get_texts())]


def test_at_temperature_1_there_is_one_curve(tmp_path: Path, drawn: list[Figure]) -> None:
    reliability_figure({"test": (BEFORE, BEFORE)}, tmp_path / "c.png", temperature=1.0)
    above, below = drawn[0].axes
    assert legend(above)[1:] == ["calibrated", "temperature 1: ECE 17.5%"]
    assert len(below.patches) == 1


def test_nothing_to_draw_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no parts to draw"):
        reliability_figure({}, tmp_path / "c.png", temperature=1.0)
    rows = [{"snr": 4.0, "accuracy": 0.5, "recording_accuracy": 0.5}] * 2
    with pytest.raises(ValueError, match=r"a curve needs two ratios or more; found \[4\.0, 4\.0\]"):
        noise_figure(rows, tmp_path / "n.png", clean=1.0)
    assert list(tmp_path.iterdir()) == []


def test_accuracy_over_noise_goes_from_low_to_high(tmp_path: Path, drawn: list[Figure]) -> None:
    rows: list[dict[str, object]] = [
        {"snr": 4.0, "accuracy": 0.9, "recording_accuracy": 1.0},
        {"snr": -4.0, "accuracy": 0.4, "recording_accuracy": 0.5},
    ]
    rows[0] |= {"accuracy_interval": [0.85, 0.94]}
    rows[1] |= {"recording": {"accuracy_interval": [0.2, 0.8]}}
    noise_figure(rows, tmp_path / "n.png", clean=0.95, classes=4)
    (axes,) = drawn[0].axes
    clean, guessing, windows, recordings = axes.lines
    assert clean.get_ydata() == [95, 95]
    assert guessing.get_ydata() == [25, 25]
    assert [ends(bars)[0] for bars in axes.collections] == [
        pytest.approx([85, 94]),
        pytest.approx([20, 80]),
    ]
    np.testing.assert_allclose(windows.get_xydata(), [[-4, 40], [4, 90]])
    np.testing.assert_allclose(recordings.get_xydata(), [[-4, 50], [4, 100]])


def test_the_files_are_pngs(tmp_path: Path) -> None:
    reliability_figure({"valid": (BEFORE, AFTER)}, tmp_path / "c.png", temperature=2.0)
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
