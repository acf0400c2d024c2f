"""Features of the waveform and of its spectrum: no speed, no geometry."""

import numpy as np
from numpy.typing import NDArray

from faultdiag.signal.resampling import PASS_BAND

Floats = NDArray[np.float64]

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
