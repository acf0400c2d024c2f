"""log_psd and log_spectra against sums written out in numpy, and on signals of known spectrum."""

import numpy as np
import pytest
import torch

from tests.representations import oracles
from tests.representations.fronts import array, front, windows


def close(found: torch.Tensor, expected: object) -> None:
    np.testing.assert_allclose(array(found), np.asarray(expected), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("length", "segment", "hop"), [(200, 64, 32), (201, 33, 32), (64, 64, 1)])
@pytest.mark.parametrize("taper", ["hann", "none"])
def test_log_psd(length: int, segment: int, hop: int, taper: str) -> None:
    x = windows(2, 2, length)
    built = front("log_psd", 2, length, segment=segment, hop=hop, taper=taper)
    expected = [[oracles.log_psd(c, segment, hop, taper) for c in window] for window in array(x)]
    close(built(x), expected)


def test_log_psd_in_bands() -> None:
    x = windows(2)
    built = front("log_psd", segment=64, hop=32, bands=8)
    close(built(x)[:, 0], [oracles.log_psd(w[0], 64, 32, "hann", 8) for w in array(x)])
    close(built.frequencies, np.arange(1, 33).reshape(8, 4).mean(1) * 1000 / 64)


def test_log_psd_is_that_of_scipy() -> None:
    from scipy.signal import welch

    x = windows(2, 1, 500)
    hertz, power = welch(array(x), 1000, "hann", 64, 32, detrend="constant", scaling="spectrum")
    power[..., -1] *= 2  # one-sided powers are doubled, but at half the rate
    expected = np.log10(power[..., 1:])
    built = front("log_psd", length=500, segment=64, hop=32)
    close(built(x), expected - expected.mean(-1, keepdims=True))
    close(built.frequencies, hertz[1:])


@pytest.mark.parametrize("length", [200, 97])
@pytest.mark.parametrize(("segments", "overlap"), [((16, 64), 4), ((32,), 1), ((33, 9), 3)])
def test_log_spectra(length: int, segments: tuple[int, ...], overlap: int) -> None:
    x = windows(2, 2, length)
    built = front("log_spectra", 2, length, segments=segments, overlap=overlap, floor=1e-2)
    expected = [
        np.concatenate([oracles.log_spectra(c, segments, overlap, 1e-2) for c in window])
        for window in array(x)
    ]
    close(built(x), expected)


def test_a_tone_does_not_fluctuate_and_noise_does() -> None:
    time = torch.arange(4000, dtype=torch.float64) / 1000
    tone = torch.sin(2 * torch.pi * 125 * time)[None, None]
    built = front("log_spectra", length=4000, segments=(64,))
    _, fluctuation = built(tone)[0]
    _, of_noise = built(windows(1, 1, 4000))[0]
    at_tone = int((built.frequencies - 125).abs().argmin())
    assert fluctuation[at_tone] < 1e-3
    assert 0.8 < of_noise.median() < 1.2
