"""Squeeze-and-excitation."""

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from faultdiag.attention.base import check_channels, hidden_width

if TYPE_CHECKING:
    from torch import Tensor


class SqueezeExcitation(nn.Module):
    """Channel gate from the channel means through a bottleneck of two linear maps.

    ``y = x * sigmoid(W2 relu(W1 mean_L(x)))`` with ``W1: C -> d``, ``W2: d -> C``,
    ``d = C // reduction``.

    Parameters
    ----------
    channels
        Channels ``C`` of the map.
    reduction
        Ratio of channels to hidden width. None is 16 with a hidden width of at least 1; a given
        one may not exceed `channels`.
    bias
        Whether both linear maps have a bias.

    Raises
    ------
    FaultdiagError
        If a given `reduction` leaves no hidden unit.

    Notes
    -----
    ``2 C d`` parameters; with bias ``2 C d + d + C``. In one dimension nothing is lost. The
    authors' Caffe models have the biases, most PyTorch versions have not; the default is without.

    References
    ----------
    .. [1] Hu, Shen, Sun, "Squeeze-and-Excitation Networks", CVPR 2018, arXiv:1709.01507
    """

    reference: ClassVar[str] = "Hu et al., CVPR 2018, arXiv:1709.01507"
    unset: ClassVar[dict[str, object]] = {"reduction": 16}

    def __init__(self, channels: int, *, reduction: int | None = None, bias: bool = False) -> None:
        super().__init__()
        check_channels("se", channels)
        hidden = hidden_width("se", channels, reduction, default=16)
        self.squeeze = nn.Linear(channels, hidden, bias=bias)
        self.excite = nn.Linear(hidden, channels, bias=bias)

    def forward(self, x: "Tensor") -> "Tensor":
        """Gate `x`, ``(batch, channels, length)``, by channel."""
        hidden = torch.relu(self.squeeze(x.mean(-1)))  # (B, d)
        gate = torch.sigmoid(self.excite(hidden))  # (B, C)
        return x * gate.unsqueeze(-1)
