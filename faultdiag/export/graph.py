"""A trained network as an ONNX graph: normalisation, front end, network, softmax."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from faultdiag.arrays import Singles
from faultdiag.checkpoint import Checkpoint
from faultdiag.documents import Document
from faultdiag.errors import (
    FaultdiagError,
    needs_extra,
)
from faultdiag.export.classifier import classifier_document, feature_input
from faultdiag.export.metadata import to_texts
from faultdiag.export.runtime import LOGITS, PROBABILITIES, WINDOWS, OnnxScorer, condition_inputs
from faultdiag.inference import facts_of, normalizer
from faultdiag.models.baseline import BaselineModel
from faultdiag.models.layers import AttentionSlot, seen_by, without_phases
from faultdiag.representations import fourier
from faultdiag.scoring import ModelFacts
from faultdiag.signal.bearings import conditions, get_bearing

OPSET = 18
# By how much a probability of the graph may differ from the network's.
TOLERANCE = 1e-5
# Of what torch notes at every node: the module that it comes from.
SCOPES = "pkg.torch.onnx.name_scopes"


class DiagnosisGraph(nn.Module):
    """Raw windows to logits and probabilities: what becomes the graph.

    Parameters
    ----------
    network
        ``(B, C, L) -> (B, classes)``, with shaft rates ``(B,)`` or conditions ``(B, 5)`` where it
        needs them.
    normalize
        The fitted normaliser.
    temperature
        What the logits are divided by before the softmax.
    """

    def __init__(
        self, network: nn.Module, normalize: Callable[[Tensor], Tensor], temperature: float
    ) -> None:
        super().__init__()
        self.network = network
        self.normalize = normalize
        self.temperature = temperature

    def forward(self, windows: Tensor, facts: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return logits and probabilities ``(B, classes)`` of raw windows ``(B, C, L)``."""
        known = () if facts is None else (facts,)
        logits = self.network(self.normalize(seen_by(self.network, windows)), *known)
        return logits, torch.softmax(logits / self.temperature, -1)


@dataclass(frozen=True)
class OnnxGraph:
    """The content of an ONNX file, and how far its probabilities are from the network's."""

    content: bytes
    difference: float


def graph_of(source: Checkpoint, provenance: Document) -> tuple[DiagnosisGraph, ModelFacts]:
    """Return the module to export for a checkpoint, and the facts to store with it.

    Raises
    ------
    FaultdiagError
        If it is a model that no graph can hold.
    """
    cpu = torch.device("cpu")
    network = source.build(cpu)
    if (reason := why_not(network)) is not None:
        raise FaultdiagError(
            f"'{source.model_spec.name}' can't be written as an ONNX graph: {reason}; use its run "
            "folder or checkpoint"
        )
    facts = replace(
        facts_of(source, network),
        provenance=provenance,
        features=feature_input(source, network) if isinstance(network, BaselineModel) else None,
    )
    normalize = normalizer(source.normalize, cpu)
    return DiagnosisGraph(network, normalize, source.temperature), facts


def why_not(network: nn.Module) -> str | None:
    """Return the reason why a network can't be a graph, as the class of one of its parts states.

    A class states it in an attribute ``not_exported``.
    """
    reasons = (getattr(module, "not_exported", None) for module in network.modules())
    return next((reason for reason in reasons if reason), None)


def in_full_precision(graph: DiagnosisGraph) -> list[str]:
    """Return the modules of a graph that integers would spoil: front ends and attention."""
    return [
        name
        for name, module in graph.named_modules()
        if isinstance(module, AttentionSlot) or name.endswith(".front")
    ]


def to_onnx(graph: DiagnosisGraph, facts: ModelFacts) -> OnnxGraph:
    """Return a model as an ONNX graph with a dynamic batch, checked against the network itself.

    Raises
    ------
    FaultdiagError
        If onnx or onnxscript are missing, the network can't be written as a graph, or the graph
        gives other probabilities.
    """
    require_packages()
    if isinstance(graph.network, BaselineModel):
        document = classifier_document(graph.network.baseline, graph.temperature, OPSET)
    else:
        document = _exported(graph.eval(), facts).model_proto
    for node in document.graph.node:
        # The rest is stack traces, with the paths of this machine.
        kept = [entry for entry in node.metadata_props if entry.key == SCOPES]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    for key, text in sorted(to_texts(facts).items()):
        document.metadata_props.add(key=key, value=text)
    content: bytes = document.SerializeToString()
    return OnnxGraph(content, _checked_difference(graph, OnnxScorer(content)))


def trial_windows(facts: ModelFacts, count: int) -> tuple[Singles, Singles]:
    """Return windows ``(count, C, L)`` and conditions ``(count, 5)`` that any model can take.

    Noise, impacts on noise and sines in turn, at levels from 0.01 to 10 with an offset; shaft rates
    from 15 to 60 Hz of a 6205 bearing.
    """
    draw = np.random.default_rng(0)
    shape = (count, len(facts.channels), facts.length)
    windows = draw.standard_normal(shape)
    windows[1::3, :, :: max(facts.length // 19, 1)] += 12.0
    time = np.arange(facts.length) / facts.length
    cycles = draw.uniform(5, facts.length / 4, (*shape[:2], 1))
    windows[2::3] = (0.2 * windows + np.sin(2 * np.pi * cycles * time))[2::3]
    levels = 10.0 ** draw.uniform(-2, 1, (count, 1, 1))
    bearing = get_bearing("6205")
    known = [conditions(60 * rate, bearing) for rate in np.linspace(15, 60, count)]
    return (levels * (windows + 0.5)).astype(np.float32), np.array(known, np.float32)


def _exported(graph: DiagnosisGraph, facts: ModelFacts) -> Any:
    windows, known = trial_windows(facts, 3)
    inputs = {WINDOWS: windows, **condition_inputs(facts, known)}
    arguments = tuple(map(torch.from_numpy, inputs.values()))
    batch = torch.export.Dim("batch", min=1, max=2**20)
    with torch.no_grad(), _quiet(), without_phases(), fourier.by_matrices():
        try:
            return torch.onnx.export(
                graph,
                arguments,
                dynamo=True,
                dynamic_shapes=({0: batch},) * len(arguments),
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=[LOGITS, PROBABILITIES],
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise FaultdiagError(
                f"the model can't be written as an ONNX graph: {_cause(error)}; use its run "
                "folder or checkpoint"
            ) from error


def _checked_difference(graph: DiagnosisGraph, model: OnnxScorer) -> float:
    windows, known = trial_windows(model.facts, 12)
    inputs = (windows, *condition_inputs(model.facts, known).values())
    with torch.no_grad():
        expected = graph(*map(torch.from_numpy, inputs))[1].numpy()
    difference = float(np.abs(model.probabilities(windows, known) - expected).max())
    if not difference <= TOLERANCE:  # true of NaN, too
        raise FaultdiagError(
            f"the ONNX graph of the model gives other probabilities than the network: they differ "
            f"by {difference:.1e}, allowed is {TOLERANCE:g}; use its run folder or checkpoint"
        )
    return difference


def require_packages() -> None:
    """Refuse to export without the packages that write ONNX files.

    Raises
    ------
    FaultdiagError
        Naming the extra that installs them.
    """
    with needs_extra("onnx", "an ONNX file is written with onnx and onnxscript"):
        import onnx
        import onnxscript
    del onnx, onnxscript


def _cause(error: BaseException) -> str:
    """Return the first line of the error behind torch's long report."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what torch says about its own exporter."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
