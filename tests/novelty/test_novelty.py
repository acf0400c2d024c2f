"""Novelty: what it is blind to, what it sees, what it promises, and what it refuses."""

import io
import math
import statistics
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from faultdiag import checkpoint, novelty
from faultdiag.errors import FaultdiagError
from faultdiag.novelty import (
    FURTHEST,
    NEIGHBOURS,
    HeldOut,
    Novelty,
    RecordingNovelty,
    bands_of,
    describe,
    distances,
    distances_across,
    evenly,
    fit_across,
    prediction_limit,
)
from faultdiag.prediction.diagnoser import load
from faultdiag.prediction.rows import NOVEL, Row, TableWriter, novelty_note
from faultdiag.signal.recording import Recording
from tests.data_fixtures import CASES, signal

LENGTH = 256


def noise(count: int, *, seed: int = 0, channels: int = 1) -> NDArray[np.float32]:
    shape = (count, channels, LENGTH)
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def fit(train: NDArray[Any], valid: NDArray[Any]) -> Novelty:
    """Fit the threshold on the distances of validation windows from the training windows."""
    held_out = distances(valid, train, min(NEIGHBOURS, len(train)))
    return novelty.fit(train, held_out, independent=len(valid), basis="a test")


def test_levels_are_those_of_a_plain_formula() -> None:
    (window,) = noise(1)[:, 0].astype(float)
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1, LENGTH + 1) / (LENGTH + 1))
    power = np.abs(np.fft.fft(taper * (window - window.mean()))[1:116]) ** 2
    edges = np.linspace(0, 115, 29).round().astype(int)
    expected = [power[a:b].sum() / power.sum() for a, b in pairwise(edges)]
    assert bands_of(LENGTH) == 28
    np.testing.assert_allclose(describe(window[None, None])[0], 10 * np.log10(expected), rtol=1e-4)


@given(gain=st.floats(1e-6, 1e6), sign=st.sampled_from([-1, 1]), offset=st.floats(-10, 10))
def test_gain_and_offset_change_nothing(gain: float, sign: int, offset: float) -> None:
    windows = noise(3, channels=2).astype(np.float64)
    changed = sign * gain * (windows + offset)
    np.testing.assert_allclose(describe(changed), describe(windows), atol=2e-3)


def test_a_dead_channel_is_far_from_any_other() -> None:
    windows = noise(2, channels=2)
    windows[1, 1] = 0.1
    levels = describe(windows)
    np.testing.assert_allclose(levels[1, 28:], -60, atol=1e-4)
    assert levels[0].min() > -40


@given(cuts=st.lists(st.integers(0, 50), max_size=4), count=st.integers(1, 50))
def test_pieces_of_a_recording_score_as_the_whole(cuts: list[int], count: int) -> None:
    fitted = fit(describe(noise(40)), describe(noise(40, seed=1)))
    windows = noise(count, seed=2)
    watched = RecordingNovelty(fitted, count)
    for piece in np.split(windows, sorted(min(cut, count) for cut in cuts)):
        watched.add(piece.transpose(1, 0, 2))
    assert watched.score() == fitted.score(windows)


@pytest.mark.parametrize("length", [2, 3, 16, 100, 2048])
def test_windows_of_any_length_have_levels(length: int) -> None:
    windows = np.random.default_rng(0).standard_normal((4, 3, length))
    levels = describe(windows)
    assert levels.shape == (4, 3 * bands_of(length))
    assert np.isfinite(levels).all()


def test_distances_are_those_of_the_nth_nearest() -> None:
    rng = np.random.default_rng(1)
    rows, reference = rng.normal(-20, 3, (7, 5)), rng.normal(-20, 3, (11, 5))
    each = np.sqrt(((rows[:, None] - reference) ** 2).mean(-1))
    np.testing.assert_allclose(distances(rows, reference, 4), np.sort(each, axis=1)[:, 3])


def test_small_distances_are_exact() -> None:
    """Their squares are a millionth of those of the levels, the last digits of single precision."""
    rng = np.random.default_rng(2)
    reference = rng.normal(-40, 1, (9, 32)).astype(np.float32)
    rows = reference + rng.normal(0, 0.03, reference.shape).astype(np.float32)
    nearest = np.sqrt(np.square(rows - reference, dtype=np.float64).mean(-1))
    np.testing.assert_allclose(distances(rows, reference, 1), nearest, rtol=1e-6)
    fitted = Novelty(reference, 0.1, 0.01, 1)
    np.testing.assert_allclose(fitted._distances(rows), nearest, rtol=1e-6)


@pytest.mark.parametrize(("count", "rate"), [(999, 0.01), (199, 0.01), (49, 0.02), (1, 0.5)])
def test_the_threshold_has_the_rate_that_it_states(count: int, rate: float) -> None:
    train = describe(noise(200))
    fitted = fit(train, describe(noise(count, seed=1)))
    assert fitted.false_positive_rate == pytest.approx(rate)
    found = distances(describe(noise(count, seed=1)), train, 5)
    # The next window is equally likely to come anywhere among those.
    above = int((found > fitted.threshold).sum())
    assert (above + 1) / (count + 1) <= rate + 1e-12
    fresh = fitted.scores(noise(4000, seed=2)) > 1
    assert fresh.mean() <= 2.5 * rate


def test_windows_are_compared_with_those_of_other_groups() -> None:
    levels = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    groups, labels = np.arange(60) % 3, np.arange(60) // 30
    expected = []
    for group in range(3):
        for row in levels[groups == group]:
            apart = np.sqrt(np.square(levels[groups != group] - row).mean(1))
            expected.append(np.sort(apart)[4])
    apart, rows = distances_across(levels, groups, labels, 5)
    np.testing.assert_allclose(apart, expected, rtol=1e-4)
    assert rows.tolist() == [row for group in range(3) for row in range(group, 60, 3)]


def test_a_class_of_one_group_is_not_compared() -> None:
    levels = np.zeros((9, 2), np.float32)
    groups = np.repeat([0, 1, 2], 3)

    def compared(groups: NDArray[np.integer], labels: list[int]) -> list[int]:
        apart, rows = distances_across(levels, groups, np.array(labels), 5)
        assert len(apart) == len(rows)
        return [int(row) for row in rows]

    assert compared(groups, [0, 0, 1, 0, 0, 0, 2, 2, 2]) == [0, 1, 3, 4, 5]
    assert compared(groups, groups.tolist()) == []
    assert compared(np.zeros(9, int), groups.tolist()) == []


def test_the_rate_is_that_of_the_independent_windows() -> None:
    train = describe(noise(20))
    fitted = novelty.fit(train, np.arange(1.0, 501.0), independent=9, basis="held-out recordings")
    assert fitted.threshold == 496  # rank 501 * 0.99, rounded up
    assert fitted.false_positive_rate == pytest.approx(0.1)
    assert fitted.basis == "held-out recordings"


def test_copies_of_training_windows_are_not_novel() -> None:
    levels = np.repeat(describe(noise(1)), 9, axis=0)
    fitted = fit(levels, levels)
    assert fitted.threshold == 0.1
    assert fitted.score(noise(1)) < 1


def test_the_score_is_the_median_whatever_the_chunks() -> None:
    fitted = fit(describe(noise(40)), describe(noise(40, seed=1)))
    windows = noise(novelty.CHUNK + 44, seed=2)
    single = [fitted.scores(window[None])[0] for window in windows]
    np.testing.assert_allclose(fitted.scores(windows), single, rtol=1e-3)
    assert fitted.score(windows[:5]) == pytest.approx(np.median(single[:5]), rel=1e-3)
    few = evenly(len(windows), 5)
    assert fitted.score(windows) == pytest.approx(np.median(np.array(single)[few]), rel=1e-3)


@given(count=st.integers(1, 5000), most=st.integers(1, 5000))
def test_evenly_spread_rows_are_distinct_and_bounded(count: int, most: int) -> None:
    rows = evenly(count, most)
    assert len(rows) == min(count, most)
    assert (np.diff(rows) > 0).all()
    assert rows[0] >= 0
    assert rows[-1] < count


@pytest.mark.parametrize("channels", [1, 2, 7, 64])
def test_what_is_kept_is_bounded(channels: int) -> None:
    rows = novelty.most_windows(channels, 2048)
    assert rows == 1024 or rows * channels * 32 * 4 <= 256 * 1024
    assert rows >= 5


# In a model


def of(samples: NDArray[Any], rate: float = 12_000) -> Recording:
    signal = samples[None].astype(np.float32)
    return Recording(signal, Path("new.mat"), channels=("DE",), sampling_rate=rate)


def score(trained: Path, samples: NDArray[Any], rate: float = 12_000) -> float:
    recording = of(samples, rate)
    found = load(trained, device="cpu").diagnose(recording).novelty
    assert found is not None
    return found


def test_recordings_like_those_of_training_are_not_novel(trained: Path) -> None:
    for rate, frequency in CASES.values():
        x = signal(frequency, rate, 30_000, seed=77)
        assert score(trained, x, rate) < 1
        assert score(trained, 5 * x + 3, rate) == pytest.approx(score(trained, x, rate), rel=0.01)


def test_other_machines_noise_and_silent_bands_are_novel(trained: Path) -> None:
    rng = np.random.default_rng(3)
    assert score(trained, rng.standard_normal(9000)) > 1
    assert score(trained, signal(2500.0, 12_000, 9000, seed=77)) > 1
    assert score(trained, signal(1500.0, 12_000, 9000, seed=77, noise=0.05)) > 1
    slow = np.repeat(signal(1500.0, 12_000, 3000, seed=77), 4)
    assert score(trained, slow) > 1


def test_it_is_in_both_checkpoints_and_small(trained: Path) -> None:
    best, last = (checkpoint.load(trained / name).novelty for name in ("best.pt", "last.pt"))
    assert best is not None
    assert best.same(last)
    assert best.reference.shape[1] == 28
    assert best.reference.nbytes <= 256 * 1024
    assert not best.same(Novelty(best.reference, 2 * best.threshold, 0.01, 5))
    assert not best.same(None)


def rewrite(trained: Path, to: Path, **changes: Any) -> Path:
    document = torch.load(trained / "best.pt", weights_only=True)
    stored = document["calibration"]["novelty"]
    if changes.get("novelty", ...) is not ...:
        document["calibration"]["novelty"] = changes["novelty"]
    elif "length" in changes:
        document["window"]["length"] = changes["length"]
    else:
        stored.update(changes)
    path = to / "best.pt"
    torch.save(document, path)
    return path


def test_models_of_before_have_no_novelty(trained: Path, tmp_path: Path) -> None:
    path = rewrite(trained, tmp_path, novelty=None)
    recording = of(np.sin(np.arange(900.0)))
    assert load(path, device="cpu").diagnose(recording).novelty is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"novelty": 3}, "is int, not a mapping"),
        ({"reference": [1.0]}, "has no reference of float32"),
        ({"reference": torch.zeros(9, 28, dtype=torch.float64)}, "has no reference of float32"),
        ({"reference": torch.zeros(9, 28).to_sparse()}, "has no reference of float32"),
        ({"reference": torch.zeros(9, 27)}, r"shape \(9, 27\), it must be \(windows, 28\)"),
        ({"reference": torch.zeros(0, 28)}, r"shape \(0, 28\)"),
        ({"reference": torch.full((9, 28), torch.nan)}, "not finite"),
        ({"threshold": 0.0}, "threshold 0.0, which must be a number above 0"),
        ({"threshold": float("nan")}, "threshold nan"),
        ({"threshold": "1"}, "threshold '1'"),
        ({"false_positive_rate": 1.5}, "false_positive_rate 1.5, .* below 1"),
        ({"neighbours": 10**6}, "neighbours 1000000"),
        ({"neighbours": True}, "neighbours True"),
        ({"neighbours": 2.5}, "2.5 neighbours, which must be a whole number"),
        ({"neighbours": None}, "neighbours None"),
        ({"length": "long"}, "cannot be read for windows of 'long' samples"),
    ],
)
def test_what_was_tampered_with_is_refused(
    changes: dict[str, Any], message: str, trained: Path, tmp_path: Path
) -> None:
    path = rewrite(trained, tmp_path, **changes)
    with pytest.raises(FaultdiagError, match=rf"best\.pt is damaged.*{message}.*train again"):
        checkpoint.load(path)


# In rows


def test_the_table_and_the_note_say_so() -> None:
    stream = io.StringIO()
    writer = TableWriter(stream, ["N"], ["a", "b"])
    for path, value in (("a", 1.2), ("b", 1.0), ("c", None)):
        writer.write(Row(path, "ok", "N", 0.9, 1.0, 3, novelty=value))
    lines = stream.getvalue().splitlines()[-3:]
    assert [NOVEL in line for line in lines] == [True, False, False]
    assert novelty_note(1, 5).startswith("1 of 5 recordings is unlike the training data")
    assert novelty_note(2, 5).startswith("2 of 5 recordings are unlike the training data")


def limit_by_loops(by_group: list[list[float]], rate: float) -> float:
    """Compute the prediction limit as the module's docstring writes it, group by group."""
    logs = [[math.log(value) for value in values] for values in by_group]
    count, total = len(logs), sum(map(len, logs))
    means = [statistics.mean(values) for values in logs]
    spread = (1 + 1 / count) * statistics.variance(means)
    square = sum(
        (value - mean) ** 2 for own, mean in zip(logs, means, strict=True) for value in own
    )
    inside = (1 - statistics.mean(1 / len(own) for own in logs)) * square / (total - count)
    variance = spread + inside
    freedom = variance**2 / (spread**2 / (count - 1) + inside**2 / (total - count))
    quantile = float(scipy.stats.t.ppf(1 - rate, freedom))
    return math.exp(statistics.mean(means) + quantile * math.sqrt(variance))


@pytest.mark.parametrize("sizes", [(3, 3), (2, 5, 9), (4, 1, 2, 7)])
def test_the_prediction_limit_is_that_of_the_formula(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(sum(sizes))
    by_group = [rng.lognormal(0.3 * i, 0.2, size).tolist() for i, size in enumerate(sizes)]
    groups = np.repeat(np.arange(len(sizes)), sizes)
    found = prediction_limit(np.concatenate(by_group), groups, 0.05)
    assert found == pytest.approx(limit_by_loops(by_group, 0.05))


def test_recordings_of_one_group_are_groups_of_their_own() -> None:
    scores = np.array([1.0, 1.2, 1.5, 1.1])
    alone = prediction_limit(scores, np.arange(4), 0.1)
    assert prediction_limit(scores, np.zeros(4, int), 0.1) == pytest.approx(alone)
    mean, sd = np.log(scores).mean(), np.log(scores).std(ddof=1)
    t = float(scipy.stats.t.ppf(0.9, 3))
    assert math.log(alone) == pytest.approx(mean + t * sd * math.sqrt(1 + 1 / 4))
    assert prediction_limit(scores[:1], np.zeros(1, int), 0.1) == 0
    assert prediction_limit(np.full(4, 2.0), np.array([0, 0, 1, 1]), 0.1) == pytest.approx(2)


@pytest.mark.parametrize("between", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("groups", [2, 3, 8])
def test_a_recording_of_a_new_group_exceeds_the_limit_as_often_as_stated(
    groups: int, between: float
) -> None:
    rng = np.random.default_rng(groups)
    size, trials = 6, 800
    rate = 1 / (groups * size + 1)
    numbers = np.repeat(np.arange(groups), size)
    above = []
    for _ in range(trials):
        logs = rng.normal(0, between, (groups + 1, 1)) + rng.normal(0, 0.2, (groups + 1, size))
        *known, new = np.exp(logs)
        above.append(new > prediction_limit(np.concatenate(known), numbers, rate))
    # With two groups that differ Satterthwaite's approximation is some tenths short.
    assert 0.5 * rate < np.mean(above) < 1.5 * rate


def test_a_recording_counts_once_and_with_the_median_of_five_windows() -> None:
    recording = np.repeat([4, 7], [9, 2])
    apart = np.array([*range(9), 3.0, 5.0])
    scores, groups = HeldOut(apart, recording, np.repeat([1, 0], [9, 2])).by_recording()
    assert scores.tolist() == [4, 4]
    assert groups.tolist() == [1, 0]


def held_out(distances: tuple[float, ...]) -> HeldOut:
    """Return groups of three recordings of ten windows, each group at one distance."""
    numbers = np.arange(30 * len(distances))
    return HeldOut(np.repeat(distances, 30).astype(float), numbers // 10, numbers // 30)


def test_groups_that_differ_raise_the_threshold_above_every_window_seen() -> None:
    train = describe(noise(40))
    fitted = fit_across(train, held_out((1.0, 1.5, 2.0)), basis="held-out loads")
    assert fitted.false_positive_rate == pytest.approx(1 / 10)
    assert 2 < fitted.threshold < 2 * FURTHEST
    alike = fit_across(train, held_out((2.0,)), basis="")
    assert alike.threshold == pytest.approx(2)


def test_the_threshold_stays_near_what_was_seen() -> None:
    train = describe(noise(40))
    apart = fit_across(train, held_out((0.5, 1.0, 20.0)), basis="")
    assert apart.threshold == pytest.approx(20 * FURTHEST)
    # Of two groups, the distances of the one from the other say nothing of a third.
    two = fit_across(train, held_out((1.0, 2.0)), basis="")
    assert two.threshold == pytest.approx(2)


def test_fewer_recordings_of_a_new_group_are_marked_than_by_the_windows_alone() -> None:
    rng, size = np.random.default_rng(5), 10
    marked = []
    for _ in range(100):
        means = 3**0.5 * rng.normal(size=(5, 3)) @ rng.normal(size=(3, 32))  # 3 dB between groups
        within = 0.5 * rng.normal(size=(5, size, 1, 32)) + 0.7 * rng.normal(size=(5, size, 5, 32))
        *known, new = means[:, None, None] + within
        levels = np.concatenate(known).reshape(-1, 32).astype(np.float32)
        numbers = np.arange(len(levels))
        recording, group = numbers // 5, numbers // (5 * size)
        apart, rows = distances_across(levels, group, np.zeros(len(levels), int), 5)
        fitted = fit_across(levels, HeldOut(apart, recording[rows], group[rows]), basis="")
        alone = novelty.fit(levels, apart, independent=4 * size, basis="").threshold
        scores = np.array([np.median(distances(one, levels, 5)) for one in new])
        marked.append([np.mean(scores > limit) for limit in (fitted.threshold, alone)])
    ours, windows = np.mean(marked, axis=0)
    assert ours < 0.6 * windows
