"""Bearing recordings of Paderborn University (KAt-DataCenter)."""

import re
from collections.abc import Iterator, Sequence

from faultdiag.datasets.published import Facts, PublishedDataset, PublishedSet, code_of, read_files

_NAME = re.compile(r"N(09|15)_M(01|07)_F(04|10)_(K\d{3}|K[AIB]\d\d)_(\d{1,2})$", re.IGNORECASE)
_CONDITIONS = ("N15_M07_F10", "N09_M07_F10", "N15_M01_F10", "N15_M07_F04")
# Bearing -> maker, damage (artificial or real), how it was made, and extent from 1 to 3 [1]_.
_BEARINGS = {
    **{f"K00{i}": ("IBU", "none", "none", 0) for i in range(1, 7)},
    "KA01": ("MTK", "artificial", "EDM", 1),
    "KA03": ("MTK", "artificial", "electric engraver", 2),
    "KA05": ("IBU", "artificial", "electric engraver", 1),
    "KA06": ("IBU", "artificial", "electric engraver", 2),
    "KA07": ("IBU", "artificial", "drilling", 1),
    "KA08": ("IBU", "artificial", "drilling", 2),
    "KA09": ("IBU", "artificial", "drilling", 2),
    "KI01": ("MTK", "artificial", "EDM", 1),
    "KI03": ("MTK", "artificial", "electric engraver", 1),
    "KI05": ("IBU", "artificial", "electric engraver", 1),
    "KI07": ("IBU", "artificial", "electric engraver", 2),
    "KI08": ("IBU", "artificial", "electric engraver", 2),
    "KA04": ("FAG", "real", "pitting", 1),
    "KA15": ("FAG", "real", "indentation", 1),
    "KA16": ("MTK", "real", "pitting", 2),
    "KA22": ("IBU", "real", "pitting", 1),
    "KA30": ("MTK", "real", "indentation", 1),
    "KB23": ("MTK", "real", "pitting", 2),
    "KB24": ("FAG", "real", "pitting", 3),
    "KB27": ("FAG", "real", "indentation", 1),
    "KI04": ("MTK", "real", "pitting", 1),
    "KI14": ("MTK", "real", "pitting", 1),
    "KI16": ("FAG", "real", "pitting", 3),
    "KI17": ("MTK", "real", "pitting", 1),
    "KI18": ("MTK", "real", "pitting", 2),
    "KI21": ("FAG", "real", "pitting", 1),
}
_FAULTS = {"0": "normal", "A": "outer", "I": "inner", "B": "inner+outer"}
_RUNS = 20


def _parse(path: str) -> Sequence[Facts]:
    match = _NAME.search(path.rpartition("/")[2])
    if match is None:
        return []
    speed, torque, force, bearing, run = match.groups()
    bearing = bearing.upper()
    condition = f"N{speed}_M{torque}_F{force}"
    if bearing not in _BEARINGS or condition not in _CONDITIONS or not 1 <= int(run) <= _RUNS:
        return []
    maker, damage, method, extent = _BEARINGS[bearing]
    fault = _FAULTS[bearing[1]]
    return [
        {
            "name": f"{condition}_{bearing}_{int(run)}",
            "fault": fault,
            "code": code_of(fault),
            "damage": damage,
            "method": method,
            "extent": extent,
            "condition": condition,
            "torque_nm": int(torque) / 10,
            "force_n": 100 * int(force),
            "rpm": 100 * int(speed),
            "run": int(run),
            "sampling_rate": 64000,
            "bearing": f"6203 {maker}",
            "specimen": bearing,
        }
    ]


def _paths() -> Iterator[str]:
    for bearing in _BEARINGS:
        for condition in _CONDITIONS:
            for run in range(1, _RUNS + 1):
                yield f"{bearing}/{condition}_{bearing}_{run}"


class Paderborn(PublishedDataset):
    """Paderborn's 2560 recordings: 32 bearings, artificial and real damage, four conditions.

    ``KA01/N15_M07_F10_KA01_1.mat`` is the first of 20 measurements, of 4 s, of bearing KA01 at
    1500 rpm, 0.7 Nm and 1000 N. K: healthy, KA: outer race, KI: inner race, KB: both (IR+OR). The
    channel ``vibration_1`` has about 256,000 samples at 64 kHz; the file also has currents at
    64 kHz, force, speed and torque at 4 kHz and a temperature. ``damage`` is artificial (EDM,
    engraver, drill) or real, from a lifetime test. ``specimen`` is the physical bearing: split by
    it, or the same bearing is in training and test.

    References
    ----------
    .. [1] C. Lessmeier, J. K. Kimotho, D. Zimmer and W. Sextro, "Condition monitoring of bearing
       damage in electromechanical drive systems by using motor current signals of electric motors:
       a benchmark data set for data-driven classification", PHM Society European Conference 3
       (2016), doi:10.36001/phme.2016.v3i1.1577
    """

    published = PublishedSet(
        title="Paderborn",
        licence="CC BY-NC 4.0",
        citation=(
            "C. Lessmeier et al., Condition monitoring of bearing damage in electromechanical "
            "drive systems by using motor current signals of electric motors, PHM Society "
            "European Conference 3 (2016)"
        ),
        source="https://groups.uni-paderborn.de/kat/BearingDataCenter/",
        parse=_parse,
        paths=_paths,
        files=read_files("paderborn"),
        suffixes=(".mat", ".npy", ".csv"),
        damaged={
            "N15_M01_F10_KA08_2": "the file in the publisher's archive ends early, in zeros",
        },
    )
