"""Explain a diagnosis: run the methods on windows of one recording."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from faultdiag.arrays import Floats, Singles
from faultdiag.errors import FaultdiagError
from faultdiag.evidence.attribution import (
    METHODS,
    attention_gates,
    gradient_x_input,
    has_captum,
    target_of,
)
from faultdiag.evidence.explanation import (
    BandRelevance,
    Explanation,
    FrontRelevance,
    Gate,
    TimeRelevance,
    occlude_bands,
)
from faultdiag.models.layers import FrontEndNetwork, facts_for, needs_bearing, needs_speed
from faultdiag.signal.bearings import KnownBearing, conditions

# More windows hardly change the means.
MOST_WINDOWS = 16
QUICK = ("gradient_x_input",)
NO_CAPTUM = "relevance over time: captum is not installed; pip install 'faultdiag[explain]'"


class Explainer:
    """Explains diagnoses of one network.

    Parameters
    ----------
    network
        In evaluation mode.
    normalize
        The model's normaliser.
    fs
        Its sampling rate in Hz.
    temperature
        Divisor of the logits.
    methods
        Names of the `METHODS` for the relevance over time.
    """

    def __init__(
        self,
        network: nn.Module,
        normalize: Callable[[Tensor], Tensor],
        fs: float,
        *,
        temperature: float = 1.0,
        methods: Sequence[str] = tuple(METHODS),
    ) -> None:
        self._network = network
        self._normalize = normalize
        self._fs = fs
        self._temperature = temperature
        self._methods = tuple(methods)

    def explain(
        self,
        windows: Singles,
        label: int,
        name: str,
        *,
        rpm: float | None = None,
        bearing: KnownBearing | None = None,
    ) -> Explanation:
        """Explain why windows of a recording were called `label`.

        Parameters
        ----------
        windows
            All windows of it, raw, ``(windows, channels, length)``, at the model's rate.
        label, name
            Index and name of the class.
        rpm, bearing
            Shaft speed and bearing, for networks that need them.
        """
        chosen = np.linspace(0, len(windows) - 1, min(len(windows), MOST_WINDOWS)).round()
        numbers = chosen.astype(np.intp)
        inputs = self._normalize(torch.from_numpy(np.array(windows[numbers], np.float32)))
        speeds = self._speeds(len(inputs), rpm, bearing)
        missing: list[str] = []
        probabilities = self._probabilities(inputs, speeds)
        surest = int(probabilities[:, label].argmax())
        start = int(numbers[surest]) * windows.shape[-1] / self._fs
        return Explanation(
            label=name,
            windows=len(inputs),
            bands=self._bands(inputs, speeds, label),
            time=self._time(inputs[surest : surest + 1], speeds, label, start, missing),
            front=self._front(inputs, speeds, label),
            gates=self._gates(inputs, speeds),
            missing=tuple(missing),
        )

    def _speeds(
        self, count: int, rpm: float | None, bearing: KnownBearing | None
    ) -> tuple[Tensor, ...]:
        if needs_speed(self._network) and rpm is None:
            raise FaultdiagError("the model sees shaft orders and needs the shaft speed")
        if needs_bearing(self._network) and bearing is None:
            raise FaultdiagError("the model sees fault orders and needs the bearing")
        return facts_for(self._network, torch.tensor([conditions(rpm, bearing)] * count))

    @torch.inference_mode()
    def _probabilities(self, inputs: Tensor, speeds: tuple[Tensor, ...]) -> Floats:
        logits = self._network(inputs, *speeds).double() / self._temperature
        return np.asarray(torch.softmax(logits, dim=1).numpy(), dtype=np.float64)

    def _bands(self, inputs: Tensor, speeds: tuple[Tensor, ...], label: int) -> BandRelevance:
        def probabilities(windows: Singles) -> Floats:
            return self._probabilities(torch.from_numpy(windows), speeds)

        return occlude_bands(inputs.numpy(), self._fs, label, probabilities)

    def _time(
        self,
        inputs: Tensor,
        speeds: tuple[Tensor, ...],
        label: int,
        start: float,
        missing: list[str],
    ) -> TimeRelevance | None:
        if not has_captum():
            missing.append(NO_CAPTUM)
            return None
        target = target_of(self._network, inputs, label, tuple(s[:1] for s in speeds))
        relevances = {}
        for name in self._methods:
            try:
                relevances[name] = _over_channels(METHODS[name](target))
            except FaultdiagError as error:
                missing.append(f"{name}: {error}")
        return TimeRelevance(start, self._fs, inputs[0, 0].double().numpy(), relevances)

    def _front(
        self, inputs: Tensor, speeds: tuple[Tensor, ...], label: int
    ) -> FrontRelevance | None:
        if not isinstance(self._network, FrontEndNetwork) or not has_captum():
            return None
        output = self._network.front(inputs, *speeds).detach()
        if output.ndim != 3:
            return None
        relevance = gradient_x_input(target_of(self._network.network, output, label))
        axis, places = _front_axis(self._network.front, output.shape[-1])
        return FrontRelevance(axis, places, relevance.sum(axis=1).mean(axis=0))

    def _gates(self, inputs: Tensor, speeds: tuple[Tensor, ...]) -> tuple[Gate, ...]:
        run = torch.inference_mode()(lambda: self._network(inputs, *speeds))
        return tuple(attention_gates(self._network, run))


def _over_channels(relevance: Floats) -> Floats:
    """Relevance of the first window, summed over channels where it has them: ``(length,)``."""
    first = relevance[0]
    return np.asarray(first.sum(axis=0) if first.ndim == 2 else first)


def _front_axis(front: nn.Module, places: int) -> tuple[str, Floats]:
    """Return the quantity along a front end's output, and its values."""
    for attribute, axis in (("orders", "shaft order"), ("frequencies", "Hz")):
        values = getattr(front, attribute, None)
        if isinstance(values, Tensor) and values.numel() == places:
            return axis, np.asarray(values.double().numpy(), dtype=np.float64)
    return str(getattr(front, "axis", "position")), np.arange(places, dtype=np.float64)
