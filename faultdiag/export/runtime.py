"""A model in an ONNX file, computed by ONNX Runtime; torch is never imported."""

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from faultdiag.arrays import Singles
from faultdiag.errors import (
    FaultdiagError,
    counted,
    needs_extra,
)
from faultdiag.scoring import ModelFacts, batch_size
from faultdiag.signal import bearings
from faultdiag.system.files import read_bytes

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from torch import nn

SUFFIX = ".onnx"
WINDOWS, SHAFT_RATE, CONDITIONS = "windows", "shaft_rate", "conditions"
FEATURES = "features"
LOGITS, PROBABILITIES = "logits", "probabilities"
# Windows per batch: no slower per window than 256, and all batches are full, so that a larger one
# would cost a single recording time and a small device memory.
BATCH = 32


class OnnxScorer:
    """A model in an ONNX file, which computes the logits of raw windows.

    Parameters
    ----------
    content
        The file's bytes.
    path
        The file, for messages.
    threads
        Threads that compute one batch.

    Attributes
    ----------
    facts : ModelFacts
        What the model is for.

    Raises
    ------
    FaultdiagError
        If ONNX Runtime is missing, or the file is damaged or not of this package.
    """

    device = "cpu"

    def __init__(
        self, content: bytes, path: Path = Path("model.onnx"), *, threads: int = 1
    ) -> None:
        self._session = _session(content, path, threads)
        self.path = path
        texts = self._session.get_modelmeta().custom_metadata_map
        # Here, because building its schemas takes 30 ms that a checkpoint does not need.
        from faultdiag.export.metadata import from_texts

        self.facts: ModelFacts = from_texts(path, texts)
        self.batch = batch_size(BATCH, self.facts.length * len(self.facts.channels))
        _require_shapes(path, self._session, self.facts)

    def logits(self, windows: Singles, conditions: Singles | None = None) -> NDArray[np.float64]:
        """Return the logits ``(B, classes)`` of raw windows ``(B, C, L)``.

        Parameters
        ----------
        conditions
            ``(B, 5)``: `faultdiag.signal.bearings.CONDITIONS` of each window; only models that
            need speed or bearing use them.
        """
        return self._run(LOGITS, windows, conditions).astype(np.float64)

    def probabilities(self, windows: Singles, conditions: Singles | None = None) -> Singles:
        """Return the probabilities ``(B, classes)`` that the graph itself computes."""
        return self._run(PROBABILITIES, windows, conditions)

    @property
    def network(self) -> "nn.Module":
        """Refused: there is a graph, and no network of torch.

        Raises
        ------
        FaultdiagError
            Always.
        """
        raise self._lacks("no network of torch")

    @property
    def config(self) -> Mapping[str, object]:
        """Refused: the file does not hold it.

        Raises
        ------
        FaultdiagError
            Always.
        """
        raise self._lacks("no config")

    def embed(self, windows: Singles, conditions: Singles | None) -> NDArray[np.float64]:  # noqa: ARG002
        """Refused: the graph returns logits and probabilities only.

        Raises
        ------
        FaultdiagError
            Always.
        """
        raise self._lacks("no embeddings")

    def to(self, device: str) -> "OnnxScorer":
        """Return itself: an ONNX file is computed on the processor.

        Raises
        ------
        FaultdiagError
            If the device is another.
        """
        require_processor(self.path, device)
        return self

    def _lacks(self, what: str) -> FaultdiagError:
        return FaultdiagError(f"{self.path} is an ONNX file and has {what}; load the run folder")

    @contextmanager
    def threads(self) -> Iterator[tuple[ThreadPoolExecutor, int]]:
        """Yield threads that compute batches side by side, one batch each, and their number."""
        count = _cores()
        with ThreadPoolExecutor(count) as pool:
            yield pool, count

    def _run(self, output: str, windows: Singles, conditions: Singles | None) -> Singles:
        feed = graph_inputs(self.facts, windows, conditions)
        result: Singles = self._session.run([output], feed)[0]
        return result


def graph_inputs(
    facts: ModelFacts, windows: Singles, conditions: Singles | None
) -> dict[str, NDArray[Any]]:
    """Return the inputs of a graph: windows and their conditions, or features."""
    if facts.features is not None:
        return {FEATURES: facts.features.compute(windows, facts.sampling_rate, conditions)}
    feed = {WINDOWS: np.ascontiguousarray(windows, np.float32)}
    if conditions is not None:
        feed |= condition_inputs(facts, np.ascontiguousarray(conditions, np.float32))
    return feed


def condition_inputs(facts: ModelFacts, conditions: Singles) -> dict[str, Singles]:
    """Return the inputs of a graph besides windows: nothing, shaft rates, or all conditions.

    Parameters
    ----------
    conditions
        ``(B, 5)``.
    """
    if facts.needs_bearing:
        return {CONDITIONS: conditions}
    return {SHAFT_RATE: np.ascontiguousarray(conditions[:, 0])} if facts.needs_speed else {}


def load(path: Path, *, threads: int = 1) -> OnnxScorer:
    """Load a model from an ONNX file.

    Raises
    ------
    FaultdiagError
        If ONNX Runtime is missing, or the file is missing, damaged, or not of this package.
    """
    try:
        content = read_bytes(path)
    except OSError as error:
        raise FaultdiagError(
            f"{path} cannot be read: {error.strerror or error}; give a file that "
            "`faultdiag export` wrote"
        ) from error
    return OnnxScorer(content, path, threads=threads)


def require_processor(path: Path, device: str) -> None:
    """Refuse a device other than the processor.

    Raises
    ------
    FaultdiagError
        If it is not ``auto`` or ``cpu``.
    """
    if device not in {"auto", "cpu"}:
        raise FaultdiagError(
            f"{path} is an ONNX file, which is computed on the processor, but the device is "
            f"'{device}'; use cpu, or give the run folder in its place"
        )


def _cores() -> int:
    """Return how many threads may work, as OpenMP counts them."""
    stated = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if stated.isdigit() and int(stated) > 0:
        return int(stated)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _session(content: bytes, path: Path, threads: int) -> "InferenceSession":
    ort = _onnxruntime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Errors are raised; what it writes to the terminal itself holds names of the file, unescaped.
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the classes of its errors have no common base
        raise FaultdiagError(
            f"{path} is not an ONNX file that ONNX Runtime {ort.__version__} can load: it is "
            "damaged, cut off or another kind of file; use another copy, or export again"
        ) from error


def _onnxruntime() -> Any:
    with needs_extra("onnx", "an ONNX file needs ONNX Runtime"):
        import onnxruntime
    return onnxruntime


def _require_shapes(path: Path, session: "InferenceSession", facts: ModelFacts) -> None:
    """Refuse a graph that contradicts its own metadata."""
    if facts.features is None:
        expected = {WINDOWS: [len(facts.channels), facts.length]}
        one = np.ones((1, len(bearings.CONDITIONS)), np.float32)
        expected |= {name: list(x.shape[1:]) for name, x in condition_inputs(facts, one).items()}
    else:
        expected = {FEATURES: [len(facts.features.names)]}
    expected |= {name: [len(facts.classes)] for name in (LOGITS, PROBABILITIES)}
    values = [*session.get_inputs(), *session.get_outputs()]
    actual = {value.name: list(value.shape[1:]) for value in values}
    if actual != expected:
        raise FaultdiagError(
            f"{path} contradicts itself: the sizes of its graph are {actual}, those of its "
            f"metadata {expected}; use another copy, or export again"
        )
    if any(isinstance(value.shape[0], int) for value in values):
        raise FaultdiagError(
            f"{path} takes batches of {counted(values[0].shape[0], 'window')} only; export the "
            "run again"
        )
