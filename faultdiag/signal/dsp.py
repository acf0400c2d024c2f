"""Statistics and spectra of signals: numpy and scipy on arrays.

Signals are ``(..., samples)``: the last axis is time, everything before it is kept.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultdiag.errors import FaultdiagError

Band: TypeAlias = tuple[float, float]
# Windows of so few samples are kept: 8 of them take 4 MB.
_SHORT = 2**16


class Spectrum(NamedTuple):
    """Amplitudes ``(..., lines)`` at frequencies ``(lines,)`` in Hz, evenly spaced from 0."""

    frequencies: NDArray[np.float64]
    amplitudes: NDArray[np.float64]


@lru_cache(maxsize=64)
def fast_length(samples: int) -> int:
    """Return the largest length up to `samples` whose Fourier transform is fast.

    Its only prime factors are 2, 3, 5 and 7; from 1000 samples on it is at most 4 % shorter.

    Examples
    --------
    >>> fast_length(121_991)
    121500
    """
    best = 1
    for sevens in range(24):
        for fives in range(28):
            product = 7**sevens * 5**fives
            while product <= samples:
                best = max(best, product << ((samples // product).bit_length() - 1))
                product *= 3
    return best


def spectrum(x: ArrayLike, fs: float) -> Spectrum:
    """Return the amplitude spectrum of a signal.

    Hann window, mean removed; a sine of amplitude A on a line shows as A. The last samples are
    left out as far as a length needs it that is fast to transform (see `fast_length`).
    """
    values = _fast(x)
    return _amplitudes(values, fs / values.shape[-1])


def envelope_spectrum(x: ArrayLike, fs: float, band: Band | None = None) -> Spectrum:
    """Return the amplitude spectrum of the squared envelope.

    The envelope is that of the signal without its mean, band-passed to `band` in Hz (all of it
    where None). The frequencies end at the width of the band: the squared envelope has nothing
    beyond. Amplitudes are in the square of the signal's unit.

    Raises
    ------
    FaultdiagError
        If the band does not lie between 0 and half the sampling rate.

    References
    ----------
    .. [1] R. B. Randall and J. Antoni, "Rolling element bearing diagnostics - a tutorial",
       Mech. Syst. Signal Process. 25 (2011) 485-520, doi:10.1016/j.ymssp.2010.07.017
    """
    return band_envelope_spectra(x, fs, [band])[0]


def band_envelope_spectra(x: ArrayLike, fs: float, bands: Sequence[Band | None]) -> list[Spectrum]:
    """Return one envelope spectrum per band, from a single transform of the signal.

    See `envelope_spectrum`. All bands have the same resolution.
    """
    values = _fast(x)
    samples = values.shape[-1]
    lines = np.fft.rfft(values - values.mean(axis=-1, keepdims=True), axis=-1) * (2 / samples)
    return [_band_envelope(lines, fs / samples, band or (0.0, fs / 2)) for band in bands]


def _band_envelope(lines: NDArray[np.complex128], resolution: float, band: Band) -> Spectrum:
    nyquist = resolution * (lines.shape[-1] - 0.5)
    first, last = (round(edge / resolution) for edge in band)
    if not 0 <= band[0] <= band[1] <= nyquist or last - first < 2:
        raise FaultdiagError(
            f"band {band[0]:g} to {band[1]:g} Hz; the signal has lines from 0 to {nyquist:g} Hz, "
            f"{resolution:g} Hz apart, and a band needs three of them"
        )
    # Taking only the band's lines shifts the band to 0 Hz, which leaves the envelope as it is;
    # a length of twice the band is all that its square needs.
    chosen = lines[..., first : last + 1]
    length = 1 << (2 * chosen.shape[-1] - 2).bit_length()
    envelope = np.abs(np.fft.ifft(chosen, length, axis=-1)) * length
    frequencies, amplitudes = _amplitudes(np.square(envelope), resolution)
    return Spectrum(frequencies[: last - first], amplitudes[..., : last - first])


def _fast(x: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(x, dtype=np.float64)
    return values[..., : fast_length(values.shape[-1])]


def _amplitudes(values: NDArray[np.float64], resolution: float) -> Spectrum:
    samples = values.shape[-1]
    window = _hann(samples) if samples <= _SHORT else _hann.__wrapped__(samples)
    windowed = (values - values.mean(axis=-1, keepdims=True)) * window
    amplitudes = np.abs(np.fft.rfft(windowed, axis=-1)) * (2 / window.sum())
    return Spectrum(np.arange(amplitudes.shape[-1]) * resolution, amplitudes)


@lru_cache(maxsize=8)
def _hann(samples: int) -> NDArray[np.float64]:
    window: NDArray[np.float64] = np.square(np.sin(np.pi * (np.arange(samples) + 0.5) / samples))
    window.flags.writeable = False
    return window


def prominence(amplitudes: NDArray[np.float64], half: int) -> NDArray[np.float64]:
    """Return log10 of each line of a spectrum over the median of the lines around it.

    The amplitudes are ``(lines,)``, the median over `half` lines to either side. In noise alone
    the largest of N lines reaches about ``log10(sqrt(ln N / ln 2))``: 0.65 for a million.
    """
    level = np.log10(amplitudes + np.finfo(np.float64).tiny)
    half = max(min(half, (level.size - 1) // 2), 0)
    step = max(half // 4, 1)
    around = np.lib.stride_tricks.sliding_window_view(level, 2 * half + 1)[::step]
    centres = half + step * np.arange(around.shape[0])
    floor = np.interp(np.arange(level.size), centres, np.median(around, axis=-1))
    above: NDArray[np.float64] = level - floor
    return above


def statistics(x: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Return mean, standard deviation, rms, peak, crest factor, kurtosis and skewness.

    All but mean and rms are of the signal without its mean: peak is its largest magnitude, crest
    factor ``peak / standard deviation``, kurtosis 3 for Gaussian noise. Crest factor, kurtosis
    and skewness of a constant signal are NaN. Of ``(..., samples)``, each is ``(...)``.
    """
    values = np.asarray(x, dtype=np.float64)
    mean = values.mean(axis=-1, keepdims=True)
    centred = values - mean
    deviation = np.sqrt(np.square(centred).mean(axis=-1))
    peak = np.abs(centred).max(axis=-1)
    scale = np.where(deviation > 0, deviation, np.nan)
    relative = centred / scale[..., None]
    squares = relative * relative  # powers by multiplication are ten times as fast
    return {
        "mean": mean[..., 0],
        "standard_deviation": deviation,
        "rms": np.sqrt(np.square(values).mean(axis=-1)),
        "peak": peak,
        "crest_factor": peak / scale,
        "kurtosis": (squares * squares).mean(axis=-1),
        "skewness": (squares * relative).mean(axis=-1),
    }


def quantisation_step(x: ArrayLike) -> float | None:
    """Return the step of the grid that the values of one channel lie on, or None.

    Values are rounded to float32 first. A step is given where there are at least twice as many
    samples as values and all distances are multiples of it, as far as float32 can tell.
    """
    values = np.asarray(x, dtype=np.float32).ravel()
    levels = np.unique(values).astype(np.float64)
    if levels.size < 2 or levels.size > values.size / 2:
        return None
    return _grid(np.diff(levels), 2 * float(np.spacing(np.float32(np.abs(levels).max()))))


def _grid(distances: NDArray[np.float64], resolution: float) -> float | None:
    step = float(distances.min())
    for _ in range(3):
        multiples = np.rint(distances / step)
        near = multiples <= max(step / resolution / 4, 1)
        step = float(distances[near].sum() / multiples[near].sum())
    if step < 4 * resolution:
        return None
    off = np.abs(distances - np.rint(distances / step) * step)
    return step if (off < 2 * resolution + 0.01 * step).all() else None


def clipped_samples(x: ArrayLike) -> int:
    """Count the samples of one channel at full scale, as far as the samples show it.

    The largest (or smallest) value counts where it occurs at least twice as often as each of the
    next ten values: a converter that saturates heaps up samples at its end.
    """
    values = np.asarray(x).ravel()
    levels, counts = np.unique(values, return_counts=True)
    ends = (counts, counts[::-1]) if levels.size > 1 else ()
    return sum(int(c[0]) for c in ends if c[0] >= 2 * c[1:11].max())
