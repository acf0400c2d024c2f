"""No attention: the entry every comparison is made against."""

from typing import TYPE_CHECKING, ClassVar

from torch import nn

from faultdiag.attention.base import check_channels

if TYPE_CHECKING:
    from torch import Tensor


class NoAttention(nn.Module):
    """Identity, ``y = x``: the reference point of a comparison of blocks.

    Parameters
    ----------
    channels
        Channels of the map; the block has no parameters.

    Raises
    ------
    FaultdiagError
        If `channels` is below 1.
    """

    reference: ClassVar[str] = "no attention (baseline)"

    def __init__(self, channels: int) -> None:
        super().__init__()
        check_channels("none", channels)

    def forward(self, x: "Tensor") -> "Tensor":
        """Return `x` itself."""
        return x
