"""What a representation refuses, before it sees data and when it does.

Every function takes the representation's registry name for its message.
"""

import math
from typing import TYPE_CHECKING

import torch

from faultdiag.errors import FaultdiagError

if TYPE_CHECKING:
    from torch import Tensor


def check_shape(
    name: str, channels: int, length: int, sampling_rate: float, *, shortest: int = 1
) -> None:
    """Refuse windows that no options could make work.

    Raises
    ------
    FaultdiagError
        If there is no channel, a window has fewer than `shortest` samples, or the rate is not a
        positive number.
    """
    if channels < 1:
        raise FaultdiagError(f"representation '{name}': channels is {channels}; use 1 or more")
    if length < shortest:
        raise FaultdiagError(
            f"representation '{name}': a window has {length} samples; use {shortest} or more"
        )
    if not 0 < sampling_rate < math.inf:
        raise FaultdiagError(
            f"representation '{name}': sampling_rate is {sampling_rate} Hz; give a positive number"
        )


def count_lines(
    name: str, max_frequency: float | None, *, spacing: float, last: int, limit: float
) -> int:
    """Give the number of spectral lines from 0 to `max_frequency` in Hz, all where it is None.

    Parameters
    ----------
    name, max_frequency
        Of the representation.
    spacing
        Hz between two lines.
    last
        Index of the last line there is.
    limit
        The largest `max_frequency` that means something, Hz.

    Raises
    ------
    FaultdiagError
        If `max_frequency` lies below the first line after 0 or above `limit`.

    Examples
    --------
    >>> count_lines("spectrum", 1000, spacing=5.859375, last=1024, limit=6000)
    171
    """
    if max_frequency is None:
        return last + 1
    if not spacing * (1 - 1e-5) <= max_frequency <= limit * (1 + 1e-5):
        raise FaultdiagError(
            f"representation '{name}': max_frequency is {max_frequency:g} Hz, but the lines are "
            f"{spacing:g} Hz apart and end at {limit:g} Hz; use {spacing:g} to {limit:g}"
        )
    return min(last, math.floor(max_frequency / spacing + 1e-4)) + 1


def check_windows(name: str, windows: "Tensor", channels: int, length: int) -> None:
    """Refuse windows of another shape than the representation was built for.

    Raises
    ------
    FaultdiagError
        If their shape is not ``(batch, channels, length)``.
    """
    if windows.ndim != 3 or windows.shape[1:] != (channels, length):
        raise FaultdiagError(
            f"representation '{name}' was built for windows (batch, {channels}, {length}) and "
            f"found {tuple(windows.shape)}; give such windows or build it for these"
        )


def check_shaft_rate(name: str, shaft_rate: "Tensor | None", batch: int) -> "Tensor":
    """Give the shaft rates, one per window.

    Whether they are positive is looked at only where they lie in the CPU's memory: a look at a
    GPU's would make the CPU wait for it.

    Raises
    ------
    FaultdiagError
        If they are missing, not one per window, or not positive numbers.
    """
    if shaft_rate is None:
        raise FaultdiagError(
            f"representation '{name}' needs the shaft speed and was given none; give shaft_rate, "
            "one per window in Hz (rpm / 60), or choose 'envelope_spectrum', whose axis is in Hz"
        )
    if shaft_rate.shape != (batch,):
        raise FaultdiagError(
            f"representation '{name}': shaft_rate has the shape {tuple(shaft_rate.shape)} for "
            f"{batch} windows; give ({batch},), one rate per window in Hz"
        )
    if shaft_rate.device.type == "cpu" and not torch.compiler.is_compiling():
        sound = (shaft_rate > 0) & shaft_rate.isfinite()
        if not sound.all():
            raise FaultdiagError(
                f"representation '{name}': shaft_rate is {shaft_rate[~sound][0].item():g} Hz; "
                "give a positive number (rpm / 60) for every window, and leave out recordings "
                "of unknown speed"
            )
    return shaft_rate
