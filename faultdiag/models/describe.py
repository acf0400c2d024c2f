"""Facts about every attention block, network and baseline: options, size, cost, source."""

from typing import Any, TypedDict

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from faultdiag import attention
from faultdiag.attention import BLOCKS
from faultdiag.baselines import BASELINES
from faultdiag.documents import Json
from faultdiag.models import NETWORKS, build
from faultdiag.models.baseline import known_options, minimum_length
from faultdiag.models.layers import FrontEndNetwork, seen_through, without_phases
from faultdiag.models.zoo import defaults, front_of, most_classes, network


def count(module: nn.Module, *inputs: Tensor) -> int:
    """Multiply-adds of one evaluation of `module`: convolutions and matrix products.

    What is carried out is counted, including products with padding; element-wise work, pooling and
    normalisation are not. The module's training mode is left as it was.

    Parameters
    ----------
    module
        The block or network.
    inputs
        Arguments of its ``forward``; the count is for the whole batch.

    Examples
    --------
    >>> count(torch.nn.Conv1d(4, 8, 3, padding=1), torch.zeros(1, 4, 10))
    960
    """
    training = module.training
    module.eval()
    try:
        # Fused attention on a CPU is unknown to the counter; its plain form is matrix products.
        plain = sdpa_kernel(SDPBackend.MATH)
        with torch.no_grad(), plain, FlopCounterMode(display=False) as counter:
            module(*inputs)
    finally:
        module.train(training)
    return int(counter.get_total_flops()) // 2


WIDTHS = (16, 32, 64, 128)


class BlockFacts(TypedDict):
    """The result of `describe_blocks` for one block.

    ``parameters`` are by channels, ``multiply_adds`` at 32 channels and length 32, both with
    default options.
    """

    name: str
    summary: str
    options: Json
    parameters: dict[int, int]
    multiply_adds: int
    reference: str


def describe_blocks() -> list[BlockFacts]:
    """Facts about every block of `BLOCKS`, in its order.

    Examples
    --------
    >>> next(f["parameters"][64] for f in describe_blocks() if f["name"] == "se")
    512
    """
    return [_block_facts(name) for name in BLOCKS]


def _block_facts(name: str) -> BlockFacts:
    builder: Any = BLOCKS.get(name)
    # The meaning of an option left at None.
    unset: Json = getattr(builder, "unset", {})
    return BlockFacts(
        name=name,
        summary=str(builder.__doc__).strip().splitlines()[0],
        options={
            key: unset.get(key, option.default)
            for key, option in BLOCKS.options(name).items()
            if key != "previous_channels"  # the network's to give, not the config's
        },
        parameters={
            channels: sum(p.numel() for p in attention.build(name, channels).parameters())
            for channels in WIDTHS
        },
        multiply_adds=count(attention.build(name, 32), torch.zeros(1, 32, 32)),
        reference=builder.reference,
    )


CHANNELS, CLASSES, LENGTH, SAMPLING_RATE = 1, 10, 2048, 12000.0


class ModelFacts(TypedDict):
    """Facts about one network or baseline with its default options.

    ``kind`` is ``network`` or ``baseline``; a baseline has no places for attention, and what it
    learns has no fixed size: there ``positions``, ``parameters`` and ``multiply_adds`` are None.
    ``parameters`` and ``multiply_adds`` (of one window, without its front end) are at 1 channel,
    2048 samples at 12 kHz, and ``classes`` classes: 10, or fewer if the network can't have 10.
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
    if isinstance(built, FrontEndNetwork):
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
