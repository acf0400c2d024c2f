"""Rows that grow beside the file they are for, so that a kill loses none that was finished.

Rows for ``F.csv`` grow in ``F.csv.partial``, and ``F.csv.begun`` says what they were begun with;
at the end the first becomes ``F.csv`` and the second goes. What was interrupted can go on. Rows
of windows grow likewise beside theirs.
"""

import errno
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from faultdiag.errors import FaultdiagError
from faultdiag.files import telling, write_text
from faultdiag.prediction.kept_rows import Count, KeptRow, count_of, cut, match_windows, read_rows
from faultdiag.prediction.rows import printable

# In the file that says what the rows were begun with: all rows are there.
_WHOLE = "all rows are there"


@dataclass(frozen=True, slots=True)
class Kept:
    """Rows that are there already.

    ``heading`` says whether there is at least the heading; ``paths`` are as in the rows;
    ``whole`` whether all rows are there, and those of the windows in their place.
    """

    paths: tuple[str, ...] = ()
    count: Count = field(default_factory=Count)
    heading: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Growing:
    """Streams to append to, the second one for rows of windows, and what the first holds."""

    rows: TextIO
    windows: TextIO | None
    kept: Kept


@contextmanager
def growing(
    out: Path,
    begun: Mapping[str, Any],
    paths: Sequence[str],
    *,
    resume: bool,
    windows: Path | None = None,
) -> Iterator[Growing]:
    """Give streams to append rows to, and what is there; at the end they become the files.

    Rows of windows belong to the rows of their recordings: whoever writes a row has written
    those of its windows before, and what is kept of the ones belongs to what is kept of the
    others.

    Parameters
    ----------
    out
        The file for the rows.
    begun
        What the rows depend on, as plain data: rows begun with something else aren't gone on
        with. ``--json`` tells in which form they are.
    paths
        All paths there will be rows of, in order, as they stand in rows.
    resume
        Go on with the rows of an interrupted run, if there are any.
    windows
        The file for the rows of windows, if they are wanted.

    Raises
    ------
    FaultdiagError
        If the rows of another run are in the way, or nothing can be written there.
    """
    partial, side = beside(out)
    begun = {**begun, "--windows": None if windows is None else os.path.realpath(windows)}
    ours = None if windows is None else beside(windows)[0]
    with ExitStack() as stack:
        stack.enter_context(_telling(out, partial, side))
        if windows is not None and ours is not None:
            stack.enter_context(_telling(windows, ours))
        kept = _kept(partial, side, ours, begun, paths, resume=resume)
        if kept.whole:
            # Killed between the two last steps: that file is in its place.
            ours = None
        try:
            if not kept.heading:
                side.write_text(json.dumps(begun), encoding="utf-8")
            with ExitStack() as streams:
                more = None if ours is None else streams.enter_context(_appending(ours))
                yield Growing(streams.enter_context(_appending(partial)), more, kept)
            if windows is not None and ours is not None:
                write_text(side, json.dumps({**begun, _WHOLE: True}))
                ours.replace(os.path.realpath(windows))
            partial.replace(os.path.realpath(out))
            side.unlink()
        finally:
            _forget_empty(partial, side, ours, 1 if begun["--json"] else 2)


@contextmanager
def _telling(path: Path, *own: Path) -> Iterator[None]:
    with telling(path, Path(os.path.realpath(path)), *own):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        yield


@contextmanager
def _appending(path: Path) -> Iterator[TextIO]:
    with path.open("a", encoding="utf-8", newline="") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


def beside(out: Path) -> tuple[Path, Path]:
    """Give where the rows for a file grow, and where it stands what they were begun with."""
    target = Path(os.path.realpath(out))
    return target.with_name(f"{target.name}.partial"), target.with_name(f"{target.name}.begun")


def _forget_empty(partial: Path, side: Path, windows: Path | None, least: int) -> None:
    """Remove what was begun where not one row was finished: there is nothing to go on with."""
    # The error that brought us here matters more than one from cleaning up.
    with suppress(OSError):
        if side.exists() and (not partial.exists() or _lines(partial, least) < least):
            for path in (partial, windows, side):
                if path is not None:
                    path.unlink(missing_ok=True)


def _lines(path: Path, most: int) -> int:
    with path.open("rb") as file:
        return sum(line.endswith(b"\n") for line in islice(file, most))


def _kept(
    partial: Path,
    side: Path,
    windows: Path | None,
    begun: Mapping[str, Any],
    paths: Sequence[str],
    *,
    resume: bool,
) -> Kept:
    """Give the rows to go on with, the files cut off behind them."""
    least = 1 if begun["--json"] else 2
    if not partial.exists() or _lines(partial, least) < least:
        # Killed before the first row: there is nothing to lose, nor to go on with.
        _require_own(windows, side, begun)
        partial.unlink(missing_ok=True)
        if windows is not None:
            windows.unlink(missing_ok=True)
        return Kept()
    if not resume:
        raise FaultdiagError(
            f"{partial} holds the rows of an interrupted run; go on with it by --resume, or "
            "delete it to begin anew"
        )
    before = _require_same(partial, side, begun)
    rows, end = read_rows(partial, as_json=bool(begun["--json"]))
    _require_same_recordings(partial, rows, paths)
    whole = windows is not None and bool(before.get(_WHOLE)) and not windows.exists()
    if windows is not None and not whole:
        count, size = match_windows(windows, rows, as_json=bool(begun["--json"]))
        cut(windows, size)
        if count < len(rows):
            end = rows[count - 1].end if count else 0
            rows = rows[:count]
    cut(partial, end)
    found = tuple(row.path for row in rows)
    return Kept(found, count_of(rows), end > 0, whole)


def _require_own(windows: Path | None, side: Path, begun: Mapping[str, Any]) -> None:
    """Refuse to write over the windows of another run."""
    if windows is None or not windows.exists():
        return
    try:
        before = json.loads(side.read_text(encoding="utf-8")).get("--windows")
    except (OSError, ValueError, AttributeError):
        before = None
    if before != begun["--windows"]:
        raise FaultdiagError(
            f"{windows} holds the windows of an interrupted run with another --out; go on with "
            "that by --resume, or delete it to begin anew"
        )


def _require_same_recordings(partial: Path, rows: Sequence[KeptRow], paths: Sequence[str]) -> None:
    for number, row in enumerate(rows):
        wanted = printable(paths[number]) if number < len(paths) else "none"
        if row.path != wanted:
            raise FaultdiagError(
                f"{partial}: its row {number + 1} is of {row.path}, the recording in that place "
                f"is now {wanted}; give the same recordings in the same order, or delete it to "
                "begin anew"
            )


def _require_same(partial: Path, side: Path, begun: Mapping[str, Any]) -> Mapping[str, Any]:
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
    return before


def _said(value: Any) -> str:
    return "not given" if value is None else str(value)
