"""The bearing recordings of the Society for Machinery Failure Prevention Technology (MFPT)."""

from collections.abc import Iterator, Sequence

from faultdiag.datasets.published import Facts, PublishedDataset, PublishedSet, code_of, read_files

# Kind of recording -> fault, sampling rate in Hz, and the loads in lbs of its numbers from 1 on.
_KINDS = {
    "baseline": ("normal", 97656, (270, 270, 270)),
    "OuterRaceFault": ("outer", 97656, (270, 270, 270)),
    "OuterRaceFault_vload": ("outer", 48828, (25, 50, 100, 150, 200, 250, 300)),
    "InnerRaceFault_vload": ("inner", 48828, (0, 50, 100, 150, 200, 250, 300)),
}


def _paths() -> Iterator[str]:
    for kind, (_, _, loads) in _KINDS.items():
        for number in range(1, len(loads) + 1):
            yield f"{kind}_{number}"


_NAMES = {name.lower(): name for name in _paths()}


def _parse(path: str) -> Sequence[Facts]:
    name = _NAMES.get(path.rpartition("/")[2].lower())
    if name is None:
        return []
    kind, _, number = name.rpartition("_")
    fault, rate, loads = _KINDS[kind]
    return [
        {
            "name": name,
            "fault": fault,
            "code": code_of(fault),
            "load_lbs": loads[int(number) - 1],
            "rpm": 1500,
            "sampling_rate": rate,
            "bearing": "NICE",
        }
    ]


class Mfpt(PublishedDataset):
    """MFPT's 20 recordings from a test rig: healthy, outer and inner race faults by load.

    The files are anywhere below the folder, under their published names; those with a known
    SHA-256 under any name. The signal is the channel ``gs``, in g. The healthy bearing and three
    recordings of the outer race fault are sampled at 97,656 Hz, the others at 48,828 Hz; all at
    25 Hz shaft rate. One bearing per class, so no split is bearing-disjoint.

    References
    ----------
    .. [1] E. Bechhoefer, "Condition Based Maintenance Fault Database for Testing Diagnostics
       and Prognostic Algorithms", MFPT Society, 2013, https://www.mfpt.org/fault-data-sets/
    """

    published = PublishedSet(
        title="MFPT",
        licence="CC BY-NC-SA 4.0",
        citation=(
            "E. Bechhoefer, Condition Based Maintenance Fault Database for Testing Diagnostics and "
            "Prognostic Algorithms, MFPT Society, 2013"
        ),
        source="https://www.mfpt.org/fault-data-sets/",
        parse=_parse,
        paths=_paths,
        files=read_files("mfpt"),
        variables=frozenset({"bearing"}),
    )
