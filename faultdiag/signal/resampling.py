"""Resampling with an anti-alias filter: a signal at once, or piece by piece with the same result.

Signals are ``(channels, samples)``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError

# Largest numerator or denominator of a resampling ratio: whole Hz in common use are exact, others
# are off by one part in 10**4 at worst, which no bearing shows.
LARGEST_RATIO = 10_000
STOP_BAND_DB = 80.0
PASS_BAND = 0.9
# Samples summed up at a time for a mean, wherever they come from: so it is the same to the bit.
BLOCK = 2**20

Signal = NDArray[np.float32]


def resampling_ratio(source_rate: float, target_rate: float) -> tuple[int, int]:
    """Return the whole numbers (up, down) with ``target_rate / source_rate == up / down``.

    Exact as far as neither exceeds 10,000; else the nearest such ratio.

    Raises
    ------
    FaultdiagError
        If one rate is more than 10,000 times the other.

    Examples
    --------
    >>> resampling_ratio(48000, 12000)
    (1, 4)
    >>> resampling_ratio(48828, 12000)
    (1000, 4069)
    """
    ratio = Fraction(target_rate) / Fraction(source_rate)
    if max(ratio, 1 / ratio) > LARGEST_RATIO:
        raise FaultdiagError(
            f"resampling from {source_rate:g} Hz to {target_rate:g} Hz: a factor of up to "
            f"{LARGEST_RATIO} can be done; check both rates"
        )
    if ratio > 1:
        ratio = 1 / (1 / ratio).limit_denominator(LARGEST_RATIO)
    else:
        ratio = ratio.limit_denominator(LARGEST_RATIO)
    return ratio.numerator, ratio.denominator


def resample(signal: Signal, source_rate: float, target_rate: float) -> Signal:
    """Return the signal at another sampling rate, with an anti-alias filter.

    Polyphase filtering by a linear-phase low-pass: flat to 90 % of the lower of the two Nyquist
    frequencies and 80 dB down from that frequency on. The signal is continued by its mean at
    both ends, so a DC offset leaves no step there.

    Parameters
    ----------
    signal
        ``(channels, samples)``.
    source_rate, target_rate
        Hz. Equal rates give the same array back.

    Returns
    -------
    NDArray[np.float32]
        ``(channels, ceil(samples * target_rate / source_rate))``.
    """
    samples = signal.shape[-1]
    resampler = Resampler(*resampling_ratio(source_rate, target_rate), samples)
    if resampler.up == resampler.down:
        return signal
    blocks = (signal[..., first : first + BLOCK] for first in range(0, samples, BLOCK))
    return resampler.part(signal, 0, mean_of(blocks), 0, resampler.resampled)


def mean_of(blocks: Iterable[Signal]) -> Signal:
    """Return the mean of each channel, ``(channels, 1)``, of a signal that comes in blocks.

    Parameters
    ----------
    blocks
        ``(channels, n)``, each of `BLOCK` samples but the last; at least one.
    """
    total, samples = np.zeros(()), 0
    for block in blocks:
        total = total + block.sum(axis=-1, keepdims=True, dtype=np.float64)
        samples += block.shape[-1]
    return np.asarray(total / samples, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Resampler:
    """The resampling of `resample`, for any part of the result.

    Parameters
    ----------
    up, down
        The resampling ratio, without common divisor.
    samples
        How many the signal has before.
    """

    up: int
    down: int
    samples: int

    @property
    def resampled(self) -> int:
        """Number of samples of the result."""
        return -(-self.samples * self.up // self.down)

    def needed(self, start: int, stop: int) -> tuple[int, int]:
        """Return from where to where the signal is needed for a part of the result.

        Parameters
        ----------
        start, stop
            The part, in samples of the result; ``start < stop <= resampled``.
        """
        if self.up == self.down:
            return start, stop
        half = _low_pass(self.up, self.down).size // 2
        first = -(-(start * self.down - half) // self.up)
        last = ((stop - 1) * self.down + half) // self.up
        # From a whole number of output samples on, the filter meets the samples in the same phase.
        return max(first // self.down * self.down, 0), min(last + 1, self.samples)

    def part(self, piece: Signal, first: int, mean: Signal, start: int, stop: int) -> Signal:
        """Return a part of the result; the bits don't depend on the piece it is computed from.

        Parameters
        ----------
        piece
            The signal at least where `needed`, from its sample `first` on.
        first
            0, or what `needed` gave.
        mean
            That of the whole signal, ``(channels, 1)``.
        start, stop
            The part, in samples of the result.
        """
        if self.up == self.down:
            return piece[..., start - first : stop - first]
        from scipy.signal import upfirdn

        taps = _low_pass(self.up, self.down)
        shift = taps.size // 2 // self.down - first * self.up // self.down
        filtered = upfirdn(taps, piece - mean, self.up, self.down, axis=-1)
        return np.asarray(filtered[..., start + shift : stop + shift] + mean, dtype=np.float32)


@lru_cache(maxsize=8)
def _low_pass(up: int, down: int) -> Signal:
    """Filter at `up` times the source rate; its delay is a whole number of output samples."""
    from scipy.signal import firwin

    largest = max(up, down)
    # Kaiser's rules: A dB need (A - 7.95) / (2.285 * width in radians) taps and this beta.
    half = (STOP_BAND_DB - 7.95) / (2.285 * (1 - PASS_BAND) * np.pi / largest) / 2
    beta = 0.1102 * (STOP_BAND_DB - 8.7)
    size = 2 * int(np.ceil(half / down)) * down + 1
    taps = firwin(size, (1 + PASS_BAND) / 2 / largest, window=("kaiser", beta))
    return np.asarray(taps * up, dtype=np.float32)
