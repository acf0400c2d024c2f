"""Coordinate attention."""

import math
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn
from torch.nn import functional

from faultdiag.attention.base import check_channels, floored_width

if TYPE_CHECKING:
    from torch import Tensor


class CoordinateAttention(nn.Module):
    """Channel gate and pointwise gate from one bottleneck: coordinate attention in 1-D.

    In one dimension it holds no coordinate information: the gate of a position sees that position
    and the channel means only, so the block is permutation-equivariant along the length.

    ``h = hardswish(BN(W [mean_L(x), x]))`` with ``W: C -> m`` over the ``1 + L`` positions,
    ``m = max(min_width, C // reduction)``; ``y = x * sigmoid(Wl h[1:]) * sigmoid(Wc h[0])``.

    Parameters
    ----------
    channels
        Channels ``C`` of the map.
    reduction
        Ratio of channels to the bottleneck's width ``m``, where that is above `min_width`.
    min_width
        Least width of the bottleneck.

    Raises
    ------
    FaultdiagError
        If `reduction` or `min_width` is below 1.

    Notes
    -----
    ``3 C m + 3 m + 2 C`` parameters. It is the authors' block on a map of height 1, to rounding;
    the BatchNorm's statistics mix the one pooled position with the ``L`` raw ones. Convolutions
    start normal with variance ``2 / outputs`` and their biases at 0, as in the authors' network.
    Tutorials also print it with ReLU, without biases and without a least width.

    References
    ----------
    .. [1] Hou, Zhou, Feng, "Coordinate Attention for Efficient Mobile Network Design", CVPR 2021,
       arXiv:2103.02907
    """

    reference: ClassVar[str] = "Hou et al., CVPR 2021, arXiv:2103.02907"

    def __init__(self, channels: int, *, reduction: int = 32, min_width: int = 8) -> None:
        super().__init__()
        check_channels("ca", channels)
        width = floored_width("ca", channels, reduction, min_width)
        self.squeeze = nn.Conv1d(channels, width, 1)
        self.norm = nn.BatchNorm1d(width)
        self.act = nn.Hardswish()
        self.channel = nn.Linear(width, channels)
        self.position = nn.Conv1d(width, channels, 1)
        for linear in (self.squeeze, self.channel, self.position):
            weight = linear.get_parameter("weight")
            nn.init.normal_(weight, std=math.sqrt(2 / len(weight)))
            nn.init.zeros_(linear.get_parameter("bias"))

    def forward(self, x: "Tensor") -> "Tensor":
        """Gate `x`, ``(batch, channels, length)``, by channel and by position."""
        # The first map sees one position at a time, so the narrow results are joined, not x.
        weight = self.squeeze.weight.squeeze(-1)
        pooled = functional.linear(x.mean(-1), weight, self.squeeze.bias)  # (B, m)
        joined = torch.cat((pooled.unsqueeze(-1), self.squeeze(x)), -1)  # (B, m, 1 + L)
        hidden = self.act(self.norm(joined))
        by_channel = torch.sigmoid(self.channel(hidden[..., 0]))  # (B, C)
        by_position = torch.sigmoid(self.position(hidden[..., 1:]))  # (B, C, L)
        return x * by_position * by_channel.unsqueeze(-1)
