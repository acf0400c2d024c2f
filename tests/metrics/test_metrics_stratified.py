"""Intervals of class averages against resampling recordings one by one, and by enumeration."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as sk

from faultdiag.metrics import intervals as module
from faultdiag.metrics.evaluation import evaluate
from faultdiag.metrics.intervals import stratified_intervals, widened

law = settings(max_examples=25, deadline=None)
Ints = NDArray[np.int64]


def counts(seed: int, per_class: list[int]) -> tuple[Ints, Ints]:
    """Classes of recordings, and their windows by the class they are called."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(per_class)), per_class)
    p = generator.dirichlet(np.ones(len(per_class)), labels.size)
    p[np.arange(labels.size), labels] += 0.5
    p /= p.sum(axis=1, keepdims=True)
    return labels, np.stack([generator.multinomial(generator.integers(1, 7), row) for row in p])


def scores(labels: Ints, calls: Ints, weights: NDArray[np.float64]) -> tuple[float, float]:
    """Balanced accuracy and macro-F1 of weighted recordings, by scikit-learn."""
    true = np.repeat(labels, calls.shape[1])
    called = np.tile(np.arange(calls.shape[1]), labels.size)
    weight = (calls * weights[:, np.newaxis]).ravel()
    some = weight > 0
    balanced = sk.balanced_accuracy_score(true[some], called[some], sample_weight=weight[some])
    f1 = sk.f1_score(
        true[some], called[some], sample_weight=weight[some], average="macro", zero_division=0
    )
    return float(balanced), float(f1)


def plain_draw(generator: np.random.Generator, labels: Ints) -> NDArray[np.float64]:
    weights = np.zeros(labels.size)
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        for i in generator.choice(mine, mine.size - 1):
            weights[i] += mine.size / (mine.size - 1)
    return weights


def by_hand(labels: Ints, calls: Ints, weights: NDArray[np.float64]) -> tuple[float, float]:
    confusion = np.zeros((calls.shape[1],) * 2)
    np.add.at(confusion, labels, calls * weights[:, np.newaxis])
    right, true, called = np.diagonal(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    f1 = [2 * r / (t + c) for r, t, c in zip(right, true, called, strict=True) if t + c]
    recall = [r / t for r, t in zip(right, true, strict=True) if t]
    return float(np.mean(recall)), float(np.mean(f1))


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_the_intervals_are_those_of_drawing_recordings_one_by_one() -> None:
    labels, calls = counts(3, [4, 0, 9, 2])
    generator = np.random.default_rng(5)
    draws = [plain_draw(generator, labels) for _ in range(4000)]
    drawn = [by_hand(labels, calls, weights) for weights in draws]
    np.testing.assert_allclose(drawn[:5], [scores(labels, calls, w) for w in draws[:5]])
    expected = np.quantile(drawn, [0.1, 0.9], axis=0).T
    found = stratified_intervals(labels, calls, level=0.8, resamples=20_000)
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_the_intervals_of_two_recordings_a_class_by_enumeration() -> None:
    # One of the two is drawn of each class: four draws, equally likely.
    labels, calls = np.array([0, 0, 1, 1]), np.array([[6, 0], [3, 3], [1, 4], [0, 5]])
    every = []
    for pair in itertools.product([0, 1], [2, 3]):
        weights = np.zeros(4)
        weights[list(pair)] = 2
        every.append(scores(labels, calls, weights))
    found = stratified_intervals(labels, calls)
    np.testing.assert_allclose(found.balanced_accuracy, np.sort(every, axis=0)[[0, -1], 0])
    np.testing.assert_allclose(found.macro_f1, np.sort(every, axis=0)[[0, -1], 1])


def test_the_spread_is_that_of_independent_recordings() -> None:
    # Of one window each, balanced accuracy is a mean of class means: its variance is known, and
    # that of drawing all n would be smaller by (n - 1) / n.
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(40), 3)
    right = generator.random(120) < 0.6
    called = np.where(right, labels, (labels + 1) % 40)
    found = stratified_intervals(labels, np.eye(40, dtype=int)[called], resamples=20_000)
    variances = right.reshape(40, 3).var(axis=1, ddof=1) / 3
    assert found.balanced_accuracy is not None
    low, high = found.balanced_accuracy
    expected = 2 * 1.96 * np.sqrt(variances.sum()) / 40
    assert high - low == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("per_class", [[1, 5], [1, 1, 1], [], [0, 0]])
def test_a_class_with_a_single_recording_leaves_no_interval(per_class: list[int]) -> None:
    labels, calls = (np.zeros(0, dtype=int), np.zeros((0, 2), dtype=int))
    if sum(per_class):
        labels, calls = counts(1, per_class)
    assert stratified_intervals(labels, calls) == (None, None)


@law
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_the_recordings_does_not_matter(seed: int) -> None:
    labels, calls = counts(seed, [2, 5, 3])
    order = np.random.default_rng(seed).permutation(labels.size)
    found = stratified_intervals(labels, calls, resamples=200)
    assert found == stratified_intervals(labels[order], calls[order], resamples=200)
    for interval in found:
        assert interval is not None
        low, high = interval
        assert 0 <= low <= high <= 1


def test_drawing_in_chunks_gives_the_same_kind_of_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, calls = counts(2, [10, 20, 15])
    whole = stratified_intervals(labels, calls)
    monkeypatch.setattr(module, "CHUNK", 1000)
    np.testing.assert_allclose(stratified_intervals(labels, calls), whole, atol=0.02)


def test_a_part_is_scored_with_its_intervals() -> None:
    labels, calls = counts(4, [3, 3, 4])
    recordings = np.repeat(np.arange(10), calls.sum(axis=1))
    called = np.concatenate([np.repeat(np.arange(3), row) for row in calls])
    order = np.random.default_rng(0).permutation(called.size)
    found = evaluate(
        labels[recordings][order],
        np.eye(3)[called][order],
        recordings[order],
        classes=["a", "b", "c"],
        healthy=[],
    )
    expected = stratified_intervals(labels, calls)
    for name, interval in expected._asdict().items():
        assert found[f"{name}_interval"] == list(widened(interval, found[name], 10) or ())
        assert found[f"{name}_interval"][0] <= interval[0]
    assert found["macro_f1"] is not None
    assert found["macro_f1_interval"][0] <= found["macro_f1"] <= found["macro_f1_interval"][1]
