"""Over time: the trend of a machine's indicators, and the diagnoses of recordings."""

import itertools
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from faultdiag.arrays import Floats
from faultdiag.errors import counted
from faultdiag.evidence.physics import THRESHOLD
from faultdiag.evidence.trend import INDICATORS, IndicatorTrend, Trend, time_in_name
from faultdiag.report.charts import Chart, Curve, Level, Mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultdiag.report.pages.prediction import RecordingResult

MOST_NAMES = 3


def trend_text(trend: Trend) -> str:
    """Return the trend of each indicator, its limit and its alarms as a block of text."""
    count = len(trend.recordings)
    lines = [
        f"{counted(count, 'recording')} in the order of their {trend.ordered_by}{_timed(trend)}",
        baseline_words(trend),
    ]
    for name, label in INDICATORS.items():
        lines += ["", *_indicator_lines(trend, trend.indicators[name], label)]
    return "\n".join(lines) + "\n"


def _timed(trend: Trend) -> str:
    """Return why names decide where some recordings have a time."""
    known = sum(recording.time is not None for recording in trend.recordings)
    if trend.ordered_by == "time" or not known:
        return ""
    return f": only {known} of them {'has' if known == 1 else 'have'} a time"


def baseline_words(trend: Trend) -> str:
    """Return the text on the baseline's recordings."""
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
        f"{counted(baseline.windows, 'window')})"
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
        marks.append(Mark(float(alarm.persistent + 1), "alarm", 1))
    return Chart(
        label,
        baseline_words(trend),
        f"recording, in the order of their {trend.ordered_by}",
        label,
        [Curve(numbers, indicator.values, kind="line")],
        marks=marks,
        levels=levels,
    )


# Below that a line through the recordings says nothing.
FEWEST = 3
# Points of a chart have four shapes: three classes, and all others together.
MOST_LABELS = 3
OTHER = "other"


def charts_over_time(results: "Sequence[RecordingResult]") -> list[Chart]:
    """Return charts of the recordings whose time is known, in its order.

    A manifest, the file or its name states it.

    There are none unless `FEWEST` of them were diagnosed, at different times.
    """
    timed = [(time, result) for result in results if (time := _time(result)) is not None]
    if len({time for time, _ in timed}) < FEWEST:
        return []
    timed.sort(key=lambda pair: pair[0])
    ordered = [result for _, result in timed]
    first, last = timed[0][0], timed[-1][0]
    axis = f"recording, in the order of time: {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}"
    values = {
        "score of the bearing's lines": [_score(result) for result in ordered],
        "RMS": [_rms(result) for result in ordered],
    }
    return [
        _diagnoses(ordered, axis),
        *(
            _time_chart(name, np.array(y), axis)
            for name, y in values.items()
            if not np.isnan(y).all()
        ),
    ]


def _time(result: "RecordingResult") -> datetime | None:
    return None if result.confidence is None else result.time or time_in_name(Path(result.path))


def _score(result: "RecordingResult") -> float:
    summary = result.envelope_summary
    return np.nan if summary is None or summary.score is None else summary.score


def _rms(result: "RecordingResult") -> float:
    return result.evidence.statistics.rms if result.evidence else np.nan


def _diagnoses(ordered: "Sequence[RecordingResult]", axis: str) -> Chart:
    counts = Counter(str(result.label) for result in ordered)
    named = [label for label, _ in counts.most_common(MOST_LABELS)]
    labels = [str(r.label) if r.label in named else OTHER for r in ordered]
    numbers = np.arange(1, len(ordered) + 1, dtype=np.float64)
    confidence = np.array([result.confidence for result in ordered], np.float64)
    curves = []
    for style, label in enumerate(dict.fromkeys([*named, *labels])):
        own = np.array([other == label for other in labels])
        curves.append(Curve(numbers[own], confidence[own], label, "points", style))
    changes = sum(a != b for a, b in itertools.pairwise(labels))
    words = f"The diagnosis of {len(ordered)} recordings; changes: {changes}."
    return Chart(
        "Diagnosis over time",
        words,
        axis,
        "confidence",
        curves,
        x_range=_whole(len(ordered)),
        y_range=(0.0, 1.05),
    )


def _time_chart(name: str, values: Floats, axis: str) -> Chart:
    known = values[np.isfinite(values)]
    words = f"{known[0]:.3g} at first, {known[-1]:.3g} at last, {known.max():.3g} at most."
    levels = [] if name == "RMS" else [Level(THRESHOLD, "signature of a fault")]
    numbers = np.arange(1, values.size + 1, dtype=np.float64)
    title = f"{name[0].upper()}{name[1:]} over time"
    return Chart(
        title,
        words,
        axis,
        name,
        [Curve(numbers, values)],
        levels=levels,
        x_range=_whole(values.size),
    )


def _whole(count: int) -> tuple[float, float]:
    """Return the range in which no point is cut by the frame."""
    return 0.5, count + 0.5
