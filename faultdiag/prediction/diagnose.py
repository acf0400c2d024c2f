"""Diagnose recordings in files: a row for each."""

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from faultdiag.evidence.gather import Evidence
from faultdiag.prediction.ahead import read_ahead
from faultdiag.prediction.diagnoser import Diagnoser
from faultdiag.prediction.events import Failure, Probabilities, RecordingDiagnosis
from faultdiag.prediction.reading import ReadRequest
from faultdiag.prediction.rows import Row


@dataclass(frozen=True, slots=True)
class WindowProbabilities:
    """The probabilities of the next windows of the recording at a path, ``(windows, classes)``."""

    path: str
    values: Probabilities


def diagnose_files(
    diagnoser: Diagnoser,
    files: Iterable[Path],
    *,
    channel: str | None = None,
    sampling_rate: float | None = None,
    rpm: float | None = None,
    bearing: str | None = None,
    evidence: bool = False,
    jobs: int = 1,
    limit: float | None = None,
) -> Generator[Row]:
    """Yield a row for each file; that of a file without a diagnosis says why.

    Parameters
    ----------
    channel
        Channel to read, or several separated by commas; by default the model's own.
    sampling_rate
        Hz, for files that don't state theirs and that no catalogue knows. Where nothing states
        the rate, the model's own is taken and the row says ``assumed``.
    rpm
        Shaft speed, likewise; models that see shaft orders need it, and evidence in orders.
    bearing
        A name or a geometry, for the evidence.
    evidence
        Whether to gather evidence.
    jobs
        Processes that read and resample; one is this process itself.
    limit
        Seconds that may pass without anything read of a file; None is no limit.
    """
    requests = (ReadRequest(path, channel, sampling_rate, rpm, bearing) for path in files)
    found = diagnose_requests(diagnoser, requests, evidence=evidence, jobs=jobs, limit=limit)
    with closing(found) as results:
        yield from (result for result in results if isinstance(result, Row))


def diagnose_requests(
    diagnoser: Diagnoser,
    requests: Iterable[ReadRequest],
    *,
    evidence: bool = False,
    jobs: int = 1,
    limit: float | None = None,
) -> Generator[Row | WindowProbabilities]:
    """Yield a row for each file, each read as its request says; see `diagnose_files`.

    Before the row of a recording come the probabilities of its windows, some at a time.
    """
    model = diagnoser.evidence_input if evidence else diagnoser.input
    with closing(read_ahead(requests, model, jobs, limit)) as events:
        for request, result in diagnoser.results(events):
            path = str(request.path)
            match result:
                case Failure(message):
                    yield Row(path, "error", error=message)
                case RecordingDiagnosis():
                    yield _row(path, result)
                case Probabilities():
                    yield WindowProbabilities(path, result)


def _row(path: str, result: RecordingDiagnosis) -> Row:
    header, diagnosis = result.header, result.diagnosis
    return Row(
        path=path,
        status="ok",
        label=diagnosis.label,
        confidence=diagnosis.confidence,
        agreement=diagnosis.agreement,
        windows=diagnosis.windows,
        sampling_rate=header.sampling_rate,
        sampling_rate_source=header.sampling_rate_source,
        channel=",".join(header.channels),
        novelty=diagnosis.novelty,
        signature=diagnosis.signature or _signature(diagnosis.evidence),
        probabilities=diagnosis.probabilities,
        evidence=diagnosis.evidence,
        warning="; ".join(header.warnings) or None,
    )


def _signature(evidence: Evidence | None) -> str | None:
    """Return whether the envelope has a bearing's signature; None where that is not known."""
    if evidence is None or evidence.physics is None:
        return None
    return "no" if evidence.physics.part is None else "yes"
