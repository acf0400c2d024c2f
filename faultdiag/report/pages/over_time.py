"""Charts of a prediction in the order of time: diagnosis, evidence, level."""

import itertools
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faultdiag.evidence.physics import THRESHOLD
from faultdiag.evidence.trend import time_in_name
from faultdiag.report.charts import Chart, Curve, Level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultdiag.report.pages.prediction import RecordingResult

# Below that a line through the recordings says nothing.
FEWEST = 3
# Points of a chart have four shapes: three classes, and all others together.
MOST_LABELS = 3
OTHER = "other"

Floats = NDArray[np.float64]


def charts_over_time(results: "Sequence[RecordingResult]") -> list[Chart]:
    """Return charts of the recordings whose names state a time, in its order.

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
        *(_chart(name, np.array(y), axis) for name, y in values.items() if not np.isnan(y).all()),
    ]


def _time(result: "RecordingResult") -> datetime | None:
    return None if result.confidence is None else time_in_name(Path(result.path))


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


def _chart(name: str, values: Floats, axis: str) -> Chart:
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
