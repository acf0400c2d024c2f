"""Facts about every network and baseline: options, size, cost, source."""

from typing import Any, TypedDict

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from faultdiag.attention.describe import count
from faultdiag.baselines import BASELINES
from faultdiag.models import NETWORKS, build
from faultdiag.models.baseline import known_options, minimum_length
from faultdiag.models.layers import without_phases
from faultdiag.models.zoo import defaults, network

CHANNELS, CLASSES, LENGTH = 1, 10, 2048


class ModelFacts(TypedDict):
    """What `describe` tells about one network or baseline, with its default options.

    ``kind`` is ``network`` or ``baseline``; a baseline has no places for attention, and what it
    learns has no fixed size: there ``positions``, ``parameters`` and ``multiply_adds`` are None.
    ``parameters`` and ``multiply_adds`` (of one window) are at 1 channel, 10 classes and 2048
    samples; attention can stand at positions 1 to ``positions``; ``minimum_length`` is in samples.
    """

    name: str
    kind: str
    summary: str
    options: dict[str, Any]
    parameters: int | None
    multiply_adds: int | None
    positions: int | None
    minimum_length: int
    reference: str


def describe() -> list[ModelFacts]:
    """Facts about every network of `NETWORKS` and every baseline of `BASELINES`, in their order."""
    return [*(_facts(name) for name in NETWORKS), *(_baseline_facts(name) for name in BASELINES)]


def _facts(name: str) -> ModelFacts:
    entry, options = network(name), defaults(name)
    built = build(name, CHANNELS, CLASSES, length=LENGTH)
    # Fused attention is one operation that the counter has no formula for, and phases multiply
    # with zeros.
    with sdpa_kernel(SDPBackend.MATH), without_phases():
        multiply_adds = count(built, torch.zeros(1, CHANNELS, LENGTH))
    return ModelFacts(
        name=name,
        kind="network",
        summary=str(entry.__doc__).strip().splitlines()[0],
        options=options,
        parameters=sum(p.numel() for p in built.parameters()),
        multiply_adds=multiply_adds,
        positions=entry.positions(**options),
        minimum_length=entry.minimum_length(**options),
        reference=entry.reference,
    )


def _baseline_facts(name: str) -> ModelFacts:
    entry: Any = BASELINES.get(name)
    return ModelFacts(
        name=name,
        kind="baseline",
        summary=str(entry.__doc__).strip().splitlines()[0],
        options=known_options(name),
        parameters=None,
        multiply_adds=None,
        positions=None,
        minimum_length=minimum_length(name),
        reference=entry.reference,
    )
