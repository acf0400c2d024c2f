"""Fourier sums at evenly spaced frequencies that need not be lines."""

import math

import torch
from scipy.fft import next_fast_len
from torch import Tensor


def chirp_z(x: Tensor, step: Tensor, bins: int) -> Tensor:
    """Give ``X[b, c, k] = sum_n x[b, c, n] exp(-2 pi i k step[b] n)`` for k from 0 to bins - 1.

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
    Tensor
        Complex, ``(batch, channels, bins)``.

    References
    ----------
    .. [1] L. R. Rabiner, R. W. Schafer and C. M. Rader, "The chirp z-transform algorithm", IEEE
       Trans. Audio Electroacoust. 17 (1969) 86-92, doi:10.1109/TAU.1969.1162034
    """
    # With 2 k n = k^2 + n^2 - (k - n)^2 the sum is a convolution with a chirp.
    samples = x.shape[-1]
    longest = max(samples, bins)
    n = torch.arange(longest, dtype=torch.float64, device=x.device)
    # Of whole turns only the rest, so as to stay exact.
    turns = torch.remainder(step[:, None] * (n.square() * -0.5), 1).to(x.dtype)  # (B, longest)
    chirp = torch.polar(torch.ones_like(turns), turns * (2 * math.pi))[:, None]
    size: int = next_fast_len(samples + bins - 1)
    later = torch.arange(size, device=x.device)
    lag = torch.where(later < bins, later, size - later).clamp(max=longest - 1)  # |k - n|
    kernel = torch.fft.fft(chirp[..., lag].conj())
    product = torch.fft.fft(x * chirp[..., :samples], size) * kernel
    sums: Tensor = torch.fft.ifft(product)[..., :bins] * chirp[..., :bins]
    return sums
