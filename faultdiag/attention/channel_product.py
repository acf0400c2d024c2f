"""Channel gate as a product of two sigmoids."""

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from faultdiag.attention.base import (
    bottleneck,
    check_channels,
    hidden_width,
    maximum,
)

if TYPE_CHECKING:
    from torch import Tensor


class ChannelProduct(nn.Module):
    """Channel gate that is high only where means and maxima agree.

    ``y = x * sigmoid(MLP(mean_L(x))) * sigmoid(MLP(max_L(x)))`` with one MLP
    ``C -> d -> C``, ``d = C // reduction``, ReLU, no bias.

    Parameters
    ----------
    channels
        Channels ``C`` of the map.
    reduction
        Ratio of channels to hidden width. None is 16 with a width of at least 1; a given one may
        not exceed `channels`.

    Raises
    ------
    FaultdiagError
        If a given `reduction` leaves no hidden unit.

    Notes
    -----
    ``2 C d`` parameters. Tutorials print this as "CBAM", which adds the two before one sigmoid
    and has a position gate besides; here the gate starts near 0.25 instead of 0.5. The printed
    code also lacks the views of both gates to ``(batch, channels, 1)``.

    References
    ----------
    .. [1] Woo et al., "CBAM: Convolutional Block Attention Module", ECCV 2018, arXiv:1807.06521
    """

    reference: ClassVar[str] = "after Woo et al., ECCV 2018, arXiv:1807.06521"
    unset: ClassVar[dict[str, object]] = {"reduction": 16}

    def __init__(self, channels: int, *, reduction: int | None = None) -> None:
        super().__init__()
        check_channels("channel_product", channels)
        hidden = hidden_width("channel_product", channels, reduction, default=16)
        self.mlp = bottleneck(channels, hidden, bias=False)

    def forward(self, x: "Tensor") -> "Tensor":
        """Gate `x`, ``(batch, channels, length)``, by channel."""
        pooled = torch.stack((x.mean(-1), maximum(x, -1)))  # (2, B, C)
        from_mean, from_max = torch.sigmoid(self.mlp(pooled)).unbind(0)  # (B, C) each
        return x * (from_mean * from_max).unsqueeze(-1)
