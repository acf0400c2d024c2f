"""Gearbox recordings of Southeast University, Nanjing (SEU)."""

import re
from collections.abc import Iterator, Sequence

from faultdiag.datasets.published import Facts, PublishedDataset, PublishedSet, read_files

_NAME = re.compile(r"(?:^|[^A-Za-z])([A-Za-z]+)_(20|30)_(0|2)$")
_BEARING = {
    "health": ("normal", "N"),
    "ball": ("ball", "B"),
    "inner": ("inner", "IR"),
    "outer": ("outer", "OR"),
    "comb": ("inner+outer", "IR+OR"),
}
_GEAR = {
    "Health": ("normal", "N"),
    "Chipped": ("chipped tooth", "chipped"),
    "Miss": ("missing tooth", "missing"),
    "Root": ("root crack", "root"),
    "Surface": ("surface wear", "surface"),
}
_LOADS = {"20": "0", "30": "2"}
CHANNELS = (
    *("motor", "planetary_x", "planetary_y", "planetary_z"),
    *("torque", "parallel_x", "parallel_y", "parallel_z"),
)


def _parse(path: str) -> Sequence[Facts]:
    match = _NAME.search(path.rpartition("/")[2])
    if match is None or _LOADS[match[2]] != match[3]:
        return []
    # Healthy recordings of both parts differ by a capital and by their folder.
    gears = "gearset" in path.lower().split("/") or match[1] in _GEAR
    gears = gears and "bearingset" not in path.lower().split("/")
    table = {word.lower(): place for word, place in (_GEAR if gears else _BEARING).items()}
    if match[1].lower() not in table:
        return []
    fault, code = table[match[1].lower()]
    part = "gearset" if gears else "bearingset"
    word = match[1].capitalize() if gears else match[1].lower()
    return [
        {
            "name": f"{part}/{word}_{match[2]}_{match[3]}",
            "part": part,
            "fault": fault,
            "code": code,
            "load_v": int(match[3]),
            "rpm": 60 * int(match[2]),
            "sampling_rate": 5120,
        }
    ]


def _paths() -> Iterator[str]:
    for part, words in (("bearingset", _BEARING), ("gearset", _GEAR)):
        for word in words:
            for speed, load in _LOADS.items():
                yield f"gearbox/{part}/{word}_{speed}_{load}"


class Seu(PublishedDataset):
    """SEU's 20 recordings of a drivetrain: five states of a bearing, five of a gear, two loads.

    ``bearingset/comb_30_2.csv`` is both races at 30 Hz shaft rate and 2 V load. Each file is
    a header of 16 lines and eight columns: ``motor``, ``planetary_x``, ``_y``, ``_z``, ``torque``,
    ``parallel_x``, ``_y``, ``_z``; separated by tabs, those of ball_20_0 by commas. A file has
    1,048,560 rows. Select ``part: [bearingset]`` for bearings alone. Which bearing of the
    gearbox is faulty is not documented, nor its type. The titles in the headers are often wrong;
    the names of the files are right.

    References
    ----------
    .. [1] S. Shao, S. McAleer, R. Yan and P. Baldi, "Highly accurate machine fault diagnosis using
       deep transfer learning", IEEE Trans. Industrial Informatics 15 (2019) 2446-2455,
       doi:10.1109/TII.2018.2864759
    """

    published = PublishedSet(
        title="SEU",
        licence="not stated; free to download",
        citation=(
            "S. Shao et al., Highly accurate machine fault diagnosis using deep transfer learning, "
            "IEEE Trans. Industrial Informatics 15 (2019) 2446-2455"
        ),
        source="https://github.com/cathysiyu/Mechanical-datasets",
        label="{part} {code}",
        parse=_parse,
        paths=_paths,
        files=read_files("seu"),
        suffixes=(".csv", ".txt", ".npy", ".mat"),
        columns=lambda _: {name: i for i, name in enumerate(CHANNELS)},
        notes=(
            "the sampling rate of SEU is not published; 5120 Hz is 2.56 times the frequency limit "
            "of 2000 Hz in the files' headers",
        ),
    )
