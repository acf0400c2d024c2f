"""What a reader of one file format offers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from faultdiag.readers.source import RecordingSource


@dataclass(frozen=True, slots=True)
class Variable:
    """One named array, column or track of a file, known from the header alone.

    Parameters
    ----------
    name
        Its name in the file.
    shape
        Its dimensions as the file states them; empty where the format states none.
    kind
        Its type in the format's own words, such as ``"double"`` or ``"struct"``.
    channel
        The channel it becomes (several are joined by a comma), or None.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    channel: str | None = None

    def __str__(self) -> str:
        """Give name, dimensions and type, as in ``X097_DE_time (243938×1 double)``."""
        dimensions = "×".join(str(n) for n in self.shape)
        return f"{self.name} ({f'{dimensions} {self.kind}'.strip()})"


class Reader(Protocol):
    """One open file; built from its path, which exists and is not empty."""

    def variables(self) -> list[Variable]:
        """Give what the file holds, from its header."""

    def source(self, channels: Sequence[str] | None) -> RecordingSource:
        """Give these channels (all for None), their samples still in the file."""
