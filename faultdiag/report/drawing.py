"""Draw pictures as PNG: the parts that all of them share, and charts.

matplotlib takes half a second to import, so it is imported where a figure is drawn. Figures are
made without pyplot: there is no global state, and none is left open.
"""

import io
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from faultdiag.documents import Json
from faultdiag.errors import FaultdiagError, printable_lines
from faultdiag.report.charts import DASHES, LIGHT, Chart, Curve
from faultdiag.system.files import replacing
from faultdiag.system.processes import without_collection

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Curves are drawn in the ink first, then in the colours of the style sheet.
COLOURS = (LIGHT.ink, *LIGHT.series)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
CHART_WIDTH, CHART_HEIGHT = 9.0, 2.9  # inches
# Around the ink of a picture, and of the canvas around a figure, for labels outside of it. Inches
PADDING, MARGIN = 0.12, 2.0
_WHITE = np.uint32(0xFFFFFFFF)
_POWER = re.compile(r"\$\\mathdefault\{[-−0-9.^{}]*\}\$")
LEGEND: Json = {"frameon": False, "fontsize": 9, "borderaxespad": 0.3}


def blank_figure(width: float, height: float) -> "Figure":
    """Return an empty figure of this size in inches."""
    with without_collection():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def require_png(path: Path) -> None:
    """Refuse the name of a picture that can't be written as a PNG.

    Raises
    ------
    FaultdiagError
        If it ends in anything but ``.png``, is a folder, or is in a folder that does not exist.
    """
    if path.suffix.lower() != ".png":
        raise FaultdiagError(f"--plot is {path}; a PNG is drawn, so give a name that ends in .png")
    if path.is_dir():
        raise FaultdiagError(f"--plot {path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise FaultdiagError(
            f"--plot {path}: the folder {path.parent} does not exist; make it, or name another"
        )


def save_figure(figure: "Figure", path: Path, *, dpi: int = 150) -> None:
    """Write a figure as a PNG, whole or not at all.

    Raises
    ------
    FaultdiagError
        If the file can't be written.
    """
    from matplotlib.image import imsave

    show_names_plainly(figure)
    with replacing(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        pixels = _cropped(figure, dpi)
        if pixels is None:
            tight: Json = {"bbox_inches": "tight", "pad_inches": PADDING}
            figure.savefig(temporary, format="png", dpi=dpi, **tight)
        else:
            imsave(temporary, pixels, format="png")


def _cropped(figure: "Figure", dpi: int) -> NDArray[np.uint8] | None:
    """Draw a figure on a larger canvas and cut off its empty border.

    matplotlib's own ``bbox_inches="tight"`` draws twice and measures every artist in between, which
    takes longer than everything else about a picture.

    Returns
    -------
    NDArray[np.uint8] | None
        ``(height, width, 4)``, red to alpha; None where the canvas is too small.
    """
    from matplotlib.transforms import Bbox

    # Whole pixels, and a little more, because the number of pixels is rounded down.
    width, height = (round((size + 2 * MARGIN) * dpi) for size in figure.get_size_inches())
    box = Bbox.from_bounds(-MARGIN, -MARGIN, (width + 0.01) / dpi, (height + 0.01) / dpi)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="rgba", dpi=dpi, bbox_inches=box)
    pixels = np.frombuffer(drawn.getbuffer(), dtype=np.uint8).reshape(height, width, 4)
    inked = pixels.view(np.uint32)[:, :, 0] != _WHITE
    pad = round(PADDING * dpi)
    rows, columns = (_around(inked.any(axis=axis), pad) for axis in (1, 0))
    if rows is None or columns is None:
        return None
    return np.ascontiguousarray(pixels[rows, columns])


def _around(inked: NDArray[np.bool_], pad: int) -> slice | None:
    """Return the range of the true values with `pad` more on each side; None if it leaves it."""
    places = np.flatnonzero(inked)
    first, end = int(places[0]) - pad, int(places[-1]) + 1 + pad
    return None if first < 0 or end > len(inked) else slice(first, end)


def show_names_plainly(figure: "Figure") -> None:
    r"""Draw all texts as they are: a name with two ``$`` is no formula, and escapes are shown.

    matplotlib's own labels of logarithmic axes, such as ``$\mathdefault{10^{2}}$``, stay formulas.
    """
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        words = text.get_text()
        # Labels of ticks are empty until they are drawn; those with names are plain from the start.
        if words and not _POWER.fullmatch(words):
            text.set_parse_math(False)
            text.set_text(printable_lines(words))


def tidy(axes: "Axes") -> None:
    """Return axes the grid and the frame of all pictures."""
    axes.grid(color=LIGHT.grid, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)


def legend_above(axes: "Axes", columns: int = 4) -> None:
    """Put the legend above the axes, where no curve can run through it."""
    legend = axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, handlelength=2.2, **LEGEND
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def draw_charts(charts: Sequence[Chart], path: Path, *, title: str = "") -> None:
    """Draw charts below each other as a PNG.

    Parameters
    ----------
    charts
        At least one.
    path
        The PNG file to write.
    title
        Above all of them.

    Raises
    ------
    FaultdiagError
        If the file can't be written.
    """
    figure = blank_figure(CHART_WIDTH, CHART_HEIGHT * len(charts))
    panels = figure.subplots(len(charts), 1, squeeze=False, gridspec_kw={"hspace": 0.75})[:, 0]
    for axes, chart in zip(panels, charts, strict=True):
        _draw_chart(axes, chart)
    if title:
        top = panels[0].get_position().y1 + 0.55 / (CHART_HEIGHT * len(charts))
        figure.text(0.06, top, title, fontsize=12, va="bottom", parse_math=False)
    save_figure(figure, path, dpi=130)


def _draw_chart(axes: "Axes", chart: Chart) -> None:
    for curve in chart.curves:
        _draw_curve(axes, curve)
    for mark in chart.marks:
        _draw_mark(axes, mark.x, mark.label, mark.style)
    for level in chart.levels:
        axes.axhline(level.y, color=LIGHT.ink, linewidth=1, linestyle=(0, (5, 4)))
        place = axes.get_yaxis_transform()
        # Beside the axes, where no curve runs through it.
        axes.text(1.008, level.y, level.label, transform=place, ha="left", va="center", fontsize=8)
    if chart.band is not None:
        axes.axvspan(*chart.band, color=LIGHT.muted, alpha=0.16, linewidth=0)
    _set_axes(axes, chart)
    if len([curve for curve in chart.curves if curve.label]) > 1:
        legend_above(axes)


def _set_axes(axes: "Axes", chart: Chart) -> None:
    axes.set_xlabel(chart.x_label)
    axes.set_ylabel(chart.y_label, fontsize=9)
    if chart.log:
        axes.set_yscale("log")
    if chart.x_range is not None:
        axes.set_xlim(*chart.x_range)
    else:
        axes.margins(x=0.01)
    if chart.y_range is not None:
        axes.set_ylim(*chart.y_range)
    if chart.x_ticks:
        axes.set_xticks([x for x, _ in chart.x_ticks], [label for _, label in chart.x_ticks])
    several = len({mark.style for mark in chart.marks}) + any(c.label for c in chart.curves)
    axes.set_title(chart.title, loc="left", fontsize=10, pad=8 + 11 * several, parse_math=False)
    tidy(axes)


def _draw_curve(axes: "Axes", curve: Curve) -> None:
    colour = COLOURS[curve.style % len(COLOURS)]
    dash = dashes(curve.style)
    if curve.kind == "area":
        low = curve.low if curve.low is not None else 0.0
        axes.fill_between(curve.x, low, curve.y, color=colour, linewidth=0.3, label=curve.label)
    elif curve.kind == "bars":
        widths = np.diff(curve.x)
        axes.bar(
            curve.x[:-1], curve.y, 0.94 * widths, color=colour, align="edge", label=curve.label
        )
    elif curve.kind == "points":
        _draw_points(axes, curve, colour)
    else:
        axes.plot(curve.x, curve.y, color=colour, linestyle=dash, linewidth=1.1, label=curve.label)


def _draw_points(axes: "Axes", curve: Curve, colour: str) -> None:
    if curve.low is not None and curve.high is not None:
        axes.vlines(curve.x, curve.low, curve.high, color=colour, linewidth=1.1)
    marker = MARKERS[curve.style % len(MARKERS)]
    axes.plot(curve.x, curve.y, marker, color=colour, markersize=4, label=curve.label)


def _draw_mark(axes: "Axes", x: float, label: str, style: int) -> None:
    colour = LIGHT.series[style % len(LIGHT.series)]
    axes.axvline(x, color=colour, linewidth=1, linestyle=dashes(style), zorder=1)
    axes.text(
        x,
        1.02 + 0.07 * style,
        label,
        transform=axes.get_xaxis_transform(),
        color=colour,
        fontsize=8,
        ha="center",
        va="bottom",
        parse_math=False,
    )


def dashes(style: int) -> Any:
    """Return the dashes of a style for matplotlib."""
    numbers = [float(part) for part in DASHES[style % len(DASHES)].split()]
    return (0, tuple(numbers)) if numbers else "-"
