"""Rows of a prediction: format, files, what an interrupted one left.

Rows for ``F.csv`` grow in ``F.csv.partial``, and ``F.csv.begun`` says what they were begun with;
at the end the first becomes ``F.csv`` and the second goes. What was interrupted can go on. Rows
of windows grow likewise beside theirs.
"""

import csv
import errno
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TextIO

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError
from faultdiag.system.files import write_errors, write_text

COLUMNS = (
    "path",
    "status",
    "label",
    "confidence",
    "agreement",
    "windows",
    "sampling_rate",
    "channel",
    "novelty",
    "error",
)


NOVEL = "unlike the training data"


@dataclass(frozen=True, slots=True)
class Row:
    """The diagnosis of one recording, or why there is none.

    ``sampling_rate`` is that of the recording in Hz; ``sampling_rate_source`` says who states
    it: ``file``, ``catalogue``, ``argument``, or ``assumed`` where nobody does and the model's
    own is taken. ``novelty`` is above 1 where the recording is unlike the training data.
    """

    path: str
    status: str
    label: str | None = None
    confidence: float | None = None
    agreement: float | None = None
    windows: int | None = None
    sampling_rate: float | None = None
    sampling_rate_source: str | None = None
    channel: str | None = None
    novelty: float | None = None
    error: str | None = None
    probabilities: dict[str, float] | None = None

    @property
    def is_novel(self) -> bool:
        """Whether the recording is unlike the training data."""
        return self.novelty is not None and self.novelty > 1


def novelty_note(novel: int, files: int) -> str:
    """Give what is said when some of the recordings are novel; nothing where none is."""
    if not novel:
        return ""
    return (
        f"warning: {novel} of {files} recordings {'is' if novel == 1 else 'are'} unlike the "
        "training data (novelty above 1): it has seen nothing like them, so don't rely on the "
        "diagnosis alone, whatever the confidence\n"
    )


class RowWriter(Protocol):
    """Writes rows one by one; each is out before the next is made."""

    def write(self, row: Row) -> None:
        """Write one row."""


class CsvWriter:
    """Rows as CSV: a heading, the columns of `COLUMNS`, then a probability per class.

    A rate that is assumed says so behind the number.

    Parameters
    ----------
    stream
        Where to.
    classes
        The model's classes.
    heading
        Whether the heading is still to be written.
    """

    def __init__(self, stream: TextIO, classes: Sequence[str], *, heading: bool = True) -> None:
        self._stream = stream
        self._classes = classes
        self._csv = csv.writer(stream, lineterminator="\n")
        if heading:
            self._put([*COLUMNS, *probability_columns(classes)])

    def write(self, row: Row) -> None:
        """Write one row."""
        cells = {name: _cell(getattr(row, name)) for name in COLUMNS}
        if row.sampling_rate_source == "assumed":
            cells["sampling_rate"] += " assumed"
        chances = row.probabilities or {}
        self._put([*cells.values(), *(_cell(chances.get(name)) for name in self._classes)])

    def _put(self, cells: Sequence[str]) -> None:
        self._csv.writerow([printable(cell) for cell in cells])
        self._stream.flush()


class JsonWriter:
    """Rows as JSON, one object a line: the columns of the CSV and ``sampling_rate_source``.

    Parameters
    ----------
    stream
        Where to.
    classes
        The model's classes.
    """

    def __init__(self, stream: TextIO, classes: Sequence[str]) -> None:
        self._stream = stream
        self._classes = classes

    def write(self, row: Row) -> None:
        """Write one row."""
        chances = row.probabilities or {}
        names = zip(self._classes, probability_columns(self._classes), strict=True)
        document: dict[str, Any] = {name: getattr(row, name) for name in COLUMNS}
        document |= {column: chances.get(name) for name, column in names}
        document["sampling_rate_source"] = row.sampling_rate_source
        self._stream.write(printable(json.dumps(document, ensure_ascii=False)) + "\n")
        self._stream.flush()


class TableWriter:
    """Rows as an aligned table for a terminal.

    Parameters
    ----------
    stream
        Where to.
    classes
        The model's classes.
    paths
        All paths that will come, for the width of their column.
    """

    HEADING = ("confidence %", "agreement %", "windows")

    def __init__(self, stream: TextIO, classes: Sequence[str], paths: Sequence[str]) -> None:
        self._stream = stream
        self._path = max(len(text) for text in ["recording", *paths])
        self._label = max(len(text) for text in ["diagnosis", *classes])
        self._line("recording", "diagnosis", "  ".join(self.HEADING))
        numbers = "  ".join("-" * len(text) for text in self.HEADING)
        self._line("-" * self._path, "-" * self._label, numbers)

    def write(self, row: Row) -> None:
        """Write one row."""
        if row.error is not None:
            self._line(row.path, "-", row.error)
            return
        values = (f"{100 * (row.confidence or 0):.1f}", f"{100 * (row.agreement or 0):.1f}")
        cells = zip((*values, str(row.windows)), self.HEADING, strict=True)
        numbers = "  ".join(value.rjust(len(text)) for value, text in cells)
        mark = f"  {NOVEL}" if row.is_novel else ""
        self._line(row.path, row.label or "-", numbers + mark)

    def _line(self, path: str, label: str, rest: str) -> None:
        text = f"{path.ljust(self._path)}  {label.ljust(self._label)}  {rest}"
        self._stream.write(printable(text) + "\n")
        self._stream.flush()


def probability_columns(classes: Sequence[str]) -> list[str]:
    """Give the columns of the classes' probabilities: their names, marked where one is taken.

    Examples
    --------
    >>> probability_columns(["N", "error"])
    ['N', 'p(error)']
    """
    return [f"p({name})" if name in COLUMNS else name for name in classes]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def printable(text: str) -> str:
    """Escape what UTF-8 can't encode: parts of file names that are not UTF-8."""
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")


WINDOW_COLUMNS = ("path", "window", "start", "seconds", "label")


class WindowWriter:
    """Writes the windows of recordings, CSV or JSON lines.

    ``start`` is in samples and ``seconds`` in seconds from the beginning of the recording, both
    at the model's sampling rate; then come the probabilities of the classes.

    Parameters
    ----------
    stream
        A file that is appended to.
    classes
        The model's classes.
    length, sampling_rate
        Of a window, in samples, and in Hz.
    as_json
        Whether as JSON.
    """

    def __init__(
        self,
        stream: TextIO,
        classes: Sequence[str],
        *,
        length: int,
        sampling_rate: float,
        as_json: bool,
    ) -> None:
        self._stream = stream
        self._classes = classes
        chances = (f"p({name})" if name in WINDOW_COLUMNS else name for name in classes)
        self._names = [*WINDOW_COLUMNS, *chances]
        self._length = length
        self._rate = sampling_rate
        self._json = as_json
        self._window = 0
        self.keep()
        if self._kept == 0 and not as_json:
            self._put([self._names])
            self.keep()

    def write(self, path: str, probabilities: NDArray[np.float64]) -> None:
        """Write the next windows of a recording, their probabilities ``(windows, classes)``."""
        rows = []
        for chances in probabilities:
            start = self._window * self._length
            label = self._classes[int(chances.argmax())]
            place = (path, self._window, start, round(start / self._rate, 6), label)
            rows.append([*place, *chances.tolist()])
            self._window += 1
        self._put(rows)

    def keep(self) -> None:
        """End a recording: its windows are in the file before anything else happens."""
        self._stream.flush()
        self._kept = os.fstat(self._stream.fileno()).st_size
        self._window = 0

    def drop(self) -> None:
        """Take back what was written since the last recording ended."""
        self._stream.flush()
        os.truncate(self._stream.fileno(), self._kept)
        self._window = 0

    def _put(self, rows: Sequence[Sequence[Any]]) -> None:
        text = self._as_json(rows) if self._json else _as_csv(rows)
        self._stream.write(printable(text))

    def _as_json(self, rows: Sequence[Sequence[Any]]) -> str:
        documents = (dict(zip(self._names, row, strict=True)) for row in rows)
        return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in documents)


def _as_csv(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    places, writer = len(WINDOW_COLUMNS), csv.writer(text, lineterminator="\n")
    for row in rows:
        chances = (f"{value:.6g}" if isinstance(value, float) else value for value in row[places:])
        writer.writerow([*row[:places], *chances])
    return text.getvalue()


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
