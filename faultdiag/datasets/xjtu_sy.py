"""Bearings run to failure by Xi'an Jiaotong University and Sumyoung Technology (XJTU-SY)."""

import re
from collections.abc import Iterator, Sequence

from faultdiag.datasets.published import Facts, PublishedSet, RunToFailure, code_of, read_files

_NAME = re.compile(r"(?:^|/)Bearing([123])_([1-5])/(\d+)$", re.IGNORECASE)
_CONDITIONS = {
    "1": ("35Hz12kN", 2100, 12),
    "2": ("37.5Hz11kN", 2250, 11),
    "3": ("40Hz10kN", 2400, 10),
}
# Bearing -> snapshots, and the parts found broken [2]_.
_LIVES = {
    "1_1": (123, "outer"),
    "1_2": (161, "outer"),
    "1_3": (158, "outer"),
    "1_4": (122, "cage"),
    "1_5": (52, "inner+outer"),
    "2_1": (491, "inner"),
    "2_2": (161, "outer"),
    "2_3": (533, "cage"),
    "2_4": (42, "outer"),
    "2_5": (339, "outer"),
    "3_1": (2538, "outer"),
    "3_2": (2496, "inner+ball+cage+outer"),
    "3_3": (371, "inner"),
    "3_4": (1515, "inner"),
    "3_5": (114, "outer"),
}


def _parse(path: str) -> Sequence[Facts]:
    match = _NAME.search(path)
    bearing = f"{match[1]}_{match[2]}" if match else ""
    if match is None or not 1 <= int(match[3]) <= _LIVES[bearing][0]:
        return []
    snapshots, failure = _LIVES[bearing]
    condition, rpm, load = _CONDITIONS[match[1]]
    return [
        {
            "name": f"Bearing{bearing}/{int(match[3])}",
            "specimen": f"Bearing{bearing}",
            "condition": condition,
            "snapshot": int(match[3]),
            "life": int(match[3]) / snapshots,
            "failure": failure,
            "failure_code": code_of(failure),
            "load_kn": load,
            "rpm": rpm,
            "sampling_rate": 25600,
            "bearing": "UER204",
        }
    ]


def _paths() -> Iterator[str]:
    for bearing, (snapshots, _) in _LIVES.items():
        folder = f"{_CONDITIONS[bearing[0]][0]}/Bearing{bearing}"
        for snapshot in range(1, snapshots + 1):
            yield f"XJTU-SY_Bearing_Datasets/{folder}/{snapshot}"


class XjtuSy(RunToFailure):
    """XJTU-SY's 15 bearings, run to failure at three speeds and loads.

    ``35Hz12kN/Bearing1_1/7.csv`` is the seventh minute of a bearing: 1.28 s (32,768 samples) at
    25.6 kHz of ``Horizontal_vibration_signals`` and ``Vertical_vibration_signals``, in g. Which
    part broke is documented for each bearing, when the fault began is not: see `RunToFailure`
    for how snapshots are labelled.

    References
    ----------
    .. [1] B. Wang, Y. Lei, N. Li and N. Li, "A hybrid prognostics approach for estimating remaining
       useful life of rolling element bearings", IEEE Trans. Reliability 69 (2020) 401-412,
       doi:10.1109/TR.2018.2882682
    .. [2] Y. Lei, T. Han, B. Wang, N. Li, T. Yan and J. Yang, "XJTU-SY rolling element bearing
       accelerated life test datasets: a tutorial", J. Mechanical Engineering 55 (2019) 1-6,
       doi:10.3901/JME.2019.16.001
    """

    published = PublishedSet(
        title="XJTU-SY",
        licence="free to use; the authors ask to cite their paper",
        citation=(
            "B. Wang et al., A hybrid prognostics approach for estimating remaining useful life of "
            "rolling element bearings, IEEE Trans. Reliability 69 (2020) 401-412"
        ),
        source="https://biaowang.tech/xjtu-sy-bearing-datasets/",
        parse=_parse,
        paths=_paths,
        files=read_files("xjtu_sy"),
        suffixes=(".csv", ".npy", ".mat"),
        columns=lambda _: {"horizontal": 0, "vertical": 1},
    )
