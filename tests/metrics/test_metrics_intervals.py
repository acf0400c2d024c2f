"""Intervals against plain resampling and against scipy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from faultdiag.metrics.intervals import (
    bootstrap_interval,
    mean_interval,
    widened,
    wilson_interval,
)
from tests.metrics.laws import law

Ints = NDArray[np.int64]


def counts(seed: int, recordings: int) -> tuple[Ints, Ints]:
    generator = np.random.default_rng(seed)
    windows = generator.integers(1, 8, recordings)
    return generator.binomial(windows, 0.8), windows


def test_the_interval_is_that_of_resampling_recordings_one_by_one() -> None:
    right, windows = counts(0, 30)
    generator = np.random.default_rng(5)
    draws = generator.integers(0, 30, (100_000, 30))
    plain = np.quantile(right[draws].sum(axis=1) / windows[draws].sum(axis=1), [0.025, 0.975])
    found = bootstrap_interval(right, windows, resamples=100_000)
    assert found == pytest.approx(plain, abs=0.003)


def test_two_recordings_one_right_and_one_wrong_say_nothing() -> None:
    assert bootstrap_interval(np.array([5, 0]), np.array([5, 5])) == (0, 1)


@law
@given(seed=st.integers(0, 2**32 - 1), recordings=st.integers(2, 40))
def test_the_order_of_the_recordings_does_not_matter(seed: int, recordings: int) -> None:
    right, windows = counts(seed, recordings)
    order = np.random.default_rng(seed).permutation(recordings)
    found = bootstrap_interval(right, windows)
    assert found == bootstrap_interval(right[order], windows[order])
    assert found is not None
    low, high = found
    assert 0 <= low <= high <= 1


def test_alike_windows_of_few_recordings_are_less_certain_than_as_many_recordings() -> None:
    clustered = bootstrap_interval(np.array([50] * 8 + [0] * 2), np.array([50] * 10))
    single = bootstrap_interval(np.array([1] * 400 + [0] * 100), np.array([1] * 500))
    assert clustered is not None
    assert single is not None
    assert clustered[1] - clustered[0] > 4 * (single[1] - single[0])


def test_the_seed_decides_the_draws() -> None:
    right, windows = counts(1, 25)
    assert bootstrap_interval(right, windows, seed=3) == bootstrap_interval(right, windows, seed=3)
    found = {bootstrap_interval(right, windows, resamples=50, seed=seed) for seed in range(5)}
    assert len(found) > 1


def test_a_higher_level_is_a_wider_interval() -> None:
    right, windows = counts(2, 25)
    half, nearly_all = (bootstrap_interval(right, windows, level=level) for level in (0.5, 0.99))
    assert half is not None
    assert nearly_all is not None
    assert nearly_all[0] < half[0] < half[1] < nearly_all[1]


def test_equal_recordings_give_a_point() -> None:
    assert bootstrap_interval(np.array([3, 3, 3]), np.array([4, 4, 4])) == (0.75, 0.75)


@pytest.mark.parametrize("recordings", [0, 1])
def test_fewer_than_two_recordings_have_no_interval(recordings: int) -> None:
    ones = np.ones(recordings, dtype=np.int64)
    assert bootstrap_interval(ones, ones) is None


@law
@given(trials=st.integers(1, 500), data=st.data())
def test_wilsons_interval_is_scipys(trials: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, trials))
    expected = stats.binomtest(right, trials).proportion_ci(0.95, method="wilson")
    found = wilson_interval(right, trials)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_wilsons_interval_of_nothing_is_none() -> None:
    assert wilson_interval(0, 0) is None


@law
@given(
    values=st.lists(st.floats(-1e3, 1e3).map(lambda value: round(value, 3)), min_size=2, max_size=9)
)
def test_the_mean_interval_is_scipys(values: list[float]) -> None:
    mean, sd, low, high = mean_interval(values)
    assert (mean, sd) == pytest.approx((np.mean(values), np.std(values, ddof=1)))
    error = np.std(values, ddof=1) / math.sqrt(len(values))
    quantile = stats.t(len(values) - 1).ppf(0.975)
    assert low == pytest.approx(mean - quantile * error, abs=1e-9)
    assert high == pytest.approx(mean + quantile * error, abs=1e-9)


def test_one_run_has_a_mean_and_nothing_else() -> None:
    assert mean_interval([0.9]) == (0.9, None, None, None)


@pytest.mark.parametrize("values", [[], [0.9, math.nan], [math.inf]])
def test_a_mean_of_nothing_or_of_no_numbers_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="a mean needs finite numbers; found"):
        mean_interval(values)


@pytest.mark.parametrize("recordings", [2, 10, 47])
def test_where_all_are_right_the_widened_interval_is_wilsons(recordings: int) -> None:
    found = widened((1.0, 1.0), 1.0, recordings)
    assert found == wilson_interval(recordings, recordings)
    assert found[0] < 1 == found[1]
    assert widened((0.1, 1.0), 1.0, recordings) == (0.1, 1.0)
    assert widened(None, 1.0, recordings) is None
