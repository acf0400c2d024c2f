"""Rows that grow beside the file they are for, so that a kill loses none that was finished.

Rows for ``F.csv`` grow in ``F.csv.partial``, and ``F.csv.begun`` says what they were begun with;
at the end the first becomes ``F.csv`` and the second goes. What was interrupted can go on.
"""

import csv
import errno
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from faultdiag.errors import FaultdiagError
from faultdiag.files import telling
from faultdiag.rows import printable

# Path, whether it failed, whether its rate was assumed, and the byte behind the row.
Parsed = tuple[str, bool, bool, int]


@dataclass(frozen=True, slots=True)
class Kept:
    """Rows that are there already.

    ``heading`` says whether there is at least the heading; ``paths`` are as in the rows.
    """

    paths: tuple[str, ...] = ()
    failed: int = 0
    assumed: int = 0
    heading: bool = False


@contextmanager
def growing(
    out: Path, begun: Mapping[str, Any], paths: Sequence[str], *, resume: bool
) -> Iterator[tuple[TextIO, Kept]]:
    """Give a stream to append rows to, and what it holds; at the end it becomes `out`.

    Parameters
    ----------
    begun
        What the rows depend on, as plain data: rows begun with something else aren't gone on
        with. ``--json`` tells in which form they are.
    paths
        All paths there will be rows of, in order, as they stand in rows.
    resume
        Go on with the rows of an interrupted run, if there are any.

    Raises
    ------
    FaultdiagError
        If the rows of another run are in the way, or nothing can be written there.
    """
    target = Path(os.path.realpath(out))
    partial, side = beside(out)
    with telling(out, target, partial, side):
        if out.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        kept = _kept(partial, side, begun, paths, resume=resume)
        try:
            if not kept.heading:
                side.write_text(json.dumps(begun), encoding="utf-8")
            with partial.open("a", encoding="utf-8", newline="") as stream:
                yield stream, kept
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(target)
            side.unlink()
        finally:
            _forget_empty(partial, side, 1 if begun["--json"] else 2)


def beside(out: Path) -> tuple[Path, Path]:
    """Give where the rows for a file grow, and where it stands what they were begun with."""
    target = Path(os.path.realpath(out))
    return target.with_name(f"{target.name}.partial"), target.with_name(f"{target.name}.begun")


def _forget_empty(partial: Path, side: Path, least: int) -> None:
    """Remove what was begun where not one row was finished: there is nothing to go on with."""
    # The error that brought us here matters more than one from cleaning up.
    with suppress(OSError):
        if side.exists() and (not partial.exists() or _lines(partial, least) < least):
            partial.unlink(missing_ok=True)
            side.unlink()


def _lines(path: Path, most: int) -> int:
    with path.open("rb") as file:
        return sum(line.endswith(b"\n") for line in islice(file, most))


def _kept(
    partial: Path, side: Path, begun: Mapping[str, Any], paths: Sequence[str], *, resume: bool
) -> Kept:
    """Give the rows to go on with, the file cut off behind them."""
    least = 1 if begun["--json"] else 2
    if not partial.exists() or _lines(partial, least) < least:
        # Killed before the first row: there is nothing to lose, nor to go on with.
        partial.unlink(missing_ok=True)
        return Kept()
    if not resume:
        raise FaultdiagError(
            f"{partial} holds the rows of an interrupted run; go on with it by --resume, or "
            "delete it to begin anew"
        )
    _require_same(partial, side, begun)
    rows, size = _whole_rows(partial, as_json=bool(begun["--json"]))
    found = tuple(row[0] for row in rows)
    for number, (path, wanted) in enumerate(
        zip(found, [*map(printable, paths), *found], strict=False), 1
    ):
        if path != wanted or number > len(paths):
            raise FaultdiagError(
                f"{partial}: its row {number} is of {path}, the recording in that place is now "
                f"{wanted if number <= len(paths) else 'none'}; give the same recordings in the "
                "same order, or delete it to begin anew"
            )
    os.truncate(partial, size)
    return Kept(found, sum(row[1] for row in rows), sum(row[2] for row in rows), size > 0)


def _require_same(partial: Path, side: Path, begun: Mapping[str, Any]) -> None:
    try:
        before = json.loads(side.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FaultdiagError(
            f"{side}, which says what {partial.name} was begun with, cannot be read; delete both "
            "to begin anew"
        ) from error
    if not isinstance(before, dict):
        before = {}
    for name, now in begun.items():
        if (then := before.get(name)) != now:
            raise FaultdiagError(
                f"{partial} was begun with {name} {_said(then)}, now it is {_said(now)}; give "
                "the same, or delete it to begin anew"
            )


def _said(value: Any) -> str:
    return "not given" if value is None else str(value)


def _whole_rows(partial: Path, *, as_json: bool) -> tuple[list[Parsed], int]:
    """Give the whole rows and the byte behind the last of them; a torn last one is left out."""
    try:
        with partial.open("rb") as file:
            return _json_rows(file) if as_json else _csv_rows(file)
    except (ValueError, LookupError, TypeError, csv.Error) as error:
        raise FaultdiagError(
            f"{partial} holds something other than rows of predict; delete it to begin anew"
        ) from error


def _json_rows(file: BinaryIO) -> tuple[list[Parsed], int]:
    rows, size = [], 0
    for line in file:
        if line.endswith(b"\n"):
            size += len(line)
            row = json.loads(line)
            assumed = row["sampling_rate_source"] == "assumed"
            rows.append((printable(row["path"]), row["status"] != "ok", assumed, size))
    return rows, size


def _csv_rows(file: BinaryIO) -> tuple[list[Parsed], int]:
    size = 0

    def lines() -> Iterator[str]:
        nonlocal size
        for line in file:
            if line.endswith(b"\n"):
                size += len(line)
                yield line.decode("utf-8")

    reader = csv.reader(lines())
    heading = next(reader, [])
    if heading and heading[:2] != ["path", "status"]:
        raise ValueError("no heading")
    place, whole, rows = heading.index("sampling_rate") if heading else 0, size, []
    for cells in reader:
        # A name may hold a line break; the end of the file within one leaves cells out.
        if len(cells) < len(heading):
            break
        whole = size
        rows.append((cells[0], cells[1] != "ok", cells[place].endswith(" assumed"), size))
    return rows, whole
