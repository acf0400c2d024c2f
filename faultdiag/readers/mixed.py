"""Cells of text tables, columns without plain numbers, and channels that are rows.

A recorder that writes a date or a time of the day in each line is read by those times; a column of
text, such as a state or a comment, is no channel and does not stop the others.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError
from faultdiag.readers.base import Variable
from faultdiag.readers.source import RecordingSource, distinct
from faultdiag.signal.recording import require_channels

NUMBER = re.compile(
    r"[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|nan|inf|infinity)", re.IGNORECASE
)


def clean(cell: str) -> str:
    """Return a cell without the spaces and quotes around it."""
    return cell.strip().strip("\"'").strip()


def cells(line: str, separator: str) -> list[str]:
    """Return the cells of a line without spaces and quotes; a last empty one is left out.

    Examples
    --------
    >>> cells('"1,5";2;', ";"), cells('"1,5","2"', ",")
    (['1,5', '2'], ['1,5', '2'])
    """
    if separator == " ":
        return [clean(cell) for cell in line.split()]
    row = [clean(cell) for cell in _quoted(line, separator)]
    return row[:-1] if row[-1] == "" and len(row) > 1 else row


def _quoted(line: str, separator: str) -> list[str]:
    if '"' not in line:
        return line.split(separator)
    return re.findall(
        rf'(?:^|{re.escape(separator)})((?:"[^"]*"|[^{re.escape(separator)}"])*)', line
    )


_DAY = 86_400.0
# Days of dated times: few, so that a float keeps nanoseconds. Times that fall are unwrapped.
_MOST_DAYS = 8
_DATE = r"(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})"
_CLOCK = re.compile(
    rf"(?:{_DATE}(?:[T ]|, ?)\s*)?(\d{{1,3}}):(\d\d):(\d\d(?:[.,]\d*)?)\s*([AaPp][Mm])?"
    r"(?:Z|\s*UTC|\s*[+-]\d\d:?\d\d)?"
)
_MINUTES = re.compile(r"(\d{1,3}):(\d\d[.,]\d+)")


def clock_seconds(cell: str) -> float | None:
    """Return the seconds of a time of the day, with a date or without; None for anything else.

    ``MM:SS.f`` counts from the hour, as spreadsheets write it. Dates count in a cycle of 8 days.

    Examples
    --------
    >>> [clock_seconds(cell) for cell in ("00:01:02.5", "01:02.5", "2024-05-17 00:00:01", "12")]
    [62.5, 62.5, 604801.0, None]
    """
    if short := _MINUTES.fullmatch(cell):
        return 60.0 * int(short[1]) + float(short[2].replace(",", "."))
    match = _CLOCK.fullmatch(cell)
    if match is None:
        return None
    hour = int(match[4]) % 12 + 12 * (match[7].lower() == "pm") if match[7] else int(match[4])
    seconds = 3600.0 * hour + 60.0 * int(match[5]) + float(match[6].replace(",", "."))
    return seconds + _DAY * (_ordinal(match[1], match[2], match[3]) % _MOST_DAYS)


def clock_period(cell: str) -> float:
    """Return the seconds after which a time of the day starts again."""
    if _MINUTES.fullmatch(cell):
        return 3600.0
    return _MOST_DAYS * _DAY if re.match(_DATE, cell) else _DAY


def _ordinal(first: str | None, second: str | None, third: str | None) -> int:
    """Return the number of a day, its parts in any usual order; 0 where there is none."""
    if first is None or second is None or third is None:
        return 0
    year, month, day = int(first), int(second), int(third)
    if len(first) < 3:
        # Day first; or the month, where that can't be one.
        year, month, day = (day, month, year) if month <= 12 else (day, year, month)
    try:
        return date(year, month, day).toordinal()
    except ValueError:
        return 0


def unwrapped(times: NDArray[np.float64], period: float) -> NDArray[np.float64]:
    """Return times that go on where they start again after a period, ``(samples,)``."""
    turns = np.cumsum(np.diff(times, prepend=times[:1]) < -period / 2)
    return np.asarray(times + period * turns)


# Of a column so many cells must be of its kind; the reader names the lines of the others.
_MOST_OF = 0.8
_FEWEST_LINES = 8


def column_kinds(lines: Sequence[Sequence[str]], *, decimal_comma: bool) -> tuple[str, ...] | None:
    """Return the kinds of the columns of some lines, or None if they are no table with numbers.

    A column of text must repeat itself, as states and comments do: names of files do not.

    Parameters
    ----------
    lines
        The cells of each line.

    Returns
    -------
    tuple[str, ...] | None
        ``number``, ``clock`` or ``text`` for each column; the first line fits all of them.
    """
    rows = _rows_of_one_width(lines)
    if not rows or not _may_be_table(rows, decimal_comma):
        return None
    columns = [list(column) for column in zip(*rows, strict=True)]
    kinds = tuple(_kind(column, decimal_comma) for column in columns)
    fits = all(fits_kind(c, k, decimal_comma) for c, k in zip(rows[0], kinds, strict=True))
    if "number" not in kinds or set(kinds) == {"number"} or not fits:
        return None
    return kinds if "clock" in kinds or _repeats(columns, kinds) else None


def _rows_of_one_width(lines: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Return the lines with the same number of cells as the first; none if they are too few."""
    width = len(lines[0])
    if width < 2:
        return []
    fitting = [line for line in lines if len(line) == width]
    return fitting if len(fitting) >= max(2, _MOST_OF * len(lines)) else []


def _may_be_table(rows: Sequence[Sequence[str]], decimal_comma: bool) -> bool:
    """Return False where the first line and its columns of text already show that there is none.

    This spares judging every cell, for each line of a long list that a table could begin in.
    """
    first = rows[0]
    texts = [i for i, cell in enumerate(first) if not fits_kind(cell, "number", decimal_comma)]
    if len(texts) == len(first):
        return False
    if any(clock_seconds(first[i]) is not None for i in texts):
        return True
    most = _most_texts(len(rows))
    return all(len({row[i] for row in rows}) <= most for i in texts)


def _most_texts(rows: int) -> int:
    """Return how many different texts a column of states has at most."""
    return max(1, rows // 4)


def _repeats(columns: Sequence[Sequence[str]], kinds: Sequence[str]) -> bool:
    """Return whether the text of a table is that of states, beside numbers with decimals."""
    count = len(columns[0])
    pairs = list(zip(columns, kinds, strict=True))
    texts = [len(set(column)) for column, kind in pairs if kind == "text"]
    broken = any("." in c or "," in c for column, kind in pairs if kind == "number" for c in column)
    return count >= _FEWEST_LINES and broken and max(texts) <= _most_texts(count)


def raw_cells(line: str, separator: str) -> list[str]:
    """Return the cells of a line, empty ones too."""
    if separator == " ":
        return [clean(cell) for cell in line.split()]
    return [clean(cell) for cell in _quoted(line, separator)]


def _kind(column: Sequence[str], comma: bool) -> str:
    for kind in ("number", "clock"):
        if sum(fits_kind(cell, kind, comma) for cell in column) >= _MOST_OF * len(column):
            return kind
    return "text"


def fits_kind(cell: str, kind: str, decimal_comma: bool) -> bool:
    """Return whether a cell is of a kind."""
    if kind == "text":
        return True
    if kind == "clock":
        return clock_seconds(cell) is not None
    return bool(NUMBER.fullmatch(cell.replace(",", ".") if decimal_comma else cell))


def mixed_numbers(
    rows: Sequence[Sequence[str]], kinds: Sequence[str], *, decimal_comma: bool
) -> NDArray[np.float64]:
    """Return rows of cells as numbers, ``(rows, columns)``: clocks in seconds, text as NaN.

    Raises
    ------
    ValueError
        If a row has another number of cells, or a cell is not of its column's kind.
    """
    numbers = np.full((len(rows), len(kinds)), np.nan)
    columns = list(zip(*rows, strict=True))
    if any(len(row) != len(kinds) for row in rows):
        raise ValueError("a row has another number of cells")
    for i, (column, kind) in enumerate(zip(columns, kinds, strict=False)):
        if kind == "clock":
            numbers[:, i] = [_seconds(cell) for cell in column]
        elif kind == "number":
            numbers[:, i] = [float(c.replace(",", ".") if decimal_comma else c) for c in column]
    return numbers


def _seconds(cell: str) -> float:
    seconds = clock_seconds(cell)
    if seconds is None:
        raise ValueError(f"{cell!r} is no time")
    return seconds


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
    values = list(map(clean, line.split(separator)))
    if values and not values[-1]:
        values.pop()
    if separator == ";" and "." not in line:
        values = [cell.replace(",", ".") for cell in values]
    named = bool(values) and not NUMBER.fullmatch(values[0])
    return (values[0], values[1:]) if named else ("", values)


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
        require_channels(self.path, names, known)
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
