"""What every dataset offers: its recordings with their facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """One recording of a dataset, found but not read.

    Parameters
    ----------
    path
        Its file.
    facts
        What the dataset says of it: fault, size, load and so on.
    sampling_rate
        Hz, or None where only the file may state it.
    rpm
        Shaft speed where the file states none, or None.
    name
        Short and stable, for reports: ``"97"``.
    """

    path: Path
    facts: Mapping[str, Any]
    sampling_rate: float | None
    rpm: float | None
    name: str


@dataclass(frozen=True, slots=True)
class Selection:
    """The recordings selected, and in words those that should be there and are not."""

    entries: list[Entry]
    missing: list[str] = field(default_factory=list)


class Dataset(Protocol):
    """A folder of recordings and a way to know their facts.

    Built from the folder; whatever else it needs are keyword-only options.
    """

    licence: str
    citation: str

    @property
    def facts(self) -> Mapping[str, Sequence[Any]]:
        """The facts that recordings can be selected by, with the values each one takes."""

    def entries(self, select: Mapping[str, Sequence[Any]]) -> Selection:
        """Give the recordings whose facts have one of the values allowed for each."""
