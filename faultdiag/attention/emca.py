"""EMCA: ECA that also sees the descriptors of earlier stages."""

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from faultdiag.attention.base import check_channels, check_divides, check_odd, convolve
from faultdiag.attention.eca import adaptive_kernel
from faultdiag.errors import FaultdiagError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class EMCA(nn.Module):
    """Channel gate from this stage's channel means and those of earlier stages.

    With ``q = mean_L(x)``, the earlier descriptors ``p_1 .. p_S`` tiled to ``C`` channels and
    ``a = conv_k(q)``: ``m = relu(sum_i u_i p_i + u_0 q)``, ``b = conv'_k(m)``,
    ``y = x * sigmoid(v_1 sigmoid(a) + v_2 sigmoid(b))``. Without earlier stages
    ``y = x * sigmoid(a)``, which is ECA.

    Parameters
    ----------
    channels
        Channels ``C`` of the map.
    kernel_size
        Odd kernel size ``k`` of both convolutions across the channels. None follows ECA's rule.
    previous_channels
        Channels of the earlier stages' descriptors, first stage first; each divides `channels`.
        A network's slot fills this in.

    Raises
    ------
    FaultdiagError
        If `kernel_size` is even or one of `previous_channels` does not divide `channels`; in
        `forward`, if the descriptors are not those announced.

    Notes
    -----
    ``2 k + (S + 1) + 2`` parameters, ``k`` without earlier stages. In one dimension nothing is
    lost. The scales are those of earlier stages, not several kernels. It follows the authors'
    code, whose figure has neither the local branch nor the second sigmoid; the authors add the
    map itself, here the slot's residual does.

    References
    ----------
    .. [1] Bakr et al., "EMCA: Efficient Multi-Scale Channel Attention Module", 2022,
       https://github.com/eslambakr/EMCA
    """

    reference: ClassVar[str] = "Bakr et al., 2022, github.com/eslambakr/EMCA"
    unset: ClassVar[dict[str, object]] = {"kernel_size": "adaptive"}
    uses_previous: ClassVar[bool] = True

    def __init__(
        self,
        channels: int,
        *,
        kernel_size: int | None = None,
        previous_channels: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        check_channels("emca", channels)
        for width in previous_channels:
            check_divides("emca", "one of previous_channels", width, channels)
        size = adaptive_kernel(channels) if kernel_size is None else kernel_size
        check_odd("emca", size)
        self.previous_channels = previous_channels
        self.local = nn.Conv1d(1, 1, size, bias=False)
        if previous_channels:
            self.across = nn.Conv1d(1, 1, size, bias=False)
            self.aggregate = nn.Linear(len(previous_channels) + 1, 1, bias=False)
            self.fuse = nn.Linear(2, 1, bias=False)

    def forward(self, x: "Tensor", previous: "Sequence[Tensor]" = ()) -> "Tensor":
        """Gate `x`, ``(batch, channels, length)``, by channel.

        Parameters
        ----------
        x
            The map.
        previous
            Channel means ``(batch, previous_channels[i])`` of the earlier stages.
        """
        widths = tuple(p.shape[1] for p in previous)
        if widths != self.previous_channels:
            raise FaultdiagError(
                "attention block 'emca' takes descriptors of earlier stages with channels "
                f"{list(self.previous_channels)}, found {list(widths)}; build it with "
                f"previous_channels={widths}"
            )
        means = x.mean(-1)  # (B, C)
        gate = torch.sigmoid(convolve(means.unsqueeze(0), self.local.weight))  # (1, B, C)
        if previous:
            gate = self._fused(gate, means, previous)
        return x * gate.squeeze(0).unsqueeze(-1)

    def _fused(self, local: "Tensor", means: "Tensor", previous: "Sequence[Tensor]") -> "Tensor":
        channels = means.shape[1]
        tiled = [p.repeat(1, channels // p.shape[1]) for p in previous]  # (B, C) each
        mixed = torch.relu(self.aggregate(torch.stack([*tiled, means], -1)))  # (B, C, 1)
        across = torch.sigmoid(convolve(mixed.permute(2, 0, 1), self.across.weight))  # (1, B, C)
        return torch.sigmoid(self.fuse(torch.stack((local, across), -1)).squeeze(-1))
