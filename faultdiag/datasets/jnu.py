"""Roller bearing recordings of Jiangnan University (JNU)."""

import re
from collections.abc import Iterator, Sequence

from faultdiag.datasets.published import Facts, PublishedDataset, PublishedSet, code_of, read_files

_NAME = re.compile(r"(?:^|[^0-9A-Za-z])(n|ib|ob|tb)(600|800|1000)(?:_\d+)*$", re.IGNORECASE)
_FAULTS = {"n": "normal", "ib": "inner", "ob": "outer", "tb": "ball"}
# The inner ring of an N205 can't be taken apart from its rollers: the inner race fault is in an
# NU205.
_BEARINGS = {"n": "N205", "ib": "NU205", "ob": "N205", "tb": "N205"}


def _parse(path: str) -> Sequence[Facts]:
    match = _NAME.search(path.rpartition("/")[2])
    if match is None:
        return []
    part, rpm = match[1].lower(), int(match[2])
    fault = _FAULTS[part]
    return [
        {
            "name": f"{part}{rpm}",
            "fault": fault,
            "code": code_of(fault),
            "size": None if part == "n" else "0.3x0.05mm",
            "rpm": rpm,
            "sampling_rate": 50000,
            "bearing": _BEARINGS[part],
            "specimen": part,
        }
    ]


def _paths() -> Iterator[str]:
    for part in _FAULTS:
        for rpm in (600, 800, 1000):
            yield f"{part}{rpm}_{'3_2' if part == 'n' else '2'}"


class Jnu(PublishedDataset):
    """JNU's 12 recordings: healthy, inner race, outer race and roller, at 600, 800, 1000 rpm.

    Each is a column of numbers without a header, ``ib600_2.csv`` for the inner race fault at
    600 rpm: ib, ob, tb (roller, code B) or n, and the speed. One accelerometer at 50 kHz. A
    fault is 0.3 mm wide and 0.05 mm deep. Faults have 500,500 samples, healthy ones 1,501,500.
    There is one recording, and one bearing, for each fault and speed: no split can keep bearings
    apart.

    References
    ----------
    .. [1] K. Li, X. Ping, H. Wang, P. Chen and Y. Cao, "Sequential fuzzy diagnosis method for
       motor roller bearing in variable operating conditions based on vibration analysis",
       Sensors 13 (2013) 8013-8041, doi:10.3390/s130608013
    """

    published = PublishedSet(
        title="JNU",
        licence="not stated; free to download",
        citation=(
            "K. Li et al., Sequential fuzzy diagnosis method for motor roller bearing in variable "
            "operating conditions based on vibration analysis, Sensors 13 (2013) 8013-8041"
        ),
        source="https://github.com/ClarkGableWang/JNU-Bearing-Dataset",
        parse=_parse,
        paths=_paths,
        files=read_files("jnu"),
        suffixes=(".csv", ".mat", ".txt", ".npy"),
    )
