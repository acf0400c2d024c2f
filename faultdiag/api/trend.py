"""The trend of the indicators of a machine over its recordings: no model is needed."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from faultdiag.datasets.facts import Facts, Statement, resolve_facts
from faultdiag.errors import FaultdiagError
from faultdiag.evidence.families import fault_families
from faultdiag.evidence.gather import MOST_SAMPLES
from faultdiag.evidence.peaks import measure_envelopes, too_short
from faultdiag.evidence.trend import (
    PERSISTENCE,
    SIGMAS,
    Trend,
    TrendPoint,
    build_trend,
    time_in_name,
)
from faultdiag.features.extract import WINDOW_STATISTICS, statistics_of_windows
from faultdiag.prediction.inputs import find
from faultdiag.prediction.reading import ReadRequest, find_bearing
from faultdiag.readers.base import Reader, channels_of
from faultdiag.readers.read import open_reader, reader_errors
from faultdiag.readers.source import RecordingSource
from faultdiag.report.drawing import draw_charts, require_png
from faultdiag.report.pages.render import to_json
from faultdiag.report.trend import trend_charts, trend_text
from faultdiag.signal.bearings import KnownBearing

FEWEST = 2


def trend(
    paths: Sequence[Path],
    healthy: Sequence[Path],
    request: ReadRequest,
    *,
    sigmas: float = SIGMAS,
    persistence: int = PERSISTENCE,
    pattern: str | None = None,
) -> tuple[Trend, list[str]]:
    """Compare the recordings of a machine with its own healthy ones.

    Parameters
    ----------
    paths
        Recordings, folders and manifests of one machine and sensor.
    healthy
        What the baseline is of; the first recordings where there are none.
    request
        What the user states about all recordings; its path is not used.
    sigmas, persistence
        As for `build_trend`.
    pattern
        Which files of folders.

    Returns
    -------
    The trend, and why recordings were left out.

    Raises
    ------
    FaultdiagError
        If fewer than two recordings can be measured, or no healthy one of those that were named.
    """
    if not (math.isfinite(sigmas) and sigmas > 0):
        raise FaultdiagError(f"--sigmas is {sigmas:g}; give a positive number")
    measured, problems = _measure(paths, request, pattern)
    if len(measured) < FEWEST:
        raise FaultdiagError(
            f"a trend needs {FEWEST} recordings or more and {len(measured)} can be measured"
            + "".join(f"\n  {problem}" for problem in problems)
        )
    reference, more = _measure(healthy, request, pattern) if healthy else ([], [])
    if healthy and not reference:
        raise FaultdiagError(
            "none of the recordings of --healthy can be measured:"
            + "".join(f"\n  {problem}" for problem in more)
        )
    built = build_trend(measured, reference, sigmas=sigmas, persistence=persistence)
    return built, [*problems, *more]


def _measure(
    paths: Sequence[Path], request: ReadRequest, pattern: str | None
) -> tuple[list[TrendPoint], list[str]]:
    requests = find(paths, request, pattern=pattern)
    measured, problems = [], []
    for recording in tqdm(requests, "measuring", unit="recording", disable=None):
        try:
            measured.append(measure_indicators(recording))
        except FaultdiagError as error:
            problems.append(" ".join(str(error).split()))
    return measured, problems


def trend_output(trend: Trend, *, as_json: bool) -> str:
    """Return a trend as text, or as JSON."""
    return to_json(trend) + "\n" if as_json else trend_text(trend)


def draw_trend(trend: Trend, png: Path) -> None:
    """Draw a trend as a PNG; errors as for `require_png` and `draw_charts`."""
    require_png(png)
    draw_charts(trend_charts(trend), png)


# Length of a window; a shorter recording is one window.
WINDOW_SECONDS = 1.0


def measure_indicators(request: ReadRequest) -> TrendPoint:
    """Read one channel of a recording and measure its indicators.

    The channel is the one that the request names, or the first. RMS, kurtosis and crest factor
    are those of windows of a second. The prominence is that of the strongest fault line: NaN
    where speed or bearing are not known or the recording is too short, 0 where there is none.

    Raises
    ------
    FaultdiagError
        If the file can't be read, nothing states its rate, or its channel is constant or not
        finite.
    """
    with reader_errors(request.path):
        reader = open_reader(request.path)
        source = _open(request, reader)
        facts = _facts(request, source, reader)
        bearing = find_bearing(request, reader, facts.rpm, facts.catalogue)
        x = source.read(0, min(source.samples, MOST_SAMPLES))[0]
    if facts.sampling_rate is None:
        raise FaultdiagError(
            f"{request.path}: nothing states the sampling rate; give it with --sampling-rate"
        )
    if not np.isfinite(x).all():
        raise FaultdiagError(f"{request.path}: its samples are not all finite; leave it out")
    if x.min() == x.max():
        raise FaultdiagError(
            f"{request.path}: channel {source.channels[0]} is constant ({x[0]:g}), as a column of "
            f"hours is; choose one of {', '.join(channels_of(reader.variables()))} with --channel"
        )
    windows = _windows(x, facts.sampling_rate)
    values = {name: windows[:, i] for i, name in enumerate(WINDOW_STATISTICS)}
    values["prominence"] = np.array([_prominence(x, facts, bearing)])
    medians = {name: _median(column) for name, column in values.items()}
    time = request.time or source.time or time_in_name(request.path)
    return TrendPoint(str(request.path), time, medians, values)


def _open(request: ReadRequest, reader: Reader) -> RecordingSource:
    own = channels_of(reader.variables())
    if request.channel is not None:
        return reader.source([request.channel])
    if not own:
        raise FaultdiagError(f"{request.path} holds no channel; name one with --channel")
    return reader.source(own[:1])


def _facts(request: ReadRequest, source: RecordingSource, reader: Reader) -> Facts:
    return resolve_facts(
        request.path,
        file=Statement(source.sampling_rate, source.rpm),
        user=Statement(request.sampling_rate, request.rpm, request.rate_place, request.rpm_place),
        variables=reader.variables,
        needs_catalogue=True,
        override=request.override_rate,
    )


def _windows(x: NDArray[np.float32], fs: float) -> NDArray[np.float64]:
    """Return the statistics of windows, ``(windows, 3)``."""
    length = min(round(WINDOW_SECONDS * fs), x.size)
    return statistics_of_windows(x[: x.size // length * length].reshape(-1, length))


def _median(values: NDArray[np.float64]) -> float:
    usable = values[np.isfinite(values)]
    return float(np.median(usable)) if usable.size else float("nan")


def _prominence(x: NDArray[np.float32], facts: Facts, bearing: KnownBearing | None) -> float:
    fs, rpm = facts.sampling_rate, facts.rpm
    if fs is None or rpm is None or bearing is None or too_short(x.size, fs, rpm):
        return float("nan")
    families = fault_families(measure_envelopes(x, fs, rpm=rpm, bearing=bearing), bearing)
    return families[0].strongest.prominence if families else 0.0
