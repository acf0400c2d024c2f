"""Facts about every registered network: options, size, cost, source."""

from collections.abc import Sequence
from typing import Any, TypedDict

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from faultdiag.attention.cost import count
from faultdiag.models import NETWORKS, build
from faultdiag.models.specification import defaults, network

CHANNELS, CLASSES, LENGTH = 1, 10, 2048


class NetworkFacts(TypedDict):
    """What `describe` tells about one network, with its default options.

    ``parameters`` and ``multiply_adds`` (of one window) are at 1 channel, 10 classes and 2048
    samples; attention can stand at positions 1 to ``positions``; ``minimum_length`` is in
    samples.
    """

    name: str
    summary: str
    options: dict[str, Any]
    parameters: int
    multiply_adds: int
    positions: int
    minimum_length: int
    reference: str


def describe() -> list[NetworkFacts]:
    """Facts about every network of `NETWORKS`, in its order."""
    return [_facts(name) for name in NETWORKS]


def _facts(name: str) -> NetworkFacts:
    entry, options = network(name), defaults(name)
    built = build(name, CHANNELS, CLASSES, length=LENGTH)
    # Fused attention is one operation that the counter has no formula for.
    with sdpa_kernel(SDPBackend.MATH):
        multiply_adds = count(built, torch.zeros(1, CHANNELS, LENGTH))
    return NetworkFacts(
        name=name,
        summary=str(entry.__doc__).strip().splitlines()[0],
        options=options,
        parameters=sum(p.numel() for p in built.parameters()),
        multiply_adds=multiply_adds,
        positions=entry.positions(**options),
        minimum_length=entry.minimum_length(**options),
        reference=entry.reference,
    )


def format_description(facts: Sequence[NetworkFacts]) -> str:
    """Give the facts as text: a line of numbers for each network, then its options and source."""
    head = f"At {CHANNELS} channel, {CLASSES} classes and windows of {LENGTH} samples:"
    return "\n\n".join([head, *(_format(fact) for fact in facts)])


def _format(fact: NetworkFacts) -> str:
    options = ", ".join(f"{key}={_told(value)}" for key, value in fact["options"].items())
    return (
        f"{fact['name']:<14} {fact['parameters']:>9,} parameters "
        f"{fact['multiply_adds']:>11,} multiply-adds  attention after 1 to {fact['positions']}, "
        f"windows of {fact['minimum_length']} samples or more\n"
        f"    options: {options}\n"
        f"    {fact['reference']}"
    )


def _told(value: Any) -> str:
    """Write a default as YAML would."""
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)
