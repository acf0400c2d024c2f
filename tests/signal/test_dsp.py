"""Resampling, spectra and statistics against what is known of sines and noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError
from faultdiag.signal import dsp, resampling


def sine(frequency: float, fs: float, seconds: float = 1.0, amplitude: float = 1.0) -> np.ndarray:
    t = np.arange(round(seconds * fs)) / fs
    return amplitude * np.sin(2 * np.pi * frequency * t)


def as_signal(*rows: np.ndarray) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


def inner(x: np.ndarray) -> np.ndarray:
    """Leave out the ends, where a signal that stops shows the filter's own length."""
    return x[..., x.shape[-1] // 10 : -(x.shape[-1] // 10)]


RATES = [(48000, 12000), (48828, 12000), (25600, 12000), (20000, 12000), (12000, 48000)]


@pytest.mark.parametrize(("source", "target"), RATES)
def test_resample_keeps_the_pass_band(source: float, target: float) -> None:
    edge = 0.9 * min(source, target) / 2
    for frequency in (100.0, edge / 2, edge):
        y = inner(resampling.resample(as_signal(sine(frequency, source)), source, target))
        rms = np.sqrt(np.mean(np.square(y, dtype=np.float64)))
        assert rms * np.sqrt(2) == pytest.approx(1, rel=0.01), frequency


@pytest.mark.parametrize(("source", "target"), RATES[:-1])
def test_resample_stops_what_would_alias(source: float, target: float) -> None:
    for frequency in (target / 2 + 10, 0.6 * target, 0.45 * source):
        y = inner(resampling.resample(as_signal(sine(frequency, source)), source, target))
        assert np.abs(y).max() < 1e-3, frequency  # -60 dB


def test_upsampling_leaves_no_image() -> None:
    y = inner(resampling.resample(as_signal(sine(3000, 12000)), 12000, 48000))[0]
    shown = dsp.spectrum(y, 48000)
    image = shown.amplitudes[np.abs(shown.frequencies - 9000) < 50]
    assert shown.amplitudes.max() > 0.9
    assert image.max() < 1e-3


@pytest.mark.parametrize(("source", "target"), RATES)
def test_resample_keeps_time(source: float, target: float) -> None:
    x = as_signal(sine(50, source), sine(333, source))
    y = resampling.resample(x, source, target)
    assert y.dtype == np.float32
    assert y.shape == (2, -(-x.shape[1] * target // source))
    wanted = [sine(f, target, y.shape[1] / target)[: y.shape[1]] for f in (50, 333)]
    assert np.abs(inner(y) - inner(np.array(wanted))).max() < 2e-3


def test_resample_at_the_same_rate_is_the_same_array() -> None:
    x = as_signal(sine(50, 1000))
    assert resampling.resample(x, 12000, 12000.0) is x


@given(st.floats(-100, 100, width=32), st.sampled_from(RATES))
@settings(max_examples=10, deadline=None)
def test_resample_keeps_an_offset_up_to_the_ends(offset: float, rates: tuple[int, int]) -> None:
    y = resampling.resample(np.full((1, 3000), offset, np.float32), *rates)
    assert y == pytest.approx(np.full(y.shape, offset), rel=1e-6)


@given(st.integers(100, 200_000), st.integers(100, 200_000))
def test_ratio_is_bounded_and_close(source: int, target: int) -> None:
    up, down = resampling.resampling_ratio(source, target)
    assert 0 < max(up, down) <= resampling.LARGEST_RATIO
    assert up / down == pytest.approx(target / source, rel=1e-4)


def test_rates_too_far_apart() -> None:
    message = "resampling from 48000 Hz to 1 Hz: a factor of up to 10000 can be done"
    with pytest.raises(FaultdiagError, match=message):
        resampling.resample(np.zeros((1, 10), np.float32), 48000, 1)


def test_ratio_of_common_rates_is_exact() -> None:
    assert resampling.resampling_ratio(48828, 12000) == (1000, 4069)
    assert resampling.resampling_ratio(48828.125, 12000) == (768, 3125)
    assert resampling.resampling_ratio(44100, 48000) == (160, 147)


@given(st.integers(1, 5_000_000))
def test_fast_length_has_small_factors_only(samples: int) -> None:
    length = dsp.fast_length(samples)
    assert 0.5 * samples < length <= samples
    assert samples < 1000 or length > 0.96 * samples
    for factor in (2, 3, 5, 7):
        while length % factor == 0:
            length //= factor
    assert length == 1


def test_fast_lengths_are_all_found() -> None:
    lengths = sorted({dsp.fast_length(n) for n in range(1, 200)})
    expected = [n for n in range(1, 200) if all(n % p for p in range(11, 200) if _prime(p))]
    assert lengths == expected


def _prime(n: int) -> bool:
    return all(n % k for k in range(2, n))


def test_spectrum_shows_a_sine_at_its_place_and_height() -> None:
    shown = dsp.spectrum(sine(440, 12000, amplitude=2.5) + 7.0, 12000)
    peak = shown.amplitudes.argmax()
    assert shown.frequencies[peak] == pytest.approx(440)
    assert shown.amplitudes[peak] == pytest.approx(2.5, rel=1e-6)
    assert shown.amplitudes[shown.frequencies == 0] < 1e-9
    assert shown.frequencies[-1] == pytest.approx(6000)


def test_spectra_keep_channels_apart() -> None:
    x = np.array([sine(440, 12000), sine(1000, 12000)])
    assert dsp.spectrum(x, 12000).amplitudes.argmax(axis=-1).tolist() == [440, 1000]
    envelopes = dsp.envelope_spectrum(x, 12000, (500, 5500)).amplitudes
    assert envelopes[1] == pytest.approx(dsp.envelope_spectrum(x[1], 12000, (500, 5500))[1])


@pytest.mark.parametrize("band", [None, (4000.0, 6000.0), (4500.0, 5500.0)])
def test_envelope_of_a_modulated_carrier(band: dsp.Band | None) -> None:
    depth, fs = 0.3, 48000
    x = (1 + depth * sine(100, fs)) * sine(5000, fs)
    frequencies, amplitudes = dsp.envelope_spectrum(x, fs, band)
    # The squared envelope is 1 + 2 m cos + m^2 cos^2: a line 2 m and one m^2 / 2 at twice it.
    assert amplitudes[np.isclose(frequencies, 100)] == pytest.approx(2 * depth, rel=1e-3)
    assert amplitudes[np.isclose(frequencies, 200)] == pytest.approx(depth**2 / 2, rel=1e-3)
    others = amplitudes[(frequencies > 202) | ((frequencies > 2) & (frequencies < 98))]
    assert others.max() < 1e-3


def test_envelope_equals_that_of_the_analytic_signal() -> None:
    from scipy.signal import hilbert

    fs = 6000
    rng = np.random.default_rng(3)
    x = rng.normal(size=fs) + 5
    lines = np.fft.rfft(x - x.mean())
    lines[:1000] = lines[2001:] = 0
    envelope = np.square(np.abs(hilbert(np.fft.irfft(lines, fs))))
    wanted = dsp.spectrum(envelope, fs)
    found = dsp.envelope_spectrum(x, fs, (1000, 2000))
    assert found.frequencies[-1] < 1000
    # The window's samples lie elsewhere, so lines beside each other share a little differently.
    assert found.amplitudes[2:] == pytest.approx(wanted.amplitudes[2:1000], abs=1e-3)


def test_envelope_does_not_see_an_offset() -> None:
    x = (1 + 0.5 * sine(30, 8000)) * sine(2000, 8000)
    plain, shifted = (dsp.envelope_spectrum(v, 8000).amplitudes for v in (x, x + 100))
    assert shifted == pytest.approx(plain, abs=1e-9)


def test_bands_together_are_the_bands_alone() -> None:
    x = np.random.default_rng(0).normal(size=5000)
    bands = [None, (100.0, 900.0), (0.0, 2000.0)]
    for band, found in zip(bands, dsp.band_envelope_spectra(x, 4000, bands), strict=True):
        alone = dsp.envelope_spectrum(x, 4000, band)
        assert np.array_equal(found.amplitudes, alone.amplitudes)
        assert np.array_equal(found.frequencies, alone.frequencies)


@pytest.mark.parametrize("band", [(1000.0, 2500.0), (-1.0, 500.0), (500.0, 400.0), (500.0, 501.0)])
def test_band_outside_the_spectrum(band: dsp.Band) -> None:
    message = rf"band {band[0]:g} to {band[1]:g} Hz; the signal has lines from 0 to 2000\.5 Hz"
    with pytest.raises(FaultdiagError, match=message):
        dsp.envelope_spectrum(np.zeros(4000), 4000, band)


def test_prominence_of_a_line_over_its_floor() -> None:
    amplitudes = np.ones(1001)
    amplitudes[500] = 100.0
    found = dsp.prominence(amplitudes, 20)
    assert found[500] == pytest.approx(2)
    assert np.delete(found, 500) == pytest.approx(np.zeros(1000))


def test_prominence_follows_a_sloping_floor() -> None:
    slope = np.logspace(0, -4, 2000)
    assert np.abs(dsp.prominence(slope, 20)[50:-50]).max() < 0.01


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_prominence_of_very_short_spectra(size: int) -> None:
    assert dsp.prominence(np.ones(size), 50).shape == (size,)


def test_noise_stays_below_the_bound_that_is_stated() -> None:
    x = np.random.default_rng(1).normal(size=200_000)
    bound = np.log10(np.sqrt(np.log(100_000) / np.log(2)))
    assert 0.4 < dsp.prominence(dsp.spectrum(x, 1.0).amplitudes, 200)[100:].max() < 1.15 * bound


def test_statistics_of_a_sine() -> None:
    x = np.array([sine(10, 1000, amplitude=3.0) + 0.5, sine(10, 1000)])
    found = dsp.statistics(x)
    assert found["mean"] == pytest.approx([0.5, 0], abs=1e-12)
    assert found["standard_deviation"] == pytest.approx(np.array([3, 1]) / np.sqrt(2))
    assert found["rms"] == pytest.approx(np.sqrt([9 / 2 + 0.25, 1 / 2]))
    assert found["peak"] == pytest.approx([3, 1])
    assert found["crest_factor"] == pytest.approx([np.sqrt(2)] * 2)
    assert found["kurtosis"] == pytest.approx([1.5, 1.5])
    assert found["skewness"] == pytest.approx([0, 0], abs=1e-9)


def test_statistics_agree_with_scipy() -> None:
    from scipy.stats import kurtosis, skew

    x = np.random.default_rng(0).gamma(2.0, size=(2, 1000))
    found = dsp.statistics(x)
    assert found["kurtosis"] == pytest.approx(kurtosis(x, axis=1, fisher=False))
    assert found["skewness"] == pytest.approx(skew(x, axis=1))


def test_statistics_of_a_constant_are_nan_where_undefined() -> None:
    found = dsp.statistics(np.full((1, 100), 2.0))
    assert found["mean"] == 2
    assert found["standard_deviation"] == found["peak"] == 0
    for name in ("crest_factor", "kurtosis", "skewness"):
        assert np.isnan(found[name]).all()


@given(st.floats(1e-5, 10), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_quantisation_step_is_found(step: float, seed: int) -> None:
    x = np.rint(np.random.default_rng(seed).normal(scale=50, size=5000)) * step
    assert dsp.quantisation_step(x.astype(np.float32)) == pytest.approx(step, rel=1e-4)


def test_no_quantisation_step() -> None:
    rng = np.random.default_rng(0)
    continuous = rng.normal(size=5000)
    assert dsp.quantisation_step(continuous) is None
    assert dsp.quantisation_step(np.zeros(100)) is None
    repeated = np.tile(rng.normal(size=50), 10)
    assert dsp.quantisation_step(repeated) is None


def test_clipped_samples() -> None:
    x = np.random.default_rng(0).normal(size=5000)
    assert dsp.clipped_samples(x) == 0
    limited = np.clip(x, -2.0, 2.5)
    assert dsp.clipped_samples(limited) == np.count_nonzero((x <= -2.0) | (x >= 2.5))
    assert dsp.clipped_samples(np.zeros(100)) == 0


@pytest.mark.real
def test_facts_of_real_recordings(real_data) -> None:
    from faultdiag.readers.read import read_recording

    recordings = {
        name: read_recording(real_data / "cwru" / f"{name}.mat", channel="DE").signal[0]
        for name in ("12k_DE/200", "12k_DE/105", "normal/97")
    }
    clipped = {name: dsp.clipped_samples(x) for name, x in recordings.items()}
    assert clipped == {"12k_DE/200": 8, "12k_DE/105": 0, "normal/97": 0}
    steps = [dsp.quantisation_step(x) for x in recordings.values()]
    assert steps == pytest.approx([4.06e-5, 1.624e-4, 2.086e-4], rel=1e-3)
