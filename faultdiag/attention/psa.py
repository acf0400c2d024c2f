"""Pyramid squeeze attention."""

import math
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn
from torch.nn import functional

from faultdiag.attention.base import (
    check_channels,
    check_kernels,
    check_one_each,
    floored_width,
    joint_kernel,
)

if TYPE_CHECKING:
    from torch import Tensor


class PyramidSqueezeAttention(nn.Module):
    """Convolutions of several sizes, each weighted by channel against the others.

    ``u_i = conv_{k_i}(x)`` with ``C -> C / n`` for ``i = 1 .. n``;
    ``w = softmax_i(sigmoid(W2 relu(W1 mean_L(u_i) + b1) + b2))`` with shared weights;
    ``y = [w_1 u_1, .., w_n u_n]``.

    Parameters
    ----------
    channels
        Channels ``C`` of the map, a multiple of the number ``n`` of kernels.
    kernel_sizes
        Odd kernel sizes ``k_i``, at least two.
    groups
        Convolution groups of each kernel, reduced to their greatest common divisor with ``C / n``.
    reduction
        Ratio of ``q = C / n`` to the hidden width ``d`` of the weights, which is at least 1.

    Raises
    ------
    FaultdiagError
        If `channels` is no multiple of ``n``, a kernel size is even, or `groups` and
        `kernel_sizes` differ in number.

    Notes
    -----
    ``C q sum(k_i / g_i) + 2 q d + d + q`` parameters. It replaces a convolution rather than gates
    a map, so compare it with a convolution of the same size. In one dimension nothing is lost. The
    authors' code needs channels in multiples of 64; the greatest common divisor and the least width
    of 1 are ours and change nothing at those. The authors' code also joins the branches in reverse
    order. A softmax of sigmoids keeps the four default weights between 0.109 and 0.475. All
    branches are computed as one dense convolution, ``max(k_i) C^2 L`` multiply-adds: on a CPU a
    quarter of the time of grouped ones up to 64 channels, and the same time at 128.

    References
    ----------
    .. [1] Zhang et al., "EPSANet: An Efficient Pyramid Squeeze Attention Block on Convolutional
       Neural Network", 2021, arXiv:2105.14447
    """

    reference: ClassVar[str] = "Zhang et al., 2021, arXiv:2105.14447"

    def __init__(
        self,
        channels: int,
        *,
        kernel_sizes: tuple[int, ...] = (3, 5, 7, 9),
        groups: tuple[int, ...] = (1, 4, 8, 16),
        reduction: int = 16,
    ) -> None:
        super().__init__()
        check_kernels("psa", kernel_sizes, purpose="weighs kernels against each other")
        check_one_each("psa", kernel_sizes, "groups", groups)
        check_channels("psa", channels, multiple_of=len(kernel_sizes))
        part = channels // len(kernel_sizes)
        self.convs = nn.ModuleList(
            nn.Conv1d(channels, part, k, padding=k // 2, groups=math.gcd(g, part), bias=False)
            for k, g in zip(kernel_sizes, groups, strict=True)
        )
        for conv, size in zip(self.convs, kernel_sizes, strict=True):
            nn.init.normal_(conv.get_parameter("weight"), std=math.sqrt(2 / (size * part)))
        hidden = floored_width("psa", part, reduction, 1)
        self.squeeze = nn.Linear(part, hidden)
        self.excite = nn.Linear(hidden, part)

    def forward(self, x: "Tensor") -> "Tensor":
        """Return the weighted branches of `x`, ``(batch, channels, length)``, side by side."""
        joint = joint_kernel(self.convs, x.shape[1])
        u = functional.conv1d(x, joint, padding=joint.shape[-1] // 2)  # (B, C, L)
        means = u.mean(-1).unflatten(1, (len(self.convs), -1))  # (B, n, q)
        single = torch.sigmoid(self.excite(torch.relu(self.squeeze(means))))
        weights = torch.softmax(single, 1).flatten(1)  # (B, C)
        return u * weights.unsqueeze(-1)
