"""The numbers of a text file, a block of lines at a time."""

from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError
from faultdiag.readers.text_head import Dialect, cells

# What the numbers of a block take in memory is a few times that.
_BLOCK_BYTES = 2**21
_COMMENT = (b"#", b"%", b"//")


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
        """Give the numbers of a block, ``(rows, columns)``.

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
        """Give lines without quotes, with a decimal point and no separator at their ends."""
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
        """Give whole lines from a place on, with their own ends."""
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
            if not line or raw.startswith(_COMMENT):
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
            f"{self.dialect.columns} numbers{how}: mend or cut it out"
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


def _rows_only(text: bytes) -> bytes:
    r"""Give the lines that hold something, each ended by ``\n``, without comments."""
    if b"\r" in text:
        text = _ends(text)
    # One byte is found many times as fast as two in a row.
    pairs = [b"\n" + mark for mark in (b"\n", b" ", b"\t") if mark in text]
    pairs += [mark for mark in _COMMENT if mark[:1] in text]
    if text.startswith((b"\n", b" ")) or any(pair in text for pair in pairs):
        lines = (line.strip(b" ") for line in text.split(b"\n"))
        text = b"\n".join(x for x in lines if x.strip() and not x.startswith(_COMMENT))
    return text if text.endswith(b"\n") or not text else text + b"\n"
