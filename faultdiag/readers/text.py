"""Tables of numbers as text: CSV, TSV, LVM and others."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError, did_you_mean
from faultdiag.readers.base import (
    Reader,
    Variable,
    believable,
    decimal_step,
    is_rate,
    is_speed,
    is_time,
    key,
    plausible_clock,
    plausible_rate,
    plausible_speed,
    sampling_rate,
    states_unit,
    unit_of,
)
from faultdiag.readers.content import head_of
from faultdiag.readers.source import RecordingSource, distinct

_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|inf|infinity)", re.IGNORECASE)
_WITH_COMMA = re.compile(r"[+-]?\d+(?:,\d+)?(?:e[+-]?\d+)?", re.IGNORECASE)
_COMMENT = ("#", "%", "//")
_UNIT = re.compile(
    r"[\[(]?(?:[mµunk]?(?:s|g|V|A|N|Pa|m|Hz)|sec|m/s\^?2|m/s²|mm/s|rpm|1/min|%|°C|-|)[\])]?"
)
# A longer line states no fact, and could keep the pattern busy.
_LONGEST_FACT = 400
_FACT = re.compile(r"\W*([A-Za-z][^:=,;\t]*?)\s*[:=,;\t]\s*(\d+\.?\d*|\.\d+)\s*([A-Za-z/]*)\W*")
# What spreadsheets and programs write where a number is missing.
_MISSING = re.compile(
    r"|#(?:N/?[AV]|[^\W\d_]+[!?]|[^\W\d_]+/0!?)|n/?a|nan|null|none|nil|missing|[-?.]+",
    re.IGNORECASE,
)
_FACTORS = {"": 1.0, "hz": 1.0, "khz": 1e3, "rpm": 1.0}
# Separator, and whether a comma is the decimal point; the first that fits two lines is taken.
# A comma is both only where every number stands in quotes.
_WAYS = (
    *((";", False), (";", True), ("\t", False), ("\t", True)),
    *((",", False), (",", True), (" ", False), (" ", True)),
)
# Two columns of whole numbers, or decimal commas? A leading zero tells, and so does "-0".
# A whole number has no leading zero: 12,05 is one number, 12,0 may be two.
_DECIMALS = re.compile(r"[+-]?\d+,0\d+|-0,\d+")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the numbers of a text file are kept.

    Parameters
    ----------
    separator
        Between two numbers; a space stands for any spaces and tabs.
    decimal_comma
        Whether a comma is the decimal point.
    trailing
        Whether lines end in one more separator.
    columns
        Numbers in a line.
    names
        Names of the columns; empty ones where nothing names them.
    offset, lines
        Bytes and lines before the first numbers.
    decimals
        Most digits behind the decimal point in the first lines, by column.
    sampling_rate, rpm
        What lines before the numbers state, or None.
    """

    separator: str
    decimal_comma: bool
    trailing: bool
    columns: int
    names: tuple[str, ...]
    offset: int
    lines: int
    decimals: tuple[int, ...]
    sampling_rate: float | None
    rpm: float | None


def holds_numbers(path: Path) -> bool:
    """Return whether a file is text that clearly holds a table of numbers.

    Raises
    ------
    OSError
        If the file can't be read.
    """
    head = head_of(path)
    return is_text(head) and dialect(head, whole=len(head) == path.stat().st_size) is not None


def is_text(head: bytes) -> bool:
    """Return whether bytes can be text: no control characters but tabs and ends of lines."""
    return not re.search(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]", head)


def dialect(head: bytes, *, whole: bool) -> Dialect | None:
    """Return the dialect that the first two lines of numbers have, or None if there are none.

    Parameters
    ----------
    head
        The beginning of a file.
    whole
        Whether that is all of it.
    """
    raw = head.replace(b"\r\n", b" \n").replace(b"\r", b"\n").splitlines(keepends=True)
    lines = [_decoded(line) for line in (raw if whole else raw[:-1])]
    full = [i for i, line in enumerate(lines) if line and not _is_comment(line)]
    for place, pair in enumerate(pairwise(full)):
        way = _way(*(lines[i] for i in pair))
        if way is None:
            continue
        start = place
        while start and _begun(lines[full[start - 1]], way[0]):
            start -= 1
        sample = [lines[i] for i in full[place : place + 50]]
        numbered = _numbered_header(lines[full[start]], way[0], lines, full[start + 1 :])
        first = full[start + 1] if numbered else full[start]
        found = _dialect(*way, lines[:first], sum(map(len, raw[:first])), sample[-49:])
        return replace(found, names=tuple(numbered)) if numbered else found
    return None


def _is_comment(line: str) -> bool:
    """Return whether a line is a remark, and no row: ``# pause`` is, ``#N/A,3.3`` is not."""
    bare = line.lstrip("#%/")
    if not line.startswith(_COMMENT) or (bare and not bare[0].isspace()):
        return line.startswith(_COMMENT) and not _MISSING.fullmatch(re.split(r"[,;\t ]", line)[0])
    parts = [clean(part) for part in re.split(r"[,;\t]", bare)]
    words = bare.split()
    numbers = [word for word in words if _NUMBER.fullmatch(word)]
    return not (any(map(_NUMBER.fullmatch, parts)) or (words and len(numbers) == len(words)))


def _numbered_header(
    line: str, separator: str, lines: Sequence[str], rows: Sequence[int]
) -> list[str] | None:
    """Return the names of a header that numbers its columns (``0,1`` or ``,0,1``), or None.

    Of whole numbers below it a header of one or two numbers looks like a row.
    """
    names = cells(line, separator)
    numbered = names[1:] if len(names) > 1 and not names[0] else names
    if not any(numbered == [str(i + k) for i in range(len(numbered))] for k in (0, 1)):
        return None
    below = [cells(lines[i], separator) for i in rows[:50]]
    own = [row[len(names) - len(numbered) :] for row in below if len(row) == len(names)]
    broken = any(not cell.lstrip("+-").isdecimal() for row in own for cell in row)
    enough = bool(own) and (broken or len(numbered) > 2 or len(names) > len(numbered))
    return names if enough else None


def _way(first: str, second: str) -> tuple[str, bool] | None:
    """Return separator and decimal comma of two lines with the same number of columns, or None."""
    for separator, comma in _WAYS:
        cells_of = [_split(line, separator, comma) for line in (first, second)]
        if all(cells_of) and len({len(found or ()) for found in cells_of}) == 1:
            return separator, comma
    return None


def _begun(line: str, separator: str) -> bool:
    """Return whether a line that is no row of numbers looks like a damaged one.

    It is counted to the table, so that the error for it names it.
    """
    found = [clean(cell) for cell in line.split(separator)]
    first = next((cell for cell in found if cell), "")
    numbers = [bool(_NUMBER.fullmatch(cell.replace(",", "."))) for cell in found]
    rest = [cell for cell, number in zip(found, numbers, strict=True) if not number]
    if len(found) > 1 and any(numbers) and all(map(_MISSING.fullmatch, rest)):
        return True
    return len(found) > 1 and bool(_NUMBER.fullmatch(first.replace(",", ".")))


def clean(cell: str) -> str:
    """Return a cell without the spaces and quotes around it."""
    return cell.strip().strip("\"'").strip()


def _decoded(line: bytes) -> str:
    line = line.removeprefix(b"\xef\xbb\xbf")
    try:
        return line.decode("utf-8").strip(" \n\v\f")
    except UnicodeDecodeError:
        return line.decode("latin-1").strip(" \n\v\f")


def cells(line: str, separator: str) -> list[str]:
    """Return the cells of a line without spaces and quotes; a last empty one is left out.

    Examples
    --------
    >>> cells('"1,5";2;', ";"), cells('"1,5","2"', ",")
    (['1,5', '2'], ['1,5', '2'])
    """
    if separator == " ":
        return [clean(cell) for cell in line.split()]
    found = [clean(cell) for cell in _quoted(line, separator)]
    return found[:-1] if found[-1] == "" and len(found) > 1 else found


def _quoted(line: str, separator: str) -> list[str]:
    if '"' not in line:
        return line.split(separator)
    return re.findall(
        rf'(?:^|{re.escape(separator)})((?:"[^"]*"|[^{re.escape(separator)}"])*)', line
    )


def _split(line: str, separator: str, comma: bool) -> list[str] | None:
    """Return the cells of a line if all of them are numbers, with a decimal point, else None."""
    if separator != " " and separator not in line:
        return None
    found = cells(line, separator)
    if comma:
        bare = separator == "," and line.count('"') != 2 * len(found)
        if bare or not all(_WITH_COMMA.fullmatch(cell) for cell in found):
            return None
        found = [cell.replace(",", ".") for cell in found]
    return found if found and all(_NUMBER.fullmatch(cell) for cell in found) else None


def _dialect(
    separator: str, comma: bool, before: Sequence[str], offset: int, sample: Sequence[str]
) -> Dialect:
    columns = len(cells(sample[0], separator))
    header = _header(before, separator, columns)
    if separator == "," and columns == 2 and _decimal_commas(before, sample):
        separator, comma, columns = ";", True, 1
        header = _header(before, separator, columns)
    decimals = [0] * columns
    for line in sample:
        for i, cell in enumerate(cells(line, separator)[:columns]):
            tail = re.fullmatch(r".*[.,](\d*)", cell)
            decimals[i] = max(decimals[i], len(tail[1]) if tail else 0)
    rate, rpm = _facts(before)
    return Dialect(
        separator=separator,
        decimal_comma=comma,
        trailing=separator != " " and sample[0].rstrip(" ").endswith(separator),
        columns=columns,
        names=tuple(header or [""] * columns),
        offset=offset,
        lines=len(before),
        decimals=tuple(decimals),
        sampling_rate=rate,
        rpm=rpm,
    )


def _decimal_commas(before: Sequence[str], sample: Sequence[str]) -> bool:
    """Return whether ``0,123`` is one number: by a header of one name, or by its zeros."""
    if not all(re.fullmatch(r"[+-]?\d+,\d+", line) for line in sample):
        return False
    header = [line for line in before if line and not line.startswith(_COMMENT)]
    if header:
        return "," not in header[-1]
    return any(_DECIMALS.fullmatch(line) for line in sample)


def _header(before: Sequence[str], separator: str, columns: int) -> list[str] | None:
    """Return the names above the numbers; a row of units below them is passed over."""
    rows = list(_rows_of_text(before, separator, columns))
    if len(rows) > 1 and all(_UNIT.fullmatch(cell) for cell in rows[0]):
        return [
            name if not unit.strip("[]()-") else f"{name} [{unit.strip('[]()')}]"
            for name, unit in zip(rows[1], rows[0], strict=True)
        ]
    if rows and all(cell.startswith(("[", "(")) for cell in rows[0]):
        return None
    return rows[0] if rows else None


def _rows_of_text(before: Sequence[str], separator: str, columns: int) -> Iterator[list[str]]:
    """Yield the lines above the numbers, last first, that have as many cells and no number."""
    for line in reversed(before):
        bare = line.lstrip("#%/ ") if line.startswith(_COMMENT) else line
        ways = (",", ";", "\t", separator) if bare is not line else (separator,)
        if not bare:
            continue
        fitting = [found for way in ways if len(found := cells(bare, way)) == columns]
        if not fitting or any(_NUMBER.fullmatch(cell) for cell in fitting[0]):
            if bare is not line:
                continue
            return
        yield fitting[0]


def _facts(before: Sequence[str]) -> tuple[float | None, float | None]:
    rates, speeds = [], []
    for line in before:
        match = _FACT.fullmatch(line) if len(line) <= _LONGEST_FACT else None
        if not match or match[2].count(".") > 1 or match[3].lower() not in _FACTORS:
            continue
        value = float(match[2]) * _FACTORS[match[3].lower()]
        if is_rate(match[1]):
            rates.append(value)
        elif is_speed(match[1]):
            speeds.append(value)
    return plausible_rate(rates), plausible_speed(speeds)


# What the numbers of a block take in memory is a few times that.
_BLOCK_BYTES = 2**21
_COMMENT_BYTE = (b"#", b"%", b"//")


@dataclass(frozen=True, slots=True)
class Block:
    """Some whole lines of a file.

    Parameters
    ----------
    offset, length
        Where they lie, in bytes.
    line
        Number of the first line, from 1.
    row, rows
        Index of their first row of numbers, and how many there are.
    """

    offset: int
    length: int
    line: int
    row: int
    rows: int


@dataclass(frozen=True)
class TextBlocks:
    """The rows of numbers of a text file.

    Parameters
    ----------
    path
        The file.
    dialect
        How it keeps them.
    """

    path: Path
    dialect: Dialect

    @property
    def rows(self) -> int:
        """How many rows there are; the file is read through for that, once."""
        return self.index[-1].row + self.index[-1].rows

    @cached_property
    def index(self) -> list[Block]:
        """The blocks of the file.

        Raises
        ------
        FaultdiagError
            If a line is as long as a block.
        """
        found: list[Block] = []
        offset, line, row = self.dialect.offset, self.dialect.lines + 1, 0
        while text := self._lines(offset):
            rows = _rows_only(text).count(b"\n")
            found.append(Block(offset, len(text), line, row, rows))
            offset, line, row = offset + len(text), line + _lines_in(text), row + rows
        return found

    def numbers(self, block: Block) -> NDArray[np.float64]:
        """Return the numbers of a block, ``(rows, columns)``.

        Raises
        ------
        FaultdiagError
            If a line holds anything else; the message names it.
        """
        text = self._lines(block.offset, block.length)
        separator = self.dialect.separator
        try:
            found = np.loadtxt(
                BytesIO(self._plain(_rows_only(text))),
                delimiter=None if separator == " " else self._separator,
                comments=None,
                ndmin=2,
            )
        except ValueError as error:
            raise self._bad_line(block, text) from error
        if found.shape != (block.rows, self.dialect.columns):
            raise self._bad_line(block, text)
        return found

    @property
    def _separator(self) -> str:
        commas = self.dialect.decimal_comma and self.dialect.separator == ","
        return ";" if commas else self.dialect.separator

    def _plain(self, text: bytes) -> bytes:
        """Return lines without quotes, with a decimal point and no separator at their ends."""
        mark = self._separator.encode()
        if b'"' in text:
            if mark != self.dialect.separator.encode():
                text = text.replace(b'","', b'";"')
            text = text.replace(b'"', b"")
        if self.dialect.decimal_comma:
            text = text.replace(b",", b".")
        if self.dialect.trailing:
            text = text.replace(mark + b"\n", b"\n")
        return text

    def _lines(self, offset: int, length: int | None = None) -> bytes:
        """Return whole lines from a place on, with their own ends."""
        with self.path.open("rb") as file:
            file.seek(offset)
            text = file.read(_BLOCK_BYTES if length is None else length)
        if length is not None or len(text) < _BLOCK_BYTES:
            return text
        end = max(text.rfind(b"\n"), text.rfind(b"\r", 0, len(text) - 1)) + 1
        if end == 0:
            raise FaultdiagError(
                f"{self.path} has a line of more than {_BLOCK_BYTES} characters; "
                "write one sample a line"
            )
        return text[:end]

    def _bad_line(self, block: Block, text: bytes) -> FaultdiagError:
        said = f"a line that does not hold {self.dialect.columns} numbers"
        for number, raw in enumerate(_ends(text).split(b"\n"), block.line):
            line = raw.decode("utf-8", errors="replace").strip(" ")
            if not line or _is_comment(line):
                continue
            found = cells(line, self.dialect.separator)
            if len(found) != self.dialect.columns or not all(map(self._is_number, found)):
                said = f"line {number}, which is {line[:60]!r}"
                break
        names = {" ": "spaces", "\t": "tabs"}
        between = names.get(self.dialect.separator, f"'{self.dialect.separator}'")
        how = f" with {between} between them" if self.dialect.columns > 1 else ""
        return FaultdiagError(
            f"{self.path}: {said}; every line from line {self.dialect.lines + 1} on must hold "
            f"{self.dialect.columns} numbers{how}: fix or delete it"
        )

    def _is_number(self, cell: str) -> bool:
        if self.dialect.decimal_comma:
            cell = cell.replace(",", ".")
        try:
            float(cell)
        except ValueError:
            return False
        return "_" not in cell and cell.isascii()


def _ends(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _lines_in(text: bytes) -> int:
    return _ends(text).count(b"\n")


def _is_remark(line: bytes) -> bool:
    return line.startswith(_COMMENT_BYTE) and _is_comment(line.decode("utf-8", "replace"))


def _rows_only(text: bytes) -> bytes:
    r"""Return the lines that hold something, each ended by ``\n``, without comments."""
    if b"\r" in text:
        text = _ends(text)
    # One byte is found many times as fast as two in a row.
    pairs = [b"\n" + mark for mark in (b"\n", b" ", b"\t") if mark in text]
    pairs += [mark for mark in _COMMENT_BYTE if mark in text]
    if text.startswith((b"\n", b" ")) or any(pair in text for pair in pairs):
        lines = (line.strip(b" ") for line in text.split(b"\n"))
        text = b"\n".join(x for x in lines if x.strip() and not _is_remark(x))
    return text if text.endswith(b"\n") or not text else text + b"\n"


_KIND = "text file"
# Fewer rows than these may rise by chance.
_FEWEST_TIMES = 32
_COUNTERS = frozenset({"", "index", "sample", "samples", "n", "no", "nr", "i", "#"})


def open_text(path: Path) -> Reader:
    """Return the reader of a table of numbers in text.

    Raises
    ------
    FaultdiagError
        If the file is no text, or holds no two lines of numbers.
    """
    head = head_of(path)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FaultdiagError(f"{path} is text in UTF-16; save it as UTF-8, for example as 'CSV'")
    if not is_text(head):
        raise FaultdiagError(
            f"{path} is no text: it begins with {head[:24]!r}; a text file holds numbers in lines"
        )
    found = dialect(head, whole=len(head) == path.stat().st_size)
    if found is None:
        first = head.lstrip(b"\xef\xbb\xbf").split(b"\n")[0][:60].decode("utf-8", "replace")
        raise FaultdiagError(
            f"{path} holds no table of numbers: at least two lines with the same number "
            f"of columns are needed in its first {len(head)} bytes; its first line is "
            f"{first.strip()!r}"
        )
    return TextTable(path, TextBlocks(path, found))


@dataclass(frozen=True)
class TextTable:
    """A text file whose columns are channels, of which one may count or time the samples.

    A column is a time where its name says so (``time``, ``t [ms]``, ``Zeit``) or where it is
    the first of several, has no name and rises in equal steps of a plausible sampling
    interval; where its steps are 1, it counts samples and is left out. The sampling rate is
    that of the times, else what a line above the numbers says (``fs = 12800``).

    Parameters
    ----------
    path
        The file.
    text
        Its numbers.
    """

    path: Path
    text: TextBlocks

    def variables(self) -> list[Variable]:
        """Return the columns; the file is read through to count the lines."""
        channels = {column: name for name, column in self._channels.items()}
        return [
            Variable(name, (self.text.rows,), "number", channels.get(i))
            for i, name in enumerate(self._names)
        ]

    def source(self, channels: Sequence[str] | None) -> RecordingSource:
        """Return these channels (all for None) as an opened recording.

        Raises
        ------
        FaultdiagError
            If there is no such channel, or the times are not evenly spaced.
        """
        known = self._channels
        names = tuple(known if channels is None else channels)
        for name in names:
            if name not in known:
                raise FaultdiagError(
                    f"{self.path} has no channel '{name}'{did_you_mean(name, known)}; "
                    f"it has: {', '.join(known)}"
                )
        rate = self._rate_of_times() or self._dialect.sampling_rate
        columns = Columns(self.text, tuple(known[name] for name in names))
        return RecordingSource(
            self.path, names, self.text.rows, rate, self._dialect.rpm, "number", _KIND, columns
        )

    @property
    def _dialect(self) -> Dialect:
        return self.text.dialect

    @cached_property
    def _names(self) -> list[str]:
        found = self._dialect.names
        left = [i for i in range(len(found)) if i not in (self._time, self._counter)]
        unnamed = {i: f"ch{number}" for number, i in enumerate(left, 1)}
        timed = {self._time: "time", self._counter: "index"}
        return distinct([name or unnamed.get(i) or timed[i] for i, name in enumerate(found)])

    @cached_property
    def _channels(self) -> dict[str, int]:
        """Column of each channel by its name."""
        outside = {self._time, self._counter, *self._clocks}
        return {name: i for i, name in enumerate(self._names) if i not in outside}

    @cached_property
    def _first(self) -> NDArray[np.float64]:
        return self.text.numbers(self.text.index[0])

    @cached_property
    def _time(self) -> int | None:
        """The column of times, or None."""
        names = self._dialect.names
        if len(names) < 2:
            return None
        named = next((i for i, name in enumerate(names) if is_time(name)), None)
        if named is not None:
            return named
        stated = [i for i in self._clocks if names[i] and states_unit(names[i])]
        if stated or 0 not in self._clocks or names[0]:
            return next(iter(stated), None)
        rate = sampling_rate(self._first[:, 0], self._resolution(0))
        return 0 if isinstance(rate, float) and plausible_clock(rate) else None

    @cached_property
    def _clocks(self) -> tuple[int, ...]:
        """Columns that rise in even steps, whatever they are called, where others are left."""
        if len(self._dialect.names) < 2 or len(self._first) < _FEWEST_TIMES:
            return ()
        rising = np.flatnonzero((np.diff(self._first, axis=0) >= 0).all(axis=0)).tolist()
        found = [
            column
            for column in rising
            if self._first[-1, column] > self._first[0, column]
            and isinstance(sampling_rate(self._first[:, column], self._resolution(column)), float)
        ]
        return tuple(found) if len(found) < len(self._dialect.names) else ()

    @cached_property
    def _counter(self) -> int | None:
        """The column that counts the samples, or None."""
        names = self._dialect.names
        first = self._first[:, 0]
        counts = key(names[0]) in _COUNTERS and bool((np.diff(first) == 1).all())
        return 0 if counts and len(names) > 1 and self._time != 0 else None

    def _resolution(self, column: int) -> float:
        """What the last numbers of the first block were rounded to; 0 if to no decimal place."""
        return decimal_step(self._first[-_FEWEST_TIMES * 8 :, column])

    def _rate_of_times(self) -> float | None:
        if self._time is None:
            return None
        unit = unit_of(self._dialect.names[self._time])
        index = [block for block in self.text.index if block.rows]
        last = self._first if len(index) == 1 else self.text.numbers(index[-1])
        rate = sampling_rate(
            self._first[:, self._time] * unit,
            self._resolution(self._time) * unit,
            last=float(last[-1, self._time]) * unit,
            count=self.text.rows,
        )
        if isinstance(rate, str):
            raise FaultdiagError(
                f"{self.path}: the times in column {self._names[self._time]} are not evenly "
                f"spaced: {rate}; resample the signal to a constant step, or take the column out "
                "and state the rate"
            )
        return rate if believable(rate, self._dialect.names[self._time]) else None


@dataclass(frozen=True, slots=True)
class Columns:
    """The samples in some columns of a text file."""

    text: TextBlocks
    columns: tuple[int, ...]

    def blocks(self, start: int, stop: int) -> Iterator[NDArray[np.float64]]:
        """Yield the samples from `start` to `stop` in pieces ``(channels, n)``, in order."""
        for block in self.text.index:
            first, last = max(start - block.row, 0), min(stop - block.row, block.rows)
            if first < last:
                yield self.text.numbers(block)[first:last, self.columns].T
