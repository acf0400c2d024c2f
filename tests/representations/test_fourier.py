"""Fourier transforms by matrices equal those of torch.fft."""

import numpy as np
import pytest
import torch

from faultdiag.errors import FaultdiagError
from faultdiag.representations import fourier

# Powers of two, products of small primes, a small prime, an odd one, a window of three seconds.
LENGTHS = [1, 2, 64, 97, 128, 1000, 2048, 2058, 2160, 2187, 36000]


@pytest.mark.parametrize("length", LENGTHS)
def test_half_spectrum_by_matrices_is_that_of_numpy(length: int) -> None:
    x = np.random.default_rng(length).standard_normal((3, 2, length))
    expected = np.fft.rfft(x)
    with fourier.by_matrices():
        real, imaginary = fourier.half_spectrum(torch.from_numpy(x))
        sizes = fourier.magnitudes(torch.from_numpy(x))
    found = real.numpy() + 1j * imaginary.numpy()
    assert np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()
    assert np.abs(sizes.numpy() - np.abs(expected)).max() <= 1e-12 * np.abs(expected).max()


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("inverse", [False, True])
def test_complex_spectrum_by_matrices_is_that_of_numpy(length: int, inverse: bool) -> None:
    draw = np.random.default_rng(length)
    parts = draw.standard_normal((2, 3, length))
    x = parts[0] + 1j * parts[1]
    expected = np.fft.ifft(x, norm="forward") if inverse else np.fft.fft(x)
    with fourier.by_matrices():
        pair = fourier.spectrum(*torch.from_numpy(parts), inverse=inverse)
    plain = fourier.spectrum(*torch.from_numpy(parts), inverse=inverse)
    for real, imaginary in (pair, plain):
        found = real.numpy() + 1j * imaginary.numpy()
        assert np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()


@pytest.mark.parametrize("length", [2048, 2058, 36000])
def test_single_precision_keeps_six_digits(length: int) -> None:
    x = np.random.default_rng(0).standard_normal((4, length)).astype(np.float32)
    expected = np.abs(np.fft.rfft(x.astype(np.float64)))
    with fourier.by_matrices():
        found = fourier.magnitudes(torch.from_numpy(x))
    assert found.dtype == torch.float32
    assert np.abs(found.numpy() - expected).max() <= 1e-6 * expected.max()


def test_outside_the_block_the_transform_is_that_of_torch() -> None:
    x = torch.randn(5, 60, generator=torch.Generator().manual_seed(0))
    assert torch.equal(fourier.magnitudes(x), torch.fft.rfft(x).abs())
    assert torch.equal(torch.complex(*fourier.half_spectrum(x)), torch.fft.rfft(x))


def test_a_length_with_a_large_factor_is_refused_with_one_that_works() -> None:
    with (
        fourier.by_matrices(),
        pytest.raises(FaultdiagError, match=r"12007 samples has the factor 12007.*such as 12006"),
    ):
        fourier.magnitudes(torch.zeros(1, 12007))
    with fourier.by_matrices():
        assert fourier.magnitudes(torch.zeros(1, 12006)).shape == (1, 6004)
