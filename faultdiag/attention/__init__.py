"""Attention blocks by name: ``(batch, channels, length)`` to the same shape.

A block is one file and one row of `BLOCKS`; its options are the keyword-only parameters of its
class. Importing this package does not import torch; asking for a block does.
"""

from typing import TYPE_CHECKING, Any

from faultdiag.registry import Registry

if TYPE_CHECKING:
    from torch import nn


BLOCKS: "Registry[nn.Module]" = Registry(
    "attention block",
    {
        "none": "faultdiag.attention.none:NoAttention",
        "se": "faultdiag.attention.se:SqueezeExcitation",
        "eca": "faultdiag.attention.eca:EfficientChannelAttention",
        "cbam": "faultdiag.attention.cbam:CBAM",
        "cbam_nobn": "faultdiag.attention.cbam:CBAMWithoutNorm",
        "cbam_r8": "faultdiag.attention.cbam:CBAMReduction8",
        "channel_product": "faultdiag.attention.channel_product:ChannelProduct",
        "ca": "faultdiag.attention.ca:CoordinateAttention",
        "multi_kernel_eca": "faultdiag.attention.multi_kernel_eca:MultiKernelECA",
        "bi_eca": "faultdiag.attention.bi_eca:BidirectionalECA",
        "triplet": "faultdiag.attention.triplet:TripletAttention",
        "emca": "faultdiag.attention.emca:EMCA",
        "psa": "faultdiag.attention.psa:PyramidSqueezeAttention",
        "sk": "faultdiag.attention.sk:SelectiveKernel",
        "self_attention": "faultdiag.attention.self_attention:SelfAttention",
        "axial": "faultdiag.attention.axial:AxialAttention",
    },
    group="faultdiag.attention",
)

list = BLOCKS.names
register = BLOCKS.register


def build(name: str, channels: int, **options: Any) -> "nn.Module":
    """Build the attention block registered as `name` for maps of `channels` channels.

    Parameters
    ----------
    name
        A name of `BLOCKS`.
    channels
        Channels of the maps the block will see.
    options
        The block's own options; ``BLOCKS.options(name)`` lists them.

    Raises
    ------
    FaultdiagError
        For an unknown name or option, and for a value the block cannot work with.

    Examples
    --------
    >>> block = build("eca", 32)
    >>> sum(p.numel() for p in block.parameters())
    3
    """
    return BLOCKS.build(name, channels, **options)
