"""Convolutional block attention: the reference and two variants from tutorials."""

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from faultdiag.attention.base import (
    bottleneck,
    check_batch_statistics,
    check_channels,
    check_odd,
    convolve,
    hidden_width,
    maximum,
)

if TYPE_CHECKING:
    from torch import Tensor


class ChannelGate(nn.Module):
    """Channel gate from means and maxima: ``x * sigmoid(MLP(mean_L(x)) + MLP(max_L(x)))``.

    One MLP, ``Linear(C, hidden) - ReLU - Linear(hidden, C)``, serves both.

    Parameters
    ----------
    channels
        Channels ``C`` of the map.
    hidden
        Hidden width of the MLP.
    bias
        Whether its linear maps have a bias.
    """

    def __init__(self, channels: int, hidden: int, *, bias: bool) -> None:
        super().__init__()
        self.mlp = bottleneck(channels, hidden, bias=bias)

    def forward(self, x: "Tensor") -> "Tensor":
        """Gate `x`, ``(batch, channels, length)``, by channel."""
        pooled = torch.stack((x.mean(-1), maximum(x, -1)))  # (2, B, C)
        gate = torch.sigmoid(self.mlp(pooled).sum(0))  # (B, C)
        return x * gate.unsqueeze(-1)


class SpatialGate(nn.Module):
    """Position gate from the channels' maximum and mean: ``x * sigmoid(conv_k([max_C, mean_C]))``.

    Parameters
    ----------
    kernel_size
        Odd kernel size ``k`` of the convolution ``2 -> 1``.
    bias
        Whether the convolution has a bias.
    norm
        Whether a BatchNorm (momentum 0.01) follows the convolution.
    mean_first
        Whether the mean is the first input plane of the convolution.
    """

    def __init__(self, kernel_size: int, *, bias: bool, norm: bool, mean_first: bool) -> None:
        super().__init__()
        self.mean_first = mean_first
        self.conv = nn.Conv1d(2, 1, kernel_size, bias=bias)
        self.norm = nn.BatchNorm1d(1, momentum=0.01) if norm else None

    def forward(self, x: "Tensor") -> "Tensor":
        """Gate `x`, ``(batch, channels, length)``, by position."""
        planes = [maximum(x, 1), x.mean(1)]  # (B, L) each
        stacked = torch.stack(planes[::-1] if self.mean_first else planes)  # (2, B, L)
        z = convolve(stacked, self.conv.weight, self.conv.bias).transpose(0, 1)  # (B, 1, L)
        if self.norm is not None:
            check_batch_statistics("cbam", self.training, z.numel())
            z = self.norm(z)
        return x * torch.sigmoid(z)


class _Gates(nn.Module):
    """A channel gate, then a position gate: the base of the variants.

    A variant has a `name`, the `unset` value of its reduction, and says what its gates have.
    """

    name: ClassVar[str]
    unset: ClassVar[dict[str, int]]
    mlp_bias: ClassVar[bool] = False
    position_bias: ClassVar[bool] = False
    position_norm: ClassVar[bool] = False
    mean_first: ClassVar[bool] = False

    def __init__(
        self, channels: int, *, reduction: int | None = None, kernel_size: int = 7
    ) -> None:
        super().__init__()
        check_channels(self.name, channels)
        check_odd(self.name, kernel_size)
        hidden = hidden_width(self.name, channels, reduction, default=self.unset["reduction"])
        self.channel = ChannelGate(channels, hidden, bias=self.mlp_bias)
        self.spatial = SpatialGate(
            kernel_size,
            bias=self.position_bias,
            norm=self.position_norm,
            mean_first=self.mean_first,
        )
        self._initialise()

    def _initialise(self) -> None:
        """Leave torch's default initialisation; a variant may set its own."""

    def forward(self, x: "Tensor") -> "Tensor":
        """Gate `x`, ``(batch, channels, length)``, by channel and then by position."""
        gated: Tensor = self.spatial(self.channel(x))
        return gated


class CBAM(_Gates):
    """Channel gate, then position gate with a BatchNorm, as the authors released it.

    ``z = x * sigmoid(MLP(mean_L(x)) + MLP(max_L(x)))``, then
    ``y = z * sigmoid(BN(conv_k([max_C(z), mean_C(z)])))``.

    Parameters
    ----------
    channels
        Channels ``C`` of the map.
    reduction
        Ratio of channels to the MLP's hidden width ``d``. None is 16 with a width of at least 1;
        a given one may not exceed `channels`.
    kernel_size
        Odd kernel size ``k`` of the position gate.

    Raises
    ------
    FaultdiagError
        If a given `reduction` leaves no hidden unit or `kernel_size` is even; in training, if
        batch and length are both 1.

    Notes
    -----
    ``2 C d + d + C + 2 k + 2`` parameters. In one dimension the position gate is a convolution
    along the length; nothing is lost. As in the authors' networks biases start at 0 and the
    BatchNorm's weight at 0: the position gate is 0.5 everywhere until the first step. No residual
    is added, unlike in some ports.

    References
    ----------
    .. [1] Woo et al., "CBAM: Convolutional Block Attention Module", ECCV 2018, arXiv:1807.06521
    """

    reference: ClassVar[str] = "Woo et al., ECCV 2018, arXiv:1807.06521"
    name: ClassVar[str] = "cbam"
    unset: ClassVar[dict[str, int]] = {"reduction": 16}
    mlp_bias: ClassVar[bool] = True
    position_norm: ClassVar[bool] = True

    def _initialise(self) -> None:
        for name, parameter in self.named_parameters():
            if name.endswith("bias") or name == "spatial.norm.weight":
                nn.init.zeros_(parameter)
        nn.init.kaiming_normal_(self.spatial.conv.weight, mode="fan_out")


class CBAMWithoutNorm(_Gates):
    """CBAM with a bias instead of the BatchNorm in the position gate and none in the MLP.

    ``z = x * sigmoid(MLP(mean_L(x)) + MLP(max_L(x)))``, then
    ``y = z * sigmoid(conv_k([max_C(z), mean_C(z)]) + b)``.

    Parameters
    ----------
    channels
        Channels ``C`` of the map.
    reduction
        As for `CBAM`, with the same errors.
    kernel_size
        As for `CBAM`.

    Notes
    -----
    ``2 C d + 2 k + 1`` parameters; torch's default initialisation. This is the form of the
    tutorials that descend from the collection "External-Attention-pytorch", less its residual.

    References
    ----------
    .. [1] Woo et al., "CBAM: Convolutional Block Attention Module", ECCV 2018, arXiv:1807.06521
    """

    reference: ClassVar[str] = "after Woo et al., ECCV 2018, arXiv:1807.06521"
    name: ClassVar[str] = "cbam_nobn"
    unset: ClassVar[dict[str, int]] = {"reduction": 16}
    position_bias: ClassVar[bool] = True


class CBAMReduction8(_Gates):
    """CBAM with reduction 8 and neither bias nor BatchNorm anywhere.

    ``z = x * sigmoid(MLP(mean_L(x)) + MLP(max_L(x)))``, then
    ``y = z * sigmoid(conv_k([mean_C(z), max_C(z)]))``.

    Parameters
    ----------
    channels
        Channels ``C`` of the map.
    reduction
        As for `CBAM`, but None is 8.
    kernel_size
        As for `CBAM`.

    Notes
    -----
    ``2 C d + 2 k`` parameters; torch's default initialisation. The planes of the position gate are
    in the opposite order to [1]_, which only matters for copying weights.

    References
    ----------
    .. [1] Woo et al., "CBAM: Convolutional Block Attention Module", ECCV 2018, arXiv:1807.06521
    """

    reference: ClassVar[str] = "after Woo et al., ECCV 2018, arXiv:1807.06521"
    name: ClassVar[str] = "cbam_r8"
    unset: ClassVar[dict[str, int]] = {"reduction": 8}
    mean_first: ClassVar[bool] = True
