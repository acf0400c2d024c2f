"""Bearing recordings of the University of Ottawa under constant load and speed (UORED-VAFCLS)."""

import re
from collections.abc import Iterator, Sequence

from faultdiag.datasets.published import Facts, PublishedDataset, PublishedSet, code_of, read_files

_NAME = re.compile(r"(?:^|[^0-9A-Za-z])([HIOBC])_(\d{1,2})_([012])$", re.IGNORECASE)
_FAULTS = {"H": "normal", "I": "inner", "O": "outer", "B": "ball", "C": "cage"}
_STAGES = ("healthy", "developing", "faulty")
# Bearings 1 to 5 get an inner race fault, 6 to 10 one of the outer race, and so on.
_GROUPS = "IOBC"
_FOLDERS = {
    "H": "1_Healthy",
    "I": "2_Inner_Race_Faults",
    "O": "3_Outer_Race_Faults",
    "B": "4_Ball_Faults",
    "C": "5_Cage_Faults",
}


def _parse(path: str) -> Sequence[Facts]:
    match = _NAME.search(path.rpartition("/")[2])
    if match is None:
        return []
    letter, bearing, stage = match[1].upper(), int(match[2]), int(match[3])
    group = _GROUPS[(bearing - 1) // 5] if 1 <= bearing <= 20 else ""
    if letter != ("H" if stage == 0 else group):
        return []
    fault = _FAULTS[letter]
    return [
        {
            "name": f"{letter}_{bearing}_{stage}",
            "fault": fault,
            "code": code_of(fault),
            "stage": _STAGES[stage],
            "later_fault": _FAULTS[group],
            "load_n": 400,
            "rpm": 1750,
            "sampling_rate": 42000,
            "bearing": "6203 NSK",
            "specimen": bearing,
        }
    ]


def _paths() -> Iterator[str]:
    for bearing in range(1, 21):
        for stage in range(3):
            letter = _GROUPS[(bearing - 1) // 5] if stage else "H"
            yield f"3_MatLab_Raw_Data_Files (.mat)/{_FOLDERS[letter]}/{letter}_{bearing}_{stage}"


class Uored(PublishedDataset):
    """Ottawa's 60 recordings: 20 bearings, each healthy, with a developing and a full fault.

    ``I_3_2.mat`` is an inner race fault (H, I, O, B, C) in bearing 3 at stage 2. The set comes as
    .mat and .csv; where both are there, .mat is read. A file is one table whose columns are the
    channels ``vibration`` (m/s²), ``acoustic``, ``speed``, ``load`` and ``temperature``, 42 kHz,
    10 s. Nominal speed and load are 1750 rpm and 400 N. The bearings are NSK 6203ZZ and FAFNIR
    203KD, for which the paper states one geometry.

    References
    ----------
    .. [1] M. Sehri, P. Dumond and M. Bouchard, "University of Ottawa constant load and speed
       rolling-element bearing vibration and acoustic fault signature datasets", Data in Brief 49
       (2023) 109327, doi:10.1016/j.dib.2023.109327
    """

    published = PublishedSet(
        title="UORED-VAFCLS",
        licence="CC BY 4.0",
        citation=(
            "M. Sehri, P. Dumond and M. Bouchard, University of Ottawa constant load and speed "
            "rolling-element bearing vibration and acoustic fault signature datasets, Data in "
            "Brief 49 (2023) 109327; data: doi:10.17632/y2px5tg92h.5"
        ),
        source="https://data.mendeley.com/datasets/y2px5tg92h/5",
        parse=_parse,
        paths=_paths,
        files=read_files("uored"),
        suffixes=(".mat", ".csv"),
        columns=lambda _: {
            "vibration": 0,
            "acoustic": 1,
            "speed": 2,
            "load": 3,
            "temperature": 4,
        },
        rank=lambda path: 0 if path.lower().endswith(".mat") else 1,
    )
