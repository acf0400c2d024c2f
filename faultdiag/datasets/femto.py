"""Bearings run to failure on the PRONOSTIA rig of FEMTO-ST (IEEE PHM 2012 challenge)."""

import re
from collections.abc import Iterator, Sequence

from faultdiag.datasets.published import Facts, PublishedSet, RunToFailure, read_files

_NAME = re.compile(r"(?:^|/)Bearing([123])_([1-7])/acc_(\d{5})$", re.IGNORECASE)
_CONDITIONS = {"1": (1800, 4000), "2": (1650, 4200), "3": (1500, 5000)}
# Snapshots of each complete life.
_LIVES = {
    "1_1": 2803,
    "1_2": 871,
    "1_3": 2375,
    "1_4": 1428,
    "1_5": 2463,
    "1_6": 2448,
    "1_7": 2259,
    "2_1": 911,
    "2_2": 797,
    "2_3": 1955,
    "2_4": 751,
    "2_5": 2311,
    "2_6": 701,
    "2_7": 230,
    "3_1": 515,
    "3_2": 1637,
    "3_3": 434,
}
_LEARNING = {"1_1", "1_2", "2_1", "2_2", "3_1", "3_2"}


def _parse(path: str) -> Sequence[Facts]:
    match = _NAME.search(path)
    bearing = f"{match[1]}_{match[2]}" if match else ""
    if match is None or not 1 <= int(match[3]) <= _LIVES.get(bearing, 0):
        return []
    rpm, load = _CONDITIONS[match[1]]
    return [
        {
            "name": f"Bearing{bearing}/acc_{match[3]}",
            "specimen": f"Bearing{bearing}",
            "set": "learning" if bearing in _LEARNING else "test",
            "condition": int(match[1]),
            "snapshot": int(match[3]),
            "life": int(match[3]) / _LIVES[bearing],
            "failure": "unknown part",
            "failure_code": "F",
            "load_n": load,
            "rpm": rpm,
            "sampling_rate": 25600,
            "bearing": "PRONOSTIA",
        }
    ]


def _paths() -> Iterator[str]:
    for bearing, snapshots in _LIVES.items():
        folder = "Learning_set" if bearing in _LEARNING else "Full_Test_Set"
        for snapshot in range(1, snapshots + 1):
            yield f"{folder}/Bearing{bearing}/acc_{snapshot:05}"


class Femto(RunToFailure):
    """FEMTO's 17 bearings, run to failure on PRONOSTIA at three speeds and loads.

    ``Learning_set/Bearing1_1/acc_00001.csv`` is a snapshot of 0.1 s (2,560 samples) at 25.6 kHz,
    one each 10 s. Its columns are hour, minute, second, microsecond and the channels
    ``horizontal`` and ``vertical``, in g, separated by commas, those of Bearing1_4 in
    ``Full_Test_Set`` by semicolons. ``Test_set`` has the beginnings of the lives in
    ``Full_Test_Set`` and is read only where that is not there. Which part broke is not
    published: code F; see `RunToFailure` for how snapshots are labelled.

    The clock of Bearing1_1's snapshots 2121 and 2122 is wrong; the number of a snapshot counts
    here. Five bearings never reached the 20 g that the challenge calls the end of life.

    References
    ----------
    .. [1] P. Nectoux, R. Gouriveau, K. Medjaher, E. Ramasso, B. Morello, N. Zerhouni and
       C. Varnier, "PRONOSTIA: an experimental platform for bearings accelerated degradation
       tests", IEEE Int. Conf. Prognostics and Health Management, Denver, 2012
    """

    published = PublishedSet(
        title="FEMTO",
        licence="not stated; NASA asks to acknowledge the repository and the donors",
        citation=(
            "P. Nectoux et al., PRONOSTIA: an experimental platform for bearings accelerated "
            "degradation tests, IEEE Int. Conf. Prognostics and Health Management, Denver, 2012"
        ),
        source="https://www.nasa.gov/intelligent-systems-division (Prognostics data repository)",
        parse=_parse,
        paths=_paths,
        files=read_files("femto"),
        suffixes=(".csv", ".npy"),
        columns=lambda _: {"horizontal": -2, "vertical": -1},
        rank=lambda path: 1 if "/test_set/" in f"/{path.lower()}" else 0,
    )
