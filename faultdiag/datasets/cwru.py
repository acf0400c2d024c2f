"""The bearing recordings of Case Western Reserve University (CWRU)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from faultdiag.datasets.cwru_catalogue import Known, catalogue
from faultdiag.datasets.cwru_files import locate
from faultdiag.datasets.entry import Entry, Selection
from faultdiag.datasets.selection import choose, values_of


class Cwru:
    """CWRU's 161 recordings: one per fault, size, clock position and load.

    The files lie anywhere below the folder, under their numbers or the usual renamings. The
    healthy baseline is sampled at 48 kHz, as the 48k files are; `sampling_rate` says so for
    each. `rpm` is the nominal speed for the load, used where a file states none.

    Parameters
    ----------
    root
        The folder.

    References
    ----------
    .. [1] W. A. Smith and R. B. Randall, "Rolling element bearing diagnostics using the Case
       Western Reserve University data: a benchmark study", Mech. Syst. Signal Process. 64-65
       (2015) 100-131, doi:10.1016/j.ymssp.2015.04.021
    """

    licence = "free to download from the Bearing Data Center, which states no licence"
    citation = (
        "Case Western Reserve University Bearing Data Center, "
        "https://engineering.case.edu/bearingdatacenter"
    )
    label = "{code}{size}"

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    @property
    def facts(self) -> Mapping[str, Sequence[Any]]:
        """The facts that recordings can be selected by, with the values each one takes."""
        return values_of([known.facts for known in catalogue().values()])

    def entries(self, select: Mapping[str, Sequence[Any]]) -> Selection:
        """Give the selected recordings in the order of their numbers.

        Raises
        ------
        FaultdiagError
            If `select` names what is not in the catalogue or leaves nothing, the folder is
            missing or holds none of the selected recordings, or its files contradict their
            names.
        """
        facts = choose([known.facts for known in catalogue().values()], select)
        wanted = [catalogue()[row["number"]] for row in facts]
        paths = locate(self.root, [known.number for known in wanted])
        return Selection(
            entries=[
                _entry(known, paths[known.number]) for known in wanted if known.number in paths
            ],
            missing=[str(known) for known in wanted if known.number not in paths],
        )


def _entry(known: Known, path: Path) -> Entry:
    return Entry(
        path=path,
        facts=known.facts,
        sampling_rate=float(known.facts["sampling_rate"]),
        rpm=float(known.facts["rpm"]),
        name=str(known.number),
    )
