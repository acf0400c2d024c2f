"""Text that leaves the program: messages, JSON, cells of CSV files.

File names, labels and variable names are chosen by the author of a file. Escape sequences in them
would be run by the terminal, and a cell that begins with ``=`` is a formula in a spreadsheet.

Messages beside results go to the logger ``faultdiag``: notes as INFO, warnings as WARNING. The
command line writes them to stderr; a program that uses the package handles them as it likes.
"""

import logging
import re
from collections.abc import Iterable

from faultdiag.errors import is_shown, printable, printable_lines

# A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_TEXT_MARK = "'"
_NEEDS_QUOTES = re.compile(r'[",\r\n]')


_LOGGER = logging.getLogger("faultdiag")

# Names with a line end in them. The messages that hold them have lines of their own.
_OF_SEVERAL_LINES: set[str] = set()


def keep_in_one_line(names: Iterable[str]) -> None:
    """Let `in_one_line` know names of files, folders and words of a command line."""
    parts = (part for name in names if "\n" in name for part in name.split("/"))
    # Lists name files without their suffix, too.
    both = (text for part in parts for text in (part, part.rpartition(".")[0]))
    _OF_SEVERAL_LINES.update(text for text in both if "\n" in text and text.strip())


def in_one_line(text: str) -> str:
    r"""Return a message in which no known name has more than one line.

    Examples
    --------
    >>> keep_in_one_line(["a\nb.mat"])
    >>> print(in_one_line("a\nb.mat is empty\nc.mat too"))
    a\nb.mat is empty
    c.mat too
    """
    for name in sorted(_OF_SEVERAL_LINES, key=len, reverse=True):
        text = text.replace(printable_lines(name), printable(name))
    return text


def note(text: str) -> None:
    """Log a message for people: progress, or a fact about the data."""
    _LOGGER.info("%s", printable_lines(text.rstrip("\n")))


def warn(text: str) -> None:
    """Log a warning: results may be other than the user expects."""
    _LOGGER.warning("%s", printable_lines(text.rstrip("\n")))


def printable_json(document: str) -> str:
    r"""Return a JSON document with ``\u`` escapes for characters that are not shown as themselves.

    Its values stay the same.

    Examples
    --------
    >>> print(printable_json('["\x7f\u202e正"]'))
    ["\u007f\u202e正"]
    """
    if document.isprintable():
        return document
    return "".join(c if c == "\n" or is_shown(c) else _json_escape(c) for c in document)


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    numbers = (int.from_bytes(units[i : i + 2]) for i in range(0, len(units), 2))
    return "".join(f"\\u{number:04x}" for number in numbers)


def to_cell(text: str) -> str:
    """Return text as a CSV cell that no spreadsheet runs as a formula; see `from_cell`.

    Examples
    --------
    >>> to_cell("=1+1"), to_cell("'=x"), to_cell("IR007"), to_cell("'tis")
    ("'=1+1", "''=x", 'IR007', "'tis")
    """
    return _TEXT_MARK + text if text.lstrip(_TEXT_MARK).startswith(_FORMULA) else text


def from_cell(cell: str) -> str:
    """Return the text that `to_cell` made a cell of.

    Examples
    --------
    >>> [from_cell(to_cell(text)) for text in ("=1+1", "'=x", "IR007", "'tis")]
    ['=1+1', "'=x", 'IR007', "'tis"]
    """
    marked = cell.startswith(_TEXT_MARK) and cell.lstrip(_TEXT_MARK).startswith(_FORMULA)
    return cell[1:] if marked else cell


def csv_line(cells: Iterable[str]) -> str:
    r"""Return cells as a line of CSV; texts from files are made cells by `to_cell` before.

    Unlike `csv.writer` before Python 3.13 it quotes a carriage return.

    Examples
    --------
    >>> print(csv_line([to_cell("=1"), "-0.5", 'a, "b" or c']), end="")
    '=1,-0.5,"a, ""b"" or c"
    """
    return ",".join(map(_quoted, cells)) + "\n"


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if _NEEDS_QUOTES.search(cell) else cell
