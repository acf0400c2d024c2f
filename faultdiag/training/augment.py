"""Random changes of training windows: what a network should be insensitive to.

The random numbers of a step follow from seed, epoch and step alone, so a resumed training draws
the same. Samples only ever come from the segment that a window was cut from: whatever is
drawn, training sees no sample of another part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faultdiag.errors import FaultdiagError
from faultdiag.inference import WindowBatches
from faultdiag.noise import NoiseShaper, scaled
from faultdiag.preparing.window_index import WindowIndex
from faultdiag.signal.noise import HUM, IMPULSIVE, MAINS, ORDERS, SPIKE, SPIKES, TOLERANCE
from faultdiag.signal.recording import Segment

# Separates these draws from those of the order of windows, which use the same seed.
_STREAM = 0x617567


@dataclass(frozen=True, slots=True)
class Ranges:
    """The ranges that each window's changes are drawn from, uniformly.

    Parameters
    ----------
    shift
        The window starts up to this many samples earlier or later.
    speed
        The shaft turns faster or slower by up to this share: the signal is resampled by cubic
        interpolation between four samples (R. G. Keys 1981, doi:10.1109/TASSP.1981.1163711),
        which weakens the highest quarter of the spectrum.
    snr
        Noise is added to the raw window; the ratio of the window's power, without its mean, to
        that of the noise is between these, in dB.
    gain
        The normalised window is multiplied by a factor between these, uniform on a logarithmic
        scale.
    sign
        Half of the windows, on average, change their sign.
    mask
        A stretch of up to this share of the normalised window becomes zero.
    kinds
        Kinds of noise (`faultdiag.signal.noise.KINDS`), one drawn for each window.
    """

    shift: int = 0
    speed: float = 0.0
    snr: tuple[float, ...] | None = None
    gain: tuple[float, ...] | None = None
    sign: bool = False
    mask: float = 0.0
    kinds: tuple[str, ...] = ("white",)

    @property
    def any(self) -> bool:
        """Whether there is any change to draw."""
        return self != Ranges()

    def reach(self, length: int) -> int:
        """Return how many samples a window of `length` is computed from."""
        return length if not self.speed else int(np.ceil((length - 1) * (1 + self.speed))) + 1


class Augmentation:
    """Random changes of the training windows of `batches`.

    Parameters
    ----------
    batches
        The windows.
    segments
        The segments that the windows were cut from.
    ranges
        What is drawn, and from where.
    seed
        Seed of the draws.

    Raises
    ------
    FaultdiagError
        If a segment is too short for the change of speed.
    """

    def __init__(
        self, batches: WindowBatches, segments: Sequence[Segment], ranges: Ranges, seed: int
    ) -> None:
        self._batches = batches
        self._ranges = ranges
        self._seed = seed
        self._reach = ranges.reach(batches.length)
        self._room = _Room(batches, segments, self._reach) if _moves(ranges) else None
        self._kinds = tuple(self._numbers(_Draw([0], 1)))
        self._shaper = NoiseShaper(
            ranges.kinds, batches.length, batches.sampling_rate, batches.device
        )

    def windows(self, rows: Tensor, epoch: int, step: int) -> tuple[Tensor, Tensor | None]:
        """Return windows ``(rows, channels, length)`` and the factors of their shaft rates.

        Parameters
        ----------
        rows
            Which windows, on the device.
        epoch, step
            The epoch and step of the training; they decide what is drawn.
        """
        return self.changed(rows, *self.draw(len(rows), epoch, step))

    def draw(self, count: int, epoch: int, step: int) -> tuple[Tensor, ...]:
        """Draw what `changed` needs for `count` windows: tensors on the device.

        On a GPU this is one copy, and nothing waits for it.
        """
        device = self._batches.device
        draw = _Draw([_STREAM, self._seed, epoch, step], count)
        rows = list(self._numbers(draw).values())
        # float64 holds shifts and float32 numbers alike.
        numbers = torch.stack([row.double() for row in rows]) if rows else torch.empty(0, count)
        if device.type == "cuda":
            numbers = numbers.pin_memory()
        numbers = numbers.to(device, non_blocking=True)
        if not self._ranges.snr:
            return (numbers,)
        shape = (count, self._batches.channels, self._batches.length)
        normal = draw.normal(shape, device)
        if IMPULSIVE not in self._ranges.kinds:
            return numbers, normal
        return numbers, normal, draw.spikes(shape, device)

    def changed(
        self,
        rows: Tensor,
        numbers: Tensor,
        normal: Tensor | None = None,
        spikes: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Return windows and factors as `windows` does, from the numbers of `draw`."""
        drawn = dict(zip(self._kinds, numbers.unbind(), strict=True))
        raw, factor = self._raw(rows, drawn)
        if normal is not None:
            raw = raw + self._noise(raw, drawn, normal, spikes)
        return self._varied(self._batches.normalised(raw), drawn), factor

    def _numbers(self, draw: "_Draw") -> dict[str, Tensor]:
        """Draw one number per window and change, by the name of the change."""
        ranges, numbers = self._ranges, {}
        if self._room is not None:
            numbers["shift"] = draw.whole(ranges.shift)
        if ranges.speed:
            numbers["speed"] = draw.between(1 - ranges.speed, 1 + ranges.speed)
        if ranges.snr:
            numbers |= self._noise_numbers(draw, ranges.snr)
        if ranges.gain:
            low, high = np.log(ranges.gain)
            numbers["gain"] = draw.between(float(low), float(high))
        if ranges.sign:
            numbers["sign"] = draw.between(0, 1)
        if ranges.mask:
            numbers["size"] = draw.between(0, ranges.mask)
            numbers["place"] = draw.between(0, 1)
        return numbers

    def _noise_numbers(self, draw: "_Draw", snr: tuple[float, ...]) -> dict[str, Tensor]:
        """Draw ratio and kind of the noise; for hum its frequency and phases too."""
        kinds = self._ranges.kinds
        numbers = {"snr": draw.between(*snr)}
        if len(kinds) > 1:
            # Rounding in the product could reach the number of kinds itself.
            numbers["kind"] = draw.between(0, len(kinds)).floor().clamp(max=len(kinds) - 1)
        if HUM in kinds:
            numbers[HUM] = draw.between(MAINS - TOLERANCE, MAINS + TOLERANCE)
            for order in ORDERS:
                numbers[f"{HUM} {order}"] = draw.between(0, 2 * np.pi)
        return numbers

    def _noise(
        self, raw: Tensor, drawn: Mapping[str, Tensor], normal: Tensor, spikes: Tensor | None
    ) -> Tensor:
        """Return the noise of each window, of its own kind and ratio."""
        kind = drawn["kind"].long() if "kind" in drawn else torch.zeros_like(drawn["snr"]).long()
        hum = [row for name, row in drawn.items() if name.startswith(HUM)]
        noise = self._shaper(kind, normal, spikes, torch.stack(hum, 1) if hum else None)
        return scaled(noise, raw, drawn["snr"].float()[:, None, None])

    def _raw(self, rows: Tensor, drawn: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        if self._room is None:
            return self._batches.raw(rows), None
        shift = self._room.clipped(rows, drawn["shift"].long())
        raw = self._batches.raw(rows, shift, self._reach)
        if not self._ranges.speed:
            return raw, None
        factor = drawn["speed"].float()
        return stretched(raw, factor, self._batches.length), factor

    def _varied(self, x: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        """Change gain and sign of normalised windows, and mask a stretch."""
        if "gain" in drawn:
            x = x * drawn["gain"].float().exp()[:, None, None]
        if "sign" in drawn:
            x = torch.where(drawn["sign"][:, None, None] < 0.5, -x, x)
        if "size" in drawn:
            size = drawn["size"].float() * x.shape[-1]
            first = drawn["place"].float() * (x.shape[-1] - size)
            place = torch.arange(x.shape[-1], device=x.device)
            hidden = (place >= first[:, None]) & (place < (first + size)[:, None])
            x = x.masked_fill(hidden[:, None, :], 0.0)
        return x


def _moves(ranges: Ranges) -> bool:
    return bool(ranges.shift or ranges.speed)


class _Draw:
    """The random numbers of one step, one per window."""

    def __init__(self, key: Sequence[int], count: int) -> None:
        state = np.random.SeedSequence(key).generate_state(2, np.uint32).astype(np.int64)
        self._seed = int(state[0] << 31 ^ state[1])
        self._generator = torch.Generator().manual_seed(self._seed)
        self._count = count

    def between(self, low: float, high: float) -> Tensor:
        """Draw numbers from `low` to `high`."""
        drawn = torch.rand(self._count, generator=self._generator)
        return low + (high - low) * drawn

    def whole(self, most: int) -> Tensor:
        """Draw integers from ``-most`` to ``most``."""
        return torch.randint(-most, most + 1, (self._count,), generator=self._generator)

    def normal(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Draw normal numbers on the device."""
        generator = torch.Generator(device).manual_seed(self._seed)
        return torch.randn(shape, generator=generator, device=device)

    def spikes(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Draw the spikes of impulsive noise on the device, zeros between them."""
        generator = torch.Generator(device).manual_seed(self._seed + 1)
        strong = SPIKE * torch.randn(shape, generator=generator, device=device)
        return strong * (torch.rand(shape, generator=generator, device=device) < SPIKES)


def stretched(x: Tensor, factor: Tensor, length: int) -> Tensor:
    """Return `length` samples, each `factor` samples of `x` after the one before it.

    Cubic convolution with a = -1/2: exact for polynomials up to the second degree.

    Parameters
    ----------
    x
        ``(batch, channels, samples)``, with at least ``(length - 1) * factor + 1`` samples.
    factor
        ``(batch,)``; above 1 the signal runs faster.
    """
    place = torch.arange(length, device=x.device, dtype=torch.float64) * factor.double()[:, None]
    before = place.floor()
    t = (place - before).to(x.dtype)[:, None, :]
    weights = (
        ((-0.5 * t + 1) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1,
        ((-1.5 * t + 2) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    )
    result = torch.zeros(1, dtype=x.dtype, device=x.device)
    for offset, weight in zip(range(-1, 3), weights, strict=True):
        column = (before.long() + offset).clamp(0, x.shape[-1] - 1)
        column = column[:, None, :].expand(-1, x.shape[1], -1)
        result = result + weight * x.gather(-1, column)
    return result


class _Room:
    """Range of shifts of each window within its segment."""

    def __init__(self, batches: WindowBatches, segments: Sequence[Segment], reach: int) -> None:
        self._batches = batches
        rows = sorted((s.recording, s.start, s.stop) for s in segments)
        self._bounds = np.array(rows, dtype=np.int64).reshape(-1, 3)
        shortest = int(np.diff(self._bounds[:, 1:]).min())
        if shortest < reach:
            raise FaultdiagError(
                f"train.augment.speed computes a window from {reach} samples, and the shortest "
                f"training segment has {shortest}; use a smaller train.augment.speed, or a split "
                "whose segments are longer than a window"
            )
        self._reach = reach
        self._keys = _keys(self._bounds[:, 0], self._bounds[:, 1])
        self._known: tuple[Tensor, Tensor] | None = None
        if batches.resident:
            back, ahead = map(torch.from_numpy, self._limits(batches.index))
            self._known = back.to(batches.device), ahead.to(batches.device)

    def clipped(self, rows: Tensor, shift: Tensor) -> Tensor:
        """Return the shifts nearest to `shift` that keep the windows in their segments."""
        if self._known is not None:
            low, high = (limit[rows] for limit in self._known)
        else:
            limits = self._limits(self._batches.index.take(rows.numpy()))
            low, high = (torch.from_numpy(limit) for limit in limits)
        return torch.minimum(torch.maximum(shift, low), high)

    def _limits(self, windows: WindowIndex) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        start = windows.start.astype(np.int64)
        # The last segment that begins at or before the window.
        segments = np.searchsorted(self._keys, _keys(windows.recording, start), side="right") - 1
        _, first, stop = self._bounds[segments].T
        return first - start, stop - self._reach - start


def _keys(recording: NDArray[np.integer], start: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return one number per window, sorted like recording and start."""
    return np.asarray(recording.astype(np.int64) << 40 | start)
