"""The window itself."""

from typing import ClassVar

from torch import Tensor

from faultdiag.representations.base import Front


class Raw(Front):
    """The window as it is: the reference point of a comparison of representations.

    Parameters
    ----------
    channels, length, sampling_rate
        Channels and samples of a window; its rate in Hz has no effect.

    Raises
    ------
    FaultdiagError
        If there is no channel, no sample or no positive rate.
    """

    name: ClassVar[str] = "raw"
    reference: ClassVar[str] = "no transformation (baseline)"

    def __init__(self, channels: int, length: int, sampling_rate: float) -> None:
        super().__init__(channels, length, sampling_rate, shortest=1)
        self.out_channels, self.out_length = channels, length

    def forward(self, windows: Tensor, shaft_rate: Tensor | None = None) -> Tensor:
        """Return `windows` themselves, ``(batch, channels, length)``."""
        del shaft_rate
        self.check_windows(windows)
        return windows
