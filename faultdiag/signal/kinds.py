"""What a column of numbers measures, judged by its samples: a vibration, or something else.

Files hold more than vibration: time, row numbers, shaft speed, tacho pulses, temperature, load,
labels. A network trains on any of them without complaint. The tests here need no names; they look
at how a signal moves.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Kind: TypeAlias = Literal["vibration", "rising", "constant", "levels", "pulses", "slow"]

# Share of steps in one direction; of a vibration about half go up.
_ONE_WAY = 0.9
# Share of the variance that a straight line explains in a signal that drifts through the file.
_STRAIGHT = 0.9
# Standard deviation over mean: vibration is measured around zero (CWRU: at least 2.0). The axis of
# an accelerometer that carries gravity has 0.02 and more.
_STEADY = 0.02
# Distinct values: real vibration has thousands (CWRU, MFPT, UESTC: at least 1,804), states few.
_FEW = 16
_FEWEST_PER_VALUE = 20
# Share of the power above a tenth of the rate, and below a two-hundredth of it. Of the 63 shared
# recordings 135 (DE, 48 kHz) has the least above a tenth: 9e-4.
_HIGH, _HIGH_POWER = 0.1, 1e-4
_LOW, _LOW_POWER = 1 / 200, 0.99
_BLOCK = 4096
_FEWEST = 64


@dataclass(frozen=True, slots=True)
class SignalKind:
    """What a signal looks like, and why.

    Parameters
    ----------
    kind
        ``vibration``, or what else: ``rising`` (or falling: a clock, a counter, a drift),
        ``constant``, ``levels`` (labels, states), ``pulses`` (a tacho), ``slow`` (temperature,
        load, current of the mains).
    reason
        In a few words, to follow the channel's name.
    """

    kind: Kind
    reason: str

    @property
    def is_vibration(self) -> bool:
        """Whether nothing speaks against a vibration."""
        return self.kind == "vibration"


def signal_kind(samples: ArrayLike) -> SignalKind:
    """Return what a signal looks like.

    Parameters
    ----------
    samples
        ``(samples,)``, all of a recording or one stretch of it without gaps.
    """
    x = np.asarray(samples, np.float64).ravel()
    x = x[np.isfinite(x)]
    mean, deviation = (float(x.mean()), float(x.std())) if x.size else (0.0, 0.0)
    if x.size < 2 or deviation <= 1e-12 * abs(mean) or deviation == 0:
        return SignalKind("constant", "is constant")
    tests = (_rising, _constant, _levels, _pulses, _slow)
    return next((kind for test in tests if (kind := test(x))), SignalKind("vibration", ""))


def _rising(x: NDArray[np.float64]) -> SignalKind | None:
    steps = np.diff(x)
    up, down = int((steps > 0).sum()), int((steps < 0).sum())
    moved = up + down
    # The first samples of a smooth signal may all rise; nothing is said of fewer.
    if x.size < _FEWEST or moved == 0:
        return None
    share = max(up, down) / moved
    word = "rises" if up >= down else "falls"
    if share == 1 and moved > x.size / 100:
        return SignalKind("rising", f"{word} through the whole file")
    if share >= _ONE_WAY:
        return SignalKind("rising", f"{word} all the time and starts again {min(up, down)} times")
    places = np.arange(x.size) - (x.size - 1) / 2
    line = float(np.corrcoef(places, x)[0, 1]) ** 2
    return SignalKind("rising", f"{word} through the whole file") if line >= _STRAIGHT else None


def _constant(x: NDArray[np.float64]) -> SignalKind | None:
    mean, deviation = abs(float(x.mean())), float(x.std())
    if deviation >= _STEADY * mean:
        return None
    return SignalKind(
        "constant", f"is nearly constant: {x.mean():.4g}, give or take {deviation / mean:.1%}"
    )


def _levels(x: NDArray[np.float64]) -> SignalKind | None:
    if x.size < _FEWEST:
        return None
    if np.unique(x[: _FEWEST_PER_VALUE * _FEW]).size > _FEW:
        return None
    values = np.unique(x)
    if values.size > min(_FEW, x.size / _FEWEST_PER_VALUE):
        return None
    shown = ", ".join(f"{value:g}" for value in values[:4]) + (", …" if values.size > 4 else "")
    return SignalKind("levels", f"takes only {values.size} values: {shown}")


def _pulses(x: NDArray[np.float64]) -> SignalKind | None:
    """Look for two levels with nearly nothing between, or short peaks to one side only."""
    if x.size < _FEWEST:
        return None
    low, middle, high = float(x.min()), float(np.median(x)), float(x.max())
    if high - middle < middle - low:
        low, middle, high, x = -high, -middle, -low, -x
    place = (x - low) / (high - low)
    between = float(((place > 0.3) & (place < 0.7)).mean())
    top = float((place >= 0.7).mean())
    two_levels = between < 0.05 and between < top and float((place <= 0.3).mean()) > 0.2
    one_side = middle - low < 0.15 * (high - middle) and top > 0.1 * between
    edges = int(np.count_nonzero(np.diff(place > 0.5))) // 2
    if edges < 2 or not (two_levels or (one_side and _regular(place))):
        return None
    return SignalKind("pulses", f"is a train of {edges} pulses")


def _regular(place: NDArray[np.float64]) -> bool:
    """Return whether the peaks of a signal within 0 and 1 come at even distances."""
    starts = np.flatnonzero(np.diff((place > 0.5).astype(np.int8)) == 1)
    gaps = np.diff(starts)
    return gaps.size > 2 and float(gaps.std()) < 0.2 * float(gaps.mean())


def _slow(x: NDArray[np.float64]) -> SignalKind | None:
    power = _power(x)
    total = float(power.sum())
    if x.size < _FEWEST or total == 0:
        return None
    frequencies = np.arange(power.size) / (2 * (power.size - 1))
    if float(power[frequencies >= _HIGH].sum()) < _HIGH_POWER * total:
        return SignalKind("slow", "has no energy above a tenth of the sampling rate")
    if float(power[frequencies < _LOW].sum()) > _LOW_POWER * total:
        return SignalKind("slow", "moves at less than 1/200 of the sampling rate only")
    return None


# Of a spectrum in 64 bands, what the upper half is to the lowest eighth where nothing but rounding
# is in it: the shared recordings have at least 1e-4 (109, DE), after upsampling by 2 to 8 at most
# 7e-6.
_BANDS = 64
_EMPTY = 2e-5


def empty_above(samples: ArrayLike) -> float | None:
    """Return the share of the band above which a signal holds nothing; None where that is used.

    A recording that was upsampled, or made by a slower sensor, fills less than half of the band
    that its rate promises.

    Parameters
    ----------
    samples
        ``(samples,)``, all of a recording or one stretch of it without gaps.

    Returns
    -------
    float | None
        0.5 at most, of half the sampling rate.
    """
    x = np.asarray(samples, np.float64).ravel()
    x = x[np.isfinite(x)]
    if x.size < _BLOCK:
        return None
    bands = np.median(_power(x)[1:].reshape(_BANDS, -1), axis=1)
    level = _EMPTY * float(np.median(bands[: _BANDS // 8]))
    if level == 0 or float(np.median(bands[_BANDS // 2 :])) > level:
        return None
    return float(min(int(np.flatnonzero(bands > level)[-1]) + 1, _BANDS // 2)) / _BANDS


def band_warning(name: str, samples: ArrayLike, rate: float | None) -> str | None:
    """Return that a channel carries nothing in the upper half of its band, or None.

    Parameters
    ----------
    rate
        Hz, or None where it is not known.
    """
    share = empty_above(samples)
    if share is None:
        return None
    half = (rate or 1.0) / 2
    edge = f"{float(f'{share * half:.2g}'):g} Hz" if rate else f"{share:.0%} of its band"
    whole = f", less than half of the {half:g} Hz that its rate promises" if rate else ""
    return f"channel {name} carries nothing above {edge}{whole}: upsampled, or from a slower sensor"


def oddity(name: str, samples: ArrayLike, rate: float | None) -> str | None:
    """Return what speaks against a channel as a vibration at its rate, or None.

    Parameters
    ----------
    name
        The channel.
    samples
        ``(samples,)``, one stretch of it.
    rate
        Hz, or None where it is not known.
    """
    kind = signal_kind(samples)
    oddities = []
    if not kind.is_vibration:
        oddities.append(f"channel {name} {kind.reason}: it doesn't look like a vibration")
    if kind.kind in {"vibration", "slow"} and (band := band_warning(name, samples, rate)):
        oddities.append(band)
    return "; ".join(oddities) or None


def _power(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean power spectrum of blocks without their means, ``(block // 2 + 1,)``."""
    length = min(_BLOCK, x.size)
    count = x.size // length
    blocks = (x - x.mean())[: count * length].reshape(count, length)
    spectra = np.abs(np.fft.rfft(blocks * np.hanning(length + 1)[:-1])) ** 2
    return np.asarray(spectra.mean(axis=0))
