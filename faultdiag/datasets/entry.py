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
    channels
        The file's own channels that take the parts of those asked for, in their order; empty
        where they go by the names asked for.
    any_channel
        Whether a file that has as many channels as asked for may call them anything.
    """

    path: Path
    facts: Mapping[str, Any]
    sampling_rate: float | None
    rpm: float | None
    name: str
    channels: tuple[str, ...] = ()
    any_channel: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """The recordings selected; in words, those that should be there and are not, and the rest.

    ``missing`` are recordings; ``notes`` are sentences on what else the reader must know, such
    as files that were left out.
    """

    entries: list[Entry]
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Dataset(Protocol):
    """A folder of recordings and a way to know their facts.

    Built from the folder; whatever else it needs are keyword-only options, which stand in the
    config's section ``data``. ``label`` is the pattern of the classes unless the config has one.
    """

    licence: str
    citation: str
    label: str

    @property
    def facts(self) -> Mapping[str, Sequence[Any]]:
        """The facts that recordings can be selected by, with the values each one takes."""

    def entries(self, select: Mapping[str, Sequence[Any]]) -> Selection:
        """Give the recordings whose facts have one of the values allowed for each."""
