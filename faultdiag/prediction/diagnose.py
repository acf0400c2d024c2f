"""Diagnose recordings in files, here or on the workers of a Dask cluster: a row for each.

Workers read model and recordings from storage that they share with this process; only paths go out,
and only rows come back.
"""

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from faultdiag.datasets.base import sha256
from faultdiag.errors import FaultdiagError
from faultdiag.evidence.gather import Evidence
from faultdiag.prediction.ahead import read_ahead
from faultdiag.prediction.diagnoser import Diagnoser, load, model_file
from faultdiag.prediction.events import Failure, Probabilities, RecordingDiagnosis
from faultdiag.prediction.reading import ReadRequest
from faultdiag.prediction.rows import Row
from faultdiag.system.cluster import DaskCluster, WorkersKilled


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
    rows = diagnose_requests(diagnoser, requests, evidence=evidence, jobs=jobs, limit=limit)
    with closing(rows) as results:
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


# Recordings of a chunk, at most: a worker that is killed has lost no more.
LARGEST_CHUNK = 50
# Chunks per thread of the cluster, at least, so that none waits long for the last one.
FEWEST_CHUNKS = 8

Chunk = tuple[ReadRequest, ...]
Results = list[Row | WindowProbabilities]


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """A model that workers load themselves.

    Parameters
    ----------
    path
        Run folder, checkpoint or ONNX file.
    digest
        Digest of its file, so that all use the same.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    """

    path: Path
    digest: str
    device: str


def diagnose_on_cluster(
    cluster: DaskCluster,
    model: RemoteModel,
    requests: Sequence[ReadRequest],
    *,
    evidence: bool,
    windows: bool,
) -> Generator[Row | WindowProbabilities]:
    """Yield what `diagnose_requests` yields, in the order of the requests.

    The recordings of a chunk whose workers are killed are tried again one by one; one that kills
    its workers then, too, is a row with an error.

    Parameters
    ----------
    evidence
        Whether to gather evidence.
    windows
        Whether to return the probabilities of windows too.

    Raises
    ------
    FaultdiagError
        If a worker does not see the same model, or the scheduler is lost.
    """
    work = partial(diagnose_chunk, model=model, evidence=evidence, windows=windows)
    size = max(1, min(LARGEST_CHUNK, len(requests) // (FEWEST_CHUNKS * cluster.threads())))
    for chunk, results in cluster.in_order(work, _chunks(requests, size)):
        if not isinstance(results, WorkersKilled):
            yield from results
            continue
        for request in chunk:
            rows = cluster.alone(work, (request,))
            if isinstance(rows, WorkersKilled):
                rows = [Row(str(request.path), "error", error=f"{request.path}: {rows}")]
            yield from rows


def diagnose_chunk(
    requests: Chunk, *, model: RemoteModel, evidence: bool, windows: bool
) -> Results:
    """Return the rows of a chunk; this is what a worker runs.

    Raises
    ------
    FaultdiagError
        If the model is missing, or another one than the sender's.
    """
    diagnoser = _loaded(model)
    results = diagnose_requests(diagnoser, requests, evidence=evidence)
    return [result for result in results if windows or isinstance(result, Row)]


@lru_cache(maxsize=1)
def _loaded(model: RemoteModel) -> Diagnoser:
    if sha256(model_file(model.path)) != model.digest:
        raise FaultdiagError(
            f"--dask: a worker sees another file as {model.path}; put the model where all workers "
            "see the same one"
        )
    return load(model.path, device=model.device)


def _chunks(requests: Sequence[ReadRequest], size: int) -> list[Chunk]:
    starts = range(0, len(requests), size)
    return [tuple(requests[start : start + size]) for start in starts]
