"""Charts as data: curves, marked places and levels over one axis; and the one style sheet.

A chart is described once and drawn twice: as SVG for pages (`faultdiag.report.pages.svg`), which
takes its colours from the style sheet of the page, and as PNG (`faultdiag.report.drawing`).

The four colours of fault lines and of series are distinct with any of the common colour vision
deficiencies (by simulation, at least 30 units of CIE L*a*b* from each other), and have a contrast
of 4.5 to 1 or more against the paper, so that text may have them too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from faultdiag.arrays import Floats

FAULT_STYLES = {"BPFO": 0, "BPFI": 1, "BSF": 2, "FTF": 3}
FAULT_NAMES = {
    "BPFO": "outer race",
    "BPFI": "inner race",
    "BSF": "ball",
    "FTF": "cage",
}
# Of lines, by style: SVG's stroke-dasharray in units of the drawing.
DASHES = ("", "7 3", "2 3", "9 3 2 3")
Kind: TypeAlias = Literal["line", "area", "bars", "points"]

MOST_COLUMNS = 600


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of a page in light or in dark.

    Parameters
    ----------
    paper, panel
        Behind text, and behind tables' heads and figures.
    ink, muted
        Of text, and of what is less important.
    rule, grid
        Lines around tables, and inside charts.
    link
        Of links and of the focus.
    series
        Of curves and fault lines, by style.
    alarm, caution, good
        Colours of the states of a recording; always beside a word.
    """

    paper: str
    panel: str
    ink: str
    muted: str
    rule: str
    grid: str
    link: str
    series: tuple[str, str, str, str]
    alarm: str
    caution: str
    good: str


LIGHT = Palette(
    paper="#ffffff",
    panel="#f3f5f7",
    ink="#16202a",
    muted="#4d5a66",
    rule="#c3ccd4",
    grid="#e1e6ea",
    link="#0b4fb3",
    series=("#024ff5", "#bf5017", "#103b29", "#9c3897"),
    alarm="#a3161b",
    caution="#7a4a00",
    good="#13603c",
)
DARK = Palette(
    paper="#15191e",
    panel="#1e242b",
    ink="#e8edf2",
    muted="#a9b6c2",
    rule="#46525e",
    grid="#2c343c",
    link="#8ab8ff",
    series=("#5884fa", "#f94a07", "#43fbb6", "#ce63a4"),
    alarm="#ff8a8a",
    caution="#f0b95a",
    good="#6fd6a0",
)


@dataclass(frozen=True, eq=False)
class Curve:
    """Values over places.

    Parameters
    ----------
    x, y
        ``(points,)``; for bars `x` are the edges, one more than `y`. NaN leaves a gap.
    label
        For the legend.
    kind
        ``area`` lies between `low` and `y`.
    style
        Which of the colours and dashes of the style sheet: 0 is the main curve.
    low
        Lower edge of an area, or of error bars of points and lines; `high` their upper edge.
    """

    x: Floats
    y: Floats
    label: str = ""
    kind: Kind = "line"
    style: int = 0
    low: Floats | None = None
    high: Floats | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line at a place, with a name; marks of one family have one style."""

    x: float
    label: str
    style: int = 0


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line at a height, with a name."""

    y: float
    label: str


@dataclass(frozen=True, eq=False)
class Chart:
    """A chart of curves over one axis.

    Parameters
    ----------
    title
        The subject of the chart.
    description
        Text for readers who can't see it.
    x_label, y_label
        Labels of the axes, with units.
    curves, marks, levels
        The elements of the chart; `band` is a shaded range of places.
    x_range, y_range
        Limits of the axes; None for those of the curves.
    log
        Whether heights are on a logarithmic axis.
    """

    title: str
    description: str
    x_label: str
    y_label: str
    curves: Sequence[Curve]
    marks: Sequence[Mark] = ()
    levels: Sequence[Level] = ()
    band: tuple[float, float] | None = None
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    log: bool = False
    x_ticks: Sequence[tuple[float, str]] = ()


def thin(x: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    """Reduce a long curve to places, smallest and largest values of at most 600 columns.

    Examples
    --------
    >>> places, low, high = thin(np.arange(1200.0), np.arange(1200.0))
    >>> len(places), float(low[1]), float(high[1])
    (600, 2.0, 3.0)
    """
    width = max(-(-x.size // MOST_COLUMNS), 1)
    count = x.size // width
    columns = y[: count * width].reshape(count, width)
    return x[: count * width : width], columns.min(axis=1), columns.max(axis=1)


def waveform(x: Floats, y: Floats, label: str = "", style: int = 0) -> Curve:
    """Return a signal as a curve: an area from the smallest to the largest value per column."""
    if x.size <= MOST_COLUMNS:
        return Curve(x, y, label, "line", style)
    places, low, high = thin(x, y)
    return Curve(places, high, label, "area", style, low=low)


def peaks(x: Floats, y: Floats, label: str = "", style: int = 0) -> Curve:
    """Return a spectrum as a curve: the largest value of each column."""
    places, _, high = thin(x, y)
    return Curve(places, high, label, "line", style)


def nice_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Return round numbers from `low` to `high`.

    Examples
    --------
    >>> nice_ticks(0, 12)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0]
    >>> nice_ticks(0.93, 1.0, 5)
    [0.94, 0.96, 0.98, 1.0]
    """
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first = np.ceil(low / step - 1e-9)
    count = int(np.floor(high / step + 1e-9) - first) + 1
    return [round(float((first + i) * step), 12) for i in range(count)]
