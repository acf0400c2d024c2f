"""Bearings run to failure by the Center for Intelligent Maintenance Systems, Cincinnati (IMS)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from faultdiag.datasets.published import Facts, PublishedSet, RunToFailure, code_of, read_files

_NAME = re.compile(
    r"(?:(?:^|/)(1st|2nd|3rd|4th)[-_ ]test/(?:.*/)?|(?:^|/))(\d{4}\.\d\d\.\d\d\.\d\d\.\d\d\.\d\d)$"
)
_FORMAT = "%Y.%m.%d.%H.%M.%S"
# Test -> first and last documented snapshot, and the parts found broken, by bearing [1]_. The
# archive of the third test unpacks to a folder 4th_test.
_TESTS = {
    "1st": ("2003.10.22.12.06.24", "2003.11.25.23.39.56", {3: "inner", 4: "ball"}),
    "2nd": ("2004.02.12.10.32.39", "2004.02.19.06.22.39", {1: "outer"}),
    "3rd": ("2004.03.04.09.27.46", "2004.04.04.19.01.57", {3: "outer"}),
}


def _parse(path: str) -> Sequence[Facts]:
    match = _NAME.search(path.lower())
    if match is None:
        return []
    # The tests ran one after the other: without its folder the time tells which one it is.
    tests = [{"4th": "3rd"}.get(match[1], match[1])] if match[1] else list(_TESTS)
    lives = {test: _share(*_TESTS[test][:2], match[2]) for test in tests}
    test, life = next(((t, share) for t, share in lives.items() if share is not None), ("", None))
    if life is None:
        return []
    failures = _TESTS[test][2]
    return [
        {
            "name": f"{test}_test/{match[2]}/bearing{number}",
            "test": test,
            "specimen": f"{test}_test bearing {number}",
            "position": number,
            "life": life,
            "failure": failures.get(number),
            "failure_code": code_of(failures[number]) if number in failures else None,
            "load_lbs": 6000,
            "rpm": 2000,
            "sampling_rate": 20000,
            "bearing": "ZA-2115",
        }
        for number in (1, 2, 3, 4)
    ]


def _share(first: str, last: str, now: str) -> float | None:
    """Return how much of a test is over, from 0 to 1; None outside of it."""
    try:
        start, end, time = (datetime.strptime(text, _FORMAT) for text in (first, last, now))
    except ValueError:
        return None
    share = (time - start) / (end - start)
    return share if 0 <= share <= 1 else None


def _paths() -> Iterator[str]:
    for test, (first, last, _) in _TESTS.items():
        start, end = (datetime.strptime(text, _FORMAT) for text in (first, last))
        folder = "4th_test/txt" if test == "3rd" else f"{test}_test"
        for time in (start, start + timedelta(minutes=10), end):
            yield f"{folder}/{time.strftime(_FORMAT)}"


def _columns(facts: Facts) -> Mapping[str, int]:
    number = facts["position"] - 1
    return {"x": 2 * number, "y": 2 * number + 1} if facts["test"] == "1st" else {"x": number}


class Ims(RunToFailure):
    """IMS: three tests of four bearings on one shaft, run until some of them broke.

    ``2nd_test/2004.02.12.10.32.39`` is a snapshot of all four bearings: 20,480 samples at 20 kHz
    in four columns; eight in the first test, x and y of each bearing. So a file holds four
    recordings, ``…/bearing1`` to ``…/bearing4``, with the channel ``x``, and ``y`` in the first
    test. Bearings 3 (inner race) and 4 (rollers, code B) of the first test broke, 1 (outer race)
    of the second, 3 (outer race) of the third; see `RunToFailure` for how snapshots are labelled.
    The life of a bearing is the documented time of its test. Files of the third test after 4
    April 2004 are not documented and left out. 2000 rpm, 6000 lbs.

    References
    ----------
    .. [1] J. Lee, H. Qiu, G. Yu, J. Lin and Rexnord Technical Services, "Bearing data set", IMS,
       University of Cincinnati, NASA Prognostics Data Repository, 2007
    .. [2] H. Qiu, J. Lee, J. Lin and G. Yu, "Wavelet filter-based weak signature detection method
       and its application on rolling element bearing prognostics", J. Sound Vib. 289 (2006)
       1066-1090, doi:10.1016/j.jsv.2005.03.007
    """

    published = PublishedSet(
        title="IMS",
        licence="not stated; NASA asks to acknowledge the repository and the donors",
        citation=(
            "J. Lee, H. Qiu, G. Yu, J. Lin and Rexnord Technical Services, Bearing data set, IMS, "
            "University of Cincinnati, NASA Prognostics Data Repository, 2007"
        ),
        source="https://data.nasa.gov/dataset/ims-bearings",
        parse=_parse,
        paths=_paths,
        complete=False,
        files=read_files("ims"),
        suffixes=("",),
        columns=_columns,
    )
