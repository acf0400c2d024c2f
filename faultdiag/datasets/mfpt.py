"""The bearing recordings of the Society for Machinery Failure Prevention Technology (MFPT)."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from faultdiag.datasets.base import Selection
from faultdiag.datasets.facts import KnownSet, digests_of, known_facts, read_digests, select_known

RPM = 1500


class Mfpt:
    """MFPT's 20 recordings from a test rig: healthy, outer and inner race faults by load.

    The files lie anywhere below the folder, under the names they are distributed by; those
    whose SHA-256 is known, under any name. The signal is the channel ``gs``, in g. The healthy
    bearing and three recordings of the outer race fault are sampled at 97,656 Hz, the others at
    48,828 Hz; all at 25 Hz shaft rate. One bearing per class, so no split is bearing-disjoint.

    Parameters
    ----------
    root
        The folder.

    References
    ----------
    .. [1] E. Bechhoefer, "Condition Based Maintenance Fault Database for Testing Diagnostics
       and Prognostic Algorithms", MFPT Society, 2013, https://www.mfpt.org/fault-data-sets/
    """

    licence = "CC BY-NC-SA 4.0"
    citation = (
        "E. Bechhoefer, Condition Based Maintenance Fault Database for Testing Diagnostics and "
        "Prognostic Algorithms, MFPT Society, 2013"
    )
    label = "{code}"

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    @property
    def facts(self) -> Mapping[str, Sequence[Any]]:
        """The facts that recordings can be selected by, with the values each one takes."""
        return known_facts(known())

    def entries(self, select: Mapping[str, Sequence[Any]]) -> Selection:
        """Give the selected recordings.

        Raises
        ------
        FaultdiagError
            As `faultdiag.datasets.facts.select_known`.
        """
        return select_known(known(), self.root, select)


@cache
def known() -> KnownSet:
    """Give what is published of the set."""
    rows = read_digests(Path(__file__).with_name("mfpt.csv"))
    by_lower = {name.lower(): name for name in rows}
    facts = {name: _facts(row) for name, row in rows.items()}
    return KnownSet(
        title="MFPT",
        name_of=lambda stem: by_lower.get(stem.lower()),
        facts_of=lambda name: dict(facts[name]),
        files=digests_of(rows),
        every=tuple(rows),
        variables=frozenset({"bearing"}),
    )


def _facts(row: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": row["name"],
        "fault": row["fault"],
        "code": row["code"],
        "load_lbs": int(row["load_lbs"]),
        "rpm": RPM,
        "sampling_rate": int(row["sampling_rate"]),
        "bearing": "NICE",
    }
