"""Networks and parts of networks for tests, as ONNX graphs beside their torch modules."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from faultdiag import models
from faultdiag.export.graph import TOLERANCE, DiagnosisGraph, to_onnx, trial_windows
from faultdiag.export.runtime import OnnxScorer, condition_inputs
from faultdiag.models.layers import facts_for
from faultdiag.scoring import ModelFacts
from faultdiag.signal import normalize

LENGTH, RATE = 2048, 12000.0


@dataclass(frozen=True)
class Pair:
    """The same model in torch and in ONNX Runtime."""

    graph: DiagnosisGraph
    model: OnnxScorer
    content: bytes

    def outputs(self, count: int) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
        """Logits and probabilities of trial windows, of torch and of ONNX Runtime."""
        windows, known = trial_windows(self.model.facts, count)
        inputs = (windows, *condition_inputs(self.model.facts, known).values())
        with torch.no_grad():
            expected = self.graph(*map(torch.from_numpy, inputs))
        found = self.model.logits(windows, known), self.model.probabilities(windows, known)
        return tuple(y.numpy() for y in expected), found


class SideBySide(nn.Module):
    """Parts of networks on the same input, their outputs flat, one after the other, as logits."""

    def __init__(self, parts: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(parts)
        self.needs_speed = any(getattr(part, "needs_speed", False) for part in parts.values())
        self.needs_bearing = any(getattr(part, "needs_bearing", False) for part in parts.values())
        self.places: dict[str, slice] = {}

    def forward(self, windows: Tensor, conditions: Tensor | None = None) -> Tensor:
        found, start = [], 0
        for name, part in self.parts.items():
            known = () if conditions is None else facts_for(part, conditions)
            y = part(windows, *known).flatten(1)
            self.places[name] = slice(start, start := start + y.shape[1])
            found.append(y)
        return torch.cat(found, 1)


def exported(
    network: nn.Module,
    *,
    channels: int,
    length: int = LENGTH,
    norm: str = "window_zscore",
    temperature: float = 1.0,
) -> Pair:
    """A network in torch and as an ONNX graph; classes are as many as it has outputs."""
    network.eval()
    sample, known = torch.randn(2, channels, length), torch.tensor([[20.0, 3.6, 5.4, 2.4, 0.4]] * 2)
    with torch.no_grad():
        classes = network(sample, *facts_for(network, known)).shape[1]
    facts = ModelFacts(
        classes=tuple(f"c{i}" for i in range(classes)),
        healthy=("c0",),
        channels=tuple(f"x{i}" for i in range(channels)),
        sampling_rate=RATE,
        length=length,
        needs_speed=models.needs_speed(network),
        needs_bearing=models.needs_bearing(network),
        temperature=temperature,
    )
    fitted = normalize.fit(norm, [trial_windows(facts, 40)[0]])
    state = {key: torch.tensor(value) for key, value in fitted.items()}
    graph = DiagnosisGraph(network, normalize.normalizer(norm, state), temperature)
    content = to_onnx(graph, facts).content
    return Pair(graph, OnnxScorer(content), content)


def exported_network(
    name: str, *, channels: int = 2, temperature: float = 0.05, **more: object
) -> Pair:
    """A network of the zoo; its temperature makes its probabilities differ before training."""
    torch.manual_seed(0)
    network = models.build(name, channels, 4, length=LENGTH, sampling_rate=RATE, **more)
    return exported(network, channels=channels, temperature=temperature)


def compare(pair: Pair) -> None:
    """Logits and probabilities of one window and of seven are those of torch."""
    for count in (1, 7):
        (logits, chances), found = pair.outputs(count)
        np.testing.assert_allclose(found[0], logits, atol=2e-5 * np.abs(logits).max(), rtol=0)
        np.testing.assert_allclose(found[1], chances, atol=TOLERANCE, rtol=0)
        np.testing.assert_allclose(found[1].sum(1), 1, atol=1e-5)
