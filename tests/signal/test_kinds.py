"""What a column of numbers is, by its samples alone."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultdiag.readers.read import read_recording
from faultdiag.signal import kinds
from faultdiag.signal.kinds import Stretch, empty_above, oddity, samples_per_measured, signal_kind

N = 20_000
I = np.arange(N)  # noqa: E741


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(N)


def pulses(seed: int, every: int, width: int) -> np.ndarray:
    return (I % every < width) * 5.0 + 0.05 * noise(seed)


@given(
    seed=st.integers(0, 1000),
    kind=st.sampled_from(
        [
            ("rising", lambda s: I / (1000 + 50 * s)),
            ("rising", lambda s: (I % (50 + s)) / 1000.0),
            ("rising", lambda s: -I * 0.1),
            ("rising", lambda s: 20 + I / 500 + 0.05 * noise(s)),
            ("constant", lambda s: 1480 + noise(s)),
            ("constant", lambda s: 45 + 0.2 * noise(s)),
            ("levels", lambda s: np.random.default_rng(s).integers(0, 2 + s % 9, N)),
            ("levels", lambda s: np.repeat([0.0, 3.0, 1.0, 2.0], N // 4)),
            ("pulses", lambda s: pulses(s, 400, 20)),
            ("pulses", lambda s: pulses(s, 300 + s % 50, 1)),
            ("slow", lambda s: 10 * np.sin(2 * np.pi * 50 / 12_000 * I) + 0.01 * noise(s)),
            ("vibration", noise),
            ("vibration", lambda s: 9.81 + 0.4 * noise(s)),
            ("vibration", lambda s: np.round(20 * noise(s))),
            ("vibration", lambda s: np.sin(0.7 * I) + 0.1 * noise(s)),
        ]
    ),
    gain=st.sampled_from([1e-3, 1.0, 1e3]),
)
@settings(max_examples=150, deadline=None)
def test_kinds(seed: int, kind, gain: float) -> None:
    expected, make = kind
    assert signal_kind(gain * make(seed)).kind == expected


@pytest.mark.parametrize("values", [[], [1.0], [2.0] * 99, [np.nan] * 99])
def test_nothing_to_see(values: list[float]) -> None:
    assert signal_kind(values).kind == "constant"


@pytest.mark.real
def test_every_real_channel_is_a_vibration(real_files: list[Path]) -> None:
    for path in real_files:
        recording = read_recording(path)
        for name, row in zip(recording.channels, recording.signal, strict=True):
            for samples in (row, row[:16_384]):
                assert signal_kind(samples).is_vibration, (path, name)


@given(
    seed=st.integers(0, 1000),
    times=st.sampled_from([2, 3, 4, 8]),
    colour=st.sampled_from(["white", "red", "lines"]),
    step=st.sampled_from([0.0, 1e-4]),
)
@settings(max_examples=40)
def test_an_upsampled_signal_leaves_its_band_empty(
    seed: int, times: int, colour: str, step: float
) -> None:
    from scipy.signal import lfilter, resample_poly

    x = noise(seed)
    x = {
        "white": x,
        "red": lfilter([1], [1, -0.7], x),
        "lines": 0.2 * x + np.sin(0.7 * I) + np.sin(1.9 * I),
    }[colour]
    assert empty_above(Stretch(x)) is None
    y = resample_poly(x, times, 1)
    y = np.round(y / step) * step if step else y
    share = empty_above(Stretch(y))
    assert share is not None
    assert share <= 0.5
    assert share == pytest.approx(1 / times, abs=0.06)
    text = oddity("acc", y, 12_000.0 * times)
    assert text is not None
    assert f"less than half of the {6000 * times} Hz that its rate promises" in text


def filled_in(x: np.ndarray, count: int, order: int) -> np.ndarray:
    """Return `count` samples for each one: repeated (order 1), or on straight lines (order 2)."""
    if order == 1:
        return np.repeat(x, count)
    return np.interp(np.arange(x.size * count - count + 1) / count, np.arange(x.size), x)


@given(
    seed=st.integers(0, 1000),
    count=st.integers(2, 10),
    order=st.sampled_from([1, 2]),
    pole=st.sampled_from([0.0, 0.7]),
    stored=st.sampled_from(["float64", "float32", "int16"]),
)
@settings(max_examples=40)
def test_samples_that_are_repeated_or_on_straight_lines(
    seed: int, count: int, order: int, pole: float, stored: str
) -> None:
    from scipy.signal import lfilter

    x = lfilter([1], [1, -pole], noise(seed))
    assert samples_per_measured(x, order) is None
    y = filled_in(x * (500 if stored == "int16" else 1), count, order)
    y = np.round(y).astype(stored) if stored == "int16" else y.astype(stored)
    y = y[seed % count :].astype(np.float64)
    assert samples_per_measured(y, order) == count
    text = oddity("acc", y, 12_000.0 * count)
    assert text is not None
    assert "carries nothing above" in text
    assert f"the {6000 * count} Hz that its rate promises" in text


@pytest.mark.parametrize("blows", [0, 5, 200])
@pytest.mark.parametrize("step", [0.0, 0.5, 2.0])
def test_blows_and_coarse_steps_are_measured(blows: int, step: float) -> None:
    x = noise(1)
    x[np.random.default_rng(0).integers(0, x.size, blows)] += 1000
    x = np.round(x / step) * step if step else x
    assert [samples_per_measured(x, order) for order in (1, 2)] == [None, None]
    assert samples_per_measured(np.zeros(N), 1) is None
    assert samples_per_measured(np.repeat(x[:1000], 2), 1) is None


@pytest.mark.real
def test_no_real_channel_is_filled_in_until_it_is(real_files: list[Path]) -> None:
    for path in real_files:
        for row in read_recording(path).signal.astype(np.float64):
            for samples in (row[: 2**17], row[:8192], row[-4096:]):
                assert [samples_per_measured(samples, order) for order in (1, 2)] == [None, None]
                for order in (1, 2):
                    y = filled_in(samples[:4096], 4, order)
                    assert samples_per_measured(y, order) == 4


def test_too_short_or_silent_for_its_band() -> None:
    assert empty_above(Stretch(noise(0)[:1000])) is None
    assert empty_above(Stretch(np.zeros(N))) is None
    assert oddity("a", noise(0), None) is None


@pytest.mark.real
def test_every_real_channel_fills_its_band(real_files: list[Path]) -> None:
    for path in real_files:
        recording = read_recording(path)
        for name, row in zip(recording.channels, recording.signal, strict=True):
            for samples in (row[: 2**17], row[:16_384]):
                assert oddity(name, samples, 12_000.0) is None, (path, name)


@given(
    x=st.one_of(
        st.builds(
            lambda s, p: noise(s)[:3000] * np.abs(noise(s + 1)[:3000]) ** p,
            st.integers(0, 999),
            st.floats(0, 6),
        ),
        st.builds(
            lambda s, p: np.random.default_rng(s).exponential(size=2000) ** p,
            st.integers(0, 999),
            st.floats(0.1, 5),
        ),
        st.builds(
            lambda s, e, w: pulses(s, e, 1 + w % e)[:4000],
            st.integers(0, 999),
            st.integers(2, 900),
            st.integers(0, 900),
        ),
        st.builds(
            lambda s, a, b: np.random.default_rng(s).beta(a, b, 2000),
            st.integers(0, 999),
            st.floats(0.05, 2),
            st.floats(0.05, 2),
        ),
    ),
    sign=st.sampled_from([-1.0, 1.0]),
)
@settings(max_examples=150, deadline=None)
def test_counts_rule_out_pulses_where_the_median_does(x: np.ndarray, sign: float) -> None:
    early = signal_kind(sign * x)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kinds, "_may_be_pulses", lambda *_: True)
        assert signal_kind(sign * x) == early


def by_place(x: np.ndarray, order: int) -> int | None:
    """Return what `samples_per_measured` returns, by a mean for each place."""
    moves = np.abs(np.diff(x, order))
    moves = np.minimum(moves, 4 * moves.mean())
    for count in range(10, 1, -1):
        groups = moves[: moves.size // count * count].reshape(-1, count)
        places = np.sort(groups.mean(axis=0))
        if places[-2] < 0.2 * places[-1]:
            return count
    return None


@given(
    seed=st.integers(0, 1000),
    count=st.integers(1, 10),
    order=st.sampled_from([1, 2]),
    rest=st.floats(0, 0.5),
)
@settings(max_examples=40, deadline=None)
def test_places_are_compared_by_their_means(seed: int, count: int, order: int, rest: float) -> None:
    x = filled_in(noise(seed)[:6000], count, order)[:6000]
    x = x + rest * noise(seed + 1)[: x.size]
    assert samples_per_measured(x, order) == by_place(x, order)
