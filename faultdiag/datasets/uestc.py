"""Bearing recordings of the University of Electronic Science and Technology of China (UESTC)."""

import re
from collections.abc import Iterator, Sequence

from faultdiag.datasets.published import Facts, PublishedDataset, PublishedSet, code_of, read_files

_NAME = re.compile(r"(?:^|[^0-9A-Za-z])([NBIO])_([1-9][0-9]*)_([0-9]+)$", re.IGNORECASE)
_FAULTS = {"N": "normal", "B": "ball", "I": "inner", "O": "outer"}


def _parse(path: str) -> Sequence[Facts]:
    match = _NAME.search(path.rpartition("/")[2])
    if match is None:
        return []
    letter, rpm, run = match[1].upper(), match[2], match[3]
    fault = _FAULTS[letter]
    return [
        {
            "name": f"{letter}_{rpm}_{run}",
            "fault": fault,
            "code": code_of(fault),
            "rpm": int(rpm),
            "run": int(run),
        }
    ]


def _paths() -> Iterator[str]:
    for letter in sorted(_FAULTS):
        for rpm in (1000, 1200, 1400, 800):
            for run in range(1, 6):
                yield f"{letter}_{rpm}/{letter}_{rpm}_{run}"


class Uestc(PublishedDataset):
    """UESTC's 80 recordings, named ``N_1000_1``: N, B, I or O, the speed in rpm, and a part.

    The files are anywhere below the folder; those with a known SHA-256 under any name. The
    signal is the channel ``Data`` and the file states its rate. The five parts of a speed are
    one continuous recording: keep them in one part of a split (``split.groups``). There is one
    bearing per class, so no split is bearing-disjoint.

    References
    ----------
    .. [1] C. Liu et al., IEEE Sensors Journal (2025), doi:10.1109/JSEN.2025.3635217
    """

    published = PublishedSet(
        title="UESTC",
        licence="not stated with the files",
        citation="C. Liu et al., IEEE Sensors Journal (2025), doi:10.1109/JSEN.2025.3635217",
        source="https://github.com/ChangLiu2024/UESTC-Bearing-Dataset",
        parse=_parse,
        paths=_paths,
        files=read_files("uestc"),
        variables=frozenset({"Data", "SampleFrequency"}),
    )
