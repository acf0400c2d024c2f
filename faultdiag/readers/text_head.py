"""How a text file keeps its numbers: found out from its first lines."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from faultdiag.readers.content import head_of
from faultdiag.readers.facts import is_rate, is_speed, plausible_rate, plausible_speed

_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|inf|infinity)", re.IGNORECASE)
_WITH_COMMA = re.compile(r"[+-]?\d+(?:,\d+)?(?:e[+-]?\d+)?", re.IGNORECASE)
_COMMENT = ("#", "%", "//")
_UNIT = re.compile(
    r"[\[(]?(?:[mµunk]?(?:s|g|V|A|N|Pa|m|Hz)|sec|m/s\^?2|m/s²|mm/s|rpm|1/min|%|°C|-|)[\])]?"
)
_FACT = re.compile(r"\W*([A-Za-z][^:=,;\t]*?)\s*[:=,;\t]\s*([\d.]+)\s*([A-Za-z/]*)\W*")
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
    """Tell whether a file is text that clearly holds a table of numbers.

    Raises
    ------
    OSError
        If the file can't be read.
    """
    head = head_of(path)
    return is_text(head) and dialect(head, whole=len(head) == path.stat().st_size) is not None


def is_text(head: bytes) -> bool:
    """Tell whether bytes can be text: no control characters but tabs and ends of lines."""
    return not re.search(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]", head)


def dialect(head: bytes, *, whole: bool) -> Dialect | None:
    """Give the dialect that the first two lines of numbers have, or None if there are none.

    Parameters
    ----------
    head
        The beginning of a file.
    whole
        Whether that is all of it.
    """
    raw = head.replace(b"\r\n", b" \n").replace(b"\r", b"\n").splitlines(keepends=True)
    lines = [_decoded(line) for line in (raw if whole else raw[:-1])]
    full = [i for i, line in enumerate(lines) if line and not line.startswith(_COMMENT)]
    for place, pair in enumerate(pairwise(full)):
        way = _way(*(lines[i] for i in pair))
        if way is None:
            continue
        start = place
        while start and _begun(lines[full[start - 1]], way[0]):
            start -= 1
        first = full[start]
        sample = [lines[i] for i in full[place : place + 50]]
        return _dialect(*way, lines[:first], sum(map(len, raw[:first])), sample)
    return None


def _way(first: str, second: str) -> tuple[str, bool] | None:
    """Give separator and decimal comma of two lines of as many numbers, or None."""
    for separator, comma in _WAYS:
        cells_of = [_split(line, separator, comma) for line in (first, second)]
        if all(cells_of) and len({len(found or ()) for found in cells_of}) == 1:
            return separator, comma
    return None


def _begun(line: str, separator: str) -> bool:
    """Tell whether a line that is no row of numbers looks like a damaged one.

    It is counted to the table, so that the error for it names it.
    """
    found = [clean(cell) for cell in line.split(separator)]
    first = next((cell for cell in found if cell), "")
    return len(found) > 1 and bool(_NUMBER.fullmatch(first.replace(",", ".")))


def clean(cell: str) -> str:
    """Give a cell without the spaces and quotes around it."""
    return cell.strip().strip("\"'").strip()


def _decoded(line: bytes) -> str:
    line = line.removeprefix(b"\xef\xbb\xbf")
    try:
        return line.decode("utf-8").strip(" \n\v\f")
    except UnicodeDecodeError:
        return line.decode("latin-1").strip(" \n\v\f")


def cells(line: str, separator: str) -> list[str]:
    """Give the cells of a line without spaces and quotes; a last empty one is left out.

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
    """Give the cells of a line if all of them are numbers, with a decimal point, else None."""
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
        trailing=separator != " " and sample[0].rstrip().endswith(separator),
        columns=columns,
        names=tuple(header or [""] * columns),
        offset=offset,
        lines=len(before),
        decimals=tuple(decimals),
        sampling_rate=rate,
        rpm=rpm,
    )


def _decimal_commas(before: Sequence[str], sample: Sequence[str]) -> bool:
    """Tell whether ``0,123`` is one number: by a header of one name, or by its zeros."""
    if not all(re.fullmatch(r"[+-]?\d+,\d+", line) for line in sample):
        return False
    header = [line for line in before if line and not line.startswith(_COMMENT)]
    if header:
        return "," not in header[-1]
    return any(_DECIMALS.fullmatch(line) for line in sample)


def _header(before: Sequence[str], separator: str, columns: int) -> list[str] | None:
    """Give the names above the numbers; a row of units below them is passed over."""
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
    """Give the lines above the numbers, last first, that have as many cells and no number."""
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
        match = _FACT.fullmatch(line)
        if not match or match[2].count(".") > 1 or match[3].lower() not in _FACTORS:
            continue
        value = float(match[2]) * _FACTORS[match[3].lower()]
        if is_rate(match[1]):
            rates.append(value)
        elif is_speed(match[1]):
            speeds.append(value)
    return plausible_rate(rates), plausible_speed(speeds)
