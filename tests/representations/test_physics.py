"""Tones and beats of known frequency, and the laws of the transforms."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.representations.fronts import array, front, windows

PLAIN: dict[str, Any] = {"scale": "linear", "standardise": "none"}


def tone(frequency: float, samples: int, rate: float = 1000.0) -> torch.Tensor:
    time = torch.arange(samples, dtype=torch.float64) / rate
    return torch.cos(2 * math.pi * frequency * time + 0.3)


def modulated(carrier: float, frequency: float, depth: float, samples: int) -> torch.Tensor:
    time = torch.arange(samples, dtype=torch.float64) / 1000
    beat = 1 + depth * torch.cos(2 * math.pi * frequency * time + 0.7)
    return beat * tone(carrier, samples)


@pytest.mark.parametrize("frequency", [5.0, 120.0, 495.0])
@pytest.mark.parametrize("scale", ["linear", "log", "root"])
def test_spectrum_peaks_at_the_tone(frequency: float, scale: str) -> None:
    x = 3 * tone(frequency, 1000)[None, None]
    built = front("spectrum", length=1000, scale=scale)
    assert built.frequencies[built(x)[0, 0].argmax()] == frequency
    a = front("spectrum", length=1000, **PLAIN)(x)[0, 0]
    assert a.max().item() == pytest.approx(3, rel=1e-12)


def test_envelope_spectrum_shows_the_modulation_and_its_double() -> None:
    # |1 + m cos|^2 = 1 + m^2 / 2 + 2 m cos + m^2 / 2 cos(2 .)
    x = 2 * modulated(200, 16, 0.5, 1000)[None, None]
    built = front("envelope_spectrum", length=1000, **PLAIN)
    a = array(built(x)[0, 0])
    assert array(built.frequencies)[a.argmax()] == 16
    np.testing.assert_allclose(a[[16, 32]], [4 * 1.0, 4 * 0.125], rtol=1e-10)
    # The taper spreads a line over its two neighbours, by half.
    np.testing.assert_allclose(a[[15, 17, 31, 33]], [2, 2, 0.25, 0.25], rtol=1e-10)
    rest = np.delete(a, [15, 16, 17, 31, 32, 33])
    assert rest.max() < 1e-10


def test_envelope_spectra_of_two_carriers_stand_in_their_bands() -> None:
    x = (modulated(60, 11, 0.8, 1000) + modulated(310, 23, 0.8, 1000))[None, None]
    built = front("envelope_spectrum", length=1000, bands=2, max_frequency=40)
    assert built(x)[0].argmax(-1).tolist() == [11, 23]
    chosen = front("envelope_spectrum", length=1000, band=(250, 400), max_frequency=40)
    assert chosen(x)[0].argmax(-1).tolist() == [23]


@pytest.mark.parametrize("method", ["exact", "linear"])
def test_a_fault_order_stays_in_place_at_any_speed(method: str) -> None:
    order, rates = 3.59, torch.tensor([11.0, 13.3, 17.9, 25.0], dtype=torch.float64)
    x = torch.stack([modulated(310, order * f, 0.5, 4000) for f in rates.tolist()])[:, None]
    built = front(
        "order_envelope_spectrum", length=4000, method=method, max_order=10, bins=1001, **PLAIN
    )
    a = built(x, rates)[:, 0]
    peaks = built.orders[a.argmax(-1)]
    resolution = 1000 / 4000 / rates
    assert ((peaks - order).abs() < (0.01 if method == "exact" else 0.5 * resolution)).all()
    heights = a.max(-1).values
    # Between two lines the taper takes up to 15 % off the magnitudes of either.
    assert ((heights - 1).abs() < (1e-3 if method == "exact" else 0.16)).all()


def test_order_spectra_have_nothing_above_the_band() -> None:
    x, rate = windows(2), torch.tensor([20.0, 50.0], dtype=torch.float64)
    for method in ("exact", "linear"):
        built = front("order_envelope_spectrum", max_order=20, bins=201, method=method, **PLAIN)
        a = built(x, rate)[:, 0]
        assert (a[0, 1:] > 0).all()
        assert (a[1, 1:101] > 0).all()
        assert (a[1, 101:] == 0).all()


@settings(max_examples=25, deadline=None)
@given(length=st.integers(4, 300), seed=st.integers(0, 1000))
def test_parseval_of_the_spectrum(length: int, seed: int) -> None:
    x = windows(2, 1, length, seed=seed)
    power = front("spectrum", length=length, taper="none", **PLAIN)(x).square() / 2
    if length % 2 == 0:
        power[..., -1] /= 2
    torch.testing.assert_close(power.sum(-1), x.var(-1, correction=0), rtol=1e-10, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(length=st.integers(30, 300), seed=st.integers(0, 1000))
def test_parseval_of_the_envelope_spectrum(length: int, seed: int) -> None:
    from scipy.signal import hilbert

    # Of a signal below a quarter of the rate, the squared envelope is sampled fast enough.
    lines = torch.fft.rfft(windows(1, 1, length, seed=seed))
    lines[..., length // 4 :] = 0
    x = torch.fft.irfft(lines, length)
    power = front("envelope_spectrum", length=length, taper="none", **PLAIN)(x).square() / 2
    centred = array(x - x.mean(-1, keepdim=True))
    squared = np.abs(hilbert(centred)) ** 2
    np.testing.assert_allclose(array(power.sum(-1)), squared.var(-1), rtol=1e-9)


@settings(max_examples=25, deadline=None)
@given(shift=st.integers(1, 199), seed=st.integers(0, 1000))
def test_untapered_spectra_do_not_see_a_rotation_of_the_window(shift: int, seed: int) -> None:
    x = windows(2, 1, seed=seed)
    for name in ("spectrum", "envelope_spectrum"):
        built = front(name, taper="none")
        turned = built(x.roll(shift, -1))
        torch.testing.assert_close(turned, built(x), rtol=1e-8, atol=1e-8)


def test_a_shift_by_one_hop_moves_the_short_time_spectra_by_one() -> None:
    long = windows(1, 1, 204) - 5
    # Equal means, so that removing them does not tell the two windows apart.
    first, second = (part - part.mean() for part in (long[..., :200], long[..., 4:]))
    built = front("stft", taper="hann", **PLAIN)
    shift = (long[..., :200].mean() - long[..., 4:].mean()).abs()
    difference = built(first)[..., 1:] - built(second)[..., :-1]
    assert difference.abs().max() <= 2 * shift + 1e-12


def test_short_time_spectra_follow_a_tone_that_jumps() -> None:
    x = torch.cat((tone(125, 500), tone(375, 500)))[None, None]
    built = front("stft", length=1000, segment=40, hop=20)
    peaks = built.frequencies[built(x)[0].argmax(0)]
    assert peaks[:24].tolist() == [125] * 24
    assert peaks[25:].tolist() == [375] * 24
