"""Facts about every network and baseline: options, size, cost, source."""

from typing import Any, TypedDict

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from faultdiag.attention.describe import count
from faultdiag.baselines import BASELINES
from faultdiag.documents import Json
from faultdiag.models import NETWORKS, build
from faultdiag.models.baseline import known_options, minimum_length
from faultdiag.models.front import Fronted, seen_through
from faultdiag.models.layers import without_phases
from faultdiag.models.zoo import defaults, front_of, most_classes, network

CHANNELS, CLASSES, LENGTH, SAMPLING_RATE = 1, 10, 2048, 12000.0


class ModelFacts(TypedDict):
    """Facts about one network or baseline with its default options.

    ``kind`` is ``network`` or ``baseline``; a baseline has no places for attention, and what it
    learns has no fixed size: there ``positions``, ``parameters`` and ``multiply_adds`` are None.
    ``parameters`` and ``multiply_adds`` (of one window, without its front end) are at 1 channel,
    2048 samples at 12 kHz, and ``classes`` classes: 10, or as many as the network can have.
    ``representation`` is the front end that a network is made for. Attention can be at positions 1
    to ``positions``; ``minimum_length`` is that of the input: in samples where it is the window.
    """

    name: str
    kind: str
    summary: str
    options: Json
    parameters: int | None
    multiply_adds: int | None
    classes: int | None
    representation: str | None
    positions: int | None
    minimum_length: int
    reference: str


def describe() -> list[ModelFacts]:
    """Facts about every network of `NETWORKS` and every baseline of `BASELINES`, in their order."""
    return [*(_facts(name) for name in NETWORKS), *(_baseline_facts(name) for name in BASELINES)]


def _facts(name: str) -> ModelFacts:
    entry, options = network(name), defaults(name)
    classes = min(CLASSES, most_classes(name) or CLASSES)
    built = build(name, CHANNELS, classes, length=LENGTH, sampling_rate=SAMPLING_RATE)
    seen = (CHANNELS, LENGTH)
    if isinstance(built, Fronted):
        seen = seen_through(built.front)
        built = built.network
    # Fused attention is one operation that the counter has no formula for, and phases multiply
    # with zeros.
    with sdpa_kernel(SDPBackend.MATH), without_phases():
        multiply_adds = count(built, torch.zeros(1, *seen))
    return ModelFacts(
        name=name,
        kind="network",
        summary=str(entry.__doc__).strip().splitlines()[0],
        options=options,
        parameters=sum(p.numel() for p in built.parameters()),
        multiply_adds=multiply_adds,
        classes=classes,
        representation=front_of(name),
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
        classes=None,
        representation=None,
        positions=None,
        minimum_length=minimum_length(name),
        reference=entry.reference,
    )
