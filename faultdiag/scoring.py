"""The facts and logits of a trained model that a diagnosis needs, whatever computes them."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from faultdiag.arrays import Floats, Singles
from faultdiag.documents import Document
from faultdiag.features.extract import HealthyReference
from faultdiag.novelty import Novelty
from faultdiag.signal import normalize
from faultdiag.signature import Signature

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class FeatureInput:
    """The computation of features from windows, for the graph of a baseline.

    Parameters
    ----------
    names
        Names of the features, in the order of the columns.
    normalize, state
        The name and the fitted state of the normaliser, as plain lists.
    bearing
        A name or a geometry, or ``each`` for that of each recording: the one whose fault orders the
        baseline looks at, if it does.
    """

    names: tuple[str, ...]
    normalize: str
    state: Document
    bearing: str | None = None

    def compute(self, windows: Singles, sampling_rate: float, conditions: Singles | None) -> Floats:
        """Return the features ``(B, features)`` of raw windows ``(B, C, L)``.

        Parameters
        ----------
        sampling_rate
            Hz.
        conditions
            ``(B, 5)``, where there is a bearing.
        """
        from faultdiag.features import extract
        from faultdiag.signal.bearings import get_bearing

        state = {name: np.array(values, np.float32) for name, values in self.state.items()}
        normalised = normalize.normalizer(self.normalize, state)(windows.astype(np.float64))
        if self.bearing is None or conditions is None:
            return extract.compute(normalised, sampling_rate)
        known = conditions.astype(np.float64)
        if self.bearing == extract.EACH:
            return extract.compute_for_each(normalised, sampling_rate, known)
        bearing = get_bearing(self.bearing)
        return extract.compute(normalised, sampling_rate, shaft_rates=known[:, 0], bearing=bearing)


@dataclass(frozen=True, eq=False)
class ModelFacts:
    """Facts of a trained model.

    Parameters
    ----------
    classes, healthy
        Class names in the order of the logits, and those of them that count as healthy.
    channels
        Channel names in the order of the input.
    sampling_rate
        Hz.
    length
        Samples of a window.
    needs_speed, needs_bearing
        Whether each window needs its shaft rate, and the fault orders of its bearing.
    temperature
        Divisor of the logits before the softmax.
    novelty
        The novelty detector, if the model has one.
    healthy_reference
        Statistics of the healthy training windows, if stored.
    recorded_at
        Sampling rate in Hz that the training config stated for recordings without one.
    signature
        The threshold of evidence for a bearing signature, if the network has one.
    features
        The computation of features from windows, if the graph takes features.
    provenance
        Training data and test results, as plain data for people.
    """

    classes: tuple[str, ...]
    healthy: tuple[str, ...]
    channels: tuple[str, ...]
    sampling_rate: float
    length: int
    needs_speed: bool
    temperature: float
    novelty: Novelty | None = None
    healthy_reference: HealthyReference | None = None
    recorded_at: float | None = None
    needs_bearing: bool = False
    signature: Signature | None = None
    features: FeatureInput | None = None
    provenance: Document = field(default_factory=dict)


class Scorer(Protocol):
    """Computes logits: a network in torch, or a graph in ONNX Runtime.

    Attributes
    ----------
    facts : ModelFacts
        Classes, channels, rate and the like of the model.
    device : object
        Its device, as text ``cpu`` or ``cuda:0``.
    batch : int
        Batch size that it is fast with.
    """

    facts: ModelFacts
    batch: int

    @property
    def device(self) -> object:
        """Its device."""

    def logits(self, windows: Singles, conditions: Singles | None) -> Floats:
        """Return the logits ``(B, classes)`` of raw windows ``(B, C, L)``.

        Parameters
        ----------
        conditions
            ``(B, 5)``: `faultdiag.signal.bearings.CONDITIONS` of each window. What the model does
            not need is ignored.
        """

    def threads(self) -> AbstractContextManager[tuple[ThreadPoolExecutor, int]]:
        """Return threads that compute batches side by side, one batch each, and their number."""

    @property
    def network(self) -> "nn.Module":
        """The network, where torch computes it."""

    @property
    def config(self) -> Mapping[str, object]:
        """The config that the model was trained with."""

    def embed(self, windows: Singles, conditions: Singles | None) -> Floats:
        """Return the input of the last linear layer for raw windows, ``(B, features)``."""

    def to(self, device: str) -> "Scorer":
        """Return the same model on a device."""


# Longest window of a batch of full size; batches of longer windows are smaller, down to a share.
_BATCH_LENGTH, _LEAST_SHARE = 2048, 32


def batch_size(most: int, numbers: int) -> int:
    """Return the windows of a batch on a processor, at most `most`, for this size of a window.

    All batches of a prediction are of one size, so that of long windows costs a short recording
    what it does not need.

    Examples
    --------
    >>> batch_size(256, 2048), batch_size(256, 36_000)
    (256, 14)
    """
    return max(most // _LEAST_SHARE, min(most, most * _BATCH_LENGTH // numbers))


def softmax(logits: Floats) -> Floats:
    """Return probabilities: the softmax along the last axis.

    Examples
    --------
    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    shares: Floats = logits - logits.max(axis=-1, keepdims=True)
    np.exp(shares, out=shares)
    shares /= shares.sum(axis=-1, keepdims=True)
    return shares
