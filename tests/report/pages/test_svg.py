"""Charts as SVG: places against the axes, gaps, logarithms, and long signals."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from faultdiag.report.charts import (
    MOST_COLUMNS,
    Chart,
    Curve,
    Level,
    Mark,
    nice_ticks,
    waveform,
)
from faultdiag.report.pages.svg import LEFT, RIGHT, WIDTH, draw_svg

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*curves: Curve, **options: object) -> ElementTree.Element:
    chart = Chart("a < b", "what & where", "x", "y", curves, **options)  # type: ignore[arg-type]
    text = str(draw_svg(chart, "c1")).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')
    return ElementTree.fromstring(text)


def points(svg: ElementTree.Element, kind: str) -> np.ndarray:
    path = next(e for e in svg.iter(f"{SVG}path") if e.get("class", "").startswith(kind))
    return np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", path.get("d", "")), dtype=float)


def test_a_line_goes_from_corner_to_corner() -> None:
    x = np.array([0.0, 1.0, 2.0])
    line = points(drawn(Curve(x, x), y_range=(0.0, 2.0)), "line")
    assert line[:, 0] == pytest.approx([LEFT, (LEFT + WIDTH - RIGHT) / 2, WIDTH - RIGHT])
    assert line[1, 1] == pytest.approx((line[0, 1] + line[2, 1]) / 2)
    assert line[0, 1] > line[2, 1]


def test_a_decade_is_as_high_as_the_next_on_a_logarithmic_axis() -> None:
    curve = Curve(np.arange(3.0), np.array([0.1, 1.0, 10.0]))
    heights = points(drawn(curve, log=True, y_range=(0.1, 10.0)), "line")[:, 1]
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2], abs=0.11)


def test_nan_leaves_a_gap() -> None:
    svg = drawn(Curve(np.arange(4.0), np.array([1.0, np.nan, 2.0, 3.0])))
    path = next(e for e in svg.iter(f"{SVG}path") if e.get("class") == "line s0")
    assert path.get("d", "").count("M") == 2


def test_a_long_signal_keeps_its_extremes() -> None:
    y = np.zeros(100_003)
    y[70_000], y[30_000] = 5.0, -4.0
    curve = waveform(np.arange(y.size) / 1000, y)
    assert curve.low is not None
    assert len(curve.x) <= MOST_COLUMNS
    assert (curve.y.max(), curve.low.min()) == (5.0, -4.0)


def test_titles_marks_and_levels_are_text() -> None:
    svg = drawn(
        Curve(np.arange(3.0), np.arange(3.0)),
        marks=[Mark(1.0, "<BPFO>", 0), Mark(99.0, "outside", 1)],
        levels=[Level(1.5, "limit & more")],
        band=(0.5, 1.0),
    )
    text = "".join(svg.itertext())
    assert "a < b" in text
    assert "<BPFO>" in text
    assert "limit & more" in text
    assert "outside" not in text
    assert svg.get("aria-labelledby") == "c1-t c1-d"


@pytest.mark.parametrize("y", [np.zeros(3), np.full(3, np.nan), np.array([1e-300, 1.0, 1e300])])
def test_odd_values_are_drawn_all_the_same(y: np.ndarray) -> None:
    for kind in ("line", "points"):
        svg = drawn(Curve(np.arange(3.0), y, kind=kind))  # type: ignore[arg-type]
        assert "nan" not in ElementTree.tostring(svg, encoding="unicode")


def test_several_named_curves_have_a_legend() -> None:
    x = np.arange(3.0)
    both = drawn(Curve(x, x, "train"), Curve(x, x, "valid", style=1))
    assert [e.text for e in both.iter(f"{SVG}text") if e.get("class") == "legend"] == [
        "train",
        "valid",
    ]
    alone = drawn(Curve(x, x, "train"))
    assert not [e for e in alone.iter(f"{SVG}text") if e.get("class") == "legend"]


@pytest.mark.parametrize("ends", [(0, 1), (0, 0.003), (-7, 12_345), (5, 5), (99.2, 99.3)])
def test_ticks_are_few_round_and_inside(ends: tuple[float, float]) -> None:
    ticks = nice_ticks(*ends)
    assert 1 <= len(ticks) <= 9
    assert all(ends[0] - 1e-9 <= tick <= ends[1] + 1e-9 for tick in ticks)
