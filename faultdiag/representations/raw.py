"""The window itself."""

from typing import ClassVar

from torch import Tensor, nn

from faultdiag.representations.base import check_shape, check_windows


class Raw(nn.Module):
    """The window as it is: the reference point of a comparison of representations.

    Parameters
    ----------
    channels, length, sampling_rate
        Of the windows; the rate in Hz changes nothing here.

    Raises
    ------
    FaultdiagError
        If there is no channel, no sample or no positive rate.
    """

    needs_speed: ClassVar[bool] = False
    reference: ClassVar[str] = "no transformation (baseline)"

    def __init__(self, channels: int, length: int, sampling_rate: float) -> None:
        super().__init__()
        check_shape("raw", channels, length, sampling_rate)
        self.out_channels = channels
        self.out_length = length

    def forward(self, windows: Tensor, shaft_rate: Tensor | None = None) -> Tensor:
        """Return `windows` themselves, ``(batch, channels, length)``."""
        del shaft_rate
        check_windows("raw", windows, self.out_channels, self.out_length)
        return windows
