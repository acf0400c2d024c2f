"""Report on a run, a protocol or a prediction: recognise what is given, and make the page."""

import base64
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from faultdiag.api.report_recordings import (
    Format,
    ReportOptions,
    report_on_recordings,
    report_on_requests,
    report_on_rows,
)
from faultdiag.config.schema import parse_config
from faultdiag.documents import Document, Json, parse_json
from faultdiag.errors import FaultdiagError
from faultdiag.evidence.details import DetailRequest
from faultdiag.prediction.reading import ReadRequest
from faultdiag.prediction.stored_rows import is_rows_file
from faultdiag.report.pages.prediction import RecordingResult
from faultdiag.report.pages.protocol import ProtocolReport, render_protocol
from faultdiag.report.pages.run import MOST_FAILURES, Embeddings, Failure, RunReport, render_run
from faultdiag.signal.bearings import get_bearing
from faultdiag.system import files
from faultdiag.system.files import write_text
from faultdiag.system.locks import own_file
from faultdiag.training.folds import RESULTS

PROTOCOL = "results.json"
# What a run folder may hold, and how to get what is missing.
_FILES = {
    "metrics.json": "results, confusion and calibration: the run isn't finished; train it with "
    "--resume",
    "history.jsonl": "learning curves: the run folder has no history.jsonl",
    "environment.json": "versions: the run folder has no environment.json",
    "config.yaml": "the config: the run folder has no config.yaml",
    "split.json": "evidence of failures: the run folder has no split.json",
}


def report(
    source: Path,
    paths: Sequence[Path],
    options: ReportOptions,
    *,
    form: Format = "html",
    projection: str = "pca",
) -> str:
    """Report on a prediction, a run, or a protocol folder.

    Parameters
    ----------
    source
        A run folder, a model, a protocol folder, or rows that `predict` wrote.
    paths
        With a model: recordings, folders and manifests to diagnose, or rows of it.
    options
        For recordings.
    form
        ``html``, ``md`` or ``json``.
    projection
        How a run's embeddings are drawn: ``pca``, ``tsne`` or ``none``.

    Raises
    ------
    FaultdiagError
        If the source is not one of these, or something can't be read.
    """
    if is_rows_file(source):
        _require_alone(source, paths, "rows of a prediction")
        return report_on_rows(None, source, options, form)
    if (source / PROTOCOL).is_file():
        _require_alone(source, paths, "a protocol folder")
        return _protocol(source, form)
    if paths:
        rows = [path for path in paths if is_rows_file(path)]
        if not rows:
            return report_on_recordings(source, paths, options, form)
        _require_alone(rows[0], [p for p in paths if p != rows[0]], "rows of a prediction")
        return report_on_rows(source, rows[0], options, form)
    return _run(source, options, form, projection)


def report_options(
    *,
    channel: str | None = None,
    sampling_rate: float | None = None,
    rpm: float | None = None,
    bearing: str | None = None,
    override_rate: bool = False,
    units: str | None = None,
    group: Any = None,
    mounting: Any = None,
    **others: Any,
) -> ReportOptions:
    """Check and collect the options of a report.

    Raises
    ------
    FaultdiagError
        If a rate or speed is not positive, the bearing is unknown, or only one of group and
        mounting is given, or both without units.
    """
    for name, value in (("--sampling-rate", sampling_rate), ("--rpm", rpm)):
        if value is not None and not 0 < value < math.inf:
            raise FaultdiagError(f"{name} is {value:g}; give a positive number")
    if bearing is not None:
        get_bearing(bearing)
    if (group is None) != (mounting is None):
        missing = "--machine-group" if group is None else "--mounting"
        raise FaultdiagError(
            f"a zone of ISO 20816-3 needs --machine-group and --mounting; {missing} is missing"
        )
    return ReportOptions(
        ReadRequest(Path(), channel, sampling_rate, rpm, bearing, override_rate),
        DetailRequest(units, group, mounting),
        **others,
    )


def write_report(make_text: Callable[[], str], path: Path) -> str:
    """Make a report and write it, whole or not at all; the file is owned meanwhile.

    Raises
    ------
    FaultdiagError
        If the file can't be written, is a folder, or another command is writing it.
    """
    if path.is_dir():
        raise FaultdiagError(f"--out {path} is a folder; name a file, such as {path}/report.html")
    with own_file(path, "give another file with --out"):
        text = make_text()
        write_text(path, text)
    return text


def _require_alone(source: Path, paths: Sequence[Path], kind: str) -> None:
    if paths:
        raise FaultdiagError(
            f"{source} holds {kind}, which is reported on by itself; found {paths[0]} beside it: "
            "leave it out"
        )


def _protocol(folder: Path, form: Format) -> str:
    document = _json_of(folder / PROTOCOL)
    if not isinstance(document, Mapping) or "rows" not in document:
        raise FaultdiagError(
            f"{folder / PROTOCOL} isn't the result of a protocol: it has no rows; give the folder "
            "that faultdiag protocol wrote"
        )
    return render_protocol(
        ProtocolReport(folder.name, document, datetime.now(), version("faultdiag")), form
    )


def _run(folder: Path, options: ReportOptions, form: Format, projection: str) -> str:
    _require_run_folder(folder)
    missing = _missing_parts(folder)
    metrics = _json_of(folder / "metrics.json", {})
    config = folder / "config.yaml"
    failures = list(_failures(folder, metrics, options))
    embeddings, why = _embeddings(folder, projection)
    return render_run(
        RunReport(
            name=folder.name,
            config=_text_of(config) if config.is_file() else "",
            healthy=_healthy(folder),
            metrics=metrics,
            history=_history(folder),
            environment=_json_of(folder / "environment.json", {}),
            failures=failures,
            made=datetime.now(),
            version=version("faultdiag"),
            missing=(*missing, *why),
            embeddings=embeddings,
        ),
        form,
    )


def _require_run_folder(folder: Path) -> None:
    """Refuse a file, and a folder of the runs of several folds."""
    if not folder.is_dir():
        raise FaultdiagError(
            f"{folder} is {'a file' if folder.exists() else 'not there'}: a report without "
            "recordings is of a run folder or a protocol folder; give one, or name recordings"
        )
    if (folder / RESULTS).is_file():
        names = [str(row["folder"]) for row in _json_of(folder / RESULTS)["folds"]]
        raise FaultdiagError(
            f"{folder} holds the folds {', '.join(names)}; report on one of them: "
            f"{folder / names[0]}"
        )


def _missing_parts(folder: Path) -> list[str]:
    """Return the missing sections of a run's report, whose files its folder lacks."""
    missing = [text for name, text in _FILES.items() if not (folder / name).is_file()]
    if len(missing) == len(_FILES):
        raise FaultdiagError(f"{folder} is no run folder: it has none of {', '.join(_FILES)}")
    return missing


def _json_of(path: Path, default: object = None) -> Any:
    if default is not None and not path.is_file():
        return default
    try:
        return parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FaultdiagError(f"cannot read {path}: {error}; restore it, or train again") from error


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FaultdiagError(f"cannot read {path}: {error}") from error


def _history(folder: Path) -> list[Json]:
    path = folder / "history.jsonl"
    if not path.is_file():
        return []
    try:
        return [parse_json(line) for line in _text_of(path).splitlines() if line.strip()]
    except ValueError as error:
        raise FaultdiagError(f"cannot read {path}: {error}; train again") from error


def _healthy(folder: Path) -> tuple[str, ...]:
    """Return the healthy classes of a run's config."""
    path = folder / "config.yaml"
    try:
        data = files.parse(_text_of(path), str(path))["data"]
        return tuple(map(str, data.get("healthy") or ()))
    except (FaultdiagError, KeyError, TypeError, AttributeError):
        return ()


def _failures(folder: Path, metrics: Document, options: ReportOptions) -> Iterator[Failure]:
    """Yield the wrong recordings of the test part, the surest first, with their evidence."""
    rows = ((metrics.get("test") or {}).get("recording") or {}).get("rows") or []
    wrong = [row for row in rows if row["label"] != row["predicted"]]
    wrong = sorted(wrong, key=lambda row: -row["confidence"])[:MOST_FAILURES]
    results = _evidence_of(folder, [str(row["recording"]) for row in wrong], options)
    for row in wrong:
        name = str(row["recording"])
        diagnosis = (row["label"], row["predicted"], row["confidence"], row["windows"])
        yield Failure(name, *diagnosis, results.get(name))


def _evidence_of(
    folder: Path, names: Sequence[str], options: ReportOptions
) -> dict[str, RecordingResult]:
    """Read recordings of a run's split again, as far as they are there."""
    rows = _rows_of_split(folder, names)
    present = {name: row for name, row in rows.items() if Path(row["source"]).exists()}
    results = {
        name: RecordingResult(row["source"], error=f"{row['source']} isn't there any more")
        for name, row in rows.items()
        if name not in present
    }
    if present and (folder / "best.pt").is_file():
        requests = [_request(row) for row in present.values()]
        read_again = report_on_requests(folder, requests, replace(options, explain=False))
        results |= dict(zip(present, read_again, strict=True))
    return results


def _rows_of_split(folder: Path, names: Sequence[str]) -> dict[str, Document]:
    """Return the recordings of a run's split by name."""
    document = _json_of(folder / "split.json", {})
    known = {str(row["name"]): row for row in document.get("recordings") or ()}
    return {name: known[name] for name in names if name in known}


def _request(row: Document) -> ReadRequest:
    facts = row.get("facts") or {}
    path, rate, rpm = Path(row["source"]), row.get("recorded_at"), row.get("rpm")
    return ReadRequest(path, None, rate, rpm, facts.get("bearing"))


def _embeddings(folder: Path, projection: str) -> tuple[Embeddings | None, list[str]]:
    """Draw what the last layer sees, as far as weights and prepared data are there."""
    if projection not in {"pca", "tsne"}:
        return None, []
    try:
        return _draw_embeddings(folder, projection), []
    except FaultdiagError as error:
        return None, [f"embeddings: {' '.join(str(error).split())}"]


def _draw_embeddings(folder: Path, projection: Any) -> Embeddings:
    from faultdiag import checkpoint, inference
    from faultdiag.evidence.embedding import AXES, embed_parts
    from faultdiag.preparing.prepare import find_prepared
    from faultdiag.report.figures import embedding_figure

    source = checkpoint.load(folder)
    prepared = find_prepared(parse_config(source.config, f"the config in {folder}"))
    if prepared is None:
        raise FaultdiagError("the prepared data isn't there any more; run faultdiag prepare")
    scorer = inference.TorchScorer(source, inference.select_device("cpu"))
    parts = embed_parts(scorer, prepared, ("train", "valid", "test"), projection)
    with tempfile.TemporaryDirectory() as temporary:
        png = Path(temporary) / "embeddings.png"
        embedding_figure(parts, png, title=folder.name, axes_name=AXES[projection])
        content = base64.b64encode(png.read_bytes()).decode("ascii")
    counts = ", ".join(f"{len(part.places)} {name}" for name, part in parts.items())
    return Embeddings(content, AXES[projection], counts)
