"""Report on recordings: diagnose them, explain them, gather evidence, and make the page."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from tqdm import tqdm

from faultdiag.bundled.catalogue import bundled_model
from faultdiag.errors import FaultdiagError, counted
from faultdiag.evidence.details import DetailRequest
from faultdiag.evidence.explanation import Explanation
from faultdiag.export.runtime import OnnxScorer
from faultdiag.prediction.ahead import read_ahead
from faultdiag.prediction.diagnoser import Diagnoser, load
from faultdiag.prediction.events import (
    Diagnosis,
    Failure,
    Pause,
    ReadEvent,
    RecordingDiagnosis,
    Windows,
)
from faultdiag.prediction.inputs import find
from faultdiag.prediction.reading import EvidenceRequest, ReadRequest
from faultdiag.prediction.stored_rows import StoredRow, read_stored_rows
from faultdiag.report.drawing import draw_charts, require_png
from faultdiag.report.findings import EnvelopeSummary, explanation_text
from faultdiag.report.pages.prediction import (
    MOST_PAGES,
    ModelFacts,
    PredictionReport,
    RecordingResult,
    render_prediction,
)
from faultdiag.report.pages.recording_charts import explanation_charts
from faultdiag.report.pages.render import to_json
from faultdiag.system.terminal import warn

if TYPE_CHECKING:
    from faultdiag.arrays import Singles

Format: TypeAlias = Literal["html", "md", "json"]

NO_MODEL = (
    "evidence, pictures and what the network looked at: the model isn't given; report on the run "
    "and these rows: faultdiag report RUN ROWS"
)


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """Settings of a report on recordings.

    Parameters
    ----------
    request
        What the user states about the recordings; its path is not used.
    details
        What the user states for the severity.
    device, jobs
        As for predict.
    pages
        Recordings with a page of their own at most.
    pattern
        Which files of folders.
    explain
        Whether to show explanations of the diagnoses.
    all_methods
        Whether to use all methods for relevance over time, not only the quickest.
    """

    request: ReadRequest = field(default_factory=lambda: ReadRequest(Path()))
    details: DetailRequest = field(default_factory=DetailRequest)
    device: str = "auto"
    jobs: int = 1
    pages: int = MOST_PAGES
    pattern: str | None = None
    explain: bool = True
    all_methods: bool = False


def report_on_requests(
    model: Path, requests: Sequence[ReadRequest], options: ReportOptions
) -> list[RecordingResult]:
    """Diagnose recordings with their details, in their order."""
    diagnoser = load(model, device=options.device)
    return list(_results(diagnoser, requests, options, details=True))


def report_on_recordings(
    model: Path, paths: Sequence[Path], options: ReportOptions, form: Format
) -> str:
    """Diagnose recordings and report on them.

    Up to `pages` recordings are read once. Of more, all are diagnosed first, and those that need
    a look first are read again for their pages.

    Raises
    ------
    FaultdiagError
        If a path or the model is missing, or there are no recordings. A recording that can't be
        diagnosed is a row of the report.
    """
    requests = find(paths, options.request, pattern=options.pattern)
    diagnoser = load(model, device=options.device)
    once = len(requests) <= options.pages
    results = list(_results(diagnoser, requests, options, details=once))
    if failed := sum(bool(result.error) for result in results):
        warn(
            f"{failed} of {counted(len(results), 'recording')} could not be diagnosed; the report "
            "says why"
        )
    report = _report(model_facts(model, diagnoser), results, options)
    if not once:
        report = _with_pages(diagnoser, dict(enumerate(requests)), report, options)
    return render_prediction(report, form)


def report_on_rows(model: Path | None, rows: Path, options: ReportOptions, form: Format) -> str:
    """Report on the rows that `predict` wrote, with pages where model and recordings are there.

    The diagnoses are those of the rows. Pages are made by reading the recordings again.

    Parameters
    ----------
    model
        The model that diagnosed; without it there are no pages with pictures.
    rows
        CSV or JSON lines.

    Raises
    ------
    FaultdiagError
        If the rows can't be read, or the model has other classes.
    """
    stored = read_stored_rows(rows)
    results = [_stored_result(row, with_model=model is not None) for row in stored]
    if model is None:
        return render_prediction(_report(None, results, options), form)
    diagnoser = load(model, device=options.device)
    report = _report(model_facts(model, diagnoser), results, options)
    requests = {
        i: replace(options.request, path=Path(row.path))
        for i, row in enumerate(stored)
        if row.label is not None and Path(row.path).exists()
    }
    detailed = _with_pages(diagnoser, requests, report, options)
    kept = [_keep_diagnosis(own, new) for own, new in zip(results, detailed.results, strict=True)]
    return render_prediction(replace(detailed, results=kept), form)


def _report(
    model: ModelFacts | None, results: Sequence[RecordingResult], options: ReportOptions
) -> PredictionReport:
    return PredictionReport(model, results, datetime.now(), version("faultdiag"), options.pages)


def model_facts(model: Path, diagnoser: Diagnoser) -> ModelFacts:
    """Return the facts of a model for a report."""
    facts, bundled = diagnoser.facts, bundled_model(model)
    return ModelFacts(
        name=str(model),
        classes=facts.classes,
        healthy=facts.healthy,
        sampling_rate=facts.sampling_rate,
        window_seconds=facts.length / facts.sampling_rate,
        channels=facts.channels,
        novelty=facts.novelty is not None,
        limits=bundled.limits if bundled else (),
    )


def _with_pages(
    diagnoser: Diagnoser,
    requests: Mapping[int, ReadRequest],
    report: PredictionReport,
    options: ReportOptions,
) -> PredictionReport:
    """Return the report with the details of those recordings that have a page."""
    first = [entry.number - 1 for entry in report.ranked()[: options.pages]]
    places = [place for place in first if place in requests]
    chosen = [requests[place] for place in places]
    results = list(report.results)
    details = _results(diagnoser, chosen, options, details=True)
    for place, result in zip(places, details, strict=True):
        results[place] = result
    return replace(report, results=results)


def _results(
    diagnoser: Diagnoser,
    requests: Sequence[ReadRequest],
    options: ReportOptions,
    *,
    details: bool,
) -> Iterator[RecordingResult]:
    """Yield the result of each recording, in their order."""
    wanted = options.details if details else None
    evidence = EvidenceRequest(diagnoser.facts.healthy_reference, wanted)
    model = replace(diagnoser.input, evidence=evidence)
    wants = details and options.explain
    explanations = _Explanations(diagnoser, options.all_methods) if wants else None
    bar = tqdm(total=len(requests), desc="diagnosing", unit="recording", disable=None)
    with bar, closing(read_ahead(requests, model, options.jobs)) as events:
        watched = explanations.watch(events) if explanations else events
        for request, outcome in diagnoser.results(watched):
            match outcome:
                case Failure(message):
                    yield RecordingResult(str(request.path), error=message)
                case RecordingDiagnosis():
                    explained = explanations.of(request, outcome) if explanations else ()
                    yield _result(request, outcome, explained)
                case _:
                    continue
            bar.update()


class _Explanations:
    """Explains diagnoses by the windows that came by, as far as the model allows it."""

    def __init__(self, diagnoser: Diagnoser, all_methods: bool) -> None:
        self._windows: dict[ReadRequest, list[Singles]] = {}
        self._facts = diagnoser.facts
        self._explainer: Any = None
        scorer: Any = diagnoser.scorer
        if not isinstance(scorer, OnnxScorer):
            from faultdiag.evidence.attribution import METHODS
            from faultdiag.evidence.explainer import QUICK, Explainer

            self._explainer = Explainer(
                scorer.network,
                scorer.normalize,
                diagnoser.sampling_rate,
                temperature=diagnoser.facts.temperature,
                methods=tuple(METHODS) if all_methods else QUICK,
            )

    def watch(
        self, events: Iterable[tuple[ReadRequest, ReadEvent] | Pause]
    ) -> Iterator[tuple[ReadRequest, ReadEvent] | Pause]:
        """Pass events on, and keep the windows of each recording until it is explained."""
        for event in events:
            if self._explainer and not isinstance(event, Pause) and isinstance(event[1], Windows):
                self._windows.setdefault(event[0], []).append(event[1].values)
            yield event

    def of(
        self, request: ReadRequest, outcome: RecordingDiagnosis
    ) -> Explanation | tuple[str, ...]:
        """Return the explanation of a diagnosis, or what is missing."""
        if self._explainer is None:
            return (
                "what the network looked at: an ONNX file has no gradients; give the run folder",
            )
        parts = self._windows.pop(request)
        apart = [part.reshape(len(part), -1, self._facts.length) for part in parts]
        windows = np.concatenate(apart, axis=1).transpose(1, 0, 2)
        label = outcome.diagnosis.label
        number = self._facts.classes.index(label)
        try:
            explained = self._explainer.explain(
                windows, number, label, rpm=outcome.header.rpm, bearing=outcome.header.bearing
            )
        except FaultdiagError as error:
            return (f"what the network looked at: {error}",)
        explanation: Explanation = explained
        return explanation


def _result(
    request: ReadRequest,
    outcome: RecordingDiagnosis,
    explained: Explanation | tuple[str, ...],
) -> RecordingResult:
    header, details = outcome.header, outcome.details
    explanation = explained if isinstance(explained, Explanation) else None
    missing = () if isinstance(explained, Explanation) else explained
    if details is not None and details.no_severity:
        missing = (*missing, details.no_severity)
    result = RecordingResult(
        path=str(request.path),
        sampling_rate=header.sampling_rate,
        sampling_rate_source=header.sampling_rate_source,
        rpm=header.rpm,
        channel=",".join(header.channels),
        bearing=header.bearing,
        explanation=explanation,
        views=details.views if details else None,
        severity=details.severity if details else None,
        missing=missing,
        warnings=header.warnings,
        time=header.time,
    )
    result = replace(result, evidence=outcome.diagnosis.evidence)
    return _with_diagnosis(result, outcome.diagnosis)


# What a result takes from a diagnosis, now or from a stored row.
DIAGNOSED = (
    "label",
    "confidence",
    "agreement",
    "windows",
    "probabilities",
    "novelty",
    "signature",
)


def _with_diagnosis(
    result: RecordingResult, diagnosis: Diagnosis | RecordingResult
) -> RecordingResult:
    values: dict[str, Any] = {name: getattr(diagnosis, name) for name in DIAGNOSED}
    return replace(result, **values)


def _stored_result(row: StoredRow, *, with_model: bool) -> RecordingResult:
    """Return the result of a stored row; what the row doesn't have is marked as missing."""
    missing = [] if with_model else [NO_MODEL]
    if with_model and row.label is not None and not Path(row.path).exists():
        missing.append(f"evidence and pictures: {row.path} isn't there any more")
    envelope = None
    if row.agreement is not None:
        envelope = EnvelopeSummary(
            row.physics, row.score, row.harmonics, row.sidebands, row.agreement
        )
    return RecordingResult(
        path=row.path,
        error=row.error,
        label=row.label,
        confidence=row.confidence,
        agreement=row.window_agreement,
        windows=row.windows,
        probabilities=row.probabilities,
        novelty=row.novelty,
        signature=_network_signature(row),
        sampling_rate=row.sampling_rate,
        sampling_rate_source=row.sampling_rate_source,
        channel=row.channel,
        envelope=envelope,
        missing=tuple(missing),
    )


def _network_signature(row: StoredRow) -> str | None:
    """Return the network's signature; None where the row has that of its evidence."""
    of_evidence = row.agreement is not None and row.physics is None
    return None if of_evidence else row.signature


def _keep_diagnosis(stored: RecordingResult, new: RecordingResult) -> RecordingResult:
    """Return the new result with the diagnosis of the stored row."""
    if new is stored:
        return stored
    if new.error:
        return replace(stored, missing=(*stored.missing, f"evidence and pictures: {new.error}"))
    changed = new.label != stored.label
    note = (
        f"diagnosed again it is {new.label}: the model or the file has changed" if changed else ""
    )
    warnings = (*new.warnings, note) if note else new.warnings
    return _with_diagnosis(replace(new, warnings=warnings), stored)


def explain(model: Path, path: Path, options: ReportOptions) -> RecordingResult:
    """Diagnose a recording, and explain it by all methods.

    Parameters
    ----------
    model
        Run folder or checkpoint.
    path
        One recording.
    options
        What is stated about it.

    Raises
    ------
    FaultdiagError
        If the recording can't be diagnosed, or the model can't be explained.
    """
    if path.is_dir():
        raise FaultdiagError(f"explain takes one recording and {path} is a folder; name a file")
    request = replace(options.request, path=path)
    (result,) = report_on_requests(model, [request], replace(options, all_methods=True))
    if result.error:
        raise FaultdiagError(result.error)
    if result.explanation is None:
        raise FaultdiagError(f"{model} can't be explained: {'; '.join(result.missing)}")
    return result


def explanation_output(result: RecordingResult, *, as_json: bool) -> str:
    """Return an explanation as text, or as JSON without the arrays of pictures."""
    return to_json(replace(result, views=None)) if as_json else explanation_text(result)


def draw_explanation(result: RecordingResult, png: Path) -> None:
    """Draw an explanation as a PNG.

    Raises
    ------
    FaultdiagError
        If the name isn't one of a PNG, or the file can't be written.
    """
    require_png(png)
    if result.explanation is not None:
        name = Path(result.path).name
        title = f"{name}: {result.label}, {result.confidence or 0:.2f}"
        draw_charts(explanation_charts(result.explanation), png, title=title)
