"""Triplet attention."""

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn
from torch.nn import functional

from faultdiag.attention.base import (
    banded_kernel,
    check_batch_statistics,
    check_channels,
    check_odd,
    convolve,
    maximum,
)

if TYPE_CHECKING:
    from torch import Tensor


class PlaneGate(nn.Module):
    """Gate over the plane left by pooling one axis: ``sigmoid(BN(conv_k([max, mean])))``.

    Parameters
    ----------
    kernel_size
        Odd kernel size of the convolution ``2 -> 1`` along the axis that is left.
    """

    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 1, kernel_size, bias=False)
        self.norm = nn.BatchNorm1d(1, momentum=0.01)

    def forward(self, x: "Tensor", pooled: int) -> "Tensor":
        """Gate ``(batch, rest)`` of `x`, ``(batch, channels, length)``, pooled over one axis."""
        planes = torch.stack((maximum(x, pooled), x.mean(pooled)))  # (2, B, rest)
        z = convolve(planes, self.conv.weight).transpose(0, 1)  # (B, 1, rest)
        check_batch_statistics("triplet", self.training, z.numel())
        return torch.sigmoid(self.norm(z)).squeeze(1)


class TripletAttention(nn.Module):
    """Mean of three gated maps: by channel, by position, and by both at once.

    ``y = x * (g_cl + g_c + g_l) / 3`` with ``g_c = sigmoid(BN(conv_k([max_L, mean_L])))`` along
    the channels, ``g_l`` likewise from ``[max_C, mean_C]`` along the length, and
    ``g_cl = sigmoid(BN(conv_kxk([x, x])))`` on the plane of channels by length.

    Parameters
    ----------
    channels
        Channels ``C`` of the map. The number of parameters does not depend on them.
    kernel_size
        Odd kernel size ``k`` of all three convolutions.

    Raises
    ------
    FaultdiagError
        If `kernel_size` is even; in training, if batch and length are both 1.

    Notes
    -----
    ``2 k^2 + 4 k + 6`` parameters. It is the authors' block on a map of height 1, to rounding. In
    one dimension the pooled axis of the first branch has size 1, its two planes are equal, and only
    the sum of their kernels matters. That convolution is computed as a banded 1-D one:
    ``k C^2 L`` multiply-adds instead of ``k^2 C L``, but ten times as fast on a CPU at 32 channels.

    References
    ----------
    .. [1] Misra et al., "Rotate to Attend: Convolutional Triplet Attention Module", WACV 2021,
       arXiv:2010.03045
    """

    reference: ClassVar[str] = "Misra et al., WACV 2021, arXiv:2010.03045"

    def __init__(self, channels: int, *, kernel_size: int = 7) -> None:
        super().__init__()
        check_channels("triplet", channels)
        check_odd("triplet", kernel_size)
        self.plane = nn.Conv2d(2, 1, kernel_size, bias=False)
        self.plane_norm = nn.BatchNorm1d(1, momentum=0.01)
        self.channel = PlaneGate(kernel_size)
        self.position = PlaneGate(kernel_size)

    def forward(self, x: "Tensor") -> "Tensor":
        """Gate `x`, ``(batch, channels, length)``, by channel, position and both."""
        kernel = banded_kernel(self.plane.weight[0].sum(0), x.shape[1])
        z = functional.conv1d(x, kernel, padding=kernel.shape[-1] // 2)  # (B, C, L)
        check_batch_statistics("triplet", self.training, z.numel())
        both = torch.sigmoid(self.plane_norm(z.flatten(1).unsqueeze(1))).view_as(x)
        by_channel, by_position = self.channel(x, -1), self.position(x, 1)  # (B, C), (B, L)
        gate: Tensor = both + by_channel.unsqueeze(-1) + by_position.unsqueeze(1)
        return x * (gate * (1 / 3))
