"""The kind of a column of numbers, judged by its samples: a vibration, or something else.

Files hold more than vibration: time, row numbers, shaft speed, tacho pulses, temperature, load,
labels. A network trains on any of them without complaint. The tests here need no names; they look
at how a signal moves.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
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
_MOST_COMPARED = 2**17
_FEWEST = 64


@dataclass(frozen=True, slots=True)
class SignalKind:
    """The kind that a signal looks like, and the reason.

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


class Stretch:
    """The finite samples of a signal, and its power spectrum, computed once."""

    def __init__(self, samples: ArrayLike) -> None:
        x = np.asarray(samples, np.float64).ravel()
        finite = np.isfinite(x)
        self.x = x if finite.all() else x[finite]

    @cached_property
    def mean(self) -> float:
        """The mean; 0 of no samples."""
        return float(self.x.mean()) if self.x.size else 0.0

    @cached_property
    def centred(self) -> NDArray[np.float64]:
        """The samples less their mean."""
        return self.x - self.mean

    @cached_property
    def deviation(self) -> float:
        """The standard deviation; 0 of no samples."""
        return float(np.sqrt(np.square(self.centred).mean())) if self.x.size else 0.0

    @cached_property
    def power(self) -> NDArray[np.float64]:
        """The mean power spectrum of blocks without their means, ``(block // 2 + 1,)``."""
        length = min(_BLOCK, self.x.size)
        count = self.x.size // length
        lines = np.fft.rfft(self.centred[: count * length].reshape(count, length) * _taper(length))
        return np.asarray((lines.real**2 + lines.imag**2).mean(axis=0))


def signal_kind(samples: ArrayLike) -> SignalKind:
    """Return the kind that a signal looks like.

    Parameters
    ----------
    samples
        ``(samples,)``, all of a recording or one stretch of it without gaps.
    """
    return _kind_of(Stretch(samples))


def _kind_of(stretch: Stretch) -> SignalKind:
    deviation = stretch.deviation
    if stretch.x.size < 2 or deviation <= 1e-12 * abs(stretch.mean) or deviation == 0:
        return SignalKind("constant", "is constant")
    tests = (_rising, _constant, _levels, _pulses, _slow)
    unusual = next((kind for test in tests if (kind := test(stretch))), None)
    return unusual or SignalKind("vibration", "")


def _rising(stretch: Stretch) -> SignalKind | None:
    x = stretch.x
    up, down = np.count_nonzero(x[1:] > x[:-1]), np.count_nonzero(x[1:] < x[:-1])
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
    distance = stretch.centred
    scale = float(places @ places) * float(distance @ distance)
    straight = float(places @ distance) ** 2 >= _STRAIGHT * scale  # the square of a correlation
    return SignalKind("rising", f"{word} through the whole file") if straight else None


def _constant(stretch: Stretch) -> SignalKind | None:
    mean, deviation = stretch.mean, stretch.deviation
    if deviation >= _STEADY * abs(mean):
        return None
    return SignalKind(
        "constant", f"is nearly constant: {mean:.4g}, give or take {deviation / abs(mean):.1%}"
    )


def _levels(stretch: Stretch) -> SignalKind | None:
    x = stretch.x
    if x.size < _FEWEST:
        return None
    # A set, because numpy's function imports its masked arrays, for 10 ms.
    if len(set(x[: _FEWEST_PER_VALUE * _FEW].tolist())) > _FEW:
        return None
    values = np.unique(x)
    if values.size > min(_FEW, x.size / _FEWEST_PER_VALUE):
        return None
    shown = ", ".join(f"{value:g}" for value in values[:4]) + (", …" if values.size > 4 else "")
    return SignalKind("levels", f"takes only {values.size} values: {shown}")


def _pulses(stretch: Stretch) -> SignalKind | None:
    """Look for two levels with nearly nothing between, or short peaks to one side only."""
    x = stretch.x
    if x.size < _FEWEST:
        return None
    low, high = float(x.min()), float(x.max())
    if not _may_be_pulses(x, low, high):
        return None
    middle = float(np.median(x))
    if high - middle < middle - low:
        low, middle, high, x = -high, -middle, -low, -x
    place = (x - low) / (high - low)
    top = np.count_nonzero(place >= 0.7) / x.size
    bottom = np.count_nonzero(place <= 0.3) / x.size
    between = 1 - top - bottom
    two_levels = between < 0.05 and between < top and bottom > 0.2
    one_side = middle - low < 0.15 * (high - middle) and top > 0.1 * between
    edges = int(np.count_nonzero(np.diff(place > 0.5))) // 2
    if edges < 2 or not (two_levels or (one_side and _regular(place))):
        return None
    return SignalKind("pulses", f"is a train of {edges} pulses")


def _may_be_pulses(x: NDArray[np.float64], low: float, high: float) -> bool:
    """Return False where a few counts show that a signal has no two levels and no one side.

    Of a vibration they do, which spares sorting it for its median: pulses have less than 5 % of
    the samples between 0.3 and 0.7 of the range, or their median within 0.15 / 1.15 of one end.
    """
    step = high - low
    wide = np.count_nonzero(x < low + 0.69 * step) - np.count_nonzero(x < low + 0.31 * step)
    near = max(np.count_nonzero(x < low + 0.14 * step), np.count_nonzero(x > high - 0.14 * step))
    return bool(wide < 0.06 * x.size or near > 0.49 * x.size)


def _regular(place: NDArray[np.float64]) -> bool:
    """Return whether the peaks of a signal within 0 and 1 come at even distances."""
    starts = np.flatnonzero(np.diff((place > 0.5).astype(np.int8)) == 1)
    gaps = np.diff(starts)
    return gaps.size > 2 and float(gaps.std()) < 0.2 * float(gaps.mean())


def _slow(stretch: Stretch) -> SignalKind | None:
    power = stretch.power
    total = float(power.sum())
    if stretch.x.size < _FEWEST or total == 0:
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


def empty_above(stretch: Stretch) -> float | None:
    """Return the share of the band above which a signal holds nothing; None where that is used.

    A recording that was upsampled, or made by a slower sensor, fills less than half of the band
    that its rate promises.

    Parameters
    ----------
    stretch
        All of a recording, or samples of it without gaps.

    Returns
    -------
    float | None
        0.5 at most, of half the sampling rate.
    """
    if stretch.x.size < _BLOCK:
        return None
    bands = _medians(stretch.power[1:].reshape(_BANDS, -1))
    level = _EMPTY * float(_medians(bands[: _BANDS // 8]))
    if level == 0 or float(_medians(bands[_BANDS // 2 :])) > level:
        return None
    return float(min(int(np.flatnonzero(bands > level)[-1]) + 1, _BANDS // 2)) / _BANDS


def _medians(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median along the last axis, whose size is even; `np.median` takes thrice the time.

    Examples
    --------
    >>> float(_medians(np.array([4.0, 1.0, 3.0, 9.0])))
    3.5
    """
    half = rows.shape[-1] // 2
    ordered = np.sort(rows, axis=-1)
    return np.asarray((ordered[..., half - 1] + ordered[..., half]) / 2)


# Mean step (or bend) of the samples at one place in groups of 2 to 10, to that at the place where
# it is largest. All places are alike in a recording (the shared ones: 0.86 and more); with one
# sample measured in a group, what is left at the others is rounding.
_MOST_PER_MEASURED = 10
# What all groups divide, and the lines of a spectrum of so many samples at multiples of 1/2 to
# 1/10 of the rate.
_MULTIPLE = 2520
_LINES = np.array(
    sorted(
        {_MULTIPLE * n // k for k in range(2, _MOST_PER_MEASURED + 1) for n in range(1, k // 2 + 1)}
    ),
    np.intp,
)
_MOST_ELSEWHERE = 0.2
_FILLED = {1: "each sample is repeated", 2: "the others lie on straight lines"}


def samples_per_measured(x: NDArray[np.float64], order: int) -> int | None:
    """Return in how many samples one was measured, if the others are filled in; else None.

    Repeated samples do not step (order 1), and straight lines do not bend (order 2), but at every
    k-th sample.

    Parameters
    ----------
    x
        ``(samples,)``, without gaps.
    order
        Order of the differences: 1 or 2.

    Returns
    -------
    int | None
        2 to 10.
    """
    moves = np.abs(np.diff(x[:_MOST_COMPARED], order))
    if x.size < _BLOCK or not moves.any():
        return None
    # A few blows must not decide.
    moves = np.minimum(moves, 4 * moves.mean())
    whole = moves.size // _MULTIPLE * _MULTIPLE
    folded, rest = moves[:whole].reshape(-1, _MULTIPLE).sum(axis=0), moves[whole:]
    if _are_alike(folded, rest, float(moves.max())):
        return None
    for count in range(_MOST_PER_MEASURED, 1, -1):
        sums = _sums_by_place(folded, count) + _sums_by_place(rest, count)
        places = np.sort(sums / (moves.size // count))
        if places[-2] < _MOST_ELSEWHERE * places[-1]:
            return count
    return None


def _are_alike(folded: NDArray[np.float64], rest: NDArray[np.float64], largest: float) -> bool:
    """Return True where no group of 2 to 10 samples has a place that stands out.

    One spectrum shows it for all of them: if the means of the other places are below 0.2 of the
    largest, the variance of the means is at least 0.444 of their squared mean (k = 2), and by
    Parseval's theorem it is the power of the lines at multiples of 1/k. The few samples behind the
    last whole group, at most 1 % of the sum, raise 0.4 to 0.43 at most.
    """
    total = folded.copy()
    total[: rest.size] += rest
    whole = float(total.sum())
    if _MOST_PER_MEASURED * largest > 0.01 * whole:
        return False
    lines = np.fft.rfft(total)[_LINES]
    power = float(np.square(lines.real).sum() + np.square(lines.imag).sum())
    return 2 * power < 0.4 * whole**2


def _sums_by_place(x: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return the sum of every `count`-th number, from each of the first on: ``(count,)``."""
    groups = x.size // count
    # The product adds columns thirty times as fast as a sum along the first axis; of so few
    # numbers a library takes it on one thread.
    return np.ones(groups) @ x[: groups * count].reshape(groups, count)


def _filled_in(name: str, x: NDArray[np.float64], rate: float | None) -> str | None:
    """Return that samples are repeated or interpolated on straight lines, or None."""
    for order, how in _FILLED.items():
        if count := samples_per_measured(x, order):
            half = (rate or 1.0) / 2
            edge = f"{half / count:.5g} Hz" if rate else f"1/{count} of its band"
            whole = f", 1/{count} of the {half:g} Hz that its rate promises" if rate else ""
            return (
                f"channel {name} carries nothing above {edge}{whole}: one sample in {count} is "
                f"measured, and {how}"
            )
    return None


def _band_warning(name: str, stretch: Stretch, rate: float | None) -> str | None:
    """Return that a channel carries nothing of its own in the upper half of its band, or None."""
    share = empty_above(stretch)
    if share is None:
        return _filled_in(name, stretch.x, rate)
    half = (rate or 1.0) / 2
    edge = f"{float(f'{share * half:.2g}'):g} Hz" if rate else f"{share:.0%} of its band"
    whole = f", less than half of the {half:g} Hz that its rate promises" if rate else ""
    return f"channel {name} carries nothing above {edge}{whole}: upsampled, or from a slower sensor"


def oddity(name: str, samples: ArrayLike, rate: float | None) -> str | None:
    """Return why a channel is probably no vibration at its rate, or None.

    Parameters
    ----------
    name
        The channel.
    samples
        ``(samples,)``, one stretch of it.
    rate
        Hz, or None where it is not known.
    """
    stretch = Stretch(samples)
    kind = _kind_of(stretch)
    oddities = []
    if not kind.is_vibration:
        oddities.append(f"channel {name} {kind.reason}: it doesn't look like a vibration")
    if kind.kind in {"vibration", "slow"} and (band := _band_warning(name, stretch, rate)):
        oddities.append(band)
    return "; ".join(oddities) or None


@lru_cache(maxsize=4)
def _taper(length: int) -> NDArray[np.float64]:
    return np.hanning(length + 1)[:-1]
