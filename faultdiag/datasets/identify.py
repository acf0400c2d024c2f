"""Facts of a single file that no dataset was named for."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from faultdiag.datasets import DATASETS, cwru, synthetic
from faultdiag.datasets.cwru import numbers_in
from faultdiag.datasets.published import PublishedSet
from faultdiag.readers.base import Variable


@dataclass(frozen=True, slots=True)
class NamedRecording:
    """A published recording that a file is by its name and variables: in words, and its facts."""

    title: str
    facts: Mapping[str, Any]

    @property
    def doubt(self) -> str:
        """Why the facts may not hold."""
        return (
            f"taken for {self.title} by its name and variables, though its bytes are not that "
            "recording's: what the catalogue says of it may not hold"
        )


def identify(path: Path) -> Mapping[str, Any] | None:
    """Return the facts of a recording that a catalogue knows, or None.

    A measured recording is known by its bytes, whatever the file is called; a simulated one by
    the mark in its folder.

    Raises
    ------
    FaultdiagError
        If the file or the mark of its folder can't be read.
    """
    found = cwru.identify(path)
    for known in published_sets().values():
        found = found or known.identify(path)
    return found or synthetic.identify(path)


def identify_by_name(
    path: Path, variables: Callable[[], Iterable[Variable]]
) -> NamedRecording | None:
    """Return the published recording that both a file's name and its variables tell, or None.

    For copies whose bytes were changed, such as one saved again in another format: CWRU's number
    in the name and in a variable, or a name of another set beside all of its variables.

    Parameters
    ----------
    variables
        Returns what the file holds; called only where the name fits.
    """
    stem = PurePosixPath(path.name).stem
    named = [(known, known.by_name(stem)) for known in published_sets().values() if known.variables]
    if not numbers_in(path.name) and not any(facts for _, facts in named):
        return None
    names = {variable.name for variable in variables()}
    if (number := cwru_number(path, names)) is not None:
        cwru_known = cwru.catalogue()[number]
        return NamedRecording(f"CWRU recording {cwru_known}", cwru_known.facts)
    return next(
        (
            NamedRecording(f"{known.title} recording {facts['name']}", facts)
            for known, facts in named
            if facts is not None and known.variables <= names
        ),
        None,
    )


def cwru_number(path: Path, variables: Collection[str]) -> int | None:
    """Return the CWRU number that stands both in a file's name and in a variable's, or None."""
    numbers = numbers_in(path.name)
    names = {f"X{number:03d}_{end}_time" for number in numbers for end in ("DE", "FE")}
    return numbers[0] if len(numbers) == 1 and names & set(variables) else None


@cache
def published_sets() -> Mapping[str, PublishedSet]:
    """Return what is documented of the published sets that have one table for all their facts."""
    sets = {name: getattr(DATASETS.get(name), "published", None) for name in DATASETS}
    return {name: known for name, known in sets.items() if known is not None}
