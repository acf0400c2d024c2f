"""The pictures of a protocol."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from faultdiag.documents import Document
from faultdiag.report.charts import LIGHT
from faultdiag.report.drawing import COLOURS, MARKERS, blank_figure, dashes, save_figure, tidy
from faultdiag.report.figures import BLUE, GREY, ORANGE
from faultdiag.report.protocol import best_interval, white_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Row = Document


def table_figure(rows: Sequence[Row], path: Path) -> None:
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


def noise_figure(rows: Sequence[Row], path: Path) -> None:
    """Draw accuracy over the signal-to-noise ratio as a PNG, a line for each model.

    Of the rows of the table only those with noise are drawn; errors as for `table_figure`.
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
