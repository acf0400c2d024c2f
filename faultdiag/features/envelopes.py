"""Squared envelopes in thirteen bands, from one Fourier transform of a window.

Twelve bands are a fifth of the spectrum wide (1.2 kHz at 12 kHz) and overlap by about half; the
thirteenth is the full band. A fault makes some resonance ring, nobody knows beforehand which:
features take the largest, the mean and the median over the bands.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from faultdiag.signal.dsp import fast_length

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Lines = NDArray[np.complex64] | NDArray[np.complex128]

BANDS = 12
WIDTH = 1 / 5  # of the spectrum
SUMMARIES = ("largest", "mean", "median")
# A line below this share of the mean magnitude is rounding, not vibration: it isn't raised to 1.
LEAST_LINE = 1e-6
LEAST_LEVEL = 1e-9


class Bands:
    """The bands of windows of one length.

    Parameters
    ----------
    length
        Samples.

    Attributes
    ----------
    edges
        First line and the one after the last, per band; the line of the mean is in none.
    reach
        Lines of the envelope spectra, one over the duration of the window apart, from 0 to the
        width of the twelve bands.
    """

    def __init__(self, length: int) -> None:
        lines = length // 2
        self.reach = int(lines * WIDTH)
        starts = np.linspace(1, lines + 1 - self.reach, BANDS).round().astype(int).tolist()
        self.edges = [*((start, start + self.reach) for start in starts), (1, lines + 1)]

    def envelopes(self, lines: Lines) -> list[Singles]:
        """Return the squared envelope in each band, each ``(windows, points)``, of mean 1.

        The points are evenly spaced over the window. There are as many as it takes to have the
        first `reach` lines of their spectrum free of aliasing.
        """
        single = lines.astype(np.complex64)
        found = []
        for start, stop in self.edges:
            points = next_fast_length(stop - start + self.reach)
            # Taking only the band's lines shifts the band to 0 Hz: its envelope stays the same.
            z = np.fft.ifft(single[:, start:stop], points)
            square = np.square(z.real) + np.square(z.imag)
            mean = square.mean(axis=-1, keepdims=True)
            found.append(square / np.maximum(mean, np.finfo(np.float32).tiny))
        return found

    def levels(self, envelopes: list[Singles]) -> Singles:
        """Return log10 of the amplitudes of the envelopes' spectra, ``(windows, bands, reach)``."""
        spectra = []
        for square in envelopes:
            points = square.shape[-1]
            centred = (square - 1) * hann(points)
            spectra.append(np.abs(np.fft.rfft(centred)[:, : self.reach]) / np.float32(points))
        return np.log10(np.stack(spectra, axis=1) + np.float32(LEAST_LEVEL))


def whiten(lines: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Return the lines with their phases and equal magnitudes.

    Whatever is strong only because it is periodic (shaft, mains, gears) or because a resonance
    carries it becomes as weak as the rest. Impacts are what many lines do together, in their
    phases, and stay.

    References
    ----------
    .. [1] P. Borghesani, P. Pennacchi, R. B. Randall, N. Sawalhi and R. Ricci, "Application of
       cepstrum pre-whitening for the diagnosis of bearing faults under variable speed
       conditions", Mech. Syst. Signal Process. 36 (2013) 370-384,
       doi:10.1016/j.ymssp.2012.11.001
    .. [2] W. A. Smith and R. B. Randall, "Rolling element bearing diagnostics using the Case
       Western Reserve University data: a benchmark study", Mech. Syst. Signal Process. 64-65
       (2015) 100-131, doi:10.1016/j.ymssp.2015.04.021. Their second method.
    """
    magnitude = np.abs(lines)
    floor = LEAST_LINE * magnitude.mean(axis=-1, keepdims=True)
    return np.asarray(lines / (magnitude + floor))


def impulsiveness(envelopes: list[Singles]) -> Floats:
    """Return log10 of the variance of the squared envelope over its squared mean, summarised.

    It is 0 for Gaussian noise, about -2 or less for a steady tone and positive for impacts: the
    spectral kurtosis of each band, plus one.

    References
    ----------
    .. [1] J. Antoni, "The spectral kurtosis: a useful tool for characterising non-stationary
       signals", Mech. Syst. Signal Process. 20 (2006) 282-307,
       doi:10.1016/j.ymssp.2004.09.001
    """
    variances = np.stack([square.var(axis=-1, dtype=np.float64) for square in envelopes], axis=1)
    return summarise(np.log10(variances + 1e-8))


def summarise(values: NDArray[np.floating]) -> Floats:
    """Return the largest, the mean and the median over the bands: ``(windows, 3)``."""
    return np.stack(
        [values.max(axis=1), values.mean(axis=1), np.median(values, axis=1)], axis=1
    ).astype(np.float64)


@cache
def next_fast_length(samples: int) -> int:
    """Return the smallest length from `samples` on whose Fourier transform is fast.

    Examples
    --------
    >>> next_fast_length(2399)
    2400
    """
    while fast_length(samples) < samples:
        samples += 1
    return samples


@cache
def hann(points: int) -> Singles:
    """Return the Hann window, read-only."""
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(points) / points)).astype(np.float32)
    window.flags.writeable = False
    return window
