"""Selective kernel."""

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from faultdiag.attention.base import (
    check_batch_statistics,
    check_channels,
    check_divides,
    check_kernels,
    check_one_each,
    floored_width,
)

if TYPE_CHECKING:
    from torch import Tensor


class SelectiveKernel(nn.Module):
    """Convolutions of several reaches, mixed per channel with weights from their sum.

    ``u_m = relu(BN(conv_m(x)))``, ``z = relu(BN(W1 mean_L(sum_m u_m)))``, ``W1: C -> d``,
    ``d = max(min_width, C // reduction)``; ``y = sum_m softmax_m(W2 z) u_m``.

    Parameters
    ----------
    channels
        Channels ``C`` of the map.
    kernel_sizes
        Odd kernel sizes ``k_m`` of the branches, at least two.
    dilations
        Dilation of each branch. The default pair reaches 3 and 5 samples, as in [1]_.
    groups
        Groups ``G`` of every convolution; divides `channels`. The paper has 32.
    reduction
        Ratio of channels to the descriptor's width ``d``, where that is above `min_width`.
    min_width
        Least width of the descriptor.

    Raises
    ------
    FaultdiagError
        If a kernel size is even, `groups` does not divide `channels`, `dilations` and
        `kernel_sizes` differ in number; in training, for a batch of 1.

    Notes
    -----
    ``sum_m (C (C / G) k_m + 2 C) + C d + 2 d + M C d`` parameters for ``M`` branches. It replaces
    a convolution rather than gates a map, so compare it with a convolution of the same size. In one
    dimension nothing is lost. At the default `min_width` the descriptor outweighs the convolutions
    of narrow maps. A training batch of 1 is refused: the descriptor's BatchNorm would see one
    value per channel. As in the authors' Caffe network linear maps start normal with sd 0.01,
    convolutions after He et al., and BatchNorms have momentum 0.05.

    References
    ----------
    .. [1] Li et al., "Selective Kernel Networks", CVPR 2019, arXiv:1903.06586
    """

    reference: ClassVar[str] = "Li et al., CVPR 2019, arXiv:1903.06586"

    def __init__(
        self,
        channels: int,
        *,
        kernel_sizes: tuple[int, ...] = (3, 3),
        dilations: tuple[int, ...] = (1, 2),
        groups: int = 1,
        reduction: int = 16,
        min_width: int = 32,
    ) -> None:
        super().__init__()
        check_channels("sk", channels)
        check_kernels("sk", kernel_sizes, purpose="selects among kernels")
        check_one_each("sk", kernel_sizes, "dilations", dilations)
        check_divides("sk", "groups", groups, channels)
        width = floored_width("sk", channels, reduction, min_width)
        self.branches = nn.ModuleList(
            _branch(channels, k, dilation, groups)
            for k, dilation in zip(kernel_sizes, dilations, strict=True)
        )
        self.squeeze = nn.Linear(channels, width, bias=False)
        self.norm = nn.BatchNorm1d(width, momentum=0.05)
        self.select = nn.Linear(width, len(kernel_sizes) * channels, bias=False)
        for linear in (self.squeeze, self.select):
            nn.init.normal_(linear.weight, std=0.01)

    def forward(self, x: "Tensor") -> "Tensor":
        """Mix the branches of `x`, ``(batch, channels, length)``, by channel."""
        check_batch_statistics("sk", self.training, x.shape[0])
        u = torch.stack([branch(x) for branch in self.branches], 1)  # (B, M, C, L)
        z = torch.relu(self.norm(self.squeeze(u.mean(-1).sum(1))))  # (B, d)
        weights = torch.softmax(self.select(z).unflatten(1, (len(self.branches), -1)), 1)
        return (u * weights.unsqueeze(-1)).sum(1)


def _branch(channels: int, size: int, dilation: int, groups: int) -> nn.Sequential:
    padding = dilation * (size // 2)
    conv = nn.Conv1d(
        channels, channels, size, padding=padding, dilation=dilation, groups=groups, bias=False
    )
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm1d(channels, momentum=0.05), nn.ReLU())
