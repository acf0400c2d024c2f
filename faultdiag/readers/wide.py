"""Text files that hold a recording in one row, or each channel in a row of its own."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError, did_you_mean
from faultdiag.readers.base import Variable
from faultdiag.readers.mixed import NUMBER, clean
from faultdiag.readers.source import RecordingSource, distinct

_KIND = "text file"
_FEWEST_COLUMNS = 64
# A table that is as much wider than long holds its samples in rows.
_WIDER = 20
_MOST_ROWS = 64
_MOST_BYTES = 2**28


def is_wide(head: bytes) -> bool:
    """Return whether text begins with a line of many numbers, which a name may lead."""
    line = head.lstrip(b"\xef\xbb\xbf").partition(b"\n")[0].decode("utf-8", "replace").strip()
    values = _values(line)[1]
    # The head of a file may end within a number; what else is none is named when it is read.
    numbers = sum(bool(NUMBER.fullmatch(value)) for value in values)
    return len(values) >= _FEWEST_COLUMNS and numbers > 0.95 * len(values)


def _values(line: str) -> tuple[str, list[str]]:
    """Return the name that leads a line, or an empty text, and its cells."""
    separator = next((mark for mark in ";\t," if mark in line), None)
    found = [clean(cell) for cell in line.split(separator)]
    if found and not found[-1]:
        found.pop()
    if separator == ";" and "." not in line:
        found = [cell.replace(",", ".") for cell in found]
    named = bool(found) and not NUMBER.fullmatch(found[0])
    return (found[0], found[1:]) if named else ("", found)


def wide_table(path: Path) -> "WideTable | None":
    """Return the reader of a file whose rows are channels; None where its columns are.

    Raises
    ------
    FaultdiagError
        If a row holds something else than numbers, or rows differ in length.
    """
    if path.stat().st_size > _MOST_BYTES:
        return None
    text = path.read_bytes().decode("utf-8-sig", "replace")
    lines = [line.strip() for line in re.split(r"\r\n|\r|\n", text) if line.strip()]
    if len(lines) > _MOST_ROWS or len(_values(lines[0])[1]) < _WIDER * len(lines):
        return None
    return WideTable(path, tuple(lines))


@dataclass(frozen=True)
class WideTable:
    """The rows of a text file as channels: ``ch1`` and so on, or the name that leads each."""

    path: Path
    lines: tuple[str, ...]

    def variables(self) -> list[Variable]:
        """Return the rows."""
        return [Variable(name, (row.size,), "number", name) for name, row in self._rows.items()]

    def source(self, channels: Sequence[str] | None) -> RecordingSource:
        """Return these channels (all for None) as an opened recording.

        Raises
        ------
        FaultdiagError
            If there is no such channel.
        """
        known = self._rows
        names = tuple(known if channels is None else channels)
        for name in names:
            if name not in known:
                raise FaultdiagError(
                    f"{self.path} has no channel '{name}'{did_you_mean(name, known)}; "
                    f"it has: {', '.join(known)}"
                )
        content = RowsOfText(np.stack([known[name] for name in names]))
        count = content.values.shape[1]
        return RecordingSource(self.path, names, count, None, None, "number", _KIND, content)

    @cached_property
    def _rows(self) -> dict[str, NDArray[np.float64]]:
        parts = [_values(line) for line in self.lines]
        width = len(parts[0][1])
        for number, (_, values) in enumerate(parts, 1):
            if len(values) != width or not all(map(NUMBER.fullmatch, values)):
                raise FaultdiagError(
                    f"{self.path}: row {number} must hold {width} numbers; fix or delete what is "
                    "none, or write one sample a line"
                )
        names = distinct([name or f"ch{i}" for i, (name, _) in enumerate(parts, 1)])
        return {
            name: np.array(values, np.float64)
            for name, (_, values) in zip(names, parts, strict=True)
        }


@dataclass(frozen=True, slots=True, eq=False)
class RowsOfText:
    """Samples in memory, ``(channels, samples)``."""

    values: NDArray[np.float64]

    def blocks(self, start: int, stop: int) -> Iterator[NDArray[np.float64]]:
        """Yield the samples from `start` to `stop`."""
        yield self.values[:, start:stop]
