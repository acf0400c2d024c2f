"""A trend as text and as charts."""

from pathlib import Path

import numpy as np

from faultdiag.errors import counted
from faultdiag.evidence.trend import INDICATORS, IndicatorTrend, Trend
from faultdiag.report.charts import Chart, Curve, Level, Mark

MOST_NAMES = 3


def trend_text(trend: Trend) -> str:
    """Return the trend of each indicator, its limit and its alarms as a block of text."""
    count = len(trend.recordings)
    lines = [
        f"{counted(count, 'recording')} in the order of their {trend.ordered_by}",
        baseline_words(trend),
    ]
    for name, label in INDICATORS.items():
        lines += ["", *_indicator_lines(trend, trend.indicators[name], label)]
    return "\n".join(lines) + "\n"


def baseline_words(trend: Trend) -> str:
    """Return what the baseline is of."""
    count = len(trend.healthy)
    names = ", ".join(Path(path).name for path in trend.healthy[:MOST_NAMES])
    more = f" and {count - MOST_NAMES} more" if count > MOST_NAMES else ""
    recordings = counted(count, "recording")
    assumed = (
        "; the first ones are assumed to be healthy, name others with --healthy"
        if trend.assumed
        else ""
    )
    return (
        f"baseline: mean + {trend.sigmas:g} sd over the windows of {recordings} "
        f"({names}{more}){assumed}"
    )


def _indicator_lines(trend: Trend, indicator: IndicatorTrend, label: str) -> list[str]:
    if not np.isfinite(indicator.values).any():
        return [f"{label}: not measured; it needs the shaft speed (--rpm) and --bearing"]
    first, last = indicator.values[0], indicator.values[-1]
    lines = [f"{label}: {first:.4g} at first, {last:.4g} at last"]
    baseline, alarm = indicator.baseline, indicator.alarm
    if baseline is None or alarm is None:
        return [*lines, "  no limit: the baseline has fewer than two windows"]
    lines.append(
        f"  limit {baseline.limit:.4g} (mean {baseline.mean:.4g}, sd {baseline.sd:.3g}, "
        f"{baseline.windows} windows)"
    )
    if alarm.first is None:
        return [*lines, "  never above it"]
    lines.append(f"  first above it: {_place(trend, alarm.first)}")
    if alarm.persistent is None:
        return [*lines, f"  never {trend.persistence} recordings in a row"]
    place = _place(trend, alarm.persistent)
    return [
        *lines,
        f"  above it {trend.persistence} or more in a row from {place}, for {alarm.length} "
        f"recordings; {alarm.above:.0%} of all are above it",
    ]


def _place(trend: Trend, index: int) -> str:
    recording = trend.recordings[index]
    time = f", {recording.time:%Y-%m-%d %H:%M:%S}" if recording.time else ""
    return f"{Path(recording.path).name} (number {index + 1} of {len(trend.recordings)}{time})"


def trend_charts(trend: Trend) -> list[Chart]:
    """Return a chart for each indicator that was measured."""
    return [
        _chart(trend, trend.indicators[name], label)
        for name, label in INDICATORS.items()
        if np.isfinite(trend.indicators[name].values).any()
    ]


def _chart(trend: Trend, indicator: IndicatorTrend, label: str) -> Chart:
    numbers = np.arange(1, len(trend.recordings) + 1, dtype=np.float64)
    levels = []
    if indicator.baseline is not None:
        levels = [Level(indicator.baseline.limit, f"mean + {trend.sigmas:g} sd of healthy")]
    alarm = indicator.alarm
    marks = []
    if alarm is not None and alarm.persistent is not None:
        marks.append(Mark(float(alarm.persistent + 1), "persistent", 1))
    return Chart(
        label,
        baseline_words(trend),
        f"recording, in the order of their {trend.ordered_by}",
        label,
        [Curve(numbers, indicator.values, kind="line")],
        marks=marks,
        levels=levels,
    )
