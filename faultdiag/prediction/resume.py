"""Row files that grow beside their target, so that a kill loses no finished row.

Rows for ``F.csv`` grow in ``F.csv.partial``, and ``F.csv.begun`` holds what they depend on; at the
end the first becomes ``F.csv`` and the second goes. What was interrupted can go on. Rows of
windows grow likewise beside theirs.
"""

import csv
import errno
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TextIO

from faultdiag.documents import Document, parse_json
from faultdiag.errors import FaultdiagError, printable
from faultdiag.prediction.rows import encodable
from faultdiag.system.files import write_errors, write_text
from faultdiag.system.terminal import from_cell

# In the file of what the rows depend on: all rows are there.
_WHOLE = "all rows are there"


@dataclass(frozen=True, slots=True)
class Count:
    """Recordings without a diagnosis, with an assumed rate, and with a novelty above 1."""

    failed: int = 0
    assumed: int = 0
    novel: int = 0

    def add(self, *, failed: bool, assumed: bool, novel: bool) -> "Count":
        """Return the count with one recording more."""
        return Count(self.failed + failed, self.assumed + assumed, self.novel + novel)


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row in a file: its path as written there; `end` is the first byte after the row."""

    path: str
    failed: bool
    assumed: bool
    novel: bool
    windows: int
    end: int


@dataclass(frozen=True, slots=True)
class ResumeState:
    """The rows that an interrupted prediction has written: their paths and their summary.

    ``heading`` says whether at least the heading is written, ``whole`` whether all rows are
    complete, with the rows of their windows in place.
    """

    paths: tuple[str, ...] = ()
    count: Count = field(default_factory=Count)
    heading: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class OpenRows:
    """Streams to append rows to, the second one for rows of windows, and what the first holds."""

    rows: TextIO
    windows: TextIO | None
    state: ResumeState


@contextmanager
def open_rows(
    out: Path,
    inputs: Document,
    paths: Sequence[str],
    *,
    resume: bool,
    windows: Path | None = None,
) -> Iterator[OpenRows]:
    """Yield streams to append rows to, and what they hold; at the end they become the files.

    The rows of the windows of a recording are written before its own row, and are kept or cut
    off with it.

    Parameters
    ----------
    out
        The file for the rows.
    inputs
        What the rows depend on, as plain data: rows that depend on something else are refused.
        ``--json`` tells their format.
    paths
        All paths there will be rows for, in order, as written in rows.
    resume
        Continue the rows of an interrupted run, if there are any.
    windows
        The file for the rows of windows, if requested.

    Raises
    ------
    FaultdiagError
        If the rows of another run are in the way, or nothing can be written there.
    """
    partial, side = partial_files(out)
    inputs = {**inputs, "--windows": None if windows is None else os.path.realpath(windows)}
    growing = None if windows is None else partial_files(windows)[0]
    with ExitStack() as stack:
        stack.enter_context(_file_errors(out, partial, side))
        if windows is not None and growing is not None:
            stack.enter_context(_file_errors(windows, growing))
        state = _resume_state(partial, side, growing, inputs, paths, resume=resume)
        if state.whole:
            # Killed between the last two steps: that file is in its place.
            growing = None
        try:
            if not state.heading:
                side.write_text(json.dumps(inputs), encoding="utf-8")
            with ExitStack() as streams:
                more = None if growing is None else streams.enter_context(_appending(growing))
                yield OpenRows(streams.enter_context(_appending(partial)), more, state)
            if windows is not None and growing is not None:
                write_text(side, json.dumps({**inputs, _WHOLE: True}))
                growing.replace(os.path.realpath(windows))
            partial.replace(os.path.realpath(out))
            side.unlink()
        finally:
            _remove_empty(partial, side, growing, _least_lines(inputs))


def partial_files(out: Path) -> tuple[Path, Path]:
    """Return the file in which the rows for `out` grow, and that of what they depend on."""
    target = Path(os.path.realpath(out))
    return target.with_name(f"{target.name}.partial"), target.with_name(f"{target.name}.begun")


@contextmanager
def _file_errors(path: Path, *own: Path) -> Iterator[None]:
    with write_errors(path, Path(os.path.realpath(path)), *own):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        yield


@contextmanager
def _appending(path: Path) -> Iterator[TextIO]:
    with path.open("a", encoding="utf-8", newline="") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


def _remove_empty(partial: Path, side: Path, windows: Path | None, least: int) -> None:
    """Remove files without a finished row: there is nothing to continue."""
    # The error that brought us here matters more than one from cleaning up.
    with suppress(OSError):
        if side.exists() and (not partial.exists() or _lines(partial, least) < least):
            _remove(partial, windows, side)


def _remove(*paths: Path | None) -> None:
    for path in paths:
        if path is not None:
            path.unlink(missing_ok=True)


def _lines(path: Path, most: int) -> int:
    with path.open("rb") as file:
        return sum(line.endswith(b"\n") for line in islice(file, most))


def _resume_state(
    partial: Path,
    side: Path,
    windows: Path | None,
    inputs: Document,
    paths: Sequence[str],
    *,
    resume: bool,
) -> ResumeState:
    """Return the rows to continue, with the files cut off behind them."""
    as_json = bool(inputs["--json"])
    least = _least_lines(inputs)
    if not partial.exists() or _lines(partial, least) < least:
        # Killed before the first row: nothing to lose, nothing to continue.
        _require_own_windows(windows, side, inputs)
        _remove(partial, windows)
        return ResumeState()
    if not resume:
        raise FaultdiagError(
            f"{partial} holds the rows of an interrupted run; continue it with --resume, or "
            "delete it to start fresh"
        )
    before = _require_same_inputs(partial, side, inputs)
    rows, end = read_rows(partial, as_json=as_json)
    _require_same_recordings(partial, rows, paths)
    whole = windows is not None and bool(before.get(_WHOLE)) and not windows.exists()
    if windows is not None and not whole:
        rows, end = _match_and_cut(windows, rows, end, as_json=as_json)
    cut(partial, end)
    return ResumeState(tuple(row.path for row in rows), count_rows(rows), end > 0, whole)


def _least_lines(inputs: Document) -> int:
    """Return the lines of a file with one row: CSV has a heading."""
    return 1 if inputs["--json"] else 2


def _match_and_cut(
    windows: Path, rows: list[StoredRow], end: int, *, as_json: bool
) -> tuple[list[StoredRow], int]:
    """Return the rows whose windows are whole, and their end; cut the windows off behind them."""
    count, size = match_windows(windows, rows, as_json=as_json)
    cut(windows, size)
    if count >= len(rows):
        return rows, end
    return rows[:count], rows[count - 1].end if count else 0


def _require_own_windows(windows: Path | None, side: Path, inputs: Document) -> None:
    """Refuse to write over the windows of another run."""
    if windows is None or not windows.exists():
        return
    try:
        before = parse_json(side.read_text(encoding="utf-8")).get("--windows")
    except (OSError, ValueError, AttributeError):
        before = None
    if before != inputs["--windows"]:
        raise FaultdiagError(
            f"{windows} holds the windows of an interrupted run with another --out; continue that "
            "with --resume, or delete it to start fresh"
        )


def _require_same_recordings(
    partial: Path, rows: Sequence[StoredRow], paths: Sequence[str]
) -> None:
    for number, row in enumerate(rows):
        expected = encodable(paths[number]) if number < len(paths) else "none"
        if row.path != expected:
            raise FaultdiagError(
                f"{partial}: its row {number + 1} is of {printable(row.path)}, the recording in "
                f"that place is now {printable(expected)}; give the same recordings in the same "
                "order, or delete it to start fresh"
            )


def _require_same_inputs(partial: Path, side: Path, inputs: Document) -> Document:
    try:
        before = parse_json(side.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FaultdiagError(
            f"{side}, which says what {partial.name} depends on, cannot be read; delete both to "
            "start fresh"
        ) from error
    if not isinstance(before, dict):
        before = {}
    for name, now in inputs.items():
        if (then := before.get(name)) != now:
            raise FaultdiagError(
                f"{partial} was begun with {name} {_shown(then)}, now it is {_shown(now)}; give "
                "the same, or delete it to start fresh"
            )
    return before


def _shown(value: object) -> str:
    return "not given" if value is None else str(value)


def count_rows(rows: Iterable[StoredRow]) -> Count:
    """Count rows."""
    count = Count()
    for row in rows:
        count = count.add(failed=row.failed, assumed=row.assumed, novel=row.novel)
    return count


def read_rows(path: Path, *, as_json: bool) -> tuple[list[StoredRow], int]:
    """Return the whole rows of recordings in a file, and the byte behind them or their heading.

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
        stored = StoredRow(
            path=cells["path"],
            failed=cells["status"] == "error",
            assumed=cells["sampling_rate_source"] == "assumed",
            novel=float(cells["novelty"] or 0) > 1,
            windows=int(cells["windows"] or 0),
            end=end,
        )
        rows.append(stored)
    return rows, rows[-1].end if rows else heading


def match_windows(path: Path, rows: Sequence[StoredRow], *, as_json: bool) -> tuple[int, int]:
    """Return how many of the first rows have all their windows, and where these end.

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
        present, last = 0, end
        for cells, behind in islice(records, row.windows):
            if cells is None or cells["path"] != row.path:
                raise _other_content(path)
            present, last = present + 1, behind
        if present < row.windows:
            return number, end
        end = last
    return len(rows), end


def record_ends(path: Path, second: str, *, as_json: bool) -> list[int]:
    """Return the byte behind the heading of a file, 0 without one, and behind each of its rows.

    Parameters
    ----------
    second
        The second column: ``status`` for rows of recordings, ``window`` for those of windows.

    Raises
    ------
    FaultdiagError
        If it holds something else.
    """
    ends = [end for _, end in _records(path, as_json=as_json, first=("path", second))]
    return [0, *ends] if as_json else ends


def cut(path: Path, size: int) -> None:
    """Cut a file off behind its first bytes, if it exists."""
    if path.exists():
        os.truncate(path, size)


def _other_content(path: Path) -> FaultdiagError:
    return FaultdiagError(
        f"{path} holds something other than rows of predict; delete it to start fresh"
    )


def _records(
    path: Path, *, as_json: bool, first: tuple[str, ...]
) -> Iterator[tuple[dict[str, str] | None, int]]:
    """Yield the cells of each whole row and the byte behind it; None for a heading.

    A torn row at the end is left out.
    """
    try:
        with path.open("rb") as file:
            yield from _json_records(file) if as_json else _csv_records(file, first)
    except (ValueError, LookupError, TypeError, csv.Error) as error:
        raise _other_content(path) from error


def _json_records(file: BinaryIO) -> Iterator[tuple[dict[str, str], int]]:
    size = 0
    for line in file:
        if line.endswith(b"\n"):
            size += len(line)
            cells = parse_json(line)
            texts = {name: "" if cell is None else str(cell) for name, cell in cells.items()}
            yield texts | {"path": encodable(cells["path"])}, size


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
        yield dict(zip(heading, map(from_cell, cells), strict=True)), size
