"""The trend of a machine's indicators over its recordings."""

import math
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from faultdiag.errors import FaultdiagError
from faultdiag.evidence.trend import PERSISTENCE, SIGMAS, Measured, Trend, build_trend
from faultdiag.prediction.inputs import find
from faultdiag.prediction.reading import ReadRequest
from faultdiag.prediction.trending import measure_indicators
from faultdiag.report.drawing import draw_charts
from faultdiag.report.pages.render import to_json
from faultdiag.report.trend import trend_charts, trend_text

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
    found = build_trend(measured, reference, sigmas=sigmas, persistence=persistence)
    return found, [*problems, *more]


def _measure(
    paths: Sequence[Path], request: ReadRequest, pattern: str | None
) -> tuple[list[Measured], list[str]]:
    requests = find(paths, request, pattern=pattern)
    measured, problems = [], []
    for one in tqdm(requests, "measuring", unit="recording", disable=None):
        try:
            measured.append(measure_indicators(one))
        except FaultdiagError as error:
            problems.append(" ".join(str(error).split()))
    return measured, problems


def trend_output(found: Trend, *, as_json: bool) -> str:
    """Return a trend as text, or as JSON."""
    return to_json(found) + "\n" if as_json else trend_text(found)


def draw_trend(found: Trend, png: Path) -> None:
    """Draw a trend as a PNG.

    Raises
    ------
    FaultdiagError
        If the name isn't one of a PNG, or the file can't be written.
    """
    if png.suffix.lower() != ".png":
        raise FaultdiagError(f"--plot is {png}; a PNG is drawn, so give a name that ends in .png")
    draw_charts(trend_charts(found), png)
