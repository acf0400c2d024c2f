"""The pictures of a run and of a protocol: scores, curves, calibration, noise, embeddings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultdiag.documents import Document, Json
from faultdiag.errors import counted
from faultdiag.metrics.calibration import Reliability
from faultdiag.metrics.intervals import wilson_interval
from faultdiag.report.charts import LIGHT
from faultdiag.report.drawing import (
    COLOURS,
    LEGEND,
    MARKERS,
    blank_figure,
    dashes,
    legend_above,
    save_figure,
    tidy,
)
from faultdiag.report.tables import best_interval, white_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from faultdiag.evidence.embedding import EmbeddedPart


BLUE, ORANGE, GREEN, PURPLE = LIGHT.series
GREY = LIGHT.muted
FEW, MANY = 12, 50  # classes up to which a cell is large, and up to which it holds numbers
# Areas in points squared, of the point of a bin with hardly any windows and of one with all.
SMALLEST, LARGEST = 12.0, 120.0
Row = Document


def confusion_figure(
    labels: Sequence[str],
    matrix: ArrayLike,
    path: Path,
    *,
    healthy: Sequence[str] = (),
    title: str = "Confusion",
) -> None:
    """Draw a confusion matrix as a PNG: counts, and what share of its true class each is.

    Healthy classes come first. The title ends with the accuracy. The colour is the share of the
    row, so that a rare class shows as clearly as a frequent one; shares are written where a row
    is split. The diagonal is framed and zeros are left blank. Beyond 50 classes there is colour
    only. A letter that matplotlib's own font lacks is drawn as a box.

    Parameters
    ----------
    labels
        Name of each class.
    matrix
        Counts, ``(classes, classes)``, rows true.
    path
        The PNG file to write.
    healthy
        Classes that come first.
    title
        Heading, before the accuracy.

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
    order = sorted(range(len(labels)), key=lambda i: (labels[i] not in healthy, i))
    counts, labels = counts[np.ix_(order, order)], [labels[i] for i in order]
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
    axes.set_title(f"{title}{_accuracy(counts)}", loc="left", fontsize=11, parse_math=False)
    save_figure(figure, path)


def _accuracy(counts: NDArray[np.integer]) -> str:
    total = int(counts.sum())
    return f": {percent(float(np.trace(counts)) / total, 1)} right" if total else ""


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
    axes.grid(which="minor", color=LIGHT.grid, linewidth=0.6)
    axes.tick_params(which="both", length=0)
    for i in places:
        axes.add_patch(Rectangle((i - 0.5, i - 0.5), 1, 1, fill=False, edgecolor=GREY, zorder=3))


def _write_counts(axes: "Axes", counts: NDArray[np.integer], shares: NDArray[np.float64]) -> None:
    if len(counts) > MANY:
        return
    few = len(counts) <= FEW
    for i, j in np.argwhere(counts).tolist():
        colour = "white" if shares[i, j] > 0.55 else "black"
        share = f"\n{percent(float(shares[i, j]), 1 if few else 0)}" if shares[i, j] < 1 else ""
        text = f"{_short(int(counts[i, j]))}{share}"
        axes.text(j, i, text, ha="center", va="center", fontsize=8 if few else 6.5, color=colour)
    for i in np.flatnonzero(counts.sum(axis=1) == 0).tolist():
        axes.text(-0.4, i, "no windows", va="center", fontsize=7, color=GREY, style="italic")


def _short(count: int) -> str:
    return str(count) if count < 100_000 else f"{count / 1e6:.2f}M"


def percent(share: float, decimals: int) -> str:
    """Return a share in percent; what isn't quite none or all is not rounded to it.

    Examples
    --------
    >>> percent(3 / 4000, 1), percent(3999 / 4000, 1), percent(0.5, 0)
    ('<0.1%', '>99.9%', '50%')
    """
    least = 10.0**-decimals
    if 0 < 100 * share < least:
        return f"<{least:g}%"
    if share < 1 and 100 * (1 - share) < least:
        return f">{100 - least:g}%"
    return f"{share:.{decimals}%}"


def curves_figure(
    history: Sequence[Mapping[str, float]],
    path: Path,
    *,
    best_epoch: int | None = None,
    title: str = "",
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
    title
        Heading, such as the name of the run.

    Raises
    ------
    FaultdiagError
        If the file can't be written.
    ValueError
        If there is no epoch.
    """
    if not history:
        raise ValueError("no epochs to draw")
    figure = blank_figure(9.0, 3.4)
    panels = figure.subplots(1, 2, gridspec_kw={"wspace": 0.25})
    for axes, name, label, scale in zip(
        panels, ("loss", "accuracy"), ("loss", "accuracy in %"), (1, 100), strict=True
    ):
        _draw_curves(axes, history, name, scale)
        axes.set_ylabel(label)
        _finish_curves(axes, history, best_epoch)
    if title:
        figure.text(0.125, 1.03, title, fontsize=11, parse_math=False)
    save_figure(figure, path)


def _draw_curves(
    axes: "Axes", history: Sequence[Mapping[str, float]], name: str, scale: float
) -> None:
    epochs = [row["epoch"] for row in history]
    marker = "o" if len(history) <= 40 else ""
    for part, colour, style in (("train", GREY, "--"), ("valid", BLUE, "-")):
        values = [row.get(f"{part}_{name}") for row in history]
        heights = [np.nan if value is None else scale * value for value in values]
        line: Json = {
            "color": colour,
            "linestyle": style,
            "marker": marker,
            "markersize": 3,
        }
        axes.plot(epochs, heights, label=part, **line)


def _finish_curves(
    axes: "Axes", history: Sequence[Mapping[str, float]], best_epoch: int | None
) -> None:
    from matplotlib.ticker import MaxNLocator

    first, last = history[0]["epoch"], history[-1]["epoch"]
    margin = max(0.5, 0.02 * (last - first))
    axes.set_xlim(first - margin, last + margin)
    axes.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch")
    if best_epoch is not None:
        label = f"best: epoch {best_epoch}"
        axes.axvline(best_epoch, color=ORANGE, linewidth=1, linestyle=":", label=label)
    tidy(axes)
    legend_above(axes)


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

    Points below the diagonal are overconfident. Bars are 95 % intervals of Wilson over the
    windows of a bin, as if they were independent. The area of a point grows with the share of the
    windows that its bin holds; below is how many those are, on a logarithmic axis.

    Parameters
    ----------
    parts
        The bins of each part at temperature 1 and at the fitted one.
    path
        The PNG file to write.
    temperature
        The fitted one; where it is 1, there is one set of points.

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
        _title_reliability(above, f"{part} part, {counted(before.windows.sum(), 'window')}")
    save_figure(figure, path)


def _title_reliability(axes: "Axes", title: str) -> None:
    options = {**LEGEND, "title_fontsize": 11, "alignment": "left", "labelspacing": 0.25}
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), title=title, **options)


def _draw_reliability(axes: "Axes", curves: Sequence[_Curve]) -> None:
    axes.plot([0, 100], [0, 100], color=ORANGE, linewidth=1, linestyle=":", label="calibrated")
    for curve in curves:
        some = curve.bins.windows > 0
        x, y = 100 * curve.bins.confidence[some], 100 * curve.bins.accuracy[some]
        low, high = _wilson_ends(curve.bins.windows[some], curve.bins.accuracy[some])
        axes.vlines(x, low, high, color=curve.colour, linewidth=1, alpha=0.6, clip_on=False)
        axes.scatter(
            x,
            y,
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
    tidy(axes)
    axes.tick_params(labelbottom=False)


def _wilson_ends(
    windows: NDArray[np.int64], accuracy: NDArray[np.float64]
) -> tuple[list[float], list[float]]:
    right = np.rint(accuracy * windows).astype(int).tolist()
    ends = [
        wilson_interval(k, n) or (0.0, 1.0) for k, n in zip(right, windows.tolist(), strict=True)
    ]
    return [100 * low for low, _ in ends], [100 * high for _, high in ends]


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
    tidy(axes)


def noise_figure(
    rows: Sequence[Document], path: Path, *, clean: float, classes: int | None = None
) -> None:
    """Draw accuracy over the signal-to-noise ratio, with 95 % intervals.

    Parameters
    ----------
    rows
        For each ratio its `snr` in dB, and `accuracy` and `recording_accuracy`; and, if known,
        `accuracy_interval`, ``recording.accuracy_interval``; in any order.
    path
        The PNG file to write.
    clean
        The accuracy of the windows without noise.
    classes
        Number of classes; guessing has the accuracy 1 / `classes`.

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
    figure = blank_figure(6.4, 3.6)
    axes = figure.add_subplot()
    axes.axhline(100 * clean, color=ORANGE, linewidth=1, linestyle=":", label="windows, no noise")
    if classes:
        axes.axhline(
            100 / classes, color=PURPLE, linewidth=1, linestyle=dashes(1), label="guessing"
        )
    windows = [row.get("accuracy_interval") for row in rows]
    recordings = [(row.get("recording") or {}).get("accuracy_interval") for row in rows]
    _draw_noise(axes, rows, "accuracy", windows, ("windows", BLUE, "o", -1))
    _draw_noise(axes, rows, "recording_accuracy", recordings, ("recordings", GREY, "s", 1))
    axes.set_ylim(0, 102)
    axes.set_xlabel("signal-to-noise ratio, dB")
    axes.set_ylabel("accuracy, %")
    tidy(axes)
    legend_above(axes)
    save_figure(figure, path)


def _draw_noise(
    axes: "Axes",
    rows: Sequence[Document],
    key: str,
    intervals: Sequence[Sequence[float] | None],
    look: tuple[str, str, str, int],
) -> None:
    name, colour, marker, side = look
    levels = np.array([float(row["snr"]) for row in rows])
    heights = [100 * row[key] for row in rows]
    axes.plot(levels, heights, color=colour, marker=marker, markersize=4, label=name)
    # Intervals of windows and of recordings side by side, not on top of each other.
    shift = side * 0.008 * float(np.ptp(levels))
    for level, interval in zip(levels + shift, intervals, strict=True):
        if interval is not None:
            low, high = (100 * end for end in interval)
            axes.vlines(level, low, high, color=colour, linewidth=1.2)


def embedding_figure(
    parts: Mapping[str, "EmbeddedPart"], path: Path, *, title: str, axes_name: str
) -> None:
    """Draw windows in the plane of a projection, a panel for each part of the split.

    Parameters
    ----------
    parts
        By part.
    path
        The PNG file to write.
    title
        Heading.
    axes_name
        Name of the projection's axes, such as ``principal component``.

    Raises
    ------
    FaultdiagError
        If the file can't be written.
    """
    figure = blank_figure(4.4 * len(parts), 4.2)
    panels = figure.subplots(1, len(parts), squeeze=False, sharex=True, sharey=True)[0]
    classes = list(dict.fromkeys(c for part in parts.values() for c in part.classes))
    for axes, (name, part) in zip(panels, parts.items(), strict=True):
        _draw_embedding(axes, part, classes)
        axes.set_title(f"{name}, {counted(len(part.places), 'window')}", loc="left", fontsize=10)
        axes.set_xlabel(f"{axes_name} 1")
        tidy(axes)
    panels[0].set_ylabel(f"{axes_name} 2")
    figure.text(0.07, 1.0, title, fontsize=11, parse_math=False)
    panels[-1].legend(loc="upper left", bbox_to_anchor=(1.02, 1), **LEGEND)
    save_figure(figure, path)


def _draw_embedding(axes: "Axes", part: "EmbeddedPart", classes: Sequence[str]) -> None:
    from matplotlib import colormaps

    spread = colormaps["viridis"](np.linspace(0.0, 0.92, max(len(classes), 2)))
    labels, names = np.array(part.classes), np.array(part.recordings)
    for colour, label in zip(spread, classes, strict=False):
        own = labels == label
        axes.plot([], [], "o", color=colour, markersize=5, label=label)
        for i, recording in enumerate(dict.fromkeys(names[own].tolist())):
            some = own & (names == recording)
            marker = MARKERS[i % len(MARKERS)]
            x, y = part.places[some].T
            axes.plot(x, y, marker, color=colour, markersize=4, alpha=0.75, markeredgewidth=0)


def protocol_figure(rows: Sequence[Row], path: Path) -> None:
    """Draw accuracy by model as a PNG, a panel for each protocol.

    A dot is the mean, the line its 95 % interval as in the table, the dotted line what guessing
    among the classes of the test part gives.

    Parameters
    ----------
    rows
        Those of the table; the ones with noise are left out.

    Raises
    ------
    FaultdiagError
        If the file can't be written.
    """
    clean = [row for row in rows if row["snr"] is None]
    protocols = list(dict.fromkeys(row["protocol"] for row in clean))
    models = list(dict.fromkeys(row["model"] for row in clean))
    figure = blank_figure(1.2 + 3.4 * len(protocols), 1.1 + 0.34 * len(models))
    panels = figure.subplots(1, len(protocols), squeeze=False, gridspec_kw={"wspace": 0.14})[0]
    for axes, protocol in zip(panels, protocols, strict=True):
        _draw_dots(axes, [row for row in clean if row["protocol"] == protocol], models)
        axes.set_title(protocol, loc="left", fontsize=10, parse_math=False)
        labels = models if axes is panels[0] else [""] * len(models)
        axes.set_yticks(range(len(models)), labels, parse_math=False)
    save_figure(figure, path)


def _draw_dots(axes: "Axes", rows: Sequence[Row], models: Sequence[str]) -> None:
    for row in rows:
        place, mean = models.index(row["model"]), row["accuracy"]["mean"]
        if mean is None:
            axes.text(2, place, "failed", va="center", fontsize=8, color=GREY, style="italic")
            continue
        ends, _ = best_interval(row)
        if ends is not None:
            axes.plot([100 * end for end in ends], [place, place], color=BLUE, linewidth=1.6)
        axes.plot(100 * mean, place, "o", color=BLUE, markersize=6, clip_on=False, zorder=3)
    classes = {row["classes"] for row in rows if row["accuracy"]["mean"] is not None}
    if len(classes) == 1 and (count := classes.pop()):
        axes.axvline(100 / count, color=ORANGE, linestyle=":", linewidth=1.2)
        low = len(models) - 0.52
        axes.text(100 / count + 1, low, "guessing", va="bottom", fontsize=7, color=ORANGE)
    axes.set_xlim(0, 101)
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.set_xlabel("accuracy in %")
    axes.grid(axis="x", color=LIGHT.grid, linewidth=0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def protocol_noise_figure(rows: Sequence[Row], path: Path) -> None:
    """Draw accuracy over the signal-to-noise ratio as a PNG, a line for each model.

    Of the rows of the table only those with noise are drawn; errors as for `protocol_figure`.
    """
    noisy = white_rows(rows)
    protocols = list(dict.fromkeys(row["protocol"] for row in noisy))
    figure = blank_figure(4.6 * len(protocols), 3.6)
    panels = figure.subplots(1, len(protocols), squeeze=False, sharey=True)[0]
    for axes, protocol in zip(panels, protocols, strict=True):
        _draw_lines(axes, [row for row in noisy if row["protocol"] == protocol])
        axes.set_title(protocol, loc="left", fontsize=10, parse_math=False)
    panels[0].set_ylabel("accuracy in %")
    legend = panels[-1].legend(frameon=False, loc="upper left", bbox_to_anchor=(1.02, 1))
    for text in legend.get_texts():
        text.set_parse_math(False)
    save_figure(figure, path)


def _draw_lines(axes: "Axes", rows: Sequence[Row]) -> None:
    for number, model in enumerate(dict.fromkeys(row["model"] for row in rows)):
        mine = sorted((row for row in rows if row["model"] == model), key=lambda row: row["snr"])
        levels = [row["snr"] for row in mine]
        means = [100 * row["accuracy"]["mean"] for row in mine]
        spread = [100 * (row["accuracy"]["sd"] or 0) for row in mine]
        turn, colour = divmod(number, len(COLOURS))
        axes.errorbar(
            levels,
            means,
            yerr=spread,
            color=COLOURS[colour],
            marker=MARKERS[number % len(MARKERS)],
            linestyle=dashes(turn),
            markersize=4,
            linewidth=1.4,
            capsize=2,
            label=model,
        )
    _draw_guessing(axes, rows)
    axes.set_ylim(0, 102)
    axes.set_xlabel("signal-to-noise ratio in dB")
    tidy(axes)


def _draw_guessing(axes: "Axes", rows: Sequence[Row]) -> None:
    """Draw the accuracy of guessing, if all rows have the same number of classes."""
    counts = {row["classes"] for row in rows}
    if len(counts) == 1 and (classes := counts.pop()):
        axes.axhline(100 / classes, color=ORANGE, linestyle=":", linewidth=1.2, label="guessing")
