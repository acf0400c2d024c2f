"""The base of the representations: options, checks, arithmetic.

Every function takes the representation's registry name for its message.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import AfterValidator
from torch import Tensor, nn

from faultdiag.errors import FaultdiagError
from faultdiag.option_types import NotNegative, Positive
from faultdiag.representations import fourier
from faultdiag.signal.bearings import CONDITIONS

Scale = Literal["linear", "log", "root"]
Standardise = Literal["window", "channel", "none"]
Taper = Literal["hann", "none"]


def _band(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] >= value[1]:
        raise ValueError("give the lower frequency first, both in Hz")
    return value


Band = Annotated[tuple[NotNegative, Positive], AfterValidator(_band)]


def _check_shape(
    name: str, channels: int, length: int, sampling_rate: float, *, shortest: int = 1
) -> None:
    """Refuse windows that no choice of options can represent.

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


def check_segments(name: str, segment: int, hop: int, length: int) -> None:
    """Refuse segments that are longer than a window, too short, or that leave samples out.

    Raises
    ------
    FaultdiagError
        If a segment has fewer than 4 samples or more than `length`, or `hop` more than a segment.
    """
    if not 4 <= segment <= length:
        raise FaultdiagError(
            f"representation '{name}': segment is {segment} samples and a window has {length}; "
            f"use 4 to {length}"
        )
    if hop > segment:
        raise FaultdiagError(
            f"representation '{name}': hop is {hop} samples and a segment has {segment}, so that "
            f"samples between them would be left out; use 1 to {segment}"
        )


def count_lines(
    name: str, max_frequency: float | None, *, spacing: float, last: int, limit: float
) -> int:
    """Return the number of spectral lines from 0 to `max_frequency` in Hz, all where it is None.

    Parameters
    ----------
    name, max_frequency
        Name and option of the representation.
    spacing
        Hz between two lines.
    last
        Index of the last line there is.
    limit
        The largest meaningful `max_frequency`, Hz.

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


def _can_read(values: Tensor) -> bool:
    """Return whether values can be compared at no cost.

    On a GPU the CPU would wait for the result, and a traced graph would have to branch on it.
    """
    return values.device.type == "cpu" and not torch.compiler.is_compiling()


def check_shaft_rate(name: str, shaft_rate: Tensor | None, batch: int) -> Tensor:
    """Return the shaft rates, one per window; on the CPU each is checked to be positive.

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
    if _can_read(shaft_rate):
        valid = (shaft_rate > 0) & shaft_rate.isfinite()
        if not valid.all():
            raise FaultdiagError(
                f"representation '{name}': shaft_rate is {shaft_rate[~valid][0].item():g} Hz; "
                "give a positive number (rpm / 60) for every window, and leave out recordings "
                "of unknown speed"
            )
    return shaft_rate


def check_conditions(name: str, conditions: Tensor | None, batch: int) -> Tensor:
    """Return the conditions of windows; on the CPU each is checked to be positive.

    They are ``(batch, 5)``: the shaft rate in Hz and the four fault orders.

    Raises
    ------
    FaultdiagError
        If they are missing, have another shape, or are not positive numbers.
    """
    listed = ", ".join(CONDITIONS)
    if conditions is None:
        raise FaultdiagError(
            f"representation '{name}' needs the shaft speed and the bearing of each window, and "
            f"got neither; pass conditions ({batch}, {len(CONDITIONS)}): {listed}"
        )
    if conditions.shape != (batch, len(CONDITIONS)):
        raise FaultdiagError(
            f"representation '{name}': conditions has the shape {tuple(conditions.shape)} for "
            f"{batch} windows; pass ({batch}, {len(CONDITIONS)}): {listed}"
        )
    if _can_read(conditions):
        valid = (conditions > 0) & conditions.isfinite()
        for column, label in enumerate(CONDITIONS):
            for value in conditions[~valid[:, column], column][:1].tolist():
                raise FaultdiagError(
                    f"representation '{name}': {label} is {value:g}; pass a positive number for "
                    "every window, and leave out recordings of unknown speed or bearing"
                )
    return conditions


FLOOR = 1e-4
"""Added to every magnitude by the log scale, as a share of the largest: 80 dB below it."""

# Added to a divisor and under a logarithm. It is far below any vibration, so that results do not
# depend on the gain; a dead window becomes zeros instead of NaN.
TINY = 1e-20


def in_full_precision(compute: Callable[[Tensor], Tensor], windows: Tensor) -> Tensor:
    """Return ``compute(windows)`` in the windows' own type, computed in at least float32.

    Fourier transforms do not work in bfloat16 and lose too much in float16, so autocast is off
    inside.
    """
    wide = windows if windows.dtype == torch.float64 else windows.float()
    with torch.autocast(windows.device.type, enabled=False):
        return compute(wide).to(windows.dtype)


def centred(x: Tensor, dims: tuple[int, ...] = (-1,)) -> Tensor:
    """Return `x` less its mean over `dims`: exact zeros where it is constant.

    The mean of equal values is rounded, and dividing by their deviation later would magnify that
    rounding to 1; the distances from the first value are exact zeros.
    """
    pivot = x
    for dim in dims:
        pivot = pivot.narrow(dim, 0, 1)
    distance = x - pivot
    return distance - distance.mean(dims, keepdim=True)


def taper_of(kind: Taper, length: int) -> Tensor:
    """Return the weights of a taper, ``(length,)`` in float64: a periodic Hann window or ones."""
    if kind == "hann":
        return torch.hann_window(length, periodic=True, dtype=torch.float64)
    return torch.ones(length, dtype=torch.float64)


def amplitudes(x: Tensor, taper: Tensor) -> Tensor:
    """Return the one-sided amplitude spectrum ``(..., N // 2 + 1)`` of tapered ``(..., N)``.

    A sine of amplitude A on a line shows as A.
    """
    return fourier.magnitudes(x * taper) * (2 / taper.sum())


@dataclass(frozen=True)
class Scaling:
    """Magnitudes on a scale, standardised.

    Parameters
    ----------
    scale
        ``linear``, ``root`` (square root), or ``log``: ``ln(a + 1e-4 max a)``, so that whatever
        lies 80 dB below the largest magnitude no longer counts.
    standardise
        ``window``: mean 0 and deviation 1 over all channels and positions of a window, which
        keeps the differences in level between channels; ``channel``: over the positions of each
        channel; ``none``: as they are. The largest magnitude is taken over the same set, over
        the window for ``none``. A standardised result does not depend on the gain.
    """

    scale: Scale
    standardise: Standardise

    def __call__(self, magnitudes: Tensor) -> Tensor:
        """Scale ``(batch, channels, positions)``."""
        dims = (-1,) if self.standardise == "channel" else (-2, -1)
        y = self._scaled(magnitudes, dims)
        if self.standardise == "none":
            return y
        distance = centred(y, dims)
        deviation = distance.square().mean(dims, keepdim=True).sqrt()
        return distance / (deviation + TINY)

    def _scaled(self, magnitudes: Tensor, dims: tuple[int, ...]) -> Tensor:
        if self.scale == "root":
            return magnitudes.sqrt()
        if self.scale == "log":
            return (magnitudes + FLOOR * magnitudes.amax(dims, keepdim=True) + TINY).log()
        return magnitudes


class Front(nn.Module):
    """A representation of windows of one shape; it has no parameters.

    Parameters
    ----------
    channels, length, sampling_rate
        Channels and samples of a window, and its sampling rate in Hz.
    shortest
        Fewest samples of a window.

    Attributes
    ----------
    out_channels, out_length : int
        Shape of what a network sees of a window; a subclass sets both.
    frequencies : Tensor
        Hz of each spectral line or position, where the axis is one of frequencies.

    Raises
    ------
    FaultdiagError
        If there is no channel, a window is too short, or the rate is not a positive number.
    """

    name: ClassVar[str]
    needs_speed: ClassVar[bool] = False
    out_channels: int
    out_length: int
    frequencies: Tensor
    taper: Tensor

    def __init__(
        self, channels: int, length: int, sampling_rate: float, *, shortest: int = 4
    ) -> None:
        super().__init__()
        _check_shape(self.name, channels, length, sampling_rate, shortest=shortest)
        self.channels, self.length = channels, length

    def keep(self, **tensors: Tensor) -> None:
        """Register tensors as buffers, which no checkpoint stores."""
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor, persistent=False)

    def check_windows(self, windows: Tensor) -> None:
        """Refuse windows of another shape than the representation was built for.

        Raises
        ------
        FaultdiagError
            If their shape is not ``(batch, channels, length)``.
        """
        expected = (self.channels, self.length)
        if windows.ndim != 3 or windows.shape[1:] != expected:
            raise FaultdiagError(
                f"representation '{self.name}' was built for windows (batch, {self.channels}, "
                f"{self.length}) and found {tuple(windows.shape)}; give such windows or build it "
                "for these"
            )


class WindowFront(Front, ABC):
    """A representation that needs nothing but the windows.

    A subclass computes it in `_compute` from windows of the right shape.
    """

    def forward(self, windows: Tensor, shaft_rate: Tensor | None = None) -> Tensor:
        """Return ``(batch, out_channels, out_length)`` of windows ``(batch, channels, length)``."""
        del shaft_rate
        self.check_windows(windows)
        return in_full_precision(self._compute, windows)

    @abstractmethod
    def _compute(self, x: Tensor) -> Tensor:
        """Return the representation of ``(batch, channels, length)`` in at least float32."""


class AmplitudeFront(WindowFront):
    """A representation by amplitude spectra: tapered, cut off at a frequency, scaled.

    `_set_lines` says which spectral lines; `_compute` of a subclass says of what.
    """

    scaling: Scaling
    lines: int

    def _set_lines(
        self, max_frequency: float | None, *, spacing: float, last: int, limit: float
    ) -> None:
        """Keep the lines from 0 to `max_frequency`; parameters as for `count_lines`."""
        self.lines = count_lines(self.name, max_frequency, spacing=spacing, last=last, limit=limit)
        self.keep(frequencies=torch.arange(self.lines, dtype=torch.float64) * spacing)

    def _amplitudes(self, x: Tensor) -> Tensor:
        """Return the amplitudes ``(..., lines)`` of ``(..., N)``."""
        return amplitudes(x, self.taper.to(x.dtype))[..., : self.lines]
