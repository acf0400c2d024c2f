"""Normalisers against their formulas, on numpy arrays and torch tensors alike."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError
from faultdiag.signal.normalize import NORMALIZERS, State, fit, normalizer

Windows = NDArray[np.float32]

law = settings(max_examples=30, deadline=None)
seeds = st.integers(0, 10**6)
PER_WINDOW = ("window_zscore", "window_range")
FITTED = ("channel_zscore", "column_zscore", "recording_robust")


def draw(seed: int, windows: int = 7, channels: int = 2, length: int = 64) -> Windows:
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.1, 5, (1, channels, 1))
    offset = rng.uniform(-3, 3, (1, channels, 1))
    return (scale * rng.standard_normal((windows, channels, length)) + offset).astype(np.float32)


def arrays(state: State) -> dict[str, Any]:
    return {key: np.array(values, dtype=np.float32) for key, values in state.items()}


def on_numpy(name: str, training: Windows) -> Callable[[Windows], Windows]:
    return normalizer(name, arrays(fit(name, [training])))


@pytest.mark.parametrize("name", list(NORMALIZERS))
def test_numpy_and_torch_agree(name: str) -> None:
    training, windows = draw(0), draw(1)
    state = fit(name, [training])
    tensors = {key: torch.tensor(values) for key, values in state.items()}
    expected = normalizer(name, arrays(state))(windows)
    found = normalizer(name, tensors)(torch.from_numpy(windows))
    assert found.dtype == torch.float32
    assert expected.dtype == np.float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", list(NORMALIZERS))
def test_windows_themselves_stay_as_they_are(name: str) -> None:
    windows = draw(2)
    before = windows.copy()
    on_numpy(name, draw(0))(windows)
    np.testing.assert_array_equal(windows, before)


def test_none_changes_nothing() -> None:
    windows = draw(3)
    np.testing.assert_array_equal(on_numpy("none", draw(0))(windows), windows)


@law
@given(seeds)
def test_window_zscore_gives_mean_0_and_standard_deviation_1(seed: int) -> None:
    windows = draw(seed)
    x = windows.astype(np.float64)
    expected = (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)
    np.testing.assert_allclose(on_numpy("window_zscore", windows)(windows), expected, atol=2e-5)


@law
@given(seeds)
def test_window_range_gives_mean_0_and_largest_magnitude_1(seed: int) -> None:
    windows = draw(seed)
    found = on_numpy("window_range", windows)(windows)
    np.testing.assert_allclose(found.mean(-1), 0, atol=1e-5)
    np.testing.assert_allclose(np.abs(found).max(-1), 1, rtol=1e-6)
    x = windows.astype(np.float64)
    centred = x - x.mean(-1, keepdims=True)
    expected = centred / np.abs(centred).max(-1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=2e-5)


@law
@given(seeds, st.floats(1e-6, 1e6), st.floats(-50, 50), st.sampled_from(PER_WINDOW))
def test_no_gain_or_offset_gets_through(seed: int, gain: float, offset: float, name: str) -> None:
    windows = draw(seed)
    apply = on_numpy(name, windows)
    # An offset of 50 deviations costs float32 two of its seven digits.
    moved = (gain * (windows.astype(np.float64) + offset)).astype(np.float32)
    np.testing.assert_allclose(apply(moved), apply(windows), atol=1e-3)


@law
@given(st.floats(-1e6, 1e6, width=32), st.integers(2, 300), st.sampled_from(PER_WINDOW))
def test_a_dead_window_becomes_zeros(value: float, length: int, name: str) -> None:
    # 0.1 as float32 is no multiple of its own rounded mean: the difference must not be blown up.
    for dead in (value, 0.1):
        windows = np.full((2, 1, length), dead, dtype=np.float32)
        apply = normalizer(name, {})
        np.testing.assert_array_equal(apply(windows), np.zeros_like(windows))
        assert torch.equal(apply(torch.from_numpy(windows)), torch.zeros(2, 1, length))


@pytest.mark.parametrize("name", PER_WINDOW)
@pytest.mark.parametrize("size", [1e-30, 1e-24, 1e-20])
def test_rounding_noise_in_a_dead_window_is_not_blown_up(name: str, size: float) -> None:
    noise = (size * np.random.default_rng(0).standard_normal((1, 1, 64))).astype(np.float32)
    assert np.abs(normalizer(name, {})(noise)).max() <= 10


@law
@given(seeds)
def test_channel_zscore_follows_its_formula(seed: int) -> None:
    training, windows = draw(seed), draw(seed + 1)
    x = training.astype(np.float64)
    mean, std = x.mean((0, 2), keepdims=True)[0], x.std((0, 2), keepdims=True)[0]
    state = fit("channel_zscore", [training])
    np.testing.assert_allclose(state["mean"], mean, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(state["std"], std, rtol=1e-9)
    found = on_numpy("channel_zscore", training)(windows)
    np.testing.assert_allclose(found, (windows - mean) / std, rtol=1e-4, atol=1e-5)


@law
@given(seeds)
def test_column_zscore_follows_its_formula(seed: int) -> None:
    training, windows = draw(seed), draw(seed + 1)
    x = training.astype(np.float64)
    state = fit("column_zscore", [training])
    assert np.array(state["mean"]).shape == (2, 64)
    np.testing.assert_allclose(state["mean"], x.mean(0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(state["std"], x.std(0), rtol=1e-9)
    found = on_numpy("column_zscore", training)(windows)
    np.testing.assert_allclose(found, (windows - x.mean(0)) / x.std(0), rtol=1e-4, atol=1e-4)


@law
@given(seeds, st.lists(st.integers(1, 6), max_size=4), st.sampled_from(FITTED))
def test_the_fit_does_not_depend_on_the_batches(seed: int, cuts: list[int], name: str) -> None:
    training = draw(seed)
    batches = [batch for batch in np.split(training, sorted(set(cuts))) if len(batch)]
    whole, parts = fit(name, [training]), fit(name, iter(batches))
    assert (
        whole.keys()
        == parts.keys()
        == ({"median", "mad"} if name == "recording_robust" else {"mean", "std"})
    )
    for key in whole:
        np.testing.assert_allclose(parts[key], whole[key], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", FITTED)
def test_a_large_offset_costs_the_fit_no_digits(name: str) -> None:
    ripple = np.random.default_rng(0).integers(0, 2, (500, 1, 8)).astype(np.float32)
    state, plain = fit(name, [ripple + np.float32(8e6)]), fit(name, [ripple])
    spread = "mad" if name == "recording_robust" else "std"
    np.testing.assert_allclose(state[spread], plain[spread], rtol=1e-9)


@pytest.mark.parametrize("name", list(NORMALIZERS))
def test_only_the_given_windows_are_read_and_only_where_there_is_something_to_fit(
    name: str,
) -> None:
    taken = []

    def batches() -> Iterator[Windows]:
        for seed in range(3):
            taken.append(seed)
            yield draw(seed)

    state = fit(name, batches())
    assert (taken, state == {}) == (([0, 1, 2], False) if name in FITTED else ([], True))
    assert json.loads(json.dumps(state)) == state


@pytest.mark.parametrize("name", FITTED)
def test_what_is_dead_in_training_is_only_moved(name: str) -> None:
    training = draw(4)
    training[:, 1] = 0.1
    apply = on_numpy(name, training)
    np.testing.assert_allclose(apply(training)[:, 1], 0, atol=1e-7)
    windows = draw(5)
    np.testing.assert_allclose(apply(windows)[:, 1], windows[:, 1] - np.float32(0.1), atol=1e-6)


def test_an_unknown_normaliser() -> None:
    expected = (
        "unknown normaliser 'zscore' (did you mean 'window_zscore'?); "
        "known: channel_zscore, column_zscore, none, recording_robust, window_range, window_zscore"
    )
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        fit("zscore", [])
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        normalizer("zscore", {})


@pytest.mark.parametrize("name", ["window_zscore", "window_range"])
@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_no_gain_from_1e_30_to_1e30_changes_a_window(name: str, kind: str) -> None:
    x = np.random.default_rng(0).standard_normal((4, 2, 256))
    apply = normalizer(name, {})

    def normalised(windows: Any) -> Any:
        single = windows.astype(np.float32)
        if kind == "numpy":
            return apply(single)
        return apply(torch.from_numpy(single)).numpy()

    plain = normalised(x)
    assert np.isfinite(plain).all()
    for exponent in range(-30, 31):
        for offset in (0.0, 3.0):
            found = normalised((x + offset) * 10.0**exponent)
            np.testing.assert_allclose(found, plain, atol=2e-5 if offset else 3e-6)


def test_a_dead_window_is_zeros_at_any_level() -> None:
    for value in (0.0, 1e-38, 1.0, 1e30, 3e38):
        x = np.full((1, 1, 64), value, np.float32)
        for name in ("window_zscore", "window_range"):
            assert (normalizer(name, {})(x) == 0).all()


def test_robust_scaling_is_by_median_and_mad_of_each_channel() -> None:
    training = np.concatenate([draw(6), draw(7)])
    training[0, 0, 0] = 1e6  # one spike moves neither
    state = fit("recording_robust", [training[:7], training[7:]])
    x = training.astype(np.float64).transpose(1, 0, 2).reshape(2, -1)
    median = np.median(x, axis=1)
    mad = np.median(np.abs(x - median[:, None]), axis=1)
    np.testing.assert_allclose(np.ravel(state["median"]), median, rtol=1e-6)
    np.testing.assert_allclose(np.ravel(state["mad"]), mad, rtol=1e-6)
    scaled = on_numpy("recording_robust", training)(draw(8))
    np.testing.assert_allclose(
        scaled, (draw(8) - median[:, None]) / mad[:, None], rtol=1e-4, atol=1e-5
    )
