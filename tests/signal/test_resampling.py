"""Resampling piece by piece: the same as at once, to the bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultdiag.signal import resampling
from faultdiag.signal.resampling import Resampler, mean_of, resample, resampling_ratio

RATES = [(48_000, 12_000), (12_000, 48_000), (25_600, 12_000), (20_000, 12_000), (12_000, 12_000)]


@pytest.mark.parametrize("rates", RATES)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_any_part_is_that_of_the_whole(rates: tuple[int, int], data: st.DataObject) -> None:
    samples = data.draw(st.integers(1, 5_000))
    x = np.random.default_rng(samples).standard_normal((2, samples)).astype(np.float32) + 3
    whole = resample(x, *rates)
    resampler = Resampler(*resampling_ratio(*rates), samples)
    assert whole.shape[1] == resampler.resampled
    start = data.draw(st.integers(0, resampler.resampled - 1))
    stop = data.draw(st.integers(start + 1, resampler.resampled))
    first, last = resampler.needed(start, stop)
    part = resampler.part(x[:, first:last], first, mean_of([x]), start, stop)
    np.testing.assert_array_equal(part, whole[:, start:stop])


def test_little_more_is_needed_than_the_part() -> None:
    resampler = Resampler(*resampling_ratio(48_000, 12_000), 10**9)
    first, last = resampler.needed(10**8, 10**8 + 1000)
    assert 4_000 < last - first < 4_000 + 1_000
    assert first < 4 * 10**8 < last


def test_the_mean_does_not_depend_on_who_sums_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "BLOCK", 1_000)
    x = np.random.default_rng(0).standard_normal((1, 4_500)).astype(np.float32) * 1e4 + 7
    mean = mean_of(x[:, i : i + 1_000] for i in range(0, 4_500, 1_000))
    assert mean.shape == (1, 1)
    np.testing.assert_allclose(mean, x.mean(dtype=np.float64), rtol=1e-6)
