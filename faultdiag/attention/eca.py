"""Efficient channel attention."""

import math
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from faultdiag.attention.base import check_channels, check_odd, convolve

if TYPE_CHECKING:
    from torch import Tensor


def adaptive_kernel(channels: int) -> int:
    """Odd number nearest to ``(log2(channels) + 1) / 2``, ties upwards.

    The kernel size of [1]_ with gamma = 2 and b = 1: 1 below 8 channels, 3 below 128, 5 below
    2048.

    References
    ----------
    .. [1] Wang et al., "ECA-Net", CVPR 2020, arXiv:1910.03151, eq. 12

    Examples
    --------
    >>> [adaptive_kernel(c) for c in (4, 8, 64, 128, 2048)]
    [1, 3, 3, 5, 7]
    """
    size = int((math.log2(channels) + 1) / 2)
    return size if size % 2 else size + 1


class EfficientChannelAttention(nn.Module):
    """Channel gate from the channel means through one small convolution across the channels.

    ``y = x * sigmoid(conv_k(mean_L(x)))``; the convolution runs over the sequence of ``C`` means,
    zero-padded at both ends.

    Parameters
    ----------
    channels
        Channels ``C`` of the map.
    kernel_size
        Odd kernel size ``k``. None follows the paper's rule, see `adaptive_kernel`.
    bias
        Whether the convolution has a bias.

    Raises
    ------
    FaultdiagError
        If `kernel_size` is even.

    Notes
    -----
    ``k`` parameters, ``k + 1`` with bias; the paper has none. In one dimension nothing is lost.
    With the slot's residual the map is ``x * (1 + gate)``, which amplifies but never suppresses.

    References
    ----------
    .. [1] Wang et al., "ECA-Net: Efficient Channel Attention for Deep Convolutional Neural
       Networks", CVPR 2020, arXiv:1910.03151
    """

    reference: ClassVar[str] = "Wang et al., CVPR 2020, arXiv:1910.03151"
    unset: ClassVar[dict[str, object]] = {"kernel_size": "adaptive"}

    def __init__(
        self, channels: int, *, kernel_size: int | None = None, bias: bool = False
    ) -> None:
        super().__init__()
        check_channels("eca", channels)
        if kernel_size is None:
            kernel_size = adaptive_kernel(channels)
        check_odd("eca", kernel_size)
        self.conv = nn.Conv1d(1, 1, kernel_size, bias=bias)

    def forward(self, x: "Tensor") -> "Tensor":
        """Gate `x`, ``(batch, channels, length)``, by channel."""
        means = x.mean(-1).unsqueeze(0)  # (1, B, C)
        gate = torch.sigmoid(convolve(means, self.conv.weight, self.conv.bias).squeeze(0))  # (B, C)
        return x * gate.unsqueeze(-1)
