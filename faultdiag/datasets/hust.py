"""Ball bearing recordings of Hanoi University of Science and Technology (HUST)."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from faultdiag.datasets.published import Facts, PublishedDataset, PublishedSet, code_of, read_files
from faultdiag.readers.mat import open_arrays

_NAME = re.compile(r"(?:^|[^0-9A-Za-z])(IO|IB|OB|N|I|O|B)([4-8])0([024])$", re.IGNORECASE)
_PARTS = {"N": "normal", "I": "inner", "O": "outer", "B": "ball"}


def _parse(path: str) -> Sequence[Facts]:
    match = _NAME.search(path.rpartition("/")[2])
    if match is None:
        return []
    letters = match[1].upper()
    fault = "+".join(_PARTS[letter] for letter in letters)
    return [
        {
            "name": f"{letters}{match[2]}0{match[3]}",
            "fault": fault,
            "code": code_of(fault),
            "load_w": 100 * int(match[3]),
            "sampling_rate": 51200,
            "bearing": f"620{match[2]} KG",
            "specimen": f"{letters}{match[2]}",
        }
    ]


def _paths() -> Iterator[str]:
    for letters in ("N", "I", "O", "B", "IO", "IB", "OB"):
        # The paper has no ball fault in a 6204, alone or with the inner race.
        for kind in (5, 6, 7, 8) if letters in {"B", "IB"} else (4, 5, 6, 7, 8):
            for load in (0, 2, 4):
                yield f"HUST bearing dataset/{letters}{kind}0{load}"


def _rpm(path: Path) -> float | None:
    """Read the shaft speed: the files' ``fs`` is the shaft rate in Hz, not the sampling rate."""
    rate = open_arrays(path).get("fs") if path.suffix.lower() == ".mat" else None
    if rate is None or not rate.real or not set(rate.shape) <= {1}:
        return None
    speed = 60 * rate.scalar()
    return speed if 60 <= speed <= 6000 else None


class Hust(PublishedDataset):
    """HUST's 99 recordings: cracks in five bearing types at three loads.

    ``IB704.mat`` is inner race and ball (I, O, B, their pairs, or N) of a 6207 at 400 W. The
    signal is the variable ``data``, 51.2 kHz, 10 s; its variable ``fs`` is the shaft rate, from
    1352 to 1498 rpm. Cracks are 0.2 mm wide. There is one bearing for each fault and type, as
    far as is documented. 12 of the recordings with two faults are shorter, down to 2.4 s.

    References
    ----------
    .. [1] N. D. Thuan and H. S. Hong, "HUST bearing: a practical dataset for ball bearing fault
       diagnosis", BMC Research Notes 16 (2023) 138, doi:10.1186/s13104-023-06400-4
    """

    published = PublishedSet(
        title="HUST",
        licence="CC BY 4.0",
        citation=(
            "N. D. Thuan and H. S. Hong, HUST bearing: a practical dataset for ball bearing fault "
            "diagnosis, BMC Research Notes 16 (2023) 138; data: doi:10.17632/cbv7jyx4p9.3"
        ),
        source="https://data.mendeley.com/datasets/cbv7jyx4p9/3",
        parse=_parse,
        paths=_paths,
        files=read_files("hust"),
        columns=lambda _: {"data": 0},
        variables=frozenset({"data", "fs"}),
        rpm_of=_rpm,
    )
