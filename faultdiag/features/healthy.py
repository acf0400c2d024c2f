"""Statistics of windows, and how they compare with the healthy windows of the training part.

RMS, kurtosis and crest factor are those that maintenance engineers trend. Their ratio to healthy
means something on the machine that was trained on: RMS scales with the sensor and its gain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NAMES = ("rms", "kurtosis", "crest_factor")


@dataclass(frozen=True, slots=True)
class WindowStatistics:
    """Medians over the windows of a recording, of one channel.

    Parameters
    ----------
    rms
        Of the signal without its mean, in its own unit.
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
    """What the healthy windows of the training part look like.

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
        return HealthyRatios(*(getattr(measured, n) / getattr(healthy, n) for n in NAMES))


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
