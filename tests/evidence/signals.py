"""Signals of known order for the tests of evidence, and an envelope computed independently."""

import numpy as np
from numpy.typing import NDArray

FS, RPM = 12_000, 1800.0
SHAFT = RPM / 60

Floats = NDArray[np.float64]


def impacts(
    order: float,
    *,
    seconds: float = 10.0,
    ringing: float = 3000.0,
    modulation: float = 0.0,
    modulated_at: float = 1.0,
    noise: float = 0.3,
    jitter: float = 0.0,
    seed: int = 0,
) -> Floats:
    """Decaying oscillations at an order of the shaft in noise.

    Their height varies with the modulation, at an order of the shaft. The jitter is that of the
    intervals: those of rolling bearings vary by a percent or so.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=round(seconds * FS)) * noise
    t = np.arange(120) / FS
    ring = np.exp(-t * 800) * np.sin(2 * np.pi * ringing * t)
    period = FS / (order * SHAFT)
    intervals = period * (1 + jitter * rng.standard_normal(int(x.size / period)))
    for start in np.cumsum(intervals).astype(int).tolist():
        if start + t.size > x.size:
            break
        height = 1 + modulation * np.cos(2 * np.pi * modulated_at * SHAFT * start / FS)
        x[start : start + t.size] += height * ring
    return x


def noise(seconds: float = 10.0, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).normal(size=round(seconds * FS))


def envelope_of(x: Floats, fs: float, band: tuple[float, float]) -> tuple[Floats, Floats]:
    """Frequencies and amplitudes of the spectrum of the squared envelope in a band.

    The envelope is that of scipy's Hilbert transform; nothing is shared with the package.
    """
    from scipy.signal import hilbert

    lines = np.fft.rfft(x - x.mean())
    frequencies = np.fft.rfftfreq(x.size, 1 / fs)
    lines[(frequencies < band[0]) | (frequencies > band[1])] = 0
    envelope = np.abs(hilbert(np.fft.irfft(lines, x.size))) ** 2
    amplitudes = np.abs(np.fft.rfft((envelope - envelope.mean()) * np.hanning(x.size)))
    return frequencies, amplitudes


def prominence_at(x: Floats, fs: float, band: tuple[float, float], frequency: float) -> float:
    """Log10 of the envelope line near a frequency over the median within half a shaft order."""
    _, amplitudes = envelope_of(x, fs, band)
    place = round(frequency * x.size / fs)
    half = round(SHAFT / 2 * x.size / fs)
    around = np.log10(amplitudes[max(place - half, 1) : place + half + 1])
    return float(np.log10(amplitudes[place - 1 : place + 2].max()) - np.median(around))
