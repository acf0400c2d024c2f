"""Pictures of confidence and of noise: the reliability diagram, and accuracy over the SNR.

As in `faultdiag.figures`, matplotlib is imported where a figure is drawn, without pyplot.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from faultdiag.figures import BLUE, GREY, ORANGE, blank_figure, save_figure
from faultdiag.metrics import Reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Areas in points squared, of the point of a bin with hardly any windows and of one with all.
SMALLEST, LARGEST = 12.0, 120.0
LEGEND: dict[str, Any] = {
    "frameon": False,
    "fontsize": 9,
    "title_fontsize": 11,
    "alignment": "left",
    "borderaxespad": 0.3,
    "handletextpad": 0.4,
    "labelspacing": 0.25,
}


class _Curve(NamedTuple):
    bins: Reliability
    temperature: float
    colour: str
    marker: str
    face: str

    @property
    def shares(self) -> Any:
        return self.bins.windows / max(self.bins.windows.sum(), 1)

    @property
    def label(self) -> str:
        gaps = np.abs(self.bins.accuracy - self.bins.confidence)
        return f"temperature {self.temperature:.3g}: ECE {np.nansum(self.shares * gaps):.1%}"


def reliability_figure(
    parts: Mapping[str, tuple[Reliability, Reliability]], path: Path, *, temperature: float
) -> None:
    """Draw how often windows of each confidence are right, before and after calibration [1]_.

    Points below the diagonal are overconfident. The area of a point grows with the share of the
    windows that its bin holds; how many those are stands below, on a logarithmic axis.

    Parameters
    ----------
    parts
        The bins of each part at temperature 1 and at the fitted one.
    path
        The PNG file to write.
    temperature
        The fitted one; where it is 1, there is one curve.

    Raises
    ------
    FaultdiagError
        If the file can't be written.
    ValueError
        If there is no part.

    References
    ----------
    .. [1] A. Niculescu-Mizil, R. Caruana (2005). Predicting good probabilities with supervised
       learning. doi:10.1145/1102351.1102430
    """
    if not parts:
        raise ValueError("no parts to draw")
    figure = blank_figure(4.6 * len(parts), 5.2)
    grid = figure.add_gridspec(2, len(parts), height_ratios=[3.2, 1], hspace=0.1, wspace=0.28)
    for i, (part, (before, after)) in enumerate(parts.items()):
        curves = [
            _Curve(before, 1.0, GREY, "o", "white"),
            _Curve(after, temperature, BLUE, "D", BLUE),
        ]
        curves = curves if temperature != 1 else curves[1:]
        above = figure.add_subplot(grid[0, i])
        _draw_reliability(above, curves)
        _draw_windows(figure.add_subplot(grid[1, i], sharex=above), curves)
        title = f"{part} part, {before.windows.sum()} windows"
        above.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), title=title, **LEGEND)
    save_figure(figure, path)


def _draw_reliability(axes: "Axes", curves: Sequence[_Curve]) -> None:
    axes.plot([0, 100], [0, 100], color=ORANGE, linewidth=1, linestyle=":", label="calibrated")
    for curve in curves:
        x, y = 100 * curve.bins.confidence, 100 * curve.bins.accuracy
        some = curve.bins.windows > 0
        axes.plot(x[some], y[some], color=curve.colour, linewidth=0.8, alpha=0.5, clip_on=False)
        axes.scatter(
            x[some],
            y[some],
            s=SMALLEST + (LARGEST - SMALLEST) * curve.shares[some],
            marker=curve.marker,
            facecolors=curve.face,
            edgecolors=curve.colour,
            zorder=3,
            clip_on=False,
        )
        # For the legend alone, where the points have one size.
        axes.scatter(
            [], [], s=30, marker=curve.marker, c=curve.face, ec=curve.colour, label=curve.label
        )
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.set_ylabel("right, %")
    axes.tick_params(labelbottom=False)
    _tidy(axes)


def _draw_windows(axes: "Axes", curves: Sequence[_Curve]) -> None:
    for curve in curves:
        edges = np.linspace(0, 100, len(curve.bins.windows) + 1)
        axes.stairs(curve.bins.windows, edges, color=curve.colour, linewidth=1.4, baseline=0.5)
    axes.set_yscale("log")
    most = max(int(curve.bins.windows.max()) for curve in curves)
    axes.set_ylim(0.5, max(3 * most, 10))
    axes.yaxis.set_major_formatter("{x:.0f}")
    axes.minorticks_off()
    axes.set_ylabel("windows")
    axes.set_xlabel("confidence, %")
    _tidy(axes)


def noise_figure(rows: Sequence[Mapping[str, Any]], path: Path, *, clean: float) -> None:
    """Draw accuracy over the signal-to-noise ratio.

    Parameters
    ----------
    rows
        For each ratio its `snr` in dB, and `accuracy` and `recording_accuracy`; in any order.
    path
        The PNG file to write.
    clean
        The accuracy of the windows without noise.

    Raises
    ------
    FaultdiagError
        If the file can't be written.
    ValueError
        If there are fewer than two ratios.
    """
    rows = sorted(rows, key=lambda row: float(row["snr"]))
    levels = [row["snr"] for row in rows]
    if len(set(levels)) < 2:
        raise ValueError(f"a curve needs two ratios or more; found {levels}")
    figure = blank_figure(6.0, 3.6)
    axes = figure.add_subplot()
    axes.axhline(100 * clean, color=ORANGE, linewidth=1, linestyle=":", label="windows, no noise")
    for key, name, colour, marker in (
        ("accuracy", "windows", BLUE, "o"),
        ("recording_accuracy", "recordings", GREY, "s"),
    ):
        heights = [100 * row[key] for row in rows]
        axes.plot(levels, heights, color=colour, marker=marker, markersize=4, label=name)
    axes.set_ylim(0, 102)
    axes.set_xlabel("signal-to-noise ratio, dB")
    axes.set_ylabel("accuracy, %")
    # Below the axes: curves may run anywhere in them.
    axes.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    _tidy(axes)
    save_figure(figure, path)


def _tidy(axes: "Axes") -> None:
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
