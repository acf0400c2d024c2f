"""Kinds of noise: power, spectra, seeds, and a kind for each window."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from faultdiag.noise import NoiseShaper, add_noise
from faultdiag.signal.noise import COLOURS, KINDS, MAINS, ORDERS, draw_row

RATE, LENGTH = 12_000.0, 4096
CPU = torch.device("cpu")


def noise_of(kind: str, snr: float = 0.0, count: int = 200) -> NDArray[np.float64]:
    """Noise added to windows of two channels, the second ten times as strong."""
    windows = torch.randn(count, 2, LENGTH, generator=torch.Generator().manual_seed(0))
    windows[:, 1] = 10 * windows[:, 1] + 3
    disturbed = add_noise(kind, snr, 0, RATE)(windows, torch.arange(count))
    return (disturbed - windows).double().numpy()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("snr", [-4.0, 10.0])
def test_the_power_is_that_of_every_window_and_channel(kind: str, snr: float) -> None:
    windows = torch.randn(20, 2, LENGTH, dtype=torch.float64) + 5
    windows[:, 1] *= 100
    noise = add_noise(kind, snr, 0, RATE, alone=True)(windows, torch.arange(20))
    ratio = windows.var(-1, correction=0) / noise.var(-1, correction=0)
    # White noise has the power on average: its variance varies by sqrt(2 / length).
    np.testing.assert_allclose(10 * torch.log10(ratio), snr, atol=0.5 if kind == "white" else 1e-4)
    added = add_noise(kind, snr, 0, RATE)(windows, torch.arange(20))
    torch.testing.assert_close(added - windows, noise)


@pytest.mark.parametrize("kind", COLOURS)
def test_the_spectrum_falls_as_the_colour_says(kind: str) -> None:
    power = np.square(np.abs(np.fft.rfft(noise_of(kind)[:, 0]))).mean(0)
    lines = np.arange(len(power))
    edges = np.geomspace(8, len(power) - 1, 12)
    means = [
        (np.log(lines[a:b]).mean(), np.log(power[a:b]).mean())
        for a, b in zip(edges[:-1].astype(int), edges[1:].astype(int), strict=True)
    ]
    slope = np.polyfit(*np.transpose(means), 1)[0]
    assert slope == pytest.approx(2 * COLOURS[kind], abs=0.06)


def test_impulsive_noise_has_rare_spikes() -> None:
    noise = noise_of("impulsive")[:, 0]
    kurtosis = (noise**4).mean(-1) / (noise**2).mean(-1) ** 2
    # Of a mixture: 3 (0.995 * 0.1^4 + 0.005 * (3^2 + 0.1^2)^2) / (0.1^2 + 0.005 * 3^2)^2
    expected = 3 * (0.995e-4 + 0.005 * 9.01**2) / 0.055**2
    assert np.mean(kurtosis) == pytest.approx(expected, rel=0.2)


def test_hum_stands_at_the_mains_and_its_harmonics() -> None:
    noise = noise_of("hum", count=20)[:, 0]
    spectrum = np.square(np.abs(np.fft.rfft(noise * np.hanning(LENGTH)))).mean(0)
    frequencies = np.arange(len(spectrum)) * RATE / LENGTH
    near = np.zeros(len(spectrum), bool)
    for order in ORDERS:
        near |= np.abs(frequencies - order * MAINS) < 10
    assert spectrum[near].sum() / spectrum.sum() > 0.999


@pytest.mark.parametrize("kind", KINDS)
def test_the_noise_of_a_window_is_its_own(kind: str) -> None:
    windows = torch.randn(6, 1, 256)
    rows = torch.arange(6)
    whole = add_noise(kind, 0, 5, RATE)(windows, rows)
    single = [add_noise(kind, 0, 5, RATE)(windows[i : i + 1], rows[i : i + 1]) for i in range(6)]
    torch.testing.assert_close(whole, torch.cat(single))
    assert not torch.equal(whole, add_noise(kind, 0, 6, RATE)(windows, rows))


def test_each_window_has_its_own_kind() -> None:
    kinds = list(KINDS)
    drawn = [draw_row(kind, (1, 512), [3, i]) for i, kind in enumerate(kinds)]
    normal = torch.from_numpy(np.stack([row["normal"] for row in drawn]))
    spikes = torch.zeros_like(normal)
    spikes[4] = torch.from_numpy(drawn[4]["spikes"])
    hum = torch.from_numpy(np.stack([drawn[5]["hum"]] * 6))
    mixed = NoiseShaper(kinds, 512, RATE, CPU)(torch.arange(6), normal, spikes, hum)
    for i, kind in enumerate(kinds):
        alone = NoiseShaper([kind], 512, RATE, CPU)(
            torch.zeros(1, dtype=torch.long), normal[i : i + 1], spikes[i : i + 1], hum[i : i + 1]
        )
        torch.testing.assert_close(mixed[i : i + 1], alone)


def test_harmonics_above_the_nyquist_frequency_are_left_out() -> None:
    drawn = draw_row("hum", (1, 400), [0, 0])
    slow = NoiseShaper(["hum"], 400, 400.0, CPU)
    hum = torch.from_numpy(drawn["hum"])[None]
    noise = slow(torch.zeros(1, dtype=torch.long), torch.zeros(1, 1, 400), None, hum)
    spectrum = np.abs(np.fft.rfft(noise[0, 0].numpy()))
    assert np.flatnonzero(spectrum > 0.2 * spectrum.max()).max() <= 152
