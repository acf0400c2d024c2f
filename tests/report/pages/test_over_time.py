"""Recordings in the order of their time: diagnosis, evidence and level."""

from dataclasses import replace

import numpy as np

from faultdiag.evidence.physics import THRESHOLD
from faultdiag.report.pages.prediction import RecordingResult
from faultdiag.report.trend import charts_over_time
from tests.report.pages.samples import over_time, result


def test_recordings_with_a_time_are_in_its_order() -> None:
    diagnosis, score, rms = charts_over_time(over_time())
    assert diagnosis.description == "The diagnosis of 7 recordings; changes: 1."
    assert diagnosis.x_label.endswith("order of time: 2025-03-01 00:00 to 2025-03-14 00:00")
    points = {curve.label: (curve.x.tolist(), curve.y.tolist()) for curve in diagnosis.curves}
    assert list(points) == ["N", "IR"]
    assert points["N"][0] == [1, 2, 3, 4]
    assert points["IR"][0] == [5, 6, 7]
    np.testing.assert_allclose(points["N"][1], [0.72, 0.74, 0.76, 0.86])
    evidence = [entry.evidence for entry in sorted(over_time()[:7], key=lambda r: r.path)]
    assert [level.label for level in score.levels] == ["signature of a fault"]
    scores = [entry.physics.score for entry in evidence if entry and entry.physics]
    np.testing.assert_allclose(score.curves[0].y, scores)
    assert score.levels[0].y == THRESHOLD
    np.testing.assert_allclose(rms.curves[0].y, [e.statistics.rms for e in evidence if e])


def test_without_evidence_there_is_the_diagnosis_alone() -> None:
    charts = charts_over_time([replace(entry, evidence=None) for entry in over_time()])
    assert [chart.title for chart in charts] == ["Diagnosis over time"]


def test_too_few_times_make_no_chart() -> None:
    failed = RecordingResult("2025-01-03.mat", error="it is empty")
    assert charts_over_time([result("2025-01-01.mat"), result("2025-01-02.mat"), failed]) == []
    assert charts_over_time([result("2025-01-01.mat")] * 9) == []
    assert charts_over_time([result(f"{number}.mat") for number in range(9)]) == []


def test_rare_classes_share_a_shape() -> None:
    labels = [*"AAABBBCCDE"]
    results = [result(f"2025-01-{day + 1:02d}.mat", label) for day, label in enumerate(labels)]
    chart = charts_over_time(results)[0]
    assert {curve.label: curve.x.size for curve in chart.curves} == {
        "A": 3,
        "B": 3,
        "C": 2,
        "other": 2,
    }
