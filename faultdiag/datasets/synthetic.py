"""Recordings written by ``faultdiag simulate``, with the facts of those they stand for."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from faultdiag.datasets.base import Entry, Selection, choose, values_of
from faultdiag.datasets.cwru import Known, catalogue
from faultdiag.errors import FaultdiagError, counted
from faultdiag.simulation.mark import MARK, may_be_simulated, simulated_files


class Synthetic:
    """Simulated recordings under CWRU's numbers: 9 faults and the healthy bearing, 4 loads.

    Facts and file layout are those of the dataset ``cwru``, so a config for one serves the
    other. The folder must hold the `simulated.json` that the simulation writes: measured
    recordings are refused, and no simulated one passes for measured.

    Parameters
    ----------
    root
        The folder.
    """

    licence = "made by faultdiag simulate; free to use"
    citation = "simulated by faultdiag; measured on no machine"
    label = "{code}{size}"

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    @property
    def facts(self) -> Mapping[str, Sequence[object]]:
        """The facts that recordings can be selected by, with the values each one takes."""
        return values_of([known.facts for known in _simulable()])

    def entries(self, select: Mapping[str, Sequence[object]]) -> Selection:
        """Return the selected recordings in the order of their numbers.

        Raises
        ------
        FaultdiagError
            If `select` names what is never simulated or leaves nothing, or the folder is
            missing, holds no simulation, an incomplete one, or none of the selected recordings.
        """
        rows = choose([known.facts for known in _simulable()], select)
        expected = [catalogue()[row["number"]] for row in rows]
        present = self._present()
        chosen = [known for known in expected if known.number in present]
        if not chosen:
            raise FaultdiagError(
                f"{self.root} holds none of the {counted(len(expected), 'recording')} selected, "
                "among them "
                f"{expected[0]}; simulated there: {', '.join(map(str, sorted(present)))}"
            )
        return Selection(
            entries=[_entry(known, self.root / f"{known.number}.mat") for known in chosen],
            # What nobody asked for by name is not missing: the folder holds what was simulated.
            missing=[str(k) for k in expected if k.number not in present] if select else [],
        )

    def _present(self) -> set[int]:
        names = simulated_files(self.root)
        if names is None:
            raise FaultdiagError(
                f"{self.root} has no {MARK}, so it holds no simulated recordings; make some with "
                f"'faultdiag simulate --out {self.root}', or take dataset cwru for measured ones"
            )
        lost = [name for name in names if not (self.root / name).is_file()]
        if lost:
            raise FaultdiagError(
                f"{self.root} lacks {lost[0]}, one of {len(lost)} missing of the {len(names)} "
                f"recordings that its {MARK} names; complete it with "
                f"'faultdiag simulate --out {self.root} --overwrite'"
            )
        return {int(Path(name).stem) for name in names}


def identify(path: Path) -> Mapping[str, object] | None:
    """Return the facts of a simulated recording, or None if the folder's mark doesn't name it.

    Raises
    ------
    FaultdiagError
        If the mark can't be read.
    """
    if not may_be_simulated(path) or path.name not in (simulated_files(path.parent) or ()):
        return None
    return catalogue()[int(path.stem)].facts


def _simulable() -> list[Known]:
    from faultdiag.simulation.rig import cases

    return [catalogue()[case.number] for case in cases()]


def _entry(known: Known, path: Path) -> Entry:
    return Entry(
        path=path,
        facts=known.facts,
        sampling_rate=float(known.facts["sampling_rate"]),
        rpm=float(known.facts["rpm"]),
        name=str(known.number),
    )
