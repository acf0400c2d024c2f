"""Draw charts as SVG for pages.

The drawing has classes instead of colours: the style sheet of the page gives it those of light,
dark or print.
"""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from faultdiag.arrays import Floats
from faultdiag.report.charts import Chart, Curve, Mark, nice_ticks

# Units of the drawing; pages scale it.
WIDTH, HEIGHT = 720, 250
LEFT, RIGHT, TOP, BOTTOM = 62, 24, 14, 46
LABEL_HEIGHT = 15
# Of a letter of the legend, on average; capitals are wider.
LETTER_WIDTH = 7.8


def draw_svg(chart: Chart, identity: str) -> Markup:
    """Draw a chart as an SVG element.

    Parameters
    ----------
    chart
        What to draw.
    identity
        Unique within the page; names the title and the description.
    """
    axes = _Axes(chart)
    parts = [
        Markup(
            '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-labelledby="{}-t {}-d">'
        ).format(WIDTH, axes.height, identity, identity),
        Markup('<title id="{}-t">{}</title>').format(identity, chart.title),
        Markup('<desc id="{}-d">{}</desc>').format(identity, chart.description),
        *_grid(axes),
        *_band(axes),
        *_marks(axes),
        *(piece for curve in chart.curves for piece in _curve(axes, curve)),
        *_levels(axes),
        *_mark_labels(axes),
        *_axis_labels(axes),
        *_legend(axes),
        Markup("</svg>"),
    ]
    return Markup("").join(parts)


class _Axes:
    """Mapping of places and heights to the drawing."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self.rows = sorted({mark.style for mark in chart.marks})
        self.legend = _legend_rows(chart.curves)
        self.top = TOP + LABEL_HEIGHT * (len(self.rows) + len(self.legend))
        self.bottom = self.top + HEIGHT - TOP - BOTTOM
        self.height = self.bottom + BOTTOM
        self.x_low, self.x_high = chart.x_range or _range([c.x for c in chart.curves])
        self.y_low, self.y_high = chart.y_range or self._heights()

    def _heights(self) -> tuple[float, float]:
        values = [v for c in self.chart.curves for v in (c.y, c.low, c.high) if v is not None]
        values += [np.array([level.y]) for level in self.chart.levels]
        if self.chart.log:
            values = [v[v > 0] for v in values]
        low, high = _range(values)
        if self.chart.log:
            return low / 1.5, high * 1.5
        room = 0.04 * (high - low)
        return (low if low == 0 else low - room), high + room

    def x(self, places: Floats | float) -> Floats:
        share = (np.asarray(places, dtype=np.float64) - self.x_low) / (self.x_high - self.x_low)
        return np.asarray(LEFT + share * (WIDTH - LEFT - RIGHT))

    def y(self, heights: Floats | float) -> Floats:
        values = np.asarray(heights, dtype=np.float64)
        low, high = self.y_low, self.y_high
        if self.chart.log:
            values = np.log10(np.maximum(values, low))
            low, high = np.log10(low), np.log10(high)
        share = np.clip((values - low) / (high - low), 0, 1)
        return np.asarray(self.bottom - share * (self.bottom - self.top))

    def y_ticks(self) -> list[float]:
        if not self.chart.log:
            return nice_ticks(self.y_low, self.y_high, 5)
        first = np.ceil(np.log10(self.y_low) - 1e-9)
        last = np.floor(np.log10(self.y_high) + 1e-9)
        step = max(int((last - first) // 5), 1)
        ticks = [10.0 ** float(k) for k in np.arange(first, last + 1, step)]
        return ticks or [self.y_low, self.y_high]

    def x_ticks(self) -> Sequence[tuple[float, str]]:
        if self.chart.x_ticks:
            return self.chart.x_ticks
        return [(tick, _number(tick)) for tick in nice_ticks(self.x_low, self.x_high)]


def _range(values: Sequence[Floats]) -> tuple[float, float]:
    joined = np.concatenate([np.ravel(v) for v in values]) if values else np.empty(0)
    usable = joined[np.isfinite(joined)]
    if not usable.size:
        return 0.0, 1.0
    low, high = float(usable.min()), float(usable.max())
    if high > low:
        return low, high
    return low - 0.5 * (abs(low) or 1), low + 0.5 * (abs(low) or 1)


def _number(value: float) -> str:
    if value and not 1e-3 <= abs(value) < 1e5:
        mantissa, _, exponent = f"{value:.0e}".partition("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{value:.6g}"


def _at(values: Floats) -> list[str]:
    return [f"{v:.1f}".removesuffix(".0") for v in np.ravel(values).tolist()]


def _grid(axes: _Axes) -> list[Markup]:
    pieces = []
    for tick, label in axes.x_ticks():
        (x,) = _at(axes.x(tick))
        line = '<path class="grid" d="M{} {}V{}"/><text class="tick" x="{}" y="{}">{}</text>'
        pieces.append(
            Markup(line).format(x, axes.top, axes.bottom, x, axes.bottom + LABEL_HEIGHT, label)
        )
    for tick in axes.y_ticks():
        (y,) = _at(axes.y(tick))
        line = '<path class="grid" d="M{} {}H{}"/><text class="tick y" x="{}" y="{}">{}</text>'
        pieces.append(Markup(line).format(LEFT, y, WIDTH - RIGHT, LEFT - 6, y, _number(tick)))
    frame = Markup('<path class="axis" d="M{} {}V{}H{}"/>')
    return [*pieces, frame.format(LEFT, axes.top, axes.bottom, WIDTH - RIGHT)]


def _band(axes: _Axes) -> list[Markup]:
    if axes.chart.band is None:
        return []
    first, last = np.clip(axes.chart.band, axes.x_low, axes.x_high)
    x, end = axes.x(first), axes.x(last)
    box = Markup('<rect class="band" x="{:.1f}" y="{}" width="{:.1f}" height="{}"/>')
    return [box.format(float(x), axes.top, float(end - x), axes.bottom - axes.top)]


def _curve(axes: _Axes, curve: Curve) -> list[Markup]:
    draw = {"line": _line, "area": _area, "bars": _bars, "points": _points}[curve.kind]
    return draw(axes, curve)


def _line(axes: _Axes, curve: Curve) -> list[Markup]:
    line = Markup('<path class="line s{}" d="{}"/>').format(curve.style, _path(axes, curve))
    return [*_stems(axes, curve), line]


def _stems(axes: _Axes, curve: Curve) -> list[Markup]:
    """Draw the error bars of points or of a line, where it has any."""
    if curve.low is None or curve.high is None:
        return []
    ends = zip(_at(axes.x(curve.x)), _at(axes.y(curve.low)), _at(axes.y(curve.high)), strict=True)
    path = "".join(f"M{x} {low}V{high}" for x, low, high in ends if low != high)
    return [Markup('<path class="stem s{}" d="{}"/>').format(curve.style, path)]


def _path(axes: _Axes, curve: Curve) -> str:
    pieces, pen = [], "M"
    for x, y, known in zip(
        _at(axes.x(curve.x)), _at(axes.y(curve.y)), np.isfinite(curve.y).tolist(), strict=True
    ):
        if known:
            pieces.append(f"{pen}{x} {y}")
        pen = "L" if known else "M"
    return "".join(pieces)


def _area(axes: _Axes, curve: Curve) -> list[Markup]:
    low = curve.low if curve.low is not None else np.full_like(curve.y, axes.y_low)
    x = np.concatenate([curve.x, curve.x[::-1]])
    y = np.concatenate([curve.y, low[::-1]])
    points = "L".join(f"{a} {b}" for a, b in zip(_at(axes.x(x)), _at(axes.y(y)), strict=True))
    return [Markup('<path class="area s{}" d="M{}Z"/>').format(curve.style, points)]


def _bars(axes: _Axes, curve: Curve) -> list[Markup]:
    edges, tops = axes.x(curve.x), axes.y(curve.y)
    base = float(axes.y(max(axes.y_low, 0.0) if not axes.chart.log else axes.y_low))
    boxes = [
        f"M{x:.1f} {base:.1f}V{top:.1f}H{end:.1f}V{base:.1f}Z"
        for x, end, top in zip(edges[:-1] + 0.5, edges[1:] - 0.5, tops, strict=True)
    ]
    return [Markup('<path class="bars s{}" d="{}"/>').format(curve.style, "".join(boxes))]


def _points(axes: _Axes, curve: Curve) -> list[Markup]:
    xs, ys = axes.x(curve.x), axes.y(curve.y)
    dots = "".join(
        _dot(x, y, curve.style)
        for x, y in zip(xs.tolist(), ys.tolist(), strict=True)
        if np.isfinite(x) and np.isfinite(y)
    )
    return [
        *_stems(axes, curve),
        Markup('<path class="dots s{}" d="{}"/>').format(curve.style, dots),
    ]


def _dot(x: float, y: float, style: int) -> str:
    """A circle, square, triangle or diamond: shapes tell styles apart without colour."""
    r = 3.6
    if style % 4 == 0:
        return f"M{x - r:.1f} {y:.1f}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0Z"
    if style % 4 == 1:
        return f"M{x - r:.1f} {y - r:.1f}h{2 * r}v{2 * r}h{-2 * r}Z"
    if style % 4 == 2:
        return f"M{x:.1f} {y - r - 0.8:.1f}l{r + 0.8} {2 * r}h{-2 * r - 1.6}Z"
    return f"M{x:.1f} {y - r - 1:.1f}l{r + 1} {r + 1}l{-r - 1} {r + 1}l{-r - 1} {-r - 1}Z"


def _marks(axes: _Axes) -> list[Markup]:
    line = Markup('<path class="mark m{}" d="M{} {}V{}"/>')
    return [
        line.format(mark.style, _at(axes.x(mark.x))[0], axes.top, axes.bottom)
        for mark in _visible(axes)
    ]


def _mark_labels(axes: _Axes) -> list[Markup]:
    text = Markup('<text class="marked m{}" x="{}" y="{}">{}</text>')
    return [
        text.format(
            mark.style,
            _at(axes.x(mark.x))[0],
            axes.top - 4 - LABEL_HEIGHT * (len(axes.rows) - 1 - axes.rows.index(mark.style)),
            mark.label,
        )
        for mark in _visible(axes)
    ]


def _visible(axes: _Axes) -> list[Mark]:
    return [mark for mark in axes.chart.marks if axes.x_low <= mark.x <= axes.x_high]


def _levels(axes: _Axes) -> list[Markup]:
    pieces = []
    for level in axes.chart.levels:
        (y,) = _at(axes.y(level.y))
        line = '<path class="level" d="M{} {}H{}"/><text class="leveled" x="{}" y="{}">{}</text>'
        right = WIDTH - RIGHT
        pieces.append(Markup(line).format(LEFT, y, right, right - 4, float(y) - 4, level.label))
    return pieces


def _axis_labels(axes: _Axes) -> list[Markup]:
    middle, centre = (LEFT + WIDTH - RIGHT) / 2, (axes.top + axes.bottom) / 2
    below = Markup('<text class="label" x="{}" y="{}">{}</text>')
    beside = Markup('<text class="label" transform="translate(13 {}) rotate(-90)">{}</text>')
    return [
        below.format(middle, axes.height - 8, axes.chart.x_label),
        beside.format(centre, axes.chart.y_label),
    ]


def _legend_rows(curves: Sequence[Curve]) -> list[list[tuple[int, Curve]]]:
    """Place the named curves of a chart in rows, each with where it begins; none for one curve."""
    named = [curve for curve in curves if curve.label]
    if len(named) < 2:
        return []
    rows: list[list[tuple[int, Curve]]] = [[]]
    x = LEFT
    for curve in named:
        width = 44 + round(LETTER_WIDTH * len(curve.label))
        if rows[-1] and x + width > WIDTH:
            rows.append([])
            x = LEFT
        rows[-1].append((x, curve))
        x += width
    return rows


def _legend(axes: _Axes) -> list[Markup]:
    pieces = []
    entry = Markup('<path class="{} s{}" d="{}"/><text class="legend" x="{}" y="{}">{}</text>')
    for number, row in enumerate(axes.legend):
        y = TOP - 3 + LABEL_HEIGHT * number
        for x, curve in row:
            points = curve.kind == "points"
            sign = _dot(x + 9, y, curve.style) if points else f"M{x} {y}h18"
            kind = "dots" if points else "line"
            pieces.append(entry.format(kind, curve.style, sign, x + 23, y + 4, curve.label))
    return pieces
