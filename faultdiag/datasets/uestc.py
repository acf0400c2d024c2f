"""Bearing recordings of the University of Electronic Science and Technology of China (UESTC)."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from faultdiag.datasets.base import Selection
from faultdiag.datasets.facts import KnownSet, digests_of, known_facts, read_digests, select_known

_NAME = re.compile(r"(?:^|[^0-9A-Za-z])([NBIO])_([1-9][0-9]*)_([0-9]+)$", re.IGNORECASE)
# The letter in a file's name -> fault and code, in the vocabulary of the other sets.
_FAULTS = {
    "N": ("normal", "N"),
    "B": ("ball", "B"),
    "I": ("inner", "IR"),
    "O": ("outer", "OR"),
}


class Uestc:
    """Recordings named ``N_1000_1``: N, B, I or O, the shaft speed in rpm, and a number.

    The files lie anywhere below the folder; those whose SHA-256 is known, under any name. The
    signal is the channel ``Data`` and the file states its rate. The bearing's geometry is not
    known here, nor is who measured what under which load.

    Parameters
    ----------
    root
        The folder.
    """

    licence = "not stated with the files"
    citation = "University of Electronic Science and Technology of China, bearing recordings"
    label = "{code}"

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    @property
    def facts(self) -> Mapping[str, Sequence[Any]]:
        """The facts that recordings can be selected by, with the values known to occur."""
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
    """Give what is known of the set."""
    rows = read_digests(Path(__file__).with_name("uestc.csv"))
    return KnownSet(
        title="UESTC",
        name_of=_name,
        facts_of=_facts,
        files=digests_of(rows),
        variables=frozenset({"Data", "SampleFrequency"}),
    )


def _name(stem: str) -> str | None:
    match = _NAME.search(stem)
    return None if match is None else f"{match[1].upper()}_{match[2]}_{match[3]}"


def _facts(name: str) -> dict[str, Any]:
    letter, rpm, run = name.split("_")
    fault, code = _FAULTS[letter]
    return {"name": name, "fault": fault, "code": code, "rpm": int(rpm), "run": int(run)}
