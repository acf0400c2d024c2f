"""Aligned signals: which samples are the same up to scale and offset."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from faultdiag.splits import duplicates
from faultdiag.splits.duplicates import fit_copy, shared_runs

law = settings(max_examples=40, deadline=None)


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(samples)


@law
@given(
    start=st.integers(0, 700),
    place=st.integers(0, 700),
    samples=st.integers(300, 1500),
    scale=st.floats(0.01, 100) | st.floats(-100, -0.01),
    offset=st.floats(-5, 5),
)
# The sample after the last is nearly one of the copy: it must not slip in with its block.
@example(start=403, place=403, samples=300, scale=-3.0, offset=-3.0)
def test_a_piece_is_found_to_the_sample(
    start: int, place: int, samples: int, scale: float, offset: float
) -> None:
    x, y = noise(2200), noise(2200, 1)
    y[place : place + samples] = scale * x[start : start + samples] + offset
    [run] = shared_runs(x, y, start - place, minimum=200)
    assert (run.start, run.samples) == (start, samples)
    assert run.scale == pytest.approx(scale, rel=1e-9)
    assert run.offset == pytest.approx(offset, abs=1e-6)
    assert run.correlation == pytest.approx(np.sign(scale), abs=1e-12)


@law
@given(st.integers(-600, 600))
def test_noise_shares_nothing_at_any_lag(lag: int) -> None:
    assert shared_runs(noise(1000), noise(1000, 1), lag, minimum=64) == []
    assert (shared_runs(noise(1000), noise(1000), lag, minimum=64) == []) == (lag != 0)


def test_less_than_the_minimum_is_nothing() -> None:
    x = noise(2000)
    assert [run.samples for run in shared_runs(x, x[500:1500], 500, minimum=1000)] == [1000]
    assert shared_runs(x, x[500:1500], 500, minimum=1001) == []


@pytest.mark.parametrize("lag", [-5000, -1000, 1000, 5000])
def test_a_lag_beyond_the_end_shares_nothing(lag: int) -> None:
    assert shared_runs(noise(1000), noise(1000), lag, minimum=1) == []


def test_what_was_replaced_in_the_middle_parts_it() -> None:
    x = noise(5000)
    y = x.copy()
    y[2000:2500] = noise(500, 1)
    runs = shared_runs(x, y, 0, minimum=1000)
    assert [(run.start, run.samples) for run in runs] == [(0, 2000), (2500, 2500)]


def test_a_quiet_stretch_that_rounding_hides_parts_nothing() -> None:
    x = noise(5000)
    x[2000:2500] *= 1e-5
    y = np.round(x * 1000) / 1000
    [run] = shared_runs(x, y, 0, minimum=1000)
    assert (run.start, run.samples) == (0, 5000)


def test_a_quiet_stretch_that_is_only_alike_is_no_copy() -> None:
    x = noise(6000)
    x[4000:] *= 1e-3
    y = x.copy()
    y[3000:4000] = noise(1000, 1)
    y[4000:] += 5e-5 * noise(2000, 2)
    assert [run.samples for run in shared_runs(x, y, 0, minimum=1000)] == [3000]


def test_silence_is_not_taken_for_a_copy() -> None:
    assert shared_runs(np.zeros(1000), np.zeros(1000), 0, minimum=64) == []
    assert shared_runs(noise(1000), np.ones(1000), 0, minimum=64) == []


def test_a_signal_under_noise_is_no_copy() -> None:
    x = noise(4000)
    assert shared_runs(x, x + 0.03 * noise(4000, 1), 0, minimum=64) == []
    assert shared_runs(x, x + 0.001 * noise(4000, 1), 0, minimum=64) != []


def test_the_result_does_not_depend_on_the_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    x = noise(3000)
    whole = shared_runs(x, -3 * x[100:2900] + 1, 100, minimum=64)
    monkeypatch.setattr(duplicates, "PIECE", 2 * duplicates.BLOCK)
    [pieces] = shared_runs(x, -3 * x[100:2900] + 1, 100, minimum=64)
    assert pieces == pytest.approx(whole[0], rel=1e-9)


def test_the_fit_is_that_of_least_squares() -> None:
    x, y = noise(5000) + 40, noise(5000, 1)
    y += 0.3 * x
    fit = fit_copy(x, y)
    slope, intercept = np.polyfit(x, y, 1)
    assert (fit.scale, fit.offset) == pytest.approx((slope, intercept))
    assert fit.correlation == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert fit.deviation == pytest.approx(np.std(x))
    assert fit.residual == pytest.approx(np.std(y - slope * x - intercept))
    assert fit_copy(np.ones(10), noise(10)).scale == 0
