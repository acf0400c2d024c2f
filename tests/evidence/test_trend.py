"""Trends: order, baselines against numpy, first crossings and persistence."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from faultdiag.evidence.trend import TrendPoint, build_trend, order, time_in_name


def recording(number: int, level: float, *, time: datetime | None = None) -> TrendPoint:
    windows = level + np.random.default_rng(number).normal(size=20)
    return TrendPoint(
        f"rig/{number}.csv", time, {"rms": float(np.median(windows))}, {"rms": windows}
    )


def test_names_are_ordered_as_numbers() -> None:
    shuffled = [recording(n, 0) for n in (10, 2, 1)]
    ordered, by = order(shuffled)
    assert [r.path for r in ordered] == ["rig/1.csv", "rig/2.csv", "rig/10.csv"]
    assert by == "name"


def test_times_come_before_names_where_all_have_one() -> None:
    late, early = datetime(2025, 1, 2), datetime(2025, 1, 1)
    ordered, by = order([recording(1, 0, time=late), recording(2, 0, time=early)])
    assert ([r.path for r in ordered], by) == (["rig/2.csv", "rig/1.csv"], "time")
    _, by = order([recording(1, 0, time=late), recording(2, 0)])
    assert by == "name"


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("2003.10.22.12.06.24", datetime(2003, 10, 22, 12, 6, 24)),
        ("2004-02-12 10:32:39.csv", datetime(2004, 2, 12, 10, 32, 39)),
        ("pump_20250401T0630.wav", datetime(2025, 4, 1, 6, 30)),
        ("20250401.mat", datetime(2025, 4, 1)),
        ("20251399.mat", None),
        ("105.mat", None),
        ("acc_00001.csv", None),
    ],
)
def test_times_in_names(name: str, time: datetime | None) -> None:
    assert time_in_name(Path(name)) == time


def test_the_baseline_is_mean_and_sd_over_windows() -> None:
    healthy = [recording(n, 5.0) for n in range(4)]
    trend = build_trend([recording(10 + n, 5.0) for n in range(3)], healthy, sigmas=2.5)
    baseline = trend.indicators["rms"].baseline
    joined = np.concatenate([r.windows["rms"] for r in healthy])
    assert baseline is not None
    assert baseline.mean == pytest.approx(joined.mean())
    assert baseline.limit == pytest.approx(joined.mean() + 2.5 * joined.std(ddof=1))
    assert (baseline.windows, baseline.recordings, trend.assumed) == (80, 4, False)
    assert trend.indicators["kurtosis"].baseline is None
    assert trend.indicators["kurtosis"].alarm is None


def test_one_recording_above_the_limit_is_no_persistent_alarm() -> None:
    levels = [0, 0, 0, 0, 0, 9, 0, 0, 9, 9, 9, 9, 9]
    trend = build_trend([recording(n, level) for n, level in enumerate(levels)])
    alarm = trend.indicators["rms"].alarm
    assert alarm is not None
    assert (alarm.first, alarm.persistent, alarm.length) == (5, 8, 5)
    assert alarm.above == pytest.approx(6 / 13)
    assert trend.assumed
    assert len(trend.healthy) == 5


def test_a_machine_that_stays_healthy_has_no_alarm() -> None:
    trend = build_trend([recording(n, 1.0) for n in range(40)])
    alarm = trend.indicators["rms"].alarm
    assert alarm is not None
    assert (alarm.first, alarm.persistent, alarm.above) == (None, None, 0.0)
