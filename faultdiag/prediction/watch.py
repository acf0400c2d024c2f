"""Diagnose the recordings of a folder as they arrive.

Rows are appended to ``F.csv``; ``F.csv.watched`` has a line for each row, with the size and time
of the file it is of. A row is written first, then its line, so that a kill in between is seen at
the next start: nothing is lost, nothing is diagnosed twice. A file that changes later gets another
row.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from faultdiag.datasets.base import sha256
from faultdiag.documents import Document
from faultdiag.errors import FaultdiagError
from faultdiag.prediction.diagnose import diagnose_requests
from faultdiag.prediction.diagnoser import Diagnoser, load, model_file
from faultdiag.prediction.reading import ReadRequest
from faultdiag.prediction.resume import cut, read_rows
from faultdiag.prediction.rows import CsvWriter, Row, encodable
from faultdiag.readers.read import FILE_TIMEOUT, SUFFIXES, is_closed
from faultdiag.system.files import write_errors
from faultdiag.system.locks import own_file

# Size in bytes and time of the last change in nanoseconds.
Stamp = tuple[int, int]


@dataclass
class FolderState:
    """Stamps of a folder's files: of the diagnosed ones, and of others when last listed."""

    done: dict[str, Stamp] = field(default_factory=dict)
    seen: dict[str, Stamp] = field(default_factory=dict)

    def complete(self, present: Mapping[str, Stamp]) -> list[str]:
        """Return the new files that have not changed since the last listing, in order."""
        new = {name: stamp for name, stamp in present.items() if self.done.get(name) != stamp}
        complete = [name for name, stamp in new.items() if self.seen.get(name) == stamp]
        self.seen = new
        return sorted(complete)


def watch_folder(
    model: Path,
    folder: Path,
    out: Path,
    *,
    options: ReadRequest,
    device: str = "auto",
    every: float = 5.0,
    once: bool = False,
    on_row: Callable[[Row], None] = lambda _: None,
) -> int:
    """Diagnose the recordings below a folder as they are complete, and append their rows.

    A file is complete when its size and time stay the same for `every` seconds, or when it was
    renamed into the folder and stays so.

    Parameters
    ----------
    model
        Run folder, checkpoint or ONNX file.
    out
        CSV file of the rows.
    options
        What the user states about all recordings.
    every
        Seconds between two looks.
    once
        Diagnose what is complete, then return.
    on_row
        Called with each row after it was written.

    Returns
    -------
    int
        How many rows were written.

    Raises
    ------
    FaultdiagError
        If the folder or the model is missing, the rows are of another model, or a file can't be
        written.
    """
    if not folder.is_dir():
        raise FaultdiagError(f"{folder} is no folder; give the folder that recordings arrive in")
    if out.exists() and not out.is_file():
        raise FaultdiagError(f"--out {out} is no file that rows can be appended to; name a file")
    diagnoser = load(model, device=device)
    stated = [options.channel, options.sampling_rate, options.rpm, options.bearing]
    inputs = {"the model": sha256(model_file(model)), "the options": stated}
    written = 0
    with own_file(out, "give another file with --out"), _open(out, diagnoser, inputs) as rows:
        rows.state.complete(_files(folder, out))
        while True:
            time.sleep(every)
            names = rows.state.complete(_files(folder, out))
            requests = [replace(options, path=Path(name)) for name in names]
            with closing(diagnose_requests(diagnoser, requests, limit=FILE_TIMEOUT)) as results:
                for row in (result for result in results if isinstance(result, Row)):
                    rows.add(row)
                    on_row(row)
                    written += 1
            if once:
                return written


class _WatchedRows:
    """The file of the rows, and that of what they are of."""

    def __init__(self, rows: TextIO, stamps: TextIO, writer: CsvWriter, state: FolderState) -> None:
        self.state = state
        self._rows, self._stamps, self._writer = rows, stamps, writer

    def add(self, row: Row) -> None:
        """Append a row, force it to the disk, and note what it is of."""
        self._writer.write(row)
        os.fsync(self._rows.fileno())
        self.note(row.path, self.state.seen.pop(row.path, _stamp(Path(row.path))))

    def note(self, name: str, stamp: Stamp) -> None:
        """Note that the last row is of this file, as it was with this stamp."""
        self._stamps.write(json.dumps([name, *stamp]) + "\n")
        self._stamps.flush()
        os.fsync(self._stamps.fileno())
        self.state.done[name] = stamp


@contextmanager
def _open(out: Path, diagnoser: Diagnoser, inputs: Document) -> Iterator[_WatchedRows]:
    side = out.with_name(f"{out.name}.watched")
    with write_errors(out, side):
        stored, end = read_rows(out, as_json=False) if out.exists() else ([], 0)
        state, missing = _read_state(out, side, [row.path for row in stored], inputs)
        cut(out, end)
        with out.open("a", encoding="utf-8", newline="") as rows, side.open("a") as stamps:
            if side.stat().st_size == 0:
                stamps.write(json.dumps(inputs) + "\n")
            writer = CsvWriter(rows, diagnoser.classes, heading=end == 0)
            watched = _WatchedRows(rows, stamps, writer, state)
            if missing is not None:
                # Killed between a row and its line.
                watched.note(missing, _stamp(Path(missing)))
            yield watched


def _read_state(
    out: Path, side: Path, paths: list[str], inputs: Document
) -> tuple[FolderState, str | None]:
    """Return the state that rows and their lines tell, and the path of a row without a line.

    Raises
    ------
    FaultdiagError
        If the two files don't belong together, or are of other inputs.
    """
    heading, stamps = _read_stamps(out, side)
    if heading and heading[0] != dict(inputs):
        raise FaultdiagError(
            f"{out} has rows of another model or other options; give another --out"
        )
    named = [encodable(name) for name, _ in stamps]
    if named != paths[: len(named)] or len(paths) > len(named) + 1:
        raise FaultdiagError(
            f"{out} and {side.name} don't belong together; give another --out, or delete both to "
            "start fresh"
        )
    return FolderState(dict(stamps)), paths[-1] if len(paths) > len(named) else None


def _read_stamps(out: Path, side: Path) -> tuple[list[Any], list[tuple[str, Stamp]]]:
    """Return the heading and the stamps of a file; a line that was cut off is removed from it."""
    lines = side.read_bytes().splitlines(keepends=True) if side.exists() else []
    whole = [line for line in lines if line.endswith(b"\n")]
    cut(side, sum(map(len, whole)))
    try:
        documents = list(map(json.loads, whole))
        stamps = [(str(name), (int(size), int(when))) for name, size, when in documents[1:]]
    except (ValueError, TypeError) as error:
        raise FaultdiagError(
            f"{side} is damaged; delete it and {out.name} to start fresh, or give another --out"
        ) from error
    return documents[:1], stamps


def _files(folder: Path, out: Path) -> dict[str, Stamp]:
    """Return the stamp of each recording below a folder, by its path."""
    own = {os.path.realpath(out)}
    files = {}
    for path in folder.rglob("*"):
        if path.name.startswith(".") or not _is_expected(path) or os.path.realpath(path) in own:
            continue
        files[str(path)] = _stamp(path)
    return files


def _is_expected(path: Path) -> bool:
    return (path.suffix.lower() in SUFFIXES and path.is_file()) or is_closed(path)


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:  # it went away
        return (-1, -1)
    return status.st_size, status.st_mtime_ns
