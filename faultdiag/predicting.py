"""`faultdiag predict`: files and folders in, one row each out."""

import math
import os
import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from faultdiag.checkpoint import resolve
from faultdiag.datasets import sha256
from faultdiag.errors import FaultdiagError
from faultdiag.finding import nothing_in, recordings_in
from faultdiag.partial import Kept, beside, growing
from faultdiag.predict import Diagnoser, load
from faultdiag.read_ahead import read_ahead
from faultdiag.reading import Asked, Ready, one_line
from faultdiag.rows import CsvWriter, JsonWriter, Row, RowWriter, TableWriter


def find_files(paths: Sequence[Path]) -> list[Path]:
    """Give the recordings that files and folders name; a folder is searched to its bottom.

    Raises
    ------
    FaultdiagError
        If a path doesn't exist, or the only one is a folder without a file that a reader knows.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            # Of several, a folder without recordings is one error row among the others.
            found += recordings_in(path) or _none_inside(path, alone=len(paths) == 1)
        elif path.exists():
            found.append(path)
        else:
            raise FaultdiagError(f"{path} does not exist; give recordings or folders of them")
    return list(dict.fromkeys(found))


def _none_inside(folder: Path, *, alone: bool) -> list[Path]:
    if alone:
        raise nothing_in(folder)
    return [folder]


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
    return diagnose_asked(diagnoser, asked, jobs=jobs)


def diagnose_asked(
    diagnoser: Diagnoser, asked: Iterable[Asked], *, jobs: int = 1
) -> Generator[Row]:
    """Diagnose files, of each of which it is said how to read it; see `diagnose_files`."""
    with closing(read_ahead(asked, diagnoser.needs, jobs)) as recordings:
        for one, read in recordings:
            yield _row(diagnoser, one.path, read)


def _row(diagnoser: Diagnoser, path: Path, read: Ready | str) -> Row:
    if isinstance(read, str):
        return Row(str(path), "error", error=read)
    try:
        diagnosis = diagnoser.diagnose(read.recording)
    except FaultdiagError as error:
        return Row(str(path), "error", error=one_line(error))
    return Row(
        path=str(path),
        status="ok",
        label=diagnosis.label,
        confidence=diagnosis.confidence,
        agreement=diagnosis.agreement,
        windows=diagnosis.windows,
        sampling_rate=read.recorded_at,
        sampling_rate_source=read.rate_source,
        channel=",".join(read.channels),
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
) -> tuple[int, int]:
    """Diagnose recordings and folders of them, and write the rows as they come.

    Parameters
    ----------
    run
        Run folder or checkpoint.
    out
        File for the rows, which grow beside it until all are there (see `partial`); stdout
        without it, as a table where that is a terminal.
    jobs
        Processes that read and resample; one is this process itself.
    resume
        Go on with the rows of an interrupted run.

    Returns
    -------
    How many recordings there were, and how many of them gave no diagnosis.

    Raises
    ------
    FaultdiagError
        If a path, the model or the device is not there, the rate is none, or `out` can't be
        written.
    """
    _require_positive("--sampling-rate", sampling_rate, "Hz")
    _require_positive("--rpm", rpm, "revolutions per minute")
    if resume and out is None:
        raise FaultdiagError("--resume goes on with the rows of --out, which is missing; give it")
    files = find_files(paths)
    # Unlike Path.resolve, it gives an answer for links that lead in a circle.
    if out is not None and os.path.realpath(out) in map(os.path.realpath, files):
        raise FaultdiagError(f"--out {out} is one of the recordings; give another file")
    diagnoser = load(run, device=device)
    begun = {
        "the model": sha256(resolve(run)),
        "the classes": list(diagnoser.classes),
        "--channel": channel,
        "--sampling-rate": sampling_rate,
        "--rpm": rpm,
        "--json": as_json,
    }
    asked = [Asked(path, channel, sampling_rate, rpm) for path in files]
    with ExitStack() as stack:
        stream, kept = _open(out, stack, begun, files, resume=resume)
        writer = _writer(stream, diagnoser.classes, files, as_json=as_json, kept=kept)
        # Where the rows themselves appear on a terminal, a bar would get between them.
        hidden = True if stream.isatty() else None
        failed, assumed = _write(diagnoser, asked, writer, kept, jobs=jobs, hidden=hidden)
    if assumed:
        sys.stderr.write(
            f"warning: nothing states the sampling rate of {assumed} recordings; the model's, "
            f"{diagnoser.sampling_rate:g} Hz, was assumed: if it is another, the diagnosis is "
            "wrong; give it with --sampling-rate\n"
        )
    return len(files), failed


def _write(
    diagnoser: Diagnoser,
    asked: Sequence[Asked],
    writer: RowWriter,
    kept: Kept,
    *,
    hidden: bool | None,
    jobs: int,
) -> tuple[int, int]:
    """Write the rows that are not kept; give how many failed and whose rate was assumed."""
    failed, assumed, done = kept.failed, kept.assumed, len(kept.paths)
    rest = asked[done:]
    rows = diagnose_asked(diagnoser, rest, jobs=jobs)
    with closing(rows):
        bar = tqdm(rows, "diagnosing", len(asked), unit="recording", disable=hidden, initial=done)
        for row in bar:
            writer.write(row)
            failed += row.status != "ok"
            assumed += row.sampling_rate_source == "assumed"
    return failed, assumed


def is_begun(out: Path) -> bool:
    """Tell whether there are rows for a file that an interrupted run can go on with."""
    return beside(out)[0].exists()


def _require_positive(option: str, value: float | None, unit: str) -> None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise FaultdiagError(f"{option} is {value:g}; give a positive number of {unit}")


def _open(
    out: Path | None,
    stack: ExitStack,
    begun: Mapping[str, Any],
    files: Sequence[Path],
    *,
    resume: bool,
) -> tuple[TextIO, Kept]:
    if out is None:
        return sys.stdout, Kept()
    if out.exists() and not out.is_file() and not out.is_dir():
        # A device or a pipe can't grow beside itself.
        if resume:
            raise FaultdiagError(f"--resume: {out} is no file, so nothing is kept of it; leave out")
        return stack.enter_context(out.open("w", encoding="utf-8", newline="")), Kept()
    paths = [str(path) for path in files]
    return stack.enter_context(growing(out, begun, paths, resume=resume))


def _writer(
    stream: TextIO, classes: Sequence[str], files: Sequence[Path], *, as_json: bool, kept: Kept
) -> RowWriter:
    if as_json:
        return JsonWriter(stream, classes)
    if stream.isatty():
        return TableWriter(stream, classes, [str(path) for path in files])
    return CsvWriter(stream, classes, heading=not kept.heading)
