"""ECA with several kernels mixed by the descriptor itself."""

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from faultdiag.attention.base import (
    check_channels,
    check_kernels,
    convolve,
    joint_kernel,
)

if TYPE_CHECKING:
    from torch import Tensor


class MultiKernelECA(nn.Module):
    """Channel gate from convolutions of several sizes across the channels, mixed per sample.

    With ``s = mean_L(x)`` and ``w = softmax(W s + b)``,
    ``y = x * sigmoid(sum_i w_i conv_{k_i}(s))``; each convolution runs over the ``C`` means.

    Parameters
    ----------
    channels
        Channels ``C`` of the map.
    kernel_sizes
        Odd kernel sizes ``k_i``, at least two.

    Raises
    ------
    FaultdiagError
        If a kernel size is even or fewer than two are given.

    Notes
    -----
    ``sum(k_i) + n C + n`` parameters for ``n`` kernels. There is no paper. The tutorials that
    name it ("dynamic multi-kernel ECA") convolve each channel's mean along an axis of length 1,
    where two thirds of the weights see padding only; here the kernels run across the channels, as
    in ECA [1]_. In one dimension nothing is lost. It is not EMCA, see `emca`.

    References
    ----------
    .. [1] Wang et al., "ECA-Net", CVPR 2020, arXiv:1910.03151
    """

    reference: ClassVar[str] = "no paper; after Wang et al., CVPR 2020, arXiv:1910.03151"

    def __init__(self, channels: int, *, kernel_sizes: tuple[int, ...] = (3, 5, 7)) -> None:
        super().__init__()
        check_channels("multi_kernel_eca", channels)
        check_kernels(
            "multi_kernel_eca",
            kernel_sizes,
            purpose="mixes kernels",
            otherwise=", or the block 'eca' for one",
        )
        self.convs = nn.ModuleList(nn.Conv1d(1, 1, size, bias=False) for size in kernel_sizes)
        self.mix = nn.Linear(channels, len(kernel_sizes))

    def forward(self, x: "Tensor") -> "Tensor":
        """Gate `x`, ``(batch, channels, length)``, by channel."""
        means = x.mean(-1)  # (B, C)
        weights = torch.softmax(self.mix(means), -1)  # (B, n)
        kernel = joint_kernel(self.convs, 1)
        responses = convolve(means.unsqueeze(0), kernel)  # (n, B, C)
        gate = torch.sigmoid((weights.t().unsqueeze(-1) * responses).sum(0))  # (B, C)
        return x * gate.unsqueeze(-1)
