"""Discrete Fourier transforms in pairs of real numbers.

The transforms are those of ``torch.fft``. Within `by_matrices` the same sums are computed by
products of real matrices, for an exported graph: runtimes of such graphs have no complex numbers,
and their own transform of a length that is no power of two loses three digits.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn import functional

from faultdiag.errors import FaultdiagError

_BY_MATRICES: ContextVar[bool] = ContextVar("_BY_MATRICES", default=False)
# Up to this length one matrix is faster than two factors.
_ONE_MATRIX = 128
# Rows of the largest matrix: 16 MB of numbers.
_MOST_ROWS = 2048

Pair = tuple[Tensor, Tensor]
"""Real and imaginary part."""


@contextmanager
def by_matrices() -> Iterator[None]:
    """Compute transforms as products of real matrices within the block."""
    token = _BY_MATRICES.set(True)
    try:
        yield
    finally:
        _BY_MATRICES.reset(token)


def exporting() -> bool:
    """Return whether this runs within `by_matrices`."""
    return _BY_MATRICES.get()


def magnitudes(x: Tensor) -> Tensor:
    """Return the magnitudes of the lines from 0 to ``N // 2`` of real ``(..., N)``."""
    if not _BY_MATRICES.get():
        lines: Tensor = torch.fft.rfft(x).abs()
        return lines
    return absolute(*half_spectrum(x))


def absolute(real: Tensor, imaginary: Tensor) -> Tensor:
    """Return the absolute values of complex numbers; their gradient at 0 is 0."""
    if _BY_MATRICES.get():
        return (real.square() + imaginary.square()).sqrt()
    return torch.complex(real, imaginary).abs()


def half_spectrum(x: Tensor) -> Pair:
    """Return the lines from 0 to ``N // 2`` of real ``(..., N)``."""
    if not _BY_MATRICES.get():
        lines = torch.fft.rfft(x)
        return lines.real, lines.imag
    kept = x.shape[-1] // 2 + 1
    real, imaginary = _by_factors(x, None, inverse=False)
    return real[..., :kept], imaginary[..., :kept]


def spectrum(
    real: Tensor, imaginary: Tensor, *, points: int | None = None, inverse: bool = False
) -> Pair:
    """Return ``X[k] = sum_n x[n] exp(-2 pi i k n / N)`` of complex ``(..., n)``.

    Parameters
    ----------
    real, imaginary
        The parts of ``x``.
    points
        ``N``, if larger than the number of samples: zeros are appended.
    inverse
        Whether the exponent is positive; the sums are not divided by ``N``.
    """
    points = points or real.shape[-1]
    if _BY_MATRICES.get():
        more = (0, points - real.shape[-1])
        padded = functional.pad(real, more), functional.pad(imaginary, more)
        return _by_factors(*padded, inverse=inverse)
    x = torch.complex(real, imaginary)
    lines = torch.fft.ifft(x, points, norm="forward") if inverse else torch.fft.fft(x, points)
    return lines.real, lines.imag


def chirp_z(x: Tensor, step: Tensor, bins: int) -> Pair:
    """Return ``X[b, c, k] = sum_n x[b, c, n] exp(-2 pi i k step[b] n)`` for k from 0 to bins - 1.

    Parameters
    ----------
    x
        Real signals, ``(batch, channels, samples)``.
    step
        Cycles per sample between two frequencies, ``(batch,)`` in float64.
    bins
        How many frequencies, from 0.

    Returns
    -------
    Pair
        ``(batch, channels, bins)`` each.

    References
    ----------
    .. [1] L. R. Rabiner, R. W. Schafer and C. M. Rader, "The chirp z-transform algorithm", IEEE
       Trans. Audio Electroacoust. 17 (1969) 86-92, doi:10.1109/TAU.1969.1162034
    """
    # With 2 k n = k^2 + n^2 - (k - n)^2 the sum is a convolution with a chirp.
    samples = x.shape[-1]
    longest = max(samples, bins)
    n = torch.arange(longest, dtype=torch.float64, device=x.device)
    # Whole turns are taken off, because the cosine of a large angle is not exact.
    turns = torch.remainder(step[:, None] * (n.square() * -0.5), 1)  # (B, longest)
    # A tensor, because an exported graph would round a number to single precision.
    angle = turns[:, None] * torch.full((), 2 * math.pi, dtype=torch.float64, device=x.device)
    chirp = angle.cos().to(x.dtype), angle.sin().to(x.dtype)  # (B, 1, longest) each
    size: int = next_fast_len(samples + bins - 1)
    later = torch.arange(size, device=x.device)
    lag = torch.where(later < bins, later, size - later).clamp(max=longest - 1)  # |k - n|
    kernel = spectrum(chirp[0][..., lag], -chirp[1][..., lag])
    chirped = [x * part[..., :samples] for part in chirp]
    product = _product(spectrum(*chirped, points=size), kernel)
    sums = [part[..., :bins] / size for part in spectrum(*product, inverse=True)]
    return _product(sums, [part[..., :bins] for part in chirp])


def _product(first: Sequence[Tensor], second: Sequence[Tensor]) -> Pair:
    """Return the product of complex numbers."""
    (a, b), (c, d) = first, second
    return a * c - b * d, a * d + b * c


def _by_factors(real: Tensor, imaginary: Tensor | None, *, inverse: bool) -> Pair:
    """Compute a transform of length ``A * B`` as two of lengths ``A`` and ``B``.

    With ``n = B a + b`` and ``k = k_a + A k_b`` the exponent ``k n / N`` is, but for whole turns,
    ``k_a a / A + k_a b / N + k_b b / B``.
    """
    length = real.shape[-1]
    a, b = _factors(length)
    sign = 1.0 if inverse else -1.0
    columns = _columns(real, imaginary, (a, b))  # (..., B, A) or (..., B, 2 A)
    inner = columns @ _constant(_matrix(a, sign, complex_input=imaginary is not None), real)
    if a == length:
        return inner[..., 0, :a], inner[..., 0, a:]
    cosine, sine = (_constant(part, real) for part in _twiddle(a, b, sign))  # (B, A) each
    first, second = inner[..., :a], inner[..., a:]
    turned = torch.cat((first * cosine - second * sine, first * sine + second * cosine), -2)
    outer = turned.transpose(-1, -2) @ _constant(_matrix(b, sign, complex_input=True), real)
    return (
        outer[..., :b].transpose(-1, -2).flatten(-2),  # (..., A, B) to k = k_a + A k_b
        outer[..., b:].transpose(-1, -2).flatten(-2),
    )


def _columns(real: Tensor, imaginary: Tensor | None, factors: tuple[int, int]) -> Tensor:
    parts = (real,) if imaginary is None else (real, imaginary)
    return torch.cat([part.unflatten(-1, factors).transpose(-1, -2) for part in parts], -1)


@lru_cache(maxsize=64)
def _factors(length: int) -> tuple[int, int]:
    """Return two factors of a length, the larger one as small as it can be.

    Raises
    ------
    FaultdiagError
        If the larger one is too large for a matrix.

    Examples
    --------
    >>> _factors(64), _factors(2048), _factors(36000)
    ((64, 1), (32, 64), (180, 200))
    """
    if length <= _ONE_MATRIX:
        return length, 1
    small = next(a for a in range(math.isqrt(length), 0, -1) if length % a == 0)
    if length // small > _MOST_ROWS:
        near = next(n for n in range(length, 0, -1) if _largest_factor(n) <= _MOST_ROWS)
        raise FaultdiagError(
            f"a Fourier transform of {length} samples has the factor {length // small}, too large "
            f"for an exported model; use a length such as {near}"
        )
    return small, length // small


def _largest_factor(length: int) -> int:
    return length // next(a for a in range(math.isqrt(length), 0, -1) if length % a == 0)


def _constant(values: NDArray[np.float64], like: Tensor) -> Tensor:
    # Rounded before torch gets it: a graph would otherwise store float64 and round it for every
    # batch.
    kind = np.float64 if like.dtype == torch.float64 else np.float32
    return torch.from_numpy(values.astype(kind)).to(like.device)


# Cached as arrays: a traced graph must not refer to tensors of an earlier trace.
def _angles(rows: int, columns: int, length: int) -> NDArray[np.float64]:
    """Return ``2 pi (r c mod N) / N`` for all rows and columns."""
    turns = np.arange(rows)[:, None] * np.arange(columns) % length
    angles: NDArray[np.float64] = turns.astype(np.float64) * (2 * np.pi / length)
    return angles


@lru_cache(maxsize=64)
def _matrix(length: int, sign: float, *, complex_input: bool) -> NDArray[np.float64]:
    """Return the matrix that transforms rows of real and imaginary parts from the right."""
    angles = _angles(length, length, length)
    cosine, sine = np.cos(angles), sign * np.sin(angles)
    top = np.hstack((cosine, sine))  # (N, 2 N)
    return np.vstack((top, np.hstack((-sine, cosine)))) if complex_input else top


@lru_cache(maxsize=64)
def _twiddle(a: int, b: int, sign: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    angles = _angles(b, a, a * b)
    return np.cos(angles), sign * np.sin(angles)
