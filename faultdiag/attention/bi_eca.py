"""ECA with a forward and a backward kernel."""

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from faultdiag.attention.base import check_channels, check_odd, convolve, floored_width

if TYPE_CHECKING:
    from torch import Tensor


class BidirectionalECA(nn.Module):
    """Channel gate from two convolutions across the channels, the second on them reversed.

    The direction is void: convolving the reversed sequence and reversing the result is a
    convolution with the reversed kernel, so this is ECA with two kernels mixed per sample.

    With ``s = mean_L(x)``, ``f = conv_k(s)``, ``b = flip(conv'_k(flip(s)))`` and
    ``(p, q) = softmax(MLP(s))``, ``y = x * sigmoid(p f + q b)``.

    Parameters
    ----------
    channels
        Channels ``C`` of the map.
    kernel_size
        Odd kernel size ``k`` of both convolutions.
    reduction
        Ratio of channels to the hidden width ``h`` of the mixing MLP, which is at least 1.
    double_sigmoid
        Whether ``f`` and ``b`` pass a sigmoid of their own before they are mixed, as tutorials
        print it. The gate then lies between 0.5 and 0.7311 and cannot suppress a channel.

    Raises
    ------
    FaultdiagError
        If `kernel_size` is even or `reduction` is below 1.

    Notes
    -----
    ``2 k + (C + 1) h + 2 h + 2`` parameters. There is no paper.

    References
    ----------
    .. [1] Wang et al., "ECA-Net", CVPR 2020, arXiv:1910.03151
    """

    reference: ClassVar[str] = "no paper; after Wang et al., CVPR 2020, arXiv:1910.03151"

    def __init__(
        self,
        channels: int,
        *,
        kernel_size: int = 3,
        reduction: int = 16,
        double_sigmoid: bool = False,
    ) -> None:
        super().__init__()
        check_channels("bi_eca", channels)
        check_odd("bi_eca", kernel_size)
        hidden = floored_width("bi_eca", channels, reduction, 1)
        self.double_sigmoid = double_sigmoid
        self.forward_conv = nn.Conv1d(1, 1, kernel_size, bias=False)
        self.backward_conv = nn.Conv1d(1, 1, kernel_size, bias=False)
        self.mix = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, 2))

    def forward(self, x: "Tensor") -> "Tensor":
        """Gate `x`, ``(batch, channels, length)``, by channel."""
        means = x.mean(-1)  # (B, C)
        backward = self.backward_conv.weight.flip(-1)  # the same as reversing the sequence twice
        kernels = torch.cat((self.forward_conv.weight, backward))  # (2, 1, k)
        responses = convolve(means.unsqueeze(0), kernels)  # (2, B, C)
        if self.double_sigmoid:
            responses = torch.sigmoid(responses)
        weights = torch.softmax(self.mix(means), -1).t().unsqueeze(-1)  # (2, B, 1)
        gate = torch.sigmoid((weights * responses).sum(0))  # (B, C)
        return x * gate.unsqueeze(-1)
