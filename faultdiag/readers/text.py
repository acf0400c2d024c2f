"""Tables of numbers as text: CSV, TSV, LVM and others."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError
from faultdiag.readers.base import (
    Reader,
    Variable,
    believable,
    decimal_step,
    is_time,
    key,
    plausible_clock,
    sampling_rate,
    states_unit,
    unit_of,
)
from faultdiag.readers.dialect import Dialect, dialect, is_comment, is_text
from faultdiag.readers.mixed import (
    cells,
    clock_period,
    fits_kind,
    is_wide,
    mixed_numbers,
    raw_cells,
    unwrapped,
    wide_table,
)
from faultdiag.readers.source import RecordingSource, distinct, head_of
from faultdiag.signal.recording import require_channels

# What the numbers of a block take in memory is a few times that.
_BLOCK_BYTES = 2**21
_COMMENT_BYTE = (b"#", b"%", b"//")


@dataclass(frozen=True, slots=True)
class Block:
    """Some whole lines of a file: `length` bytes from `offset` on, beginning with line `line`.

    They hold `rows` rows of numbers, the first of which is row `row` of the file.
    """

    offset: int
    length: int
    line: int
    row: int
    rows: int


@dataclass(frozen=True)
class TextBlocks:
    """The rows of numbers of a text file, with the dialect in which they are written."""

    path: Path
    dialect: Dialect

    @property
    def rows(self) -> int:
        """Number of rows; the whole file is read for it, once."""
        return self.index[-1].row + self.index[-1].rows

    @cached_property
    def index(self) -> list[Block]:
        """The blocks of the file.

        Raises
        ------
        FaultdiagError
            If a line is as long as a block.
        """
        blocks: list[Block] = []
        offset, line, row = self.dialect.offset, self.dialect.lines + 1, 0
        blank = 0
        while text := self._lines(offset):
            if self.dialect.columns == 1:
                blank = self._refuse_gap(text, line, blank)
            rows = self._rows_only(text).count(b"\n")
            blocks.append(Block(offset, len(text), line, row, rows))
            offset, line, row = offset + len(text), line + _lines_in(text), row + rows
        return blocks

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
            if not self.dialect.plain:
                return self._mixed(self._rows_only(text))
            numbers = np.loadtxt(
                BytesIO(self._plain(self._rows_only(text))),
                delimiter=None if separator == " " else self._separator,
                comments=None,
                ndmin=2,
            )
        except ValueError as error:
            raise self._bad_line(block, text) from error
        if numbers.shape != (block.rows, self.dialect.columns):
            raise self._bad_line(block, text)
        return numbers

    def first_cell(self, column: int) -> str:
        """Return a cell of the first row."""
        block = self.index[0]
        rows = self._rows_only(self._lines(block.offset, block.length))
        line = rows.split(b"\n", 1)[0].decode("utf-8", "replace")
        return self._row(line)[column]

    def _row(self, line: str) -> list[str]:
        """Return the cells of a line; those of text may be left out at its end."""
        row = raw_cells(line, self.dialect.separator)
        left = self.dialect.kinds[len(row) :]
        return row + [""] * len(left) if set(left) <= {"text"} else row

    def _mixed(self, text: bytes) -> NDArray[np.float64]:
        lines = text.decode("utf-8", "replace").splitlines()
        if not lines:
            return np.empty((0, self.dialect.columns))
        rows = [self._row(line) for line in lines]
        comma = self.dialect.decimal_comma
        return mixed_numbers(rows, self.dialect.kinds, decimal_comma=comma)

    def _rows_only(self, text: bytes) -> bytes:
        # Of a line of tabs alone every number is missing, where tabs separate them.
        return _rows_only(text, b" " if self.dialect.separator == "\t" else b" \t\v\f")

    def _refuse_gap(self, text: bytes, line: int, blank: int) -> int:
        """Refuse a blank line between the numbers of one column: there a number is missing.

        Returns
        -------
        int
            The number of a blank line that numbers in the next block may follow, or 0.
        """
        lines = _ends(text).removesuffix(b"\n").split(b"\n")
        if self.dialect.spaced:
            lines = self._without_spacing(lines, line)
        elif not blank and not _BLANK.search(b"\n" + text):
            return 0
        for number, content in enumerate(lines, line):
            if not content.strip():
                blank = blank or number
            elif blank:
                raise FaultdiagError(
                    f"{self.path}: line {blank} is blank between lines of numbers: a number may "
                    "be missing there; write it, or delete the line"
                )
        return blank

    def _without_spacing(self, lines: list[bytes], first: int) -> list[bytes]:
        """Return the lines without the blank one that follows every line of numbers."""
        place = first - self.dialect.lines - 1
        return [x for i, x in enumerate(lines, place) if i % 2 == 0 or x.strip()]

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
        problem = f"a line that does not hold {self.dialect.columns} numbers"
        for number, raw in enumerate(_ends(text).split(b"\n"), block.line):
            line = raw.decode("utf-8", errors="replace").strip(" ")
            if not line or is_comment(line):
                continue
            if not self._is_row(line):
                problem = f"line {number}, which is {line[:60]!r}"
                break
        names = {" ": "spaces", "\t": "tabs"}
        what = "numbers" if self.dialect.plain else f"cells ({', '.join(self.dialect.kinds)})"
        between = names.get(self.dialect.separator, f"'{self.dialect.separator}'")
        how = f" with {between} between them" if self.dialect.columns > 1 else ""
        return FaultdiagError(
            f"{self.path}: {problem}; every line from line {self.dialect.lines + 1} on must hold "
            f"{self.dialect.columns} {what}{how}: fix or delete it"
        )

    def _is_row(self, line: str) -> bool:
        if self.dialect.plain:
            row = cells(line, self.dialect.separator)
            return len(row) == self.dialect.columns and all(map(self._is_number, row))
        row = self._row(line)
        pairs = zip(row, self.dialect.kinds, strict=False)
        fitting = all(fits_kind(c, k, self.dialect.decimal_comma) for c, k in pairs)
        return len(row) == self.dialect.columns and fitting

    def _is_number(self, cell: str) -> bool:
        if self.dialect.decimal_comma:
            cell = cell.replace(",", ".")
        try:
            float(cell)
        except ValueError:
            return False
        return "_" not in cell and cell.isascii()


_BLANK = re.compile(rb"\n[ \t]*[\r\n]")


def _ends(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _lines_in(text: bytes) -> int:
    return _ends(text).count(b"\n")


def _is_remark(line: bytes) -> bool:
    return line.startswith(_COMMENT_BYTE) and is_comment(line.decode("utf-8", "replace"))


def _rows_only(text: bytes, blank: bytes = b" \t\v\f") -> bytes:
    r"""Return the lines that hold something, each ended by ``\n``, without comments."""
    if b"\r" in text:
        text = _ends(text)
    if _may_hold_others(text):
        text = b"\n".join(_sound_lines(text, blank))
    return text if text.endswith(b"\n") or not text else text + b"\n"


def _may_hold_others(text: bytes) -> bool:
    """Return whether there may be blank lines, remarks, or spaces around lines; a quick look."""
    if text.startswith((b"\n", b" ")) or any(mark in text for mark in _COMMENT_BYTE):
        return True
    # One byte is found many times as fast as two in a row.
    return any(mark in text and b"\n" + mark in text for mark in (b"\n", b" ", b"\t"))


def _sound_lines(text: bytes, blank: bytes) -> Iterator[bytes]:
    """Yield the lines that are neither blank nor a remark, without spaces around them."""
    for line in text.split(b"\n"):
        bare = line.strip(b" ")
        if bare.strip(blank) and not _is_remark(bare):
            yield bare


_KIND = "text file"
# Fewer rows than these may rise by chance.
_FEWEST_TIMES = 32
_COUNTERS = frozenset({"", "index", "sample", "samples", "n", "no", "nr", "i", "#"})


def holds_numbers(path: Path) -> bool:
    """Return whether a file is text that clearly holds a table of numbers.

    Raises
    ------
    OSError
        If the file can't be read.
    """
    head = head_of(path)
    if not is_text(head):
        return False
    return is_wide(head) or dialect(head, whole=len(head) == path.stat().st_size) is not None


def open_text(path: Path) -> Reader:
    """Return the reader of a table of numbers in text.

    Raises
    ------
    FaultdiagError
        If the file is not text, or holds no two lines of numbers.
    """
    head = head_of(path)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FaultdiagError(f"{path} is text in UTF-16; save it as UTF-8, for example as 'CSV'")
    if not is_text(head):
        raise FaultdiagError(
            f"{path} is no text: it begins with {head[:24]!r}; a text file holds numbers in lines"
        )
    table = dialect(head, whole=len(head) == path.stat().st_size)
    if is_wide(head) and (wide := wide_table(path)) is not None:
        return wide
    if table is None:
        first = head.lstrip(b"\xef\xbb\xbf").split(b"\n")[0][:60].decode("utf-8", "replace")
        raise FaultdiagError(
            f"{path} holds no table of numbers: at least two lines with the same number "
            f"of columns are needed in its first {len(head)} bytes; its first line is "
            f"{first.strip()!r}"
        )
    return TextTable(path, TextBlocks(path, table))


@dataclass(frozen=True)
class TextTable:
    """A text file whose columns are channels; one of them may count or time the samples.

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
            Variable(name, (self.text.rows,), self._dialect.kinds[i], channels.get(i))
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
        require_channels(self.path, names, known)
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
        names = self._dialect.names
        left = [i for i in range(len(names)) if i not in (self._time, self._counter)]
        unnamed = {i: f"ch{number}" for number, i in enumerate(left, 1)}
        timed = {self._time: "time", self._counter: "index"}
        return distinct([name or unnamed.get(i) or timed[i] for i, name in enumerate(names)])

    @cached_property
    def _channels(self) -> dict[str, int]:
        """Column of each channel by its name."""
        others = [i for i, kind in enumerate(self._dialect.kinds) if kind != "number"]
        outside = {self._time, self._counter, *self._clocks, *others}
        return {name: i for i, name in enumerate(self._names) if i not in outside}

    @cached_property
    def _first(self) -> NDArray[np.float64]:
        return self.text.numbers(self.text.index[0])

    @cached_property
    def _time(self) -> int | None:
        """The column of times, or None."""
        names, kinds = self._dialect.names, self._dialect.kinds
        if len(names) < 2:
            return None
        if "clock" in kinds:
            return kinds.index("clock")
        numbers = (i for i, kind in enumerate(kinds) if kind == "number")
        named = next((i for i in numbers if is_time(names[i])), None)
        return self._even_column if named is None else named

    @property
    def _even_column(self) -> int | None:
        """The column of even steps whose name states a unit, else a nameless first one."""
        names = self._dialect.names
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
        clocks = [
            column
            for column in rising
            if self._first[-1, column] > self._first[0, column]
            and isinstance(sampling_rate(self._first[:, column], self._resolution(column)), float)
        ]
        return tuple(clocks) if len(clocks) < self._dialect.kinds.count("number") else ()

    @cached_property
    def _counter(self) -> int | None:
        """The column that counts the samples, or None."""
        names = self._dialect.names
        first = self._first[:, 0]
        counts = key(names[0]) in _COUNTERS and bool((np.diff(first) == 1).all())
        return 0 if counts and len(names) > 1 and self._time != 0 else None

    def _resolution(self, column: int) -> float:
        """Decimal places of the last numbers of the first block."""
        return decimal_step(self._first[-_FEWEST_TIMES * 8 :, column])

    def _rate_of_times(self) -> float | None:
        column = self._time
        if column is None:
            return None
        name = self._dialect.names[column]
        clock = self._dialect.kinds[column] == "clock"
        unit = 1.0 if clock else unit_of(name)
        times, end, resolution = self._times(column, clock=clock)
        if len(times) < 2:
            return None
        rate = sampling_rate(times * unit, resolution * unit, last=end * unit, count=self.text.rows)
        if isinstance(rate, str):
            raise FaultdiagError(
                f"{self.path}: the times in column {self._names[column]} are not evenly "
                f"spaced: {rate}; resample the signal to a constant step, or take the column out "
                "and state the rate"
            )
        return rate if clock or believable(rate, name) else None

    def _times(self, column: int, *, clock: bool) -> tuple[NDArray[np.float64], float, float]:
        """Return the first times of a column, the last one, and what they were rounded to."""
        index = [block for block in self.text.index if block.rows]
        last = self._first if len(index) == 1 else self.text.numbers(index[-1])
        times, end = self._first[:, column], float(last[-1, column])
        if not clock:
            return times, end, self._resolution(column)
        times, end = self._unwrapped(times, end)
        return times, end, decimal_step(np.round(times[-_FEWEST_TIMES * 8 :] - times[0], 9))

    def _unwrapped(
        self, times: NDArray[np.float64], end: float
    ) -> tuple[NDArray[np.float64], float]:
        """Return times of the day without their restarts, and the last one, moved likewise."""
        column = self._dialect.kinds.index("clock")
        period = clock_period(self.text.first_cell(column))
        times = unwrapped(times, period)
        step = (times[-1] - times[0]) / max(len(times) - 1, 1)
        expected = times[0] + step * (self.text.rows - 1)
        return times, end + period * round((expected - end) / period)


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
