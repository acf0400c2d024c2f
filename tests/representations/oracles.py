"""The representations as sums written out in float64 numpy, without any Fourier transform."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Lines = NDArray[np.complex128]


def hann(n: int) -> Array:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)


def fourier(x: Array | Lines, frequencies: NDArray[np.floating]) -> Lines:
    """Sums of (..., n) at frequencies in cycles per sample."""
    n = np.arange(x.shape[-1])
    return np.asarray(x @ np.exp(-2j * np.pi * np.outer(n, frequencies)))


def spectrum(x: Array, taper: str) -> Array:
    """Amplitudes of (..., n) at the lines 0 to n // 2."""
    n = x.shape[-1]
    w = hann(n) if taper == "hann" else np.ones(n)
    centred = x - x.mean(-1, keepdims=True)
    return np.asarray(2 / w.sum() * np.abs(fourier(centred * w, np.arange(n // 2 + 1) / n)))


def beats(x: Array, first: int, stop: int) -> Lines:
    """Lines 0, 1, … of the squared envelope of one signal's lines first to stop - 1.

    |sum_k a_k e^{i k t}|^2 has at line d the sum of a_{k+d} conj(a_k); the mean, d = 0, is left
    out.
    """
    n = x.size
    k = np.arange(first, stop)
    a = 2 / n * fourier(x - x.mean(), k / n)
    a[(k == 0) | (2 * k == n)] /= 2
    found = [np.sum(a[d:] * a[: a.size - d].conj()) for d in range(a.size)]
    return np.array([0, *found[1:]])


def envelope_spectrum(x: Array, first: int, stop: int, taper: str) -> Array:
    """Amplitudes of the squared envelope of one signal at the lines 0 to stop - first - 1."""
    e = beats(x, first, stop)
    if taper == "none":
        return np.asarray(2 * np.abs(e))
    before, after = np.r_[e[1:2].conj(), e[:-1]], np.r_[e[1:], 0]
    return np.asarray(2 * np.abs(e - (before + after) / 2))


def order_envelope_spectrum(
    x: Array, lines: tuple[int, int], taper: str, positions: Array, *, grid: int
) -> Array:
    """As `envelope_spectrum` at any positions, in lines, of an envelope on `grid` points."""
    e = beats(x, *lines)
    angle = 2j * np.pi * np.outer(np.arange(grid), np.arange(e.size)) / grid
    envelope = 2 * (np.exp(angle) @ e).real
    w = hann(grid) if taper == "hann" else np.ones(grid)
    return np.asarray(2 / w.sum() * np.abs(fourier(envelope * w, positions / grid)))


def stft(x: Array, segment: int, hop: int, taper: str) -> Array:
    """Amplitudes (lines, frames) of one signal, its mean removed only once."""
    w = hann(segment) if taper == "hann" else np.ones(segment)
    centred = x - x.mean()
    starts = range(0, x.size - segment + 1, hop)
    lines = np.arange(segment // 2 + 1) / segment
    sums = [fourier(centred[s : s + segment] * w, lines) for s in starts]
    return np.asarray(2 / w.sum() * np.abs(np.array(sums).T))


def scaled(a: Array, scale: str, standardise: str) -> Array:
    """Magnitudes (channels, positions) of one window, scaled and standardised."""
    axes = (-1,) if standardise == "channel" else (-2, -1)
    if scale == "root":
        a = np.sqrt(a)
    elif scale == "log":
        a = np.log(a + 1e-4 * a.max(axes, keepdims=True))
    if standardise == "none":
        return a
    return np.asarray((a - a.mean(axes, keepdims=True)) / a.std(axes, keepdims=True))


def first_centres(init: str, modes: int, length: int) -> Array:
    """First centre frequencies in cycles per sample."""
    if init == "logarithmic":
        edges = np.geomspace(1 / length, 0.5, 2 * modes + 1)
        return edges[1::2]
    return np.arange(modes) / (2 * modes) if init == "uniform" else np.zeros(modes)


def vmd(
    x: Array, *, modes: int, alpha: float, tau: float, iterations: int, init: str
) -> tuple[Array, Array]:
    """Modes (K, n) and centres of one signal, on complex lines of its half-mirrored continuation.

    Dragomiretskiy and Zosso, algorithm 2, one-sided lines at positive frequencies.
    """
    n, half = x.size, x.size // 2
    mirrored = np.r_[x[:half][::-1], x, x[half:][::-1]]
    f = np.arange(n) / (2 * n)
    lines = np.fft.fft(mirrored)[:n]
    u = np.zeros((modes, n), complex)
    dual = np.zeros(n, complex)
    centre = first_centres(init, modes, n)
    for _ in range(iterations):
        for k in range(modes):
            others = u.sum(0) - u[k]
            u[k] = (lines - others + dual / 2) / (1 + alpha * (f - centre[k]) ** 2)
            centre[k] = np.average(f, weights=np.abs(u[k]) ** 2)
        dual = dual + tau * (lines - u.sum(0))
    whole = np.concatenate([u, np.zeros((modes, 1)), u[:, :0:-1].conj()], axis=1)
    found = np.fft.ifft(whole).real[:, half : half + n]
    order = np.argsort(centre)
    return found[order], centre[order]


def log_psd(x: Array, segment: int, hop: int, taper: str, bands: int | None = None) -> Array:
    """Log power spectrum of one signal: sums over segments, each less its mean."""
    w = hann(segment) if taper == "hann" else np.ones(segment)
    lines = np.arange(1, segment // 2 + 1) / segment
    power = np.zeros(lines.size)
    starts = range(0, x.size - segment + 1, hop)
    for s in starts:
        part = x[s : s + segment]
        power += np.abs(fourier((part - part.mean()) * w, lines)) ** 2
    power = (power / len(starts)).reshape(bands or lines.size, -1).mean(1)
    level = np.log10(power + 1e-12 * power.mean())
    return np.asarray(level - level.mean())


def log_spectra(x: Array, segments: tuple[int, ...], overlap: int, floor: float) -> Array:
    """Levels and fluctuations (2, lines of all sizes) of one signal."""
    centred = x - x.mean()
    levels, fluctuations = [], []
    for size in segments:
        lines = np.arange(2, size // 2 + 1) / size
        starts = range(0, x.size - size + 1, size // overlap)
        parts = [centred[s : s + size] * hann(size) for s in starts]
        power = np.array([np.abs(fourier(part, lines)) ** 2 for part in parts])
        mean = power.mean(0)
        levels.append(np.log(mean / mean.mean() + floor))
        fluctuations.append(power.std(0) / mean)
    return np.stack([np.concatenate(levels), np.concatenate(fluctuations)])


def band_levels(x: Array, bands: list[tuple[int, int]], *, whiten: bool) -> Array:
    """log10 of the envelope spectra (bands, reach) of one signal.

    The squared envelope has mean 1; its spectrum is that of a Hann window over all points, halved.
    """
    n = x.size
    reach = int(n // 2 / 5)
    lines = fourier(x - x.mean(), np.arange(n // 2 + 1) / n)
    if whiten:
        lines = lines / (np.abs(lines) + 1e-6 * np.abs(lines).mean())
    levels = []
    for first, stop in bands:
        a = lines[first:stop]
        # Line d of |sum_k a_k e^{ikt}|^2 is the sum of a_{k+d} conj(a_k).
        beat = np.array([np.sum(a[d:] * a[: a.size - d].conj()) for d in range(a.size)])
        beat = np.r_[beat / beat[0].real, np.zeros(reach + 1)][: reach + 1]
        beat[0] = 0
        around = np.r_[beat[1:2].conj(), beat[:-2]], beat[1:]
        windowed = beat[:-1] / 2 - (around[0] + around[1]) / 4
        levels.append(np.log10(np.abs(windowed) + 1e-9))
    return np.array(levels)


def comb(
    levels: Array, lines: float, orders: tuple[float, float], slips: Array, sizes: tuple[int, int]
) -> Array:
    """Prominences (bands, teeth) of one comb: the law, tooth by tooth.

    `lines` per shaft order; `orders` of the fault and between sidebands; `sizes` are harmonics and
    sidebands.
    """
    (fault, side), (harmonics, sidebands) = orders, sizes
    teeth = [(k, m) for k in range(1, harmonics + 1) for m in range(-sidebands, sidebands + 1)]
    around = []
    for k, m in teeth:
        width = max(0.5 * lines, 6)
        places = np.rint((k * fault + m * side) * lines + width * np.linspace(-1, 1, 33))
        near = levels[:, np.clip(places, 1, levels.shape[1] - 1).astype(int)]
        around.append(np.median(near, axis=1))

    def prominence(tooth: int, slip: float) -> Array:
        k, m = teeth[tooth]
        place = (k * fault * (1 + slip) + m * side) * lines
        if not 0 <= place <= levels.shape[1] - 1:
            return np.zeros(len(levels))
        found = [np.interp(place, np.arange(row.size), row) for row in levels]
        spread = np.pi / np.sqrt(24) / np.log(10)
        return np.asarray((found - around[tooth]) / spread)

    scored = [i for i, (k, m) in enumerate(teeth) if k <= 3 and abs(m) <= 1]
    sums = [np.sum([prominence(i, e) for i in scored], axis=0).max() for e in slips]
    best = slips[int(np.argmax(sums))]
    return np.array([prominence(i, best) for i in range(len(teeth))]).T
