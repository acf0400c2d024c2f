"""Rows of `faultdiag predict`: what stands in one, and how they are written as they come."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TextIO

COLUMNS = (
    "path",
    "status",
    "label",
    "confidence",
    "agreement",
    "windows",
    "sampling_rate",
    "channel",
    "novelty",
    "error",
)


NOVEL = "unlike the training data"


@dataclass(frozen=True, slots=True)
class Row:
    """The diagnosis of one recording, or why there is none.

    ``sampling_rate`` is that of the recording in Hz; ``sampling_rate_source`` says who states
    it: ``file``, ``catalogue``, ``argument``, or ``assumed`` where nobody does and the model's
    own is taken. ``novelty`` is above 1 where the recording is unlike the training data.
    """

    path: str
    status: str
    label: str | None = None
    confidence: float | None = None
    agreement: float | None = None
    windows: int | None = None
    sampling_rate: float | None = None
    sampling_rate_source: str | None = None
    channel: str | None = None
    novelty: float | None = None
    error: str | None = None
    probabilities: dict[str, float] | None = None

    @property
    def is_novel(self) -> bool:
        """Whether the recording is unlike the training data."""
        return self.novelty is not None and self.novelty > 1


def novelty_note(novel: int, files: int) -> str:
    """Give what is said when some of the recordings are novel; nothing where none is."""
    if not novel:
        return ""
    return (
        f"warning: {novel} of {files} recordings {'is' if novel == 1 else 'are'} unlike the "
        "training data (novelty above 1): it has seen nothing like them, so don't rely on the "
        "diagnosis alone, whatever the confidence\n"
    )


class RowWriter(Protocol):
    """Writes rows one by one; each is out before the next is made."""

    def write(self, row: Row) -> None:
        """Write one row."""


class CsvWriter:
    """Rows as CSV: a heading, the columns of `COLUMNS`, then a probability per class.

    A rate that is assumed says so behind the number.

    Parameters
    ----------
    stream
        Where to.
    classes
        The model's classes.
    heading
        Whether the heading is still to be written.
    """

    def __init__(self, stream: TextIO, classes: Sequence[str], *, heading: bool = True) -> None:
        self._stream = stream
        self._classes = classes
        self._csv = csv.writer(stream, lineterminator="\n")
        if heading:
            self._put([*COLUMNS, *probability_columns(classes)])

    def write(self, row: Row) -> None:
        """Write one row."""
        cells = {name: _cell(getattr(row, name)) for name in COLUMNS}
        if row.sampling_rate_source == "assumed":
            cells["sampling_rate"] += " assumed"
        chances = row.probabilities or {}
        self._put([*cells.values(), *(_cell(chances.get(name)) for name in self._classes)])

    def _put(self, cells: Sequence[str]) -> None:
        self._csv.writerow([printable(cell) for cell in cells])
        self._stream.flush()


class JsonWriter:
    """Rows as JSON, one object a line: the columns of the CSV and ``sampling_rate_source``.

    Parameters
    ----------
    stream
        Where to.
    classes
        The model's classes.
    """

    def __init__(self, stream: TextIO, classes: Sequence[str]) -> None:
        self._stream = stream
        self._classes = classes

    def write(self, row: Row) -> None:
        """Write one row."""
        chances = row.probabilities or {}
        names = zip(self._classes, probability_columns(self._classes), strict=True)
        document: dict[str, Any] = {name: getattr(row, name) for name in COLUMNS}
        document |= {column: chances.get(name) for name, column in names}
        document["sampling_rate_source"] = row.sampling_rate_source
        self._stream.write(printable(json.dumps(document, ensure_ascii=False)) + "\n")
        self._stream.flush()


class TableWriter:
    """Rows as an aligned table for a terminal.

    Parameters
    ----------
    stream
        Where to.
    classes
        The model's classes.
    paths
        All paths that will come, for the width of their column.
    """

    HEADING = ("confidence %", "agreement %", "windows")

    def __init__(self, stream: TextIO, classes: Sequence[str], paths: Sequence[str]) -> None:
        self._stream = stream
        self._path = max(len(text) for text in ["recording", *paths])
        self._label = max(len(text) for text in ["diagnosis", *classes])
        self._line("recording", "diagnosis", "  ".join(self.HEADING))
        numbers = "  ".join("-" * len(text) for text in self.HEADING)
        self._line("-" * self._path, "-" * self._label, numbers)

    def write(self, row: Row) -> None:
        """Write one row."""
        if row.error is not None:
            self._line(row.path, "-", row.error)
            return
        values = (f"{100 * (row.confidence or 0):.1f}", f"{100 * (row.agreement or 0):.1f}")
        cells = zip((*values, str(row.windows)), self.HEADING, strict=True)
        numbers = "  ".join(value.rjust(len(text)) for value, text in cells)
        mark = f"  {NOVEL}" if row.is_novel else ""
        self._line(row.path, row.label or "-", numbers + mark)

    def _line(self, path: str, label: str, rest: str) -> None:
        text = f"{path.ljust(self._path)}  {label.ljust(self._label)}  {rest}"
        self._stream.write(printable(text) + "\n")
        self._stream.flush()


def probability_columns(classes: Sequence[str]) -> list[str]:
    """Give the columns of the classes' probabilities: their names, marked where one is taken.

    Examples
    --------
    >>> probability_columns(["N", "error"])
    ['N', 'p(error)']
    """
    return [f"p({name})" if name in COLUMNS else name for name in classes]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def printable(text: str) -> str:
    """Escape what UTF-8 can't encode: parts of file names that are not UTF-8."""
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")
