"""The network of an ONNX file in 8-bit integers, calibrated on training windows."""

import ast
import logging
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faultdiag.arrays import Singles
from faultdiag.export.graph import SCOPES
from faultdiag.export.runtime import WINDOWS, OnnxScorer, condition_inputs
from faultdiag.scoring import ModelFacts

# Windows that the ranges of the activations are taken from: more hardly move them.
CALIBRATION_WINDOWS = 512
# Windows that are passed through the network at once.
_BATCH = 64
# What becomes integers: the sums of products. The rest is little work and stays as it is.
_OPERATIONS = ("Conv", "Gemm", "MatMul")


def to_int8(
    content: bytes, windows: Singles, conditions: Singles, kept: Collection[str] = ()
) -> bytes:
    """Return an ONNX file whose convolutions and dense layers compute in 8-bit integers.

    Weights are scaled by channel, activations by the range they have on the windows given.
    Normalisation, front end and softmax stay in single precision.

    Parameters
    ----------
    content
        The file, as `faultdiag.export.graph.to_onnx` returns it.
    windows, conditions
        Raw training windows ``(B, C, L)``, and their conditions ``(B, 5)``, which only a model that
        needs speed or bearing reads.
    kept
        Modules, by their names in the graph, that stay in single precision with all they hold.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    document = onnx.load_from_string(content)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder, "int8.onnx")
        with _quiet():
            quantize_static(
                document,
                str(whole),
                _Windows(OnnxScorer(content).facts, windows, conditions),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(_OPERATIONS),
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=[n.name for n in document.graph.node if not _inside(n, kept)],
            )
        return _with_facts(whole.read_bytes(), content)


class _Windows:
    """Windows in the form that the calibration reads them."""

    def __init__(self, facts: ModelFacts, windows: Singles, conditions: Singles) -> None:
        self._feeds = _feeds(facts, windows, conditions)

    def get_next(self) -> dict[str, Singles] | None:
        """Return the next batch by input name, or None."""
        return next(self._feeds, None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide the advice to optimise the graph first, which torch has done."""
    logger = logging.getLogger()
    advice = "pre-processing before quantization"
    logger.addFilter(hide := lambda record: advice not in record.getMessage())
    try:
        yield
    finally:
        logger.removeFilter(hide)


def _feeds(
    facts: ModelFacts, windows: Singles, conditions: Singles
) -> Iterator[dict[str, Singles]]:
    for first in range(0, len(windows), _BATCH):
        rows = slice(first, first + _BATCH)
        yield {WINDOWS: windows[rows], **condition_inputs(facts, conditions[rows])}


def _inside(node: Any, kept: Iterable[str]) -> bool:
    """Whether a node belongs to the network, outside the modules that are kept."""
    text = next((entry.value for entry in node.metadata_props if entry.key == SCOPES), "[]")
    scopes = ast.literal_eval(text)
    return "network" in scopes and not any(
        scope == name or scope.startswith(f"{name}.") for scope in scopes for name in kept
    )


def _with_facts(quantised: bytes, content: bytes) -> bytes:
    import onnx

    document = onnx.load_from_string(quantised)
    if not document.metadata_props:
        document.metadata_props.extend(onnx.load_from_string(content).metadata_props)
    result: bytes = document.SerializeToString()
    return result
