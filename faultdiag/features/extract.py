"""Hand-made features of windows: what bearing experts measure, one row per window.

All are free of scale: a gain or an offset of the signal changes none. Five groups, the first word
of each name; the last three take their numbers over thirteen bands of the signal:

==============  ============================================================================
``time``        skewness, and log10 of kurtosis, crest, shape, impulse and clearance factor
``energy``      log10 of the share of the energy in each twelfth of 0 to 0.45 of the sampling rate
``impulse``     how unevenly the energy of a band comes in time
``envelope``    peaks of squared-envelope spectra at the fault orders of the bearing
``whitened``    the same after pre-whitening of the signal
==============  ============================================================================

``time``, ``energy`` and ``impulse`` describe machine and sensor as much as the fault: they tell
recordings apart that were seen in training, and mislead on a bearing of another machine or with
a spall of another size. ``envelope`` and ``whitened`` are what the kinematics of the bearing
dictate and carry over; they need shaft speed and geometry. See `faultdiag.features.orders` for
the formulas and what limits them.

RMS, kurtosis and crest factor are the indicators that maintenance engineers trend. Their ratio to
healthy windows of the training part means something on the machine that was trained on: RMS scales
with the sensor and its gain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from faultdiag.arrays import Floats
from faultdiag.errors import FaultdiagError
from faultdiag.features.orders import (
    PARTS,
    SUMMARIES,
    Bands,
    Comb,
    impulsiveness,
    order_features,
    whiten,
)
from faultdiag.signal.bearings import FaultOrders, KnownBearing, StatedBearing
from faultdiag.signal.resampling import PASS_BAND

EACH = "each"
WINDOW_STATISTICS = ("rms", "kurtosis", "crest_factor")


"""In place of a bearing: the one that each recording names."""


STATISTICS = ("skewness", "kurtosis", "crest", "shape", "impulse", "clearance")
# A band that holds less than this share of the energy counts as empty.
LEAST_SHARE = 1e-8


def statistics(x: Floats) -> Floats:
    """Return skewness and log10 of five ratios of moments, ``(windows, 6)``.

    Kurtosis is ``mean(x**4) / mean(x**2)**2``, crest factor ``peak / rms``, shape factor
    ``rms / mean|x|``, impulse factor ``peak / mean|x|``, clearance factor
    ``peak / mean(sqrt|x|)**2``.

    Parameters
    ----------
    x
        ``(windows, length)``, of zero mean and unit variance.
    """
    magnitude = np.abs(x)
    square = np.square(x)
    peak = magnitude.max(axis=-1)
    mean = magnitude.mean(axis=-1)
    root = np.square(np.sqrt(magnitude).mean(axis=-1))
    ratios = (np.square(square).mean(axis=-1), peak, 1 / mean, peak / mean, peak / root)
    return np.stack([(square * x).mean(axis=-1), *map(np.log10, ratios)], axis=1)


def band_energies(lines: NDArray[np.complex128], bands: int) -> Floats:
    """Return log10 of the share of the energy in each of `bands` equal bands, ``(windows, bands)``.

    Parameters
    ----------
    lines
        Fourier transform of the windows, ``(windows, lines)``. The mean is left out, and so is
        the last tenth: there anti-alias filters fall off, and the shares would tell how a
        recording was sampled.
    bands
        They share the lines evenly.
    """
    energy = np.square(lines.real[:, 1:]) + np.square(lines.imag[:, 1:])
    kept = energy[:, : int(PASS_BAND * energy.shape[-1])]
    starts = np.linspace(0, kept.shape[-1], bands + 1).round().astype(np.intp)[:-1]
    least = LEAST_SHARE * energy.sum(axis=-1, keepdims=True)
    total = np.maximum(kept.sum(axis=-1, keepdims=True), least)
    shares = np.add.reduceat(kept, starts, axis=-1) / total
    return np.asarray(np.log10(shares + LEAST_SHARE))


ORDER_GROUPS = ("envelope", "whitened")
GROUPS = ("time", "energy", "impulse", *ORDER_GROUPS)
# Below this a band has so few lines that nothing can be said of its envelope.
SHORTEST = 256
ENERGY_BANDS = 12
# Samples worked on at a time: intermediate arrays are a few dozen times this, and fit the cache.
CHUNK_SAMPLES = 1 << 16


def names(channels: Sequence[str], *, orders: bool = True) -> list[str]:
    """Return the names of the columns of `compute`.

    Parameters
    ----------
    channels
        Names of the channels.
    orders
        Whether shaft speed and bearing are known; without them the groups ``envelope`` and
        ``whitened`` are missing.

    Examples
    --------
    >>> columns = names(["DE"])
    >>> len(columns), columns[0], columns[-1]
    (39, 'time.skewness[DE]', 'whitened.bsf.median[DE]')
    >>> len(names(["DE", "FE"], orders=False))
    42
    """
    columns = [f"time.{name}" for name in STATISTICS]
    columns += [f"energy.{i + 1:02d}" for i in range(ENERGY_BANDS)]
    columns += [f"impulse.{summary}" for summary in SUMMARIES]
    if orders:
        columns += [
            f"{group}.{part}.{summary}"
            for group in ORDER_GROUPS
            for part in PARTS
            for summary in SUMMARIES
        ]
    return [f"{column}[{channel}]" for channel in channels for column in columns]


def compute(
    windows: NDArray[np.floating],
    sampling_rate: float,
    *,
    shaft_rates: Floats | None = None,
    bearing: KnownBearing | None = None,
) -> Floats:
    """Return the features of windows, one row each, in the order of `names`.

    Always finite; a channel that is constant within a window has zeros. Windows are worked on a
    few at a time, those of equal shaft rate together, and a row doesn't depend on the others.

    Parameters
    ----------
    windows
        ``(windows, channels, length)``.
    sampling_rate
        Hz.
    shaft_rates
        Revolutions per second of the shaft, ``(windows,)``.
    bearing
        The bearing of the shaft. Without both this and `shaft_rates` the groups ``envelope`` and
        ``whitened`` are left out.

    Returns
    -------
    Floats
        ``(windows, features)``.

    Raises
    ------
    FaultdiagError
        If windows are shorter than `SHORTEST` or a rate is not a positive number.
    """
    count, channels, length = windows.shape
    _require_usable(length, sampling_rate)
    plan = Bands(length)
    known = shaft_rates is not None and bearing is not None
    width = len(names([""], orders=known))
    table = np.zeros((count, channels, width))
    groups = _by_shaft_rate(shaft_rates, count) if known else [(0.0, np.arange(count))]
    for rate, members in groups:
        comb = None
        if bearing is not None and known:
            comb = Comb(bearing, rate * length / sampling_rate, plan.reach)
        size = max(CHUNK_SAMPLES // length, 1)
        for rows in np.split(members, range(size, members.size, size)):
            for channel in range(channels):
                table[rows, channel] = _channel(windows[rows, channel], plan, comb)
    return table.reshape(count, channels * width)


def compute_for_each(
    windows: NDArray[np.floating], sampling_rate: float, conditions: Floats
) -> Floats:
    """Return the features of windows at the fault orders of their own bearings.

    Parameters
    ----------
    windows, sampling_rate
        As for `compute`.
    conditions
        ``(windows, 5)``: `faultdiag.signal.bearings.CONDITIONS` of each window.
    """
    table = np.zeros((len(windows), windows.shape[1] * len(names([""]))))
    for orders in np.unique(conditions[:, 1:], axis=0):
        own = (conditions[:, 1:] == orders).all(axis=1)
        table[own] = compute(
            windows[own],
            sampling_rate,
            shaft_rates=conditions[own, 0],
            bearing=StatedBearing("", FaultOrders(*orders.tolist())),
        )
    return table


def _by_shaft_rate(shaft_rates: Floats | None, count: int) -> list[tuple[float, NDArray[np.intp]]]:
    rates = np.asarray(shaft_rates, dtype=np.float64)
    if rates.shape != (count,):
        raise ValueError(f"shaft_rates must be ({count},), one per window; found {rates.shape}")
    for index in np.flatnonzero(~(np.isfinite(rates) & (rates > 0)))[:1]:
        raise FaultdiagError(
            f"the shaft rate of window {index} is {rates[index]:g} Hz; it must be a positive "
            "number, and windows of unknown speed have only the features without orders"
        )
    return [(float(rate), np.flatnonzero(rates == rate)) for rate in np.unique(rates)]


def _require_usable(length: int, sampling_rate: float) -> None:
    if length < SHORTEST:
        raise FaultdiagError(
            f"features were asked of windows of {length} samples; they need {SHORTEST} or more, "
            "and 2048 or more to tell the fault orders apart"
        )
    if not 0 < sampling_rate < np.inf:
        raise FaultdiagError(f"the sampling rate is {sampling_rate:g} Hz; give a positive number")


def _channel(x: NDArray[np.floating], plan: Bands, comb: Comb | None) -> Floats:
    """Features of one channel: ``(windows, length)`` to ``(windows, features)``."""
    varying = x.min(axis=-1) < x.max(axis=-1)
    centred = np.where(varying[:, None], x, np.arange(x.shape[-1]) % 2).astype(np.float64)
    centred -= centred.mean(axis=-1, keepdims=True)
    centred /= np.sqrt(np.square(centred).mean(axis=-1, keepdims=True))
    lines = np.fft.rfft(centred)
    envelopes = plan.envelopes(lines)
    columns = [statistics(centred), band_energies(lines, ENERGY_BANDS), impulsiveness(envelopes)]
    if comb is not None:
        columns += [
            order_features(plan.levels(envelopes), comb),
            order_features(plan.levels(plan.envelopes(whiten(lines))), comb),
        ]
    return np.where(varying[:, None], np.concatenate(columns, axis=1), 0.0)


@dataclass(frozen=True, slots=True)
class WindowStatistics:
    """Medians over the windows of a recording, of one channel.

    Parameters
    ----------
    rms
        RMS of the signal without its mean, in its own unit.
    kurtosis
        3 for Gaussian noise.
    crest_factor
        Largest magnitude over RMS.
    windows
        How many windows the medians are of.
    """

    rms: float
    kurtosis: float
    crest_factor: float
    windows: int


@dataclass(frozen=True, slots=True)
class HealthyRatios:
    """Statistics of a recording over those of healthy windows of the training part."""

    rms: float
    kurtosis: float
    crest_factor: float


def statistics_of_windows(windows: NDArray[np.floating]) -> Floats:
    """Compute RMS, kurtosis and crest factor: ``(..., length)`` to ``(..., 3)``.

    A constant window has the RMS 0, and NaN for the others.
    """
    x = np.asarray(windows, dtype=np.float64)
    x = x - x.mean(axis=-1, keepdims=True)
    square = np.square(x)
    power = square.mean(axis=-1)
    scale = np.where(power > 0, power, np.nan)
    kurtosis = np.square(square).mean(axis=-1) / np.square(scale)
    crest = np.abs(x).max(axis=-1) / np.sqrt(scale)
    return np.stack([np.sqrt(power), kurtosis, crest], axis=-1)


def summarise(values: Floats) -> WindowStatistics:
    """Return the medians of ``(windows, 3)``; windows that are constant are left out."""
    usable = values[np.isfinite(values).all(axis=-1)]
    middle = np.median(usable, axis=0) if len(usable) else np.full(3, np.nan)
    rms, kurtosis, crest = (float(value) for value in middle)
    return WindowStatistics(rms, kurtosis, crest, len(usable))


@dataclass(frozen=True, slots=True)
class HealthyReference:
    """Statistics of the healthy windows of the training part.

    Parameters
    ----------
    channels
        By channel name.
    """

    channels: Mapping[str, WindowStatistics]

    def ratios(self, channel: str, measured: WindowStatistics) -> HealthyRatios | None:
        """Return a recording's statistics over the healthy ones; None for another channel."""
        healthy = self.channels.get(channel)
        if healthy is None or not healthy.windows or not measured.windows:
            return None
        return HealthyRatios(
            *(getattr(measured, n) / getattr(healthy, n) for n in WINDOW_STATISTICS)
        )


def fit_healthy(windows: Floats, channels: Sequence[str]) -> HealthyReference:
    """Build the reference from statistics of healthy windows ``(windows, channels, 3)``."""
    return HealthyReference({name: summarise(windows[:, i]) for i, name in enumerate(channels)})


def healthy_to_stored(reference: HealthyReference) -> dict[str, dict[str, float]]:
    """Return the reference as plain values for a checkpoint."""
    return {name: asdict(values) for name, values in reference.channels.items()}


def healthy_from_stored(stored: object) -> HealthyReference | None:
    """Read what `healthy_to_stored` wrote; None where nothing usable is stored."""
    if not isinstance(stored, Mapping):
        return None
    try:
        channels = {str(name): WindowStatistics(**values) for name, values in stored.items()}
    except TypeError:
        return None
    sound = all(map(_is_sound, channels.values()))
    return HealthyReference(channels) if channels and sound else None


def _is_sound(statistics: WindowStatistics) -> bool:
    numbers = asdict(statistics).values()
    return all(isinstance(v, int | float) and np.isfinite(v) and v > 0 for v in numbers)
