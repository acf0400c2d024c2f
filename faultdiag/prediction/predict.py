"""Predict many recordings to a table."""

import hashlib
import json
import math
import os
import sys
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from faultdiag.checkpoint import resolve
from faultdiag.datasets.base import sha256
from faultdiag.errors import FaultdiagError
from faultdiag.prediction.diagnoser import Diagnosed, Diagnoser, load
from faultdiag.prediction.inputs import find
from faultdiag.prediction.output import (
    Count,
    CsvWriter,
    Growing,
    JsonWriter,
    Kept,
    Row,
    RowWriter,
    TableWriter,
    WindowWriter,
    beside,
    growing,
    novelty_note,
)
from faultdiag.prediction.reading import Asked, read_ahead
from faultdiag.system.processes import keep_freed_memory

Floats = NDArray[np.float64]


def diagnose_files(
    diagnoser: Diagnoser,
    files: Iterable[Path],
    *,
    channel: str | None = None,
    sampling_rate: float | None = None,
    rpm: float | None = None,
    jobs: int = 1,
) -> Generator[Row]:
    """Diagnose files one by one; one that can't be diagnosed gives a row that says why.

    Parameters
    ----------
    channel
        Channel to read, or several with commas between; the model's own unless given.
    sampling_rate
        Hz, for files that don't state theirs and that no catalogue knows. Where nothing says
        the rate, the model's own is taken and the row says ``assumed``.
    rpm
        Shaft speed, likewise; only models that see shaft orders need it.
    jobs
        Processes that read and resample; one is this process itself.
    """
    asked = (Asked(path, channel, sampling_rate, rpm) for path in files)
    with closing(diagnose_asked(diagnoser, asked, jobs=jobs)) as found:
        yield from (thing for thing in found if isinstance(thing, Row))


def diagnose_asked(
    diagnoser: Diagnoser, asked: Iterable[Asked], *, jobs: int = 1
) -> Generator[Row | tuple[str, Floats]]:
    """Diagnose files, of each of which it is said how to read it; see `diagnose_files`.

    Before the row of a recording come the probabilities of its windows ``(windows, classes)``,
    some at a time, each time with its path.
    """
    with closing(read_ahead(asked, diagnoser.needs, jobs)) as parts:
        for one, found in diagnoser.follow(parts):
            path = str(one.path)
            if isinstance(found, str):
                yield Row(path, "error", error=found)
            elif isinstance(found, Diagnosed):
                yield _row(path, found)
            else:
                yield path, found


def _row(path: str, found: Diagnosed) -> Row:
    opened, diagnosis = found.opened, found.diagnosis
    return Row(
        path=path,
        status="ok",
        label=diagnosis.label,
        confidence=diagnosis.confidence,
        agreement=diagnosis.agreement,
        windows=diagnosis.windows,
        sampling_rate=opened.recorded_at,
        sampling_rate_source=opened.rate_source,
        channel=",".join(opened.channels),
        novelty=diagnosis.novelty,
        probabilities=diagnosis.probabilities,
    )


def predict_paths(
    run: Path,
    paths: Sequence[Path],
    *,
    out: Path | None,
    as_json: bool,
    channel: str | None,
    sampling_rate: float | None,
    rpm: float | None,
    device: str,
    jobs: int = 1,
    resume: bool = False,
    pattern: str | None = None,
    windows: Path | None = None,
) -> tuple[int, int]:
    """Diagnose recordings, folders and lists of them, and write the rows as they come.

    Parameters
    ----------
    run
        Run folder or checkpoint.
    paths, pattern
        See `inputs.find`.
    out
        File for the rows, which grow beside it until all are there (see `partial`); stdout
        without it, as a table where that is a terminal.
    jobs
        Processes that read and resample; one is this process itself.
    resume
        Go on with the rows of an interrupted run.
    windows
        File for rows of the windows, which grow beside it with those of `out`.

    Returns
    -------
    How many recordings there were, and how many of them gave no diagnosis.

    Raises
    ------
    FaultdiagError
        If a path, the model or the device is not there, the rate is none, or a file can't be
        written.
    """
    _require_positive("--sampling-rate", sampling_rate, "Hz")
    _require_positive("--rpm", rpm, "revolutions per minute")
    _require_files(out, windows, resume=resume)
    options = Asked(Path(), channel, sampling_rate, rpm)
    asked = find(paths, options, pattern=pattern)
    _require_no_recordings({"--out": out, "--windows": windows}, asked)
    diagnoser = load(run, device=device)
    keep_freed_memory()
    begun = {
        "the model": sha256(resolve(run)),
        "the classes": list(diagnoser.classes),
        "--channel": channel,
        "--sampling-rate": sampling_rate,
        "--rpm": rpm,
        "the manifest": _digest(asked, options),
        "--json": as_json,
    }
    with ExitStack() as stack:
        streams = _open(out, stack, begun, asked, windows, resume=resume)
        count = _write(diagnoser, asked, streams, as_json=as_json, jobs=jobs)
    if count.assumed:
        sys.stderr.write(
            f"warning: nothing states the sampling rate of {count.assumed} recordings; the "
            f"model's, {diagnoser.sampling_rate:g} Hz, was assumed: if it is another, the "
            "diagnosis is wrong; give it with --sampling-rate\n"
        )
    sys.stderr.write(novelty_note(count.novel, len(asked)))
    return len(asked), count.failed


def _write(
    diagnoser: Diagnoser, asked: Sequence[Asked], streams: Growing, *, as_json: bool, jobs: int
) -> Count:
    """Write the rows that are not kept; count all of them."""
    kept = streams.kept
    count, done = kept.count, len(kept.paths)
    writer = _writer(diagnoser.classes, asked, streams, as_json=as_json)
    # Where the rows themselves appear on a terminal, a bar would get between them.
    hidden = True if streams.rows.isatty() else None
    found = diagnose_asked(diagnoser, asked[done:], jobs=jobs)
    with closing(found):
        rows = _with_windows(diagnoser, found, streams, as_json=as_json)
        bar = tqdm(rows, "diagnosing", len(asked), unit="recording", disable=hidden, initial=done)
        for row in bar:
            writer.write(row)
            assumed = row.sampling_rate_source == "assumed"
            count = count.add(failed=row.status != "ok", assumed=assumed, novel=row.is_novel)
    return count


def _with_windows(
    diagnoser: Diagnoser,
    found: Iterable[Row | tuple[str, Floats]],
    streams: Growing,
    *,
    as_json: bool,
) -> Iterator[Row]:
    """Give the rows, those of its windows in their file before each."""
    writer = None
    if streams.windows is not None:
        shape: dict[str, Any] = {"length": diagnoser.length, "as_json": as_json}
        shape |= {"sampling_rate": diagnoser.sampling_rate}
        writer = WindowWriter(streams.windows, diagnoser.classes, **shape)
    for thing in found:
        if not isinstance(thing, Row):
            if writer is not None:
                writer.write(*thing)
            continue
        if writer is not None:
            # What went wrong in the middle of a recording has no diagnosis, and so no windows.
            (writer.keep if thing.status == "ok" else writer.drop)()
        yield thing


def is_begun(out: Path) -> bool:
    """Tell whether there are rows for a file that an interrupted run can go on with."""
    return beside(out)[0].exists()


def _require_positive(option: str, value: float | None, unit: str) -> None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise FaultdiagError(f"{option} is {value:g}; give a positive number of {unit}")


def _require_files(out: Path | None, windows: Path | None, *, resume: bool) -> None:
    """Refuse what needs a file of rows where there is none."""
    if resume and out is None:
        raise FaultdiagError("--resume goes on with the rows of --out, which is missing; give it")
    if windows is not None and out is None:
        raise FaultdiagError(
            f"--windows {windows} goes with the rows of --out, which is missing; give it"
        )
    if out is None:
        return
    special = out.exists() and not out.is_file() and not out.is_dir()
    if special and resume:
        raise FaultdiagError(f"--resume: {out} is no file, so nothing is kept of it; leave out")
    if windows is None:
        return
    if special or (windows.exists() and not windows.is_file() and not windows.is_dir()):
        odd = out if special else windows
        raise FaultdiagError(f"--windows: {odd} is no file that can grow; name a file")
    if os.path.realpath(out) == os.path.realpath(windows):
        raise FaultdiagError(f"--out and --windows are both {out}; give two files")


def _require_no_recordings(written: Mapping[str, Path | None], asked: Iterable[Asked]) -> None:
    # Unlike Path.resolve, it gives an answer for links that lead in a circle.
    targets = {os.path.realpath(p): (o, p) for o, p in written.items() if p is not None}
    if not targets:
        return
    for one in asked:
        if (found := targets.get(os.path.realpath(one.path))) is not None:
            raise FaultdiagError(
                f"{found[0]} {found[1]} is one of the recordings; give another file"
            )


def _digest(asked: Iterable[Asked], options: Asked) -> str | None:
    """Give a digest of what a manifest says of recordings in place of the options; or None."""
    said = [(one.channel, one.sampling_rate, one.rpm) for one in asked]
    if set(said) <= {(options.channel, options.sampling_rate, options.rpm)}:
        return None
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _open(
    out: Path | None,
    stack: ExitStack,
    begun: Mapping[str, Any],
    asked: Sequence[Asked],
    windows: Path | None,
    *,
    resume: bool,
) -> Growing:
    if out is None:
        return Growing(sys.stdout, None, Kept())
    if out.exists() and not out.is_file() and not out.is_dir():
        # A device or a pipe can't grow beside itself.
        stream = stack.enter_context(out.open("w", encoding="utf-8", newline=""))
        return Growing(stream, None, Kept())
    paths = [str(one.path) for one in asked]
    return stack.enter_context(growing(out, begun, paths, resume=resume, windows=windows))


def _writer(
    classes: Sequence[str], asked: Sequence[Asked], streams: Growing, *, as_json: bool
) -> RowWriter:
    if as_json:
        return JsonWriter(streams.rows, classes)
    if streams.rows.isatty():
        return TableWriter(streams.rows, classes, [str(one.path) for one in asked])
    return CsvWriter(streams.rows, classes, heading=not streams.kept.heading)
