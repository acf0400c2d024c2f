"""Kinds of noise that are added to windows: their spectra, and what is drawn for them.

Coloured noise is white noise with its amplitude spectrum multiplied by a power of the frequency.
Impulsive noise is weak white noise with rare strong spikes, hum the mains frequency with some of
its harmonics. `faultdiag.noise` makes the samples.
"""

import numpy as np
from numpy.typing import NDArray

# Exponent of the frequency in the amplitude spectrum.
COLOURS = {"white": 0.0, "pink": -0.5, "brown": -1.0, "blue": 0.5}
IMPULSIVE, HUM = "impulsive", "hum"
KINDS = (*COLOURS, IMPULSIVE, HUM)

# Impulsive noise: standard deviation of the floor and of the spikes, and the share of spikes.
FLOOR, SPIKE, SPIKES = 0.1, 3.0, 0.005
# Hum: mains frequency and its tolerance in Hz; orders of the harmonics and their amplitudes.
MAINS, TOLERANCE = 50.0, 0.2
ORDERS = (1, 2, 3, 6, 7)
AMPLITUDES = (1.0, 0.5, 0.4, 0.2, 0.1)


def spectrum_gain(kind: str, length: int) -> NDArray[np.float32]:
    """Return the gain of each line of the spectrum of white noise, ``(length // 2 + 1,)``.

    Line 0 is removed. Kinds without a colour keep the white spectrum.

    Examples
    --------
    >>> spectrum_gain("brown", 8).tolist()
    [0.0, 1.0, 0.5, 0.3333333432674408, 0.25]
    """
    lines = np.arange(length // 2 + 1, dtype=np.float64)
    gain = np.zeros_like(lines)
    gain[1:] = lines[1:] ** COLOURS.get(kind, 0.0)
    return gain.astype(np.float32)


def draw_row(kind: str, shape: tuple[int, int], seed: list[int]) -> dict[str, NDArray[np.generic]]:
    """Draw the random numbers of one window of `shape` (channels, length).

    Returns
    -------
    dict
        ``normal``, ``spikes`` (channels, length) and ``hum`` (the frequency, then the phases).
    """
    rng = np.random.default_rng(seed)
    drawn: dict[str, NDArray[np.generic]] = {"normal": rng.standard_normal(shape, dtype=np.float32)}
    if kind == IMPULSIVE:
        strong = rng.standard_normal(shape, dtype=np.float32) * np.float32(SPIKE)
        drawn["spikes"] = np.where(rng.random(shape) < SPIKES, strong, np.float32(0))
    if kind == HUM:
        frequency = MAINS + TOLERANCE * rng.uniform(-1, 1)
        phases = rng.uniform(0, 2 * np.pi, len(ORDERS))
        drawn["hum"] = np.array([frequency, *phases])
    return drawn
