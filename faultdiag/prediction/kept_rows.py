"""Rows that an interrupted `faultdiag predict` left: which are whole, and where they end."""

import csv
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from faultdiag.errors import FaultdiagError
from faultdiag.prediction.rows import printable


@dataclass(frozen=True, slots=True)
class KeptRow:
    """A row that is there: its path as it stands there, and the byte behind it."""

    path: str
    failed: bool
    assumed: bool
    novel: bool
    windows: int
    end: int


@dataclass(frozen=True, slots=True)
class Count:
    """Of how many recordings there is no diagnosis, the rate was assumed, the novelty above 1."""

    failed: int = 0
    assumed: int = 0
    novel: int = 0

    def add(self, *, failed: bool, assumed: bool, novel: bool) -> "Count":
        """Give the count with one recording more."""
        return Count(self.failed + failed, self.assumed + assumed, self.novel + novel)


def count_of(rows: Iterable[KeptRow]) -> Count:
    """Count rows."""
    count = Count()
    for row in rows:
        count = count.add(failed=row.failed, assumed=row.assumed, novel=row.novel)
    return count


def read_rows(path: Path, *, as_json: bool) -> tuple[list[KeptRow], int]:
    """Give the whole rows of recordings in a file, and the byte behind them or their heading.

    Raises
    ------
    FaultdiagError
        If it holds something else.
    """
    heading, rows = 0, []
    for cells, end in _records(path, as_json=as_json, first=("path", "status")):
        if cells is None:
            heading = end
            continue
        assumed = cells["sampling_rate_source"] if as_json else cells["sampling_rate"]
        failed, windows = cells["status"] != "ok", int(cells["windows"] or 0)
        novel = float(cells["novelty"] or 0) > 1
        found = KeptRow(cells["path"], failed, assumed.endswith("assumed"), novel, windows, end)
        rows.append(found)
    return rows, rows[-1].end if rows else heading


def match_windows(path: Path, rows: Sequence[KeptRow], *, as_json: bool) -> tuple[int, int]:
    """Give how many of the rows, from the first on, have all their windows, and where these end.

    Parameters
    ----------
    path
        The file with the rows of the windows.

    Raises
    ------
    FaultdiagError
        If it holds something else.
    """
    if not path.exists():
        return 0, 0
    records = _records(path, as_json=as_json, first=("path", "window"))
    end = 0
    if not as_json:
        _, end = next(records, (None, 0))
        if end == 0:
            return 0, 0
    for number, row in enumerate(rows):
        there, last = 0, end
        for cells, behind in islice(records, row.windows):
            if cells is None or cells["path"] != row.path:
                raise _something_else(path)
            there, last = there + 1, behind
        if there < row.windows:
            return number, end
        end = last
    return len(rows), end


def cut(path: Path, size: int) -> None:
    """Cut a file off behind its first bytes; one that isn't there stays so."""
    if path.exists():
        os.truncate(path, size)


def _something_else(path: Path) -> FaultdiagError:
    return FaultdiagError(
        f"{path} holds something other than rows of predict; delete it to begin anew"
    )


def _records(
    path: Path, *, as_json: bool, first: tuple[str, ...]
) -> Iterator[tuple[dict[str, str] | None, int]]:
    """Give the cells of each whole row and the byte behind it; None for a heading.

    A torn row at the end is left out.
    """
    try:
        with path.open("rb") as file:
            yield from _json_records(file) if as_json else _csv_records(file, first)
    except (ValueError, LookupError, TypeError, csv.Error) as error:
        raise _something_else(path) from error


def _json_records(file: BinaryIO) -> Iterator[tuple[dict[str, str], int]]:
    size = 0
    for line in file:
        if line.endswith(b"\n"):
            size += len(line)
            cells = json.loads(line)
            texts = {name: "" if cell is None else str(cell) for name, cell in cells.items()}
            yield texts | {"path": printable(cells["path"])}, size


def _csv_records(
    file: BinaryIO, first: tuple[str, ...]
) -> Iterator[tuple[dict[str, str] | None, int]]:
    size = 0

    def lines() -> Iterator[str]:
        nonlocal size
        for line in file:
            if line.endswith(b"\n"):
                size += len(line)
                yield line.decode("utf-8")

    reader = csv.reader(lines())
    heading = next(reader, [])
    if heading and tuple(heading[: len(first)]) != first:
        raise ValueError("no heading")
    if heading:
        yield None, size
    for cells in reader:
        # A name may hold a line break; the end of the file within one leaves cells out.
        if len(cells) < len(heading):
            break
        yield dict(zip(heading, cells, strict=True)), size
