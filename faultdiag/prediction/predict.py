"""Diagnose many recordings and write a row for each."""

import hashlib
import json
import math
import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tqdm import tqdm

from faultdiag.bundled.catalogue import bundled_model
from faultdiag.datasets.base import sha256
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError, unknown
from faultdiag.prediction.diagnose import (
    RemoteModel,
    WindowProbabilities,
    diagnose_on_cluster,
    diagnose_requests,
)
from faultdiag.prediction.diagnoser import Diagnoser, load, model_file
from faultdiag.prediction.inputs import find
from faultdiag.prediction.reading import ReadRequest, assumed_rate_note
from faultdiag.prediction.resume import Count, OpenRows, ResumeState, open_rows, partial_files
from faultdiag.prediction.rows import (
    MARK,
    REJECT,
    UNKNOWN,
    CsvWriter,
    JsonWriter,
    Row,
    RowWriter,
    TableWriter,
    WindowWriter,
    novelty_note,
)
from faultdiag.prediction.shards import finish_shard, merge_shards, shard_file, start_shard
from faultdiag.readers.read import FILE_TIMEOUT
from faultdiag.signal.bearings import get_bearing
from faultdiag.system.cluster import DaskCluster, Shard, parse_shard
from faultdiag.system.locks import own_file
from faultdiag.system.processes import keep_freed_memory
from faultdiag.system.terminal import note, warn

Diagnose = Callable[[Sequence[ReadRequest]], Generator[Row | WindowProbabilities]]


@dataclass(frozen=True, kw_only=True)
class PredictionSettings:
    """Settings of a prediction, and what the user states about its recordings.

    Parameters
    ----------
    out
        File for the rows, which grow beside it until all are there (see `resume`); without it
        they go to stdout, as a table where that is a terminal.
    as_json
        Whether rows are JSON, one line each.
    channel, sampling_rate, rpm, bearing, override_rate
        See `ReadRequest`; `bearing` is a name or a geometry.
    device
        See `load`.
    jobs
        Processes that read and resample; one is this process itself.
    resume
        Continue the rows of an interrupted run.
    pattern
        See `inputs.find`.
    windows
        File for rows of the windows, which grow beside it with those of `out`.
    evidence
        Whether to gather evidence; a model in the box always does.
    file_timeout
        Seconds that may pass without anything read of a file; None is no limit.
    novel
        ``mark`` keeps the diagnosis of a recording that is unlike the training data; ``reject``
        sets its label to ``unknown`` and its status to ``novel``.
    shard
        Diagnose only this share of the recordings, ``i/n``; its rows go to a file of its own.
    merge
        Diagnose nothing: merge the rows of all shards.
    dask
        Address of a Dask scheduler, whose workers diagnose.
    """

    out: Path | None = None
    as_json: bool = False
    channel: str | None = None
    sampling_rate: float | None = None
    rpm: float | None = None
    bearing: str | None = None
    override_rate: bool = False
    device: str = "auto"
    jobs: int = 1
    resume: bool = False
    pattern: str | None = None
    windows: Path | None = None
    evidence: bool = False
    file_timeout: float | None = FILE_TIMEOUT
    novel: str = MARK
    shard: str | None = None
    merge: bool = False
    dask: str | None = None

    @property
    def rejects(self) -> bool:
        """Whether recordings unlike the training data lose their label."""
        return self.novel == REJECT

    @property
    def request(self) -> ReadRequest:
        """What the user states about every recording."""
        stated = (self.channel, self.sampling_rate, self.rpm, self.bearing, self.override_rate)
        return ReadRequest(Path(), *stated)

    @property
    def written(self) -> dict[str, Path | None]:
        """The files that are written, by their options."""
        return {"--out": self.out, "--windows": self.windows}

    def check(self) -> None:
        """Refuse values that mean nothing, and options that contradict each other.

        Raises
        ------
        FaultdiagError
            Naming the option, what was found and what would work.
        """
        _require_positive("--sampling-rate", self.sampling_rate, "Hz")
        _require_positive("--rpm", self.rpm, "revolutions per minute")
        _require_positive("--file-timeout", self.file_timeout, "seconds")
        if self.novel not in {MARK, REJECT}:
            raise unknown("--novel", self.novel, (MARK, REJECT))
        _require_files(self.out, self.windows, resume=self.resume)
        _require_bearing(self.bearing)
        _require_one_machine(self.dask, jobs=self.jobs, shard=self.shard, merge=self.merge)


def predict_paths(
    model: Path,
    paths: Sequence[Path],
    settings: PredictionSettings,
    *,
    on_row: Callable[[Row], None] = lambda _: None,
    on_count: Callable[[Count], None] = lambda _: None,
) -> tuple[int, int]:
    """Diagnose recordings, folders and lists of them, and write the rows as they come.

    Parameters
    ----------
    model
        Run folder, checkpoint, ONNX file, or the name of a model in the box.
    paths
        See `inputs.find`.
    on_row
        Called with each row after it was written.
    on_count
        Called at the end with the count of all rows.

    Returns
    -------
    How many recordings there were, and how many of them gave no diagnosis.

    Raises
    ------
    FaultdiagError
        If a path, the model or the device is missing, a rate or speed is not positive, a file
        can't be written, or another command is writing it.
    """
    settings.check()
    part = _shard_of(settings)
    own_files = {option: _own_file(path, part) for option, path in settings.written.items()}
    bundled = bundled_model(model)
    settings = replace(settings, evidence=settings.evidence or bundled is not None)
    with _owned(own_files):
        requests = find(paths, settings.request, pattern=settings.pattern)
        _require_no_recordings(settings.written, requests)
        diagnoser = load(model, device=settings.device)
        keep_freed_memory()
        inputs = _inputs(model, diagnoser, requests, settings)
        if settings.merge and settings.out is not None:
            names = [str(request.path) for request in requests]
            count = merge_shards(settings.out, names, inputs, settings.windows)
        else:
            requests = [r for r in requests if part is None or part.has(str(r.path))]
            work = _Work(model, diagnoser, requests, inputs, settings)
            count = work.run(own_files, on_row)
            if part is not None and (rows_file := own_files["--out"]) is not None:
                finish_shard(rows_file, inputs, own_files["--windows"])
    _warn(count, len(requests), diagnoser.sampling_rate, rejects=settings.rejects)
    if bundled is not None:
        note("\n".join([f"what {bundled.name} can't know:", *map("  - {}".format, bundled.limits)]))
    on_count(count)
    return len(requests), count.failed


def _inputs(
    model: Path,
    diagnoser: Diagnoser,
    requests: Sequence[ReadRequest],
    settings: PredictionSettings,
) -> Json:
    """Return the settings that rows to continue or merge must share."""
    return {
        "the model": sha256(model_file(model)),
        "the classes": list(diagnoser.classes),
        "--channel": settings.channel,
        "--sampling-rate": settings.sampling_rate,
        "--rpm": settings.rpm,
        "--override-rate": settings.override_rate,
        "the manifest": _digest(requests, settings.request),
        "--json": settings.as_json,
        "--bearing": settings.bearing,
        "--evidence": settings.evidence,
        "--novel": settings.novel,
    }


@dataclass(frozen=True)
class _Work:
    """Recordings to diagnose, with what and how."""

    model: Path
    diagnoser: Diagnoser
    requests: Sequence[ReadRequest]
    inputs: Json
    settings: PredictionSettings

    def run(self, files: Mapping[str, Path | None], on_row: Callable[[Row], None]) -> Count:
        """Write the rows that are missing, and count all of them."""
        with ExitStack() as stack:
            diagnose = self._diagnose(stack)
            rows = _open(
                files["--out"],
                stack,
                self.inputs,
                self.requests,
                files["--windows"],
                resume=self.settings.resume,
            )
            return self._write(rows, diagnose, on_row)

    def _diagnose(self, stack: ExitStack) -> Diagnose:
        """Return the function that diagnoses, in this process or on a cluster."""
        settings = self.settings
        if settings.dask is None:
            return partial(
                diagnose_requests,
                self.diagnoser,
                evidence=settings.evidence,
                jobs=settings.jobs,
                limit=settings.file_timeout,
            )
        remote = RemoteModel(self.model, str(self.inputs["the model"]), settings.device)
        return partial(
            diagnose_on_cluster,
            stack.enter_context(DaskCluster(settings.dask)),
            remote,
            evidence=settings.evidence,
            windows=settings.windows is not None,
        )

    def _write(self, files: OpenRows, diagnose: Diagnose, on_row: Callable[[Row], None]) -> Count:
        count, done, total = files.state.count, len(files.state.paths), len(self.requests)
        writer = _writer(self.diagnoser.classes, self.requests, files, self.settings)
        # Where the rows themselves appear on a terminal, a bar would get between them.
        hidden = True if files.rows.isatty() else None
        with closing(diagnose(self.requests[done:])) as results:
            rows = _with_windows(self.diagnoser, results, files, as_json=self.settings.as_json)
            if self.settings.rejects:
                rows = map(_rejected, rows)
            bar = tqdm(rows, "diagnosing", total, unit="recording", disable=hidden, initial=done)
            for row in bar:
                writer.write(row)
                on_row(row)
                assumed = row.sampling_rate_source == "assumed"
                count = count.add(failed=row.status == "error", assumed=assumed, novel=row.is_novel)
        return count


def _warn(count: Count, recordings: int, rate: float, *, rejects: bool) -> None:
    if count.assumed:
        warn(assumed_rate_note(count.assumed, rate, result="diagnosis"))
    if count.novel:
        warn(novelty_note(count.novel, recordings, rejected=rejects))


def _require_one_machine(dask: str | None, *, jobs: int, shard: str | None, merge: bool) -> None:
    """Refuse what shares out the work in another way where a Dask cluster does."""
    if dask is None:
        return
    others = {"--jobs": jobs > 1, "--shard": shard is not None, "--merge": merge}
    for option in (name for name, given in others.items() if given):
        raise FaultdiagError(
            f"--dask and {option} are given; the cluster's workers share out the recordings, so "
            f"leave out {option}"
        )


def _shard_of(settings: PredictionSettings) -> Shard | None:
    """Return the requested shard, if any.

    Raises
    ------
    FaultdiagError
        If there is no such shard, or it goes with options that it can't go with.
    """
    shard, merge = settings.shard, settings.merge
    option = "--merge" if merge else "--shard"
    if (merge or shard is not None) and settings.out is None:
        raise FaultdiagError(f"{option} needs the file that all shards are for; give it with --out")
    if merge and (shard is not None or settings.resume):
        other = "--shard" if shard is not None else "--resume"
        raise FaultdiagError(f"--merge and {other} are given; merge when all shards are done")
    return None if shard is None else parse_shard(shard)


def _own_file(path: Path | None, part: Shard | None) -> Path | None:
    """Return the file that is written: that of the shard, or the file itself."""
    if path is None or part is None:
        return path
    start_shard(file := shard_file(path, part))
    return file


@contextmanager
def _owned(written: Mapping[str, Path | None]) -> Iterator[None]:
    """Own the files that are written; what is not a file, such as a pipe, has no owner."""
    with ExitStack() as stack:
        for option, path in written.items():
            if path is not None:
                stack.enter_context(own_file(path, f"give another file with {option}"))
        yield


def _rejected(row: Row) -> Row:
    return replace(row, status="novel", label=UNKNOWN) if row.is_novel else row


def _with_windows(
    diagnoser: Diagnoser,
    results: Iterable[Row | WindowProbabilities],
    files: OpenRows,
    *,
    as_json: bool,
) -> Iterator[Row]:
    """Yield the rows; the windows of each are in their file before it."""
    writer = None
    if files.windows is not None:
        writer = WindowWriter(
            files.windows,
            diagnoser.classes,
            length=diagnoser.length,
            sampling_rate=diagnoser.sampling_rate,
            as_json=as_json,
        )
    for result in results:
        if isinstance(result, WindowProbabilities):
            if writer is not None:
                writer.write(result.path, result.values.values)
            continue
        if writer is not None:
            # A recording that fails in the middle has no diagnosis, and so no windows.
            (writer.drop if result.status == "error" else writer.keep)()
        yield result


def is_begun(out: Path) -> bool:
    """Return whether there are rows for a file that an interrupted run can continue."""
    return partial_files(out)[0].exists()


def _require_positive(option: str, value: float | None, unit: str) -> None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise FaultdiagError(f"{option} is {value:g}; give a positive number of {unit}")


def _require_bearing(bearing: str | None) -> None:
    if bearing is not None:
        get_bearing(bearing)


def _require_files(out: Path | None, windows: Path | None, *, resume: bool) -> None:
    """Refuse options that need a file of rows where there is none."""
    if out is None:
        _require_no_files(windows, resume=resume)
        return
    if resume and _is_special(out):
        raise FaultdiagError(f"--resume: {out} is no file, so nothing is kept of it; leave out")
    if windows is None:
        return
    for path in (out, windows):
        if _is_special(path):
            raise FaultdiagError(f"--windows: {path} is no file that can grow; name a file")
    if os.path.realpath(out) == os.path.realpath(windows):
        raise FaultdiagError(f"--out and --windows are both {out}; give two files")


def _require_no_files(windows: Path | None, *, resume: bool) -> None:
    if resume:
        raise FaultdiagError("--resume continues the rows of --out, which is missing; give it")
    if windows is not None:
        raise FaultdiagError(
            f"--windows {windows} goes with the rows of --out, which is missing; give it"
        )


def _is_special(path: Path) -> bool:
    """Return whether a path is a device or a pipe."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _require_no_recordings(
    written: Mapping[str, Path | None], requests: Iterable[ReadRequest]
) -> None:
    # Unlike Path.resolve, it gives an answer for links that lead in a circle.
    targets = {os.path.realpath(p): (o, p) for o, p in written.items() if p is not None}
    if not targets:
        return
    for request in requests:
        if (target := targets.get(os.path.realpath(request.path))) is not None:
            raise FaultdiagError(
                f"{target[0]} {target[1]} is one of the recordings; give another file"
            )


def _digest(requests: Iterable[ReadRequest], options: ReadRequest) -> str | None:
    """Return a digest of what a manifest states in place of the options; None if nothing."""
    stated = [(r.channel, r.sampling_rate, r.rpm, r.bearing) for r in requests]
    if set(stated) <= {(options.channel, options.sampling_rate, options.rpm, options.bearing)}:
        return None
    return hashlib.sha256(json.dumps(stated).encode()).hexdigest()


def _open(
    out: Path | None,
    stack: ExitStack,
    inputs: Document,
    requests: Sequence[ReadRequest],
    windows: Path | None,
    *,
    resume: bool,
) -> OpenRows:
    if out is None:
        return OpenRows(sys.stdout, None, ResumeState())
    if out.exists() and not out.is_file() and not out.is_dir():
        # A device or a pipe can't grow beside itself.
        stream = stack.enter_context(out.open("w", encoding="utf-8", newline=""))
        return OpenRows(stream, None, ResumeState())
    paths = [str(request.path) for request in requests]
    return stack.enter_context(open_rows(out, inputs, paths, resume=resume, windows=windows))


def _writer(
    classes: Sequence[str],
    requests: Sequence[ReadRequest],
    files: OpenRows,
    settings: PredictionSettings,
) -> RowWriter:
    if settings.as_json:
        return JsonWriter(files.rows, classes, evidence=settings.evidence)
    if files.rows.isatty():
        return TableWriter(files.rows, classes, [str(request.path) for request in requests])
    heading = not files.state.heading
    return CsvWriter(files.rows, classes, heading=heading, evidence=settings.evidence)
