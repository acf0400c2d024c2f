"""The attention blocks with their options, parameters and multiply-adds."""

from typing import TYPE_CHECKING, Any, TypedDict

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from faultdiag.attention import BLOCKS, build
from faultdiag.documents import Json

if TYPE_CHECKING:
    from torch import Tensor, nn


def count(module: "nn.Module", *inputs: "Tensor") -> int:
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
    """What `describe` tells about one block.

    ``parameters`` are by channels, ``multiply_adds`` at 32 channels and length 32, both with
    default options.
    """

    name: str
    summary: str
    options: Json
    parameters: dict[int, int]
    multiply_adds: int
    reference: str


def describe() -> list[BlockFacts]:
    """Facts about every block of `BLOCKS`, in its order.

    Examples
    --------
    >>> next(f["parameters"][64] for f in describe() if f["name"] == "se")
    512
    """
    return [_facts(name) for name in BLOCKS]


def _facts(name: str) -> BlockFacts:
    builder: Any = BLOCKS.get(name)
    # What an option left at None stands for.
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
            channels: sum(p.numel() for p in build(name, channels).parameters())
            for channels in WIDTHS
        },
        multiply_adds=count(build(name, 32), torch.zeros(1, 32, 32)),
        reference=builder.reference,
    )
