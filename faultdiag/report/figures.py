"""The pictures of a run: curves, confusion, calibration, noise.

matplotlib takes half a second to import, so it is imported where a figure is drawn. Figures are
made without pyplot: there is no global state, and none is left open.

As in `faultdiag.report.figures`, matplotlib is imported where a figure is drawn, without pyplot.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultdiag.metrics.calibration import Reliability
from faultdiag.system.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"  # told apart by colour-blind readers too
FEW, MANY = 12, 50  # classes up to which a cell is large, and up to which it holds numbers


def confusion_figure(
    labels: Sequence[str], matrix: ArrayLike, path: Path, *, title: str = "Confusion"
) -> None:
    """Draw a confusion matrix as a PNG: counts, and what share of its true class each is.

    The colour is the share of the row, so that a rare class shows as clearly as a frequent one;
    the diagonal is framed and zeros are left blank. Beyond 50 classes there is colour only.
    A letter that matplotlib's own font lacks is drawn as a box.

    Parameters
    ----------
    labels
        Name of each class.
    matrix
        Counts, ``(classes, classes)``, rows true.
    path
        The PNG file to write.
    title
        Heading.

    Raises
    ------
    FaultdiagError
        If the file can't be written.
    ValueError
        If the matrix doesn't have a row and a column for each label.
    """
    counts = np.asarray(matrix)
    if counts.shape != (len(labels), len(labels)) or not len(labels):
        raise ValueError(f"{len(labels)} labels but a matrix of {counts.shape}")
    cell = 0.62 if len(labels) <= FEW else min(0.42, 21 / len(labels))
    side = max(3.0, cell * len(labels))  # inches
    # The axes fill the figure; saving adds what the labels need around it.
    figure = blank_figure(side, side)
    axes = figure.add_axes((0, 0, 1, 1))
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    bar = figure.colorbar(image, cax=axes.inset_axes((1 + 0.15 / side, 0, 0.2 / side, 1)))
    bar.ax.yaxis.set_major_formatter("{x:.0%}")
    bar.set_label("share of the true class")
    _label_classes(axes, labels, min(10.0, 60 * cell))
    _write_counts(axes, counts, shares)
    axes.set_title(title, loc="left", parse_math=False)
    save_figure(figure, path)


def curves_figure(
    history: Sequence[Mapping[str, float]], path: Path, *, best_epoch: int | None = None
) -> None:
    """Draw loss and accuracy over the epochs as a PNG, the best epoch marked.

    Parameters
    ----------
    history
        A row per epoch with `epoch`, `train_loss`, `valid_loss`, `train_accuracy` and
        `valid_accuracy`; a value that is absent or None leaves a gap.
    path
        The PNG file to write.
    best_epoch
        The epoch whose weights were kept.

    Raises
    ------
    FaultdiagError
        If the file can't be written.
    ValueError
        If there is no epoch.
    """
    if not history:
        raise ValueError("no epochs to draw")
    figure = blank_figure(9.0, 3.6)
    for axes, name, label, scale in zip(
        figure.subplots(1, 2, gridspec_kw={"wspace": 0.25}),
        ("loss", "accuracy"),
        ("loss", "accuracy in %"),
        (1, 100),
        strict=True,
    ):
        _draw_curves(axes, history, name, scale)
        axes.set_ylabel(label)
        _finish_curves(axes, history, best_epoch)
    save_figure(figure, path)


def blank_figure(width: float, height: float) -> "Figure":
    """An empty figure of this size in inches that belongs to nobody else."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure as a PNG, whole or not at all.

    Raises
    ------
    FaultdiagError
        If the file can't be written.
    """
    with replacing(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(temporary, format="png", dpi=150, bbox_inches="tight", pad_inches=0.12)


def _label_classes(axes: "Axes", labels: Sequence[str], size: float) -> None:
    from matplotlib.patches import Rectangle

    places, borders = np.arange(len(labels)), np.arange(len(labels) + 1) - 0.5
    rotation = 90 if max(len(label) for label in labels) > 5 else 0
    axes.set_xticks(places, labels, rotation=rotation, fontsize=size, parse_math=False)
    axes.set_yticks(places, labels, fontsize=size, parse_math=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_xticks(borders, minor=True)
    axes.set_yticks(borders, minor=True)
    axes.grid(which="minor", color="#d5dbe3", linewidth=0.6)
    axes.tick_params(which="both", length=0)
    for i in places:
        axes.add_patch(Rectangle((i - 0.5, i - 0.5), 1, 1, fill=False, edgecolor=GREY, zorder=3))


def _write_counts(axes: "Axes", counts: NDArray[np.integer], shares: NDArray[np.float64]) -> None:
    if len(counts) > MANY:
        return
    few = len(counts) <= FEW
    for i, j in np.argwhere(counts).tolist():
        colour = "white" if shares[i, j] > 0.55 else "black"
        text = f"{_short(int(counts[i, j]))}\n{_percent(float(shares[i, j]), 1 if few else 0)}"
        axes.text(j, i, text, ha="center", va="center", fontsize=8 if few else 6.5, color=colour)
    for i in np.flatnonzero(counts.sum(axis=1) == 0).tolist():
        axes.text(-0.4, i, "no windows", va="center", fontsize=7, color=GREY, style="italic")


def _short(count: int) -> str:
    return str(count) if count < 100_000 else f"{count / 1e6:.2f}M"


def _percent(share: float, decimals: int) -> str:
    # 3 windows of 4000 are not 0 %, and 3999 of them not 100 %.
    least = 10.0**-decimals
    if 100 * share < least:
        return f"<{least:g}%"
    if share < 1 and 100 * (1 - share) < least:
        return f">{100 - least:g}%"
    return f"{share:.{decimals}%}"


def _draw_curves(
    axes: "Axes", history: Sequence[Mapping[str, float]], name: str, scale: float
) -> None:
    epochs = [row["epoch"] for row in history]
    marker = "o" if len(history) <= 40 else ""
    for part, colour, style in (("train", GREY, "--"), ("valid", BLUE, "-")):
        values = [row.get(f"{part}_{name}") for row in history]
        heights = [np.nan if value is None else scale * value for value in values]
        axes.plot(
            epochs, heights, color=colour, linestyle=style, marker=marker, markersize=3, label=part
        )


def _finish_curves(
    axes: "Axes", history: Sequence[Mapping[str, float]], best_epoch: int | None
) -> None:
    from matplotlib.ticker import MaxNLocator

    first, last = history[0]["epoch"], history[-1]["epoch"]
    margin = max(0.5, 0.02 * (last - first))
    axes.set_xlim(first - margin, last + margin)
    axes.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch")
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if best_epoch is not None:
        axes.axvline(
            best_epoch, color=ORANGE, linewidth=1, linestyle=":", label=f"best: epoch {best_epoch}"
        )
    axes.legend(frameon=False)


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
