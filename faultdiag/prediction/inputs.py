"""The recordings that a prediction is asked for."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from faultdiag.datasets.manifest import CheckedRow, is_manifest, read_rows, rows_error
from faultdiag.errors import FaultdiagError
from faultdiag.prediction.reading import ReadRequest
from faultdiag.readers.read import nothing_in, recordings_in
from faultdiag.system.terminal import note

STDIN = Path("-")


def find(
    paths: Sequence[Path], options: ReadRequest, *, pattern: str | None = None
) -> list[ReadRequest]:
    """Return the recordings to diagnose, in order, each once.

    Parameters
    ----------
    paths
        Recordings; folders, which are searched to their bottom; manifests, that is YAML files
        and CSV files with a column ``path``; ``-`` for a list of recordings and folders on
        stdin, a path a line or ended by a NUL.
    options
        What the user states about all of them; a manifest states it for its own rows.
    pattern
        Which files of folders; those of a suffix that a reader knows unless given.

    Raises
    ------
    FaultdiagError
        If a path doesn't exist, the only one is a folder without recordings, rows of a manifest
        are wrong, or nothing is left.
    """
    requests: list[ReadRequest] = []
    folders = 0
    for path in paths:
        if path == STDIN:
            listed = _listed()
            folders += sum(path.is_dir() for path in listed)
            # A missing file of a long list is an error row among the others.
            requests += [replace(options, path=file) for file in _files(listed, pattern)]
        elif path.is_dir():
            folders += 1
            files = _files([path], pattern, alone=len(paths) == 1)
            requests += [replace(options, path=file) for file in files]
        else:
            requests += _named(path, options)
    if pattern is not None and not folders:
        raise FaultdiagError(
            f"--glob '{pattern}' chooses files in folders, but no folder is given; give one, or "
            "leave --glob out"
        )
    return list(dict.fromkeys(requests))


def _named(path: Path, options: ReadRequest) -> Iterable[ReadRequest]:
    """Return a recording that a path names, or the rows of a manifest."""
    if not path.exists():
        raise FaultdiagError(
            f"{path} does not exist; give recordings or folders of them, a manifest, or - for "
            "a list of them on stdin"
        )
    return _rows(path, options) if is_manifest(path) else [replace(options, path=path)]


def _files(paths: Sequence[Path], pattern: str | None, *, alone: bool = False) -> Iterator[Path]:
    for path in paths:
        inside = recordings_in(path, pattern) if path.is_dir() else [path]
        if not inside:
            error = nothing_in(path, pattern)
            if alone:
                raise error
            # Of several, a folder without recordings is one error row among the others.
            note(str(error))
        yield from inside or [path]


def _listed() -> list[Path]:
    if sys.stdin.isatty():
        raise FaultdiagError(
            "- stands for a list of paths on stdin, which is a terminal; pipe one in, such as "
            "find data -name '*.mat' | faultdiag predict RUN -"
        )
    text = sys.stdin.buffer.read()
    names = text.split(b"\0") if b"\0" in text else text.splitlines()
    paths = [Path(os.fsdecode(name)) for name in names if name.strip()]
    if not paths:
        raise FaultdiagError("the list of paths on stdin is empty; write one path a line")
    return paths


def _rows(manifest: Path, options: ReadRequest) -> list[ReadRequest]:
    """Return the recordings of a manifest; a missing one becomes an error row among the others."""
    rows = [CheckedRow(manifest.parent, row) for row in read_rows(manifest)]
    problems = [
        f"line {row.row.line}: {problem}" for row in rows for problem in row.problems_of_reading()
    ]
    if problems:
        raise FaultdiagError(rows_error(manifest, problems))
    return [_request(row, options, manifest.name) for row in rows]


def _request(row: CheckedRow, options: ReadRequest, manifest: str) -> ReadRequest:
    """Return the request of a manifest's row, completed by the options of all rows."""
    rate, rpm = row.number("sampling_rate"), row.number("rpm")
    line = f"in line {row.row.line} of {manifest}"
    bearing = row.bearing or options.bearing
    written = str(row.row.values.get("bearing") or "")
    return replace(
        options,
        path=row.recording,
        channel=",".join(row.channels) or options.channel,
        sampling_rate=rate or options.sampling_rate,
        rpm=rpm or options.rpm,
        bearing=bearing,
        unknown_bearing=f"'{written}' {line}" if written and bearing is None else None,
        time=row.time,
        rate_place=f"sampling_rate {line}" if rate else options.rate_place,
        rpm_place=f"rpm {line}" if rpm else options.rpm_place,
    )
