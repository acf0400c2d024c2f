"""Pictures of a run: the confusion matrix and the learning curves.

matplotlib takes half a second to import, so it is imported where a figure is drawn. Figures are
made without pyplot: there is no global state, and none is left open.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultdiag.files import replacing

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
