"""The format of a text file: separator, decimal comma, header, facts above the numbers."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from faultdiag.readers.base import rate_and_speed
from faultdiag.readers.mixed import NUMBER, cells, clean, column_kinds, raw_cells

_WITH_COMMA = re.compile(r"[+-]?\d+(?:,\d+)?(?:e[+-]?\d+)?", re.IGNORECASE)
_COMMENT = ("#", "%", "//")
_MARKS = "#%/ "
_UNIT = re.compile(
    r"[\[(]?(?:[mµunk]?(?:s|g|V|A|N|Pa|m|Hz)|sec|m/s\^?2|m/s²|mm/s|rpm|1/min|%|°C|-|)[\])]?"
)
# A longer line states no fact, and could keep the pattern busy.
_LONGEST_FACT = 400
_FACT = re.compile(
    r"\W*([A-Za-z][^:=,;\t]*?)\s*[:=,;\t]\s*((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-zµ/]*)\W*"
)
# What spreadsheets and programs write where a number is missing.
_MISSING = re.compile(
    r"|#¡?(?:N/?[AV]|[^\W\d_]+[!?]|[^\W\d_]+/0!?)|[nk]\.? ?/? ?a\.?|<na>|nat|-?nan(?:\(\w*\))?"
    r"|[+-]?1\.#\w+|\(?null\)?|none|nil|void|missing|invalid|over ?(?:range|load|flow)|[-?.*]+"
    r"|[+-]?∞|缺失|缺失值|无|空|无效|fehlt|ungültig|keine",
    re.IGNORECASE,
)
_FACTORS = {
    "": 1.0,
    "hz": 1.0,
    "khz": 1e3,
    "rpm": 1.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
}
# Separator, and whether a comma is the decimal point; the first that fits two lines is taken.
# A comma is both only if every number is in quotes.
_WAYS = (
    *((";", False), (";", True), ("\t", False), ("\t", True)),
    *((",", False), (",", True), (" ", False), (" ", True)),
)
# Two columns of whole numbers, or decimal commas? A leading zero tells, and so does "-0".
# A whole number has no leading zero: 12,05 is one number, 12,0 may be two.
_DECIMALS = re.compile(r"[+-]?\d+,0\d+|-0,\d+")


@dataclass(frozen=True, slots=True)
class Dialect:
    """The format of the numbers in a text file.

    Parameters
    ----------
    separator
        Text between two numbers; a space means any spaces and tabs.
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
    sampling_rate, rpm
        What lines before the numbers state, or None.
    kinds
        What the columns hold: ``number``, ``clock`` (times of the day) or ``text``.
    spaced
        Whether a blank line follows every line of numbers.
    """

    separator: str
    decimal_comma: bool
    trailing: bool
    columns: int
    names: tuple[str, ...]
    offset: int
    lines: int
    sampling_rate: float | None
    rpm: float | None
    kinds: tuple[str, ...]
    spaced: bool = False

    @property
    def plain(self) -> bool:
        """Whether every column holds numbers."""
        return set(self.kinds) == {"number"}


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
    raw = raw if whole else raw[:-1]
    lines = [_decoded(line) for line in raw]
    full = [i for i, line in enumerate(lines) if line.strip() and not is_comment(line)]
    for place, pair in enumerate(pairwise(full)):
        if way := _way(*(lines[i] for i in pair)):
            return _table_from(place, way, raw, lines, full)
    return _mixed_table(raw, lines, full)


def _table_from(
    place: int,
    way: tuple[str, bool],
    raw: Sequence[bytes],
    lines: Sequence[str],
    full: Sequence[int],
) -> Dialect:
    """Return the dialect of a table from its first two lines of numbers."""
    sample = [lines[i] for i in full[place : place + _JUDGED]]
    start = _first_row([lines[i] for i in full[: place + 1]], way[0], sample)
    numbered = _numbered_header(lines[full[start]], way[0], lines, full[start + 1 :])
    first = full[start + 1] if numbered else full[start]
    table = _dialect(way, lines[:first], sum(map(len, raw[:first])), sample[-49:])
    table = replace(table, spaced=_is_spaced(lines[first:]))
    return replace(table, names=tuple(numbered)) if numbered else table


# Most lines above a table with clocks or text, and lines by which it is judged.
_MOST_ABOVE = 200
_JUDGED = 50


def _mixed_table(raw: Sequence[bytes], lines: Sequence[str], full: Sequence[int]) -> Dialect | None:
    """Return the dialect of a table that has columns of clock times or text, or None."""
    judged = [lines[i] for i in full[: _MOST_ABOVE + _JUDGED]]
    marks = {separator for separator, _ in _WAYS}
    cells_by = {mark: [raw_cells(line, mark) for line in judged] for mark in marks}
    for place in range(min(len(full), _MOST_ABOVE)):
        for separator, comma in _WAYS:
            rows = cells_by[separator][place : place + _JUDGED]
            kinds = column_kinds(rows, decimal_comma=comma)
            if kinds is not None:
                first = full[place]
                sample = judged[place : place + _JUDGED]
                offset = sum(map(len, raw[:first]))
                table = _dialect((separator, comma), lines[:first], offset, sample, kinds)
                return replace(table, spaced=_is_spaced(lines[first:]))
    return None


def _is_spaced(lines: Sequence[str]) -> bool:
    """Return whether each of the first lines is followed by a blank one."""
    begin = lines[: 2 * _JUDGED]
    return len(begin) > 3 and all(bool(line) == (i % 2 == 0) for i, line in enumerate(begin))


def is_comment(line: str) -> bool:
    """Return whether a line is a remark, and no row: ``# pause`` is, ``#N/A,3.3`` is not."""
    if not line.startswith(_COMMENT):
        return False
    bare = line.lstrip("#%/")
    if bare and not bare[0].isspace() and _MISSING.fullmatch(re.split(r"[,;\t ]", line)[0]):
        return False
    parts = [clean(part) for part in re.split(r"[,;\t]", bare)]
    words = bare.split()
    numbers = [word for word in words if NUMBER.fullmatch(word)]
    return not (any(map(NUMBER.fullmatch, parts)) or (words and len(numbers) == len(words)))


def _numbered_header(
    line: str, separator: str, lines: Sequence[str], rows: Sequence[int]
) -> list[str] | None:
    """Return the names of a header that numbers its columns (``0,1`` or ``,0,1``), or None.

    Of whole numbers below it a header of one or two numbers looks like a row.
    """
    names = cells(line, separator)
    numbered = names[1:] if len(names) > 1 and not names[0] else names
    if not _count_up(numbered):
        return None
    below = [row for i in rows[:50] if len(row := cells(lines[i], separator)) == len(names)]
    if not below:
        return None
    alike = len(numbered) <= 2 and len(names) == len(numbered)
    return None if alike and all(map(_are_whole, below)) else names


def _are_whole(line: Sequence[str]) -> bool:
    return all(cell.lstrip("+-").isdecimal() for cell in line)


def _count_up(names: Sequence[str]) -> bool:
    """Return whether names are the numbers from 0 or from 1 on."""
    numbers = [str(i) for i in range(len(names) + 1)]
    return list(names) in (numbers[:-1], numbers[1:])


def _way(first: str, second: str) -> tuple[str, bool] | None:
    """Return separator and decimal comma of two lines with the same number of columns, or None."""
    for separator, comma in _WAYS:
        cells_of = [_split(line, separator, comma) for line in (first, second)]
        if all(cells_of) and len({len(row or ()) for row in cells_of}) == 1:
            return separator, comma
    return None


def _first_row(above: Sequence[str], separator: str, sample: Sequence[str]) -> int:
    """Return the place of a table's first row, damaged or not.

    Damaged rows are counted to the table, so that the error for them names their lines.

    Parameters
    ----------
    above
        The lines up to the first sound row, that one included.
    sample
        Sound rows.
    """
    rows = [cells(line, separator) for line in sample]
    start = len(above) - 1
    while start and _begun(above[start - 1], separator, rows):
        start -= 1
    if start > 1 and _is_between(above[start - 2 : start], separator, rows):
        return _first_row(above[: start - 1], separator, sample)
    return _begun_column(above[: start + 1])


def _begun(line: str, separator: str, rows: Sequence[Sequence[str]]) -> bool:
    """Return whether a line that is no row of numbers looks like a damaged one."""
    marked = line.startswith(_COMMENT)
    bare = line if _MISSING.fullmatch(line.split(separator, maxsplit=1)[0]) else line.lstrip(_MARKS)
    parts = [clean(cell) for cell in bare.split(separator)]
    if len(parts) < 2:
        return False
    only = _only_numbers(parts)
    if marked and len(bare) < len(line):
        return only and _has_decimals_of(parts, rows)
    started = _is_number(next(filter(None, parts), ""))
    return only or started or (not marked and _has_decimals_of(parts, rows))


def _is_number(cell: str) -> bool:
    return bool(NUMBER.fullmatch(cell.replace(",", ".")))


def _only_numbers(line: Sequence[str]) -> bool:
    """Return whether the cells of a line are numbers, one at least, and missing ones."""
    rest = [cell for cell in line if not _is_number(cell)]
    return len(rest) < len(line) and all(map(_MISSING.fullmatch, rest))


def _is_between(pair: Sequence[str], separator: str, rows: Sequence[Sequence[str]]) -> bool:
    """Return whether there is a line of text below a row of the table's numbers."""
    row, text = (cells(line, separator) for line in pair)
    whole = all(map(_is_number, row))
    return len(rows[0]) in {1, len(text)} and whole and _has_decimals_of(row, rows)


def _has_decimals_of(line: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Return whether a number has decimals, and the number of decimals of its column."""
    if len(line) != len(rows[0]):
        return False
    own = [_decimals(cell) for cell in line]
    columns = [{_decimals(cell) for cell in column} for column in zip(*rows, strict=False)]
    return any(count and count in column for count, column in zip(own, columns, strict=False))


def _decimals(cell: str) -> int:
    match = re.fullmatch(r"[+-]?\d*[.,](\d+)(?:e[+-]?\d+)?", cell, re.IGNORECASE)
    return len(match[1]) if match else 0


def _begun_column(lines: Sequence[str]) -> int:
    """Return the line in which a column of numbers begins that goes on with the last line.

    Numbers may be missing in it: ``0.5``, ``#N/A``, ``0.7`` are three rows.
    """
    start = place = len(lines) - 1
    one = bool(NUMBER.fullmatch(lines[-1]))
    while place and one and _may_be_value(lines[place - 1]):
        place -= 1
        start = place if _is_value(lines[place], lines[-1]) else start
    return start


def _may_be_value(line: str) -> bool:
    """Return whether a line is a number or a missing one, behind a mark or not."""
    texts = {line, line.lstrip(_MARKS)}
    return any(pattern.fullmatch(text) for pattern in (NUMBER, _MISSING) for text in texts)


def _is_value(line: str, other: str) -> bool:
    """Return whether a line is surely one value of a column that `other` is in."""
    if NUMBER.fullmatch(line):
        return True
    marked = line.lstrip(_MARKS)
    missing = bool(_MISSING.fullmatch(line)) and not _UNIT.fullmatch(line)
    return missing or (bool(NUMBER.fullmatch(marked)) and 0 < _decimals(marked) == _decimals(other))


def _decoded(line: bytes) -> str:
    line = line.removeprefix(b"\xef\xbb\xbf")
    try:
        return line.decode("utf-8").strip(" \n\v\f")
    except UnicodeDecodeError:
        return line.decode("latin-1").strip(" \n\v\f")


def _split(line: str, separator: str, comma: bool) -> list[str] | None:
    """Return the cells of a line if all of them are numbers, with a decimal point, else None."""
    if separator != " " and separator not in line:
        return None
    row = cells(line, separator)
    if comma:
        # Quotes around every number show a comma that separates from one within numbers.
        if separator == "," and line.count('"') != 2 * len(row):
            return None
        row = _with_points(row)
    return row if row and all(map(NUMBER.fullmatch, row)) else None


def _with_points(line: Sequence[str]) -> list[str]:
    """Return the cells with a decimal point for the comma; none if one is something else."""
    if not all(map(_WITH_COMMA.fullmatch, line)):
        return []
    return [cell.replace(",", ".") for cell in line]


def _dialect(
    way: tuple[str, bool],
    before: Sequence[str],
    offset: int,
    sample: Sequence[str],
    kinds: tuple[str, ...] = (),
) -> Dialect:
    separator, comma = way
    columns = len(kinds) or len(cells(sample[0], separator))
    header = _header(before, separator, columns)
    if not kinds and separator == "," and columns == 2 and _decimal_commas(before, sample):
        separator, comma, columns = ";", True, 1
        header = _header(before, separator, columns)
    rate, rpm = _facts(before)
    return Dialect(
        separator=separator,
        decimal_comma=comma,
        trailing=not kinds and separator != " " and sample[0].rstrip(" ").endswith(separator),
        columns=columns,
        names=tuple(header or [""] * columns),
        offset=offset,
        lines=len(before),
        sampling_rate=rate,
        rpm=rpm,
        kinds=kinds or ("number",) * columns,
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
    if not rows:
        return None
    if len(rows) > 1 and all(map(_UNIT.fullmatch, rows[0])):
        return [_with_unit(*pair) for pair in zip(rows[1], rows[0], strict=True)]
    if all(cell.startswith(("[", "(")) for cell in rows[0]):
        return None
    return rows[0]


def _with_unit(name: str, unit: str) -> str:
    return f"{name} [{unit.strip('[]()')}]" if name and unit.strip("[]()-") else name


def _rows_of_text(before: Sequence[str], separator: str, columns: int) -> Iterator[list[str]]:
    """Yield the lines above the numbers, last first, with a cell a column and no number."""
    for line in reversed(before):
        marked = line.startswith(_COMMENT)
        bare = line.lstrip("#%/ ") if marked else line
        if not bare:
            continue
        ways = (",", ";", "\t", separator) if marked else (separator,)
        fitting = next(filter(None, (_named(bare, way, columns) for way in ways)), None)
        if fitting and not any(map(NUMBER.fullmatch, fitting)):
            yield fitting
        elif not marked:
            return


def _named(line: str, separator: str, columns: int) -> list[str]:
    """Return the cells of a line if there is one for each column; the last may be empty."""
    row = cells(line, separator)
    if len(row) == columns - 1 and separator != " " and line.rstrip(" ").endswith(separator):
        return [*row, ""]
    return row if len(row) == columns else []


def _facts(before: Sequence[str]) -> tuple[float | None, float | None]:
    """Return the sampling rate and the shaft speed that lines state."""
    short = (line for line in before if len(line) <= _LONGEST_FACT)
    matches = [match for line in short if (match := _FACT.fullmatch(line))]
    return rate_and_speed(
        (match[1], float(match[2]) * _FACTORS[match[3].lower()])
        for match in matches
        if match[3].lower() in _FACTORS
    )
