"""Every representation against sums written out in numpy."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from faultdiag.representations.envelope import band_lines
from faultdiag.representations.fourier import chirp_z
from tests.representations import oracles
from tests.representations.fronts import array, front, rates, windows

TAPERS = ("hann", "none")
SCALINGS = list(product(("linear", "log", "root"), ("window", "channel", "none")))


def close(found: torch.Tensor, expected: object) -> None:
    np.testing.assert_allclose(array(found), np.asarray(expected), rtol=1e-10, atol=1e-10)


def test_raw() -> None:
    x = windows(2, 3)
    assert torch.equal(front("raw", 3)(x), x)


@pytest.mark.parametrize("length", [4, 5, 64, 97, 200])
@pytest.mark.parametrize("taper", TAPERS)
def test_spectrum(length: int, taper: str) -> None:
    x = windows(2, 3, length)
    found = front("spectrum", 3, length, taper=taper, scale="linear", standardise="none")(x)
    close(found, oracles.spectrum(array(x), taper))


@pytest.mark.parametrize(("scale", "standardise"), SCALINGS)
@pytest.mark.parametrize("name", ["spectrum", "envelope_spectrum", "stft"])
def test_scales(name: str, scale: str, standardise: str) -> None:
    x = windows(2, 2)
    plain = front(name, 2, scale="linear", standardise="none")(x)
    found = front(name, 2, scale=scale, standardise=standardise)(x)
    close(found, [oracles.scaled(a, scale, standardise) for a in array(plain)])


@pytest.mark.parametrize("length", [64, 97])
def test_spectrum_is_that_of_scipy(length: int) -> None:
    from scipy.signal import periodogram

    x = windows(2, 1, length)
    built = front("spectrum", length=length, scale="linear", standardise="none")
    hertz, power = periodogram(array(x), 1000, "hann", scaling="spectrum")
    # One-sided powers of a sine, A^2 / 2, but A^2 at 0 and at half the rate.
    inner = slice(1, length - length // 2)
    close(built(x)[..., inner], np.sqrt(2 * power[..., inner]))
    close(built.frequencies, hertz)


CUTS = [
    (200, None, 1, [(0, 101)]),
    (201, None, 1, [(0, 101)]),
    (200, (100, 400), 1, [(20, 81)]),
    (201, (100, 400), 1, [(21, 81)]),
    (200, (100, 400), 4, [(20, 35), (35, 50), (50, 65), (65, 81)]),
    (97, None, 2, [(0, 24), (24, 49)]),
]


@pytest.mark.parametrize(("length", "band", "bands", "cuts"), CUTS)
@pytest.mark.parametrize("taper", TAPERS)
def test_envelope_spectrum(
    length: int,
    band: tuple[float, float] | None,
    bands: int,
    cuts: list[tuple[int, int]],
    taper: str,
) -> None:
    x = windows(2, 2, length)
    options: dict[str, Any] = {"band": band, "bands": bands, "taper": taper}
    built = front("envelope_spectrum", 2, length, **options, scale="linear", standardise="none")
    positions = max(stop - first for first, stop in cuts)
    expected = np.zeros((2, 2, bands, positions))
    for index in np.ndindex(2, 2, bands):
        first, stop = cuts[index[2]]
        expected[index][: stop - first] = oracles.envelope_spectrum(
            array(x)[index[:2]], first, stop, taper
        )
    found = built(x)
    assert found.shape == (2, 2 * bands, positions)
    # The taper reaches one line beyond a band, which shows where another band is longer.
    for b, (first, stop) in enumerate(cuts):
        close(found[:, b::bands, : stop - first], expected[:, :, b, : stop - first])


@pytest.mark.parametrize("bands", [1, 4])
@pytest.mark.parametrize("taper", TAPERS)
@pytest.mark.parametrize("length", [160, 201])
def test_order_envelope_spectrum_is_the_sum_at_each_order(
    length: int, taper: str, bands: int
) -> None:
    x, rate = windows(3, 2, length), rates()
    built = front(
        "order_envelope_spectrum",
        2,
        length,
        band=(100, 400),
        bands=bands,
        max_order=6,
        bins=50,
        taper=taper,
        scale="linear",
        standardise="none",
    )
    found = built(x, rate)
    lines = band_lines("order_envelope_spectrum", length, 1000, (100, 400), bands)
    last = max(len(part) for part in lines) - 1
    for window, channel, b in np.ndindex(3, 2, bands):
        positions = np.linspace(0, 6, 50) * float(rate[window]) * length / 1000
        expected = oracles.order_envelope_spectrum(
            array(x)[window, channel],
            (lines[b].start, lines[b].stop),
            taper,
            positions,
            grid=built.envelope.grid,
        )
        close(found[window, channel * bands + b], np.where(positions <= last, expected, 0))


@pytest.mark.parametrize("taper", TAPERS)
def test_linear_order_envelope_spectrum_lies_between_the_lines(taper: str) -> None:
    options: dict[str, Any] = {
        "band": (100, 400),
        "taper": taper,
        "scale": "linear",
        "standardise": "none",
    }
    x, rate = windows(3, 2), rates()
    orders = np.linspace(0, 30, 400)
    built = front("order_envelope_spectrum", 2, **options, max_order=30, bins=400, method="linear")
    plain = front("envelope_spectrum", 2, **options)
    lines, hertz = array(plain(x)), array(plain.frequencies)
    expected = [
        [np.interp(orders * float(f), hertz, a, right=0) for a in channels]
        for f, channels in zip(rate, lines, strict=True)
    ]
    close(built.orders, orders)
    close(built(x, rate), expected)


def test_both_methods_agree_on_a_line() -> None:
    # At 10 Hz and 200 samples at 1 kHz, order 0.5 is a line.
    options: dict[str, Any] = {
        "max_order": 10,
        "bins": 21,
        "scale": "linear",
        "standardise": "none",
    }
    x, rate = windows(), torch.full((3,), 10.0)
    exact, linear = (
        front("order_envelope_spectrum", **options, method=method)(x, rate)
        for method in ("exact", "linear")
    )
    torch.testing.assert_close(exact, linear, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("samples", "bins"), [(1, 1), (1, 5), (7, 3), (60, 200), (200, 60), (9000, 4)]
)
def test_chirp_z(samples: int, bins: int) -> None:
    x, step = windows(3, 2, samples), torch.tensor([0.0, 0.0123, 0.4], dtype=torch.float64)
    expected = [oracles.fourier(array(x)[b], np.arange(bins) * float(step[b])) for b in range(3)]
    np.testing.assert_allclose(torch.complex(*chirp_z(x, step, bins)).numpy(), expected, atol=1e-10)


def test_chirp_z_in_float32_loses_no_more_than_the_sum() -> None:
    x, step = windows(2, 1, 4000), torch.tensor([1e-3, 2.3e-4], dtype=torch.float64)
    single, double = (torch.complex(*chirp_z(y, step, 1024)) for y in (x.float(), x))
    assert (single - double).abs().max() < 1e-5 * double.abs().max()


@pytest.mark.parametrize(("length", "segment", "hop"), [(200, 64, 4), (201, 33, 32), (64, 64, 1)])
@pytest.mark.parametrize("taper", TAPERS)
def test_stft(length: int, segment: int, hop: int, taper: str) -> None:
    x = windows(2, 2, length)
    built = front(
        "stft",
        2,
        length,
        segment=segment,
        hop=hop,
        taper=taper,
        scale="linear",
        standardise="none",
    )
    expected = [
        np.concatenate([oracles.stft(c, segment, hop, taper) for c in window])
        for window in array(x)
    ]
    close(built(x), expected)


def test_stft_is_that_of_torch_and_of_scipy() -> None:
    from scipy.signal import ShortTimeFFT

    x = windows(2, 1, 300)[:, 0]
    x = x - x.mean(-1, keepdim=True)
    built = front("stft", length=300, segment=48, hop=5, scale="linear", standardise="none")
    found = built(x[:, None])
    window = torch.hann_window(48, dtype=torch.float64)
    by_torch = torch.stft(x, 48, 5, window=window, center=False, return_complex=True)
    close(found, by_torch.abs() / 12)
    by_scipy = ShortTimeFFT(window.numpy(), 5, 1000.0, phase_shift=None)
    whole = by_scipy.stft(x.numpy(), p0=0, p1=51, k_offset=24)
    close(found, np.abs(whole) / 12)
