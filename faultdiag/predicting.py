"""`faultdiag predict`: files and folders in, one row each out."""

import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from faultdiag.datasets import identify, identify_by_name
from faultdiag.errors import FaultdiagError
from faultdiag.files import replacing
from faultdiag.finding import nothing_in, recordings_in
from faultdiag.predict import Diagnoser, load
from faultdiag.readers import list_variables, read_recording
from faultdiag.recording import Recording
from faultdiag.rows import CsvWriter, JsonWriter, Row, RowWriter, TableWriter, novelty_note


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
) -> Iterator[Row]:
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
    """
    for path in files:
        try:
            yield _diagnose_file(diagnoser, path, channel, sampling_rate, rpm)
        except FaultdiagError as error:
            yield Row(str(path), "error", error=" ".join(str(error).split()))


def _diagnose_file(
    diagnoser: Diagnoser,
    path: Path,
    channel: str | None,
    sampling_rate: float | None,
    rpm: float | None,
) -> Row:
    recording = _read(diagnoser, path, channel)
    known = recording.sampling_rate is not None and recording.rpm is not None
    facts = {} if known else identify(path) or {}
    guess = {} if known or facts else _by_name(path)
    rate, source = _first(
        ("file", recording.sampling_rate),
        ("catalogue", facts.get("sampling_rate")),
        ("argument", sampling_rate),
        # An altered copy: its name and variables say less than whoever gave a rate.
        ("catalogue, by name", guess.get("sampling_rate")),
        ("assumed", diagnoser.sampling_rate),
    )
    speed = recording.rpm or facts.get("rpm") or rpm or guess.get("rpm")
    diagnosis = diagnoser.diagnose(replace(recording, sampling_rate=rate, rpm=speed))
    return Row(
        path=str(path),
        status="ok",
        label=diagnosis.label,
        confidence=diagnosis.confidence,
        agreement=diagnosis.agreement,
        windows=diagnosis.windows,
        sampling_rate=rate,
        sampling_rate_source=source,
        channel=",".join(recording.channels),
        novelty=diagnosis.novelty,
        probabilities=diagnosis.probabilities,
    )


def _read(diagnoser: Diagnoser, path: Path, channel: str | None) -> Recording:
    """Read the channel asked for, else the model's own where the file has them, else all."""
    if channel is not None:
        names = [name.strip() for name in channel.split(",")]
        return diagnoser.choose(read_recording(path, channel=names))
    present = {
        name for variable in list_variables(path) for name in (variable.channel or "").split(", ")
    }
    wanted = diagnoser.channels if set(diagnoser.channels) <= present else None
    return diagnoser.choose(read_recording(path, channel=wanted))


def _by_name(path: Path) -> Mapping[str, Any]:
    known = identify_by_name(path, [variable.name for variable in list_variables(path)])
    return {} if known is None else known.facts


def _first(*sources: tuple[str, float | None]) -> tuple[float, str]:
    """Give the first rate that is known, and who states it; the last one always is."""
    return next((float(value), name) for name, value in sources if value is not None)


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
) -> tuple[int, int]:
    """Diagnose recordings and folders of them, and write the rows as they come.

    Parameters
    ----------
    run
        Run folder or checkpoint.
    out
        File for the rows, written whole or not at all; stdout without it, as a table where
        that is a terminal.

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
    files = find_files(paths)
    # Unlike Path.resolve, it gives an answer for links that lead in a circle.
    if out is not None and os.path.realpath(out) in map(os.path.realpath, files):
        raise FaultdiagError(f"--out {out} is one of the recordings; give another file")
    diagnoser = load(run, device=device)
    rows = diagnose_files(diagnoser, files, channel=channel, sampling_rate=sampling_rate, rpm=rpm)
    failed = assumed = novel = 0
    with ExitStack() as stack:
        stream = _open(out, stack)
        writer = _writer(stream, diagnoser.classes, files, as_json=as_json)
        # Where the rows themselves appear on a terminal, a bar would get between them.
        hidden = True if stream.isatty() else None
        for row in tqdm(rows, "diagnosing", len(files), unit="recording", disable=hidden):
            writer.write(row)
            failed += row.status != "ok"
            assumed += row.sampling_rate_source == "assumed"
            novel += row.is_novel
    if assumed:
        sys.stderr.write(
            f"warning: nothing states the sampling rate of {assumed} recordings; the model's, "
            f"{diagnoser.sampling_rate:g} Hz, was assumed: if it is another, the diagnosis is "
            "wrong; give it with --sampling-rate\n"
        )
    sys.stderr.write(novelty_note(novel, len(files)))
    return len(files), failed


def _require_positive(option: str, value: float | None, unit: str) -> None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise FaultdiagError(f"{option} is {value:g}; give a positive number of {unit}")


def _open(out: Path | None, stack: ExitStack) -> TextIO:
    if out is None:
        return sys.stdout
    temporary = stack.enter_context(replacing(out))
    return stack.enter_context(temporary.open("w", encoding="utf-8", newline=""))


def _writer(
    stream: TextIO, classes: Sequence[str], files: Sequence[Path], *, as_json: bool
) -> RowWriter:
    if as_json:
        return JsonWriter(stream, classes)
    if stream.isatty():
        return TableWriter(stream, classes, [str(path) for path in files])
    return CsvWriter(stream, classes)
