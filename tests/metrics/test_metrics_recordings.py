"""Where a recording counts as one: every score equals scikit-learn's, as those of windows do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as sk

from faultdiag.metrics.calibration import expected_calibration_error
from faultdiag.metrics.evaluation import Evaluation, evaluate
from faultdiag.metrics.scores import RunningAggregate, aggregate
from tests.metrics.laws import NAMES, UNDEFINED, law, seeds

pytestmark = UNDEFINED
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def part(seed: int, *, every_class: bool) -> tuple[Ints, Floats, Ints]:
    """Labels, probabilities and recordings of the windows of 14 recordings."""
    generator = np.random.default_rng(seed)
    classes = generator.integers(0, 4, 14)
    if every_class:
        classes[:4] = np.arange(4)
    recordings = np.repeat(np.arange(14), generator.integers(1, 6, 14))
    generator.shuffle(recordings)
    labels = classes[recordings]
    p = generator.dirichlet(np.full(4, 0.7), recordings.size)
    p[np.arange(labels.size), labels] += generator.integers(0, 2)
    return labels, p / p.sum(axis=1, keepdims=True), recordings


def by_recording(labels: Ints, p: Floats, recordings: Ints) -> tuple[Ints, Floats]:
    """Class and mean probabilities of each recording, one after the other."""
    numbers = np.unique(recordings)
    means = np.stack([p[recordings == number].mean(axis=0) for number in numbers])
    return np.array([labels[recordings == number][0] for number in numbers]), means


def scored(labels: Ints, p: Floats, recordings: Ints) -> Evaluation:
    return evaluate(labels, p, recordings, classes=NAMES, healthy=["N"])


@law
@given(seed=seeds)
def test_counts_and_averages(seed: int) -> None:
    windows = part(seed, every_class=False)
    true, means = by_recording(*windows)
    called = means.argmax(axis=1)
    found = scored(*windows)["recording"]
    f1 = sk.f1_score(true, called, average="macro", zero_division=0)
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(true, called))
    assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(true, called))
    assert found["macro_f1"] == pytest.approx(f1)
    matrix = sk.confusion_matrix(true, called, labels=range(4))
    assert found["confusion"] == {"labels": NAMES, "matrix": matrix.tolist()}
    healthy, alarm = true == 0, called != 0
    rates = [alarm[healthy].mean() if healthy.any() else None]
    rates += [1 - alarm[~healthy].mean() if not healthy.all() else None]
    assert [found["false_alarm_rate"], found["missed_alarm_rate"]] == pytest.approx(rates)


@law
@given(seed=seeds)
def test_each_class(seed: int) -> None:
    windows = part(seed, every_class=False)
    true, means = by_recording(*windows)
    found = scored(*windows)["recording"]["per_class"]
    scores = sk.precision_recall_fscore_support(
        true, means.argmax(axis=1), labels=range(4), zero_division=0
    )
    for i, (name, *expected) in enumerate(zip(NAMES, *scores, strict=True)):
        row = found[name]
        ours = [row["precision"] or 0, row["recall"] or 0, row["f1"] or 0, row["recordings"]]
        assert ours == pytest.approx(expected)
        positive = true == i
        if positive.any() and not positive.all():
            area = sk.roc_auc_score(positive, means[:, i])
            assert row["auroc"] == pytest.approx(area, abs=1e-12)
        else:
            assert row["auroc"] is None


@law
@given(seed=seeds)
def test_macro_auroc_of_windows_and_of_recordings(seed: int) -> None:
    windows = part(seed, every_class=True)
    true, means = by_recording(*windows)
    found = scored(*windows)
    of_windows = sk.roc_auc_score(windows[0], windows[1], multi_class="ovr")
    # scikit-learn wants rows that sum to 1 to the last digits.
    means /= means.sum(axis=1, keepdims=True)
    of_recordings = sk.roc_auc_score(true, means, multi_class="ovr")
    assert found["macro_auroc"] == pytest.approx(of_windows, abs=1e-12)
    assert found["recording"]["macro_auroc"] == pytest.approx(of_recordings, abs=1e-12)


@law
@given(seed=seeds)
def test_calibration_of_the_diagnoses(seed: int) -> None:
    windows = part(seed, every_class=False)
    found = scored(*windows)["recording"]
    expected = expected_calibration_error(*by_recording(*windows))
    assert found["ece"] == pytest.approx(expected, abs=1e-12)


@law
@given(seed=seeds)
def test_recordings_of_one_window_score_as_windows_do(seed: int) -> None:
    labels, p, _ = part(seed, every_class=False)
    found = scored(labels, p, np.arange(labels.size))
    recording = found["recording"]
    for key in ("accuracy", "balanced_accuracy", "macro_f1", "macro_auroc", "ece"):
        assert recording[key] == pytest.approx(found[key], abs=1e-12)
    assert recording["confusion"] == found["confusion"]
    for name in NAMES:
        row = found["per_class"][name]
        assert recording["per_class"][name] == {
            "recordings": row["windows"],
            **{key: row[key] for key in ("precision", "recall", "f1", "auroc")},
        }


@law
@given(seeds, st.integers(1, 60), st.integers(2, 5), st.integers(1, 20))
def test_windows_that_come_a_few_at_a_time_say_the_same(
    seed: int, windows: int, classes: int, step: int
) -> None:
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(classes), windows)
    found = RunningAggregate(classes)
    for first in range(0, windows, step):
        found.add(probabilities[first : first + step])
    # To the last bit: a row must not show how its recording was read.
    assert found.result() == aggregate(probabilities)
    assert found.windows == windows
    assert found.means[found.result().label] == found.result().confidence
