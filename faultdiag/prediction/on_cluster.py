"""Diagnose recordings on the workers of a Dask cluster, in chunks.

Workers read model and recordings from storage that they share with this process; only paths go out,
and only rows come back.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from faultdiag.datasets.base import sha256
from faultdiag.errors import FaultdiagError
from faultdiag.prediction.diagnose import WindowProbabilities, diagnose_requests
from faultdiag.prediction.diagnoser import Diagnoser, load, model_file
from faultdiag.prediction.reading import ReadRequest
from faultdiag.prediction.rows import Row
from faultdiag.system.cluster import DaskCluster, WorkersKilled

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
        Of its file, so that all use the same.
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
        Whether the probabilities of windows are wanted.

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
