"""Indicators of one machine over time, against its own healthy recordings.

A limit is ``mean + k sd`` over the windows of the healthy recordings. One recording above it may
be chance; an alarm is a stretch of recordings in a row.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faultdiag.arrays import Floats

SIGMAS = 3.0
PERSISTENCE = 3
# Without healthy recordings: the first tenth, or five.
ASSUMED_SHARE = 0.1
ASSUMED_FEWEST = 5

INDICATORS: Mapping[str, str] = {
    "rms": "RMS",
    "kurtosis": "kurtosis",
    "crest_factor": "crest factor",
    "prominence": "prominence of the fault line",
}
# A date, and a time of day where one follows: 20250401, 2003.10.22.12.06.24, 2025-04-01T12:30:00.
_STAMP = re.compile(
    r"(?<!\d)(\d{4})[-._]?(\d\d)[-._]?(\d\d)"
    r"(?:[-._T ]?(\d\d)[-._:]?(\d\d)(?:[-._:]?(\d\d))?)?(?!\d)"
)


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """Indicators of one recording.

    Parameters
    ----------
    path
        The file.
    time
        Time of the recording, or None if unknown.
    values
        By the names of `INDICATORS`, the medians over its windows; NaN where one can't be
        measured.
    windows
        The indicators of each window, ``(windows,)``.
    """

    path: str
    time: datetime | None
    values: Mapping[str, float]
    windows: Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class Baseline:
    """An indicator over the windows of the healthy recordings, and how many there are.

    ``limit`` is ``mean + sigmas * sd``.
    """

    mean: float
    sd: float
    limit: float
    windows: int
    recordings: int


@dataclass(frozen=True, slots=True)
class Alarm:
    """Where an indicator is above its limit.

    ``first`` is the index of the first such recording, ``persistent`` that of the first of
    `PERSISTENCE` such recordings in a row, with ``length`` of them in a row; both are None if there
    is none. ``above`` is the share of all recordings.
    """

    first: int | None
    persistent: int | None
    length: int
    above: float


@dataclass(frozen=True, slots=True)
class IndicatorTrend:
    """One indicator over the recordings, in their order.

    ``values`` are ``(recordings,)``; the baseline is None where it can't be computed.
    """

    name: str
    values: Floats
    baseline: Baseline | None
    alarm: Alarm | None


@dataclass(frozen=True, slots=True)
class Trend:
    """All indicators of one machine over time.

    Parameters
    ----------
    recordings
        In order.
    ordered_by
        ``time``, or ``name`` where not every recording has a time.
    indicators
        By name.
    healthy
        Recordings that the baseline was computed from.
    assumed
        Whether the first recordings are assumed to be healthy because none were named.
    sigmas, persistence
        Standard deviations above the mean, and consecutive recordings, that make an alarm.
    """

    recordings: tuple[TrendPoint, ...]
    ordered_by: str
    indicators: Mapping[str, IndicatorTrend]
    healthy: tuple[str, ...]
    assumed: bool
    sigmas: float
    persistence: int


def time_in_name(path: Path) -> datetime | None:
    """Read a time from the name of a file, or None.

    Examples
    --------
    >>> time_in_name(Path("2003.10.22.12.06.24")).isoformat()
    '2003-10-22T12:06:24'
    >>> time_in_name(Path("pump3_20250401.csv")).isoformat()
    '2025-04-01T00:00:00'
    >>> time_in_name(Path("acc_00001.csv")) is None
    True
    """
    match = _STAMP.search(path.name)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(text) for text in match.groups(default="0"))
    try:
        return datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None


def natural_key(path: str) -> list[tuple[int, int, str]]:
    """Return a sort key by which ``2.csv`` comes before ``10.csv``."""
    parts = re.split(r"(\d+)", path)
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p.casefold()) for p in parts if p]


def order(recordings: Sequence[TrendPoint]) -> tuple[list[TrendPoint], str]:
    """Sort recordings by time where all have one, else by name; say which."""
    if all(r.time is not None for r in recordings):
        return sorted(
            recordings, key=lambda r: (r.time or datetime.min, natural_key(r.path))
        ), "time"
    return sorted(recordings, key=lambda r: natural_key(r.path)), "name"


def build_trend(
    recordings: Sequence[TrendPoint],
    healthy: Sequence[TrendPoint] = (),
    *,
    sigmas: float = SIGMAS,
    persistence: int = PERSISTENCE,
) -> Trend:
    """Compare recordings with the healthy ones, indicator by indicator.

    Parameters
    ----------
    recordings
        Of one machine and sensor, in any order.
    healthy
        What the baseline is of; the first tenth of the recordings, at least five, where there are
        none.
    sigmas
        Standard deviations above the mean that make the limit.
    persistence
        Recordings in a row that make an alarm.
    """
    ordered, by = order(recordings)
    assumed = not healthy
    count = max(round(ASSUMED_SHARE * len(ordered)), min(ASSUMED_FEWEST, len(ordered)))
    reference = list(healthy) or ordered[:count]
    indicators = {
        name: _indicator(name, ordered, reference, sigmas, persistence) for name in INDICATORS
    }
    names = tuple(r.path for r in reference)
    return Trend(tuple(ordered), by, indicators, names, assumed, sigmas, persistence)


def _indicator(
    name: str,
    ordered: Sequence[TrendPoint],
    reference: Sequence[TrendPoint],
    sigmas: float,
    persistence: int,
) -> IndicatorTrend:
    values = np.array([r.values.get(name, np.nan) for r in ordered])
    baseline = _baseline([r.windows.get(name, np.empty(0)) for r in reference], sigmas)
    alarm = None if baseline is None else _alarm(values > baseline.limit, persistence)
    return IndicatorTrend(name, values, baseline, alarm)


def _baseline(windows: Sequence[Floats], sigmas: float) -> Baseline | None:
    usable = [w[np.isfinite(w)] for w in windows]
    joined = np.concatenate(usable) if usable else np.empty(0)
    if joined.size < 2:
        return None
    mean, sd = float(joined.mean()), float(joined.std(ddof=1))
    recordings = sum(bool(w.size) for w in usable)
    return Baseline(mean, sd, mean + sigmas * sd, joined.size, recordings)


def _alarm(above: NDArray[np.bool_], persistence: int) -> Alarm:
    first = int(above.argmax()) if above.any() else None
    for start, stop in _runs(above):
        if stop - start >= persistence:
            return Alarm(first, start, stop - start, float(above.mean()))
    return Alarm(first, None, 0, float(above.mean()))


def _runs(above: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return start and stop of each run of recordings above the limit."""
    steps = np.diff(np.concatenate([[0], above.astype(np.int8), [0]]))
    starts, stops = np.flatnonzero(steps > 0).tolist(), np.flatnonzero(steps < 0).tolist()
    return list(zip(starts, stops, strict=True))
