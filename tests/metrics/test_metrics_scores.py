"""Every score equals scikit-learn's, over all matrices that hypothesis thinks of."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from sklearn import metrics as sk

from faultdiag.metrics.scores import (
    accuracy,
    alarm_rates,
    auroc,
    balanced_accuracy,
    confusion_matrix,
    macro_f1,
    precision_recall_f1,
)
from tests.metrics.laws import UNDEFINED, law

pytestmark = UNDEFINED


class Called(NamedTuple):
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    classes: int

    @property
    def confusion(self) -> NDArray[np.int64]:
        return confusion_matrix(*self)


@st.composite
def calls(draw: st.DrawFn) -> Called:
    classes = draw(st.integers(1, 6))
    windows = draw(st.integers(1, 30))
    arrays = hnp.arrays(np.int64, windows, elements=st.integers(0, classes - 1))
    return Called(draw(arrays), draw(arrays), classes)


@law
@given(called=calls())
def test_the_confusion_matrix_is_scikit_learns(called: Called) -> None:
    expected = sk.confusion_matrix(
        called.labels, called.predicted, labels=np.arange(called.classes)
    )
    np.testing.assert_array_equal(called.confusion, expected)


@law
@given(called=calls())
def test_precision_recall_and_f1_are_scikit_learns(called: Called) -> None:
    expected = sk.precision_recall_fscore_support(
        called.labels, called.predicted, labels=np.arange(called.classes), zero_division=0
    )
    np.testing.assert_allclose(precision_recall_f1(called.confusion), expected[:3], rtol=1e-14)


@law
@given(called=calls())
def test_the_summary_scores_are_scikit_learns(called: Called) -> None:
    labels, predicted, _ = called
    confusion = called.confusion
    balanced = sk.balanced_accuracy_score(labels, predicted)
    f1 = sk.f1_score(labels, predicted, average="macro", zero_division=0)
    assert accuracy(confusion) == pytest.approx(sk.accuracy_score(labels, predicted), rel=1e-14)
    assert balanced_accuracy(confusion) == pytest.approx(balanced, rel=1e-14)
    assert macro_f1(confusion) == pytest.approx(f1, rel=1e-14)


def test_macro_f1_counts_a_called_class_but_not_an_absent_one() -> None:
    # Class 2 is called once and never true: F1 0. Class 3 doesn't occur at all.
    confusion = confusion_matrix(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2]), 4)
    assert macro_f1(confusion) == pytest.approx((1 + 2 / 3 + 0) / 3)


@law
@given(
    positive=hnp.arrays(bool, 25),
    scores=hnp.arrays(np.float64, 25, elements=st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0])),
)
def test_auroc_is_scikit_learns_with_ties(
    positive: NDArray[np.bool_], scores: NDArray[np.float64]
) -> None:
    area = auroc(positive, scores)
    if positive.all() or not positive.any():
        assert area is None
    else:
        assert area == pytest.approx(sk.roc_auc_score(positive, scores), abs=1e-12)


@law
@given(seed=st.integers(0, 2**32 - 1))
def test_auroc_is_scikit_learns_without_ties(seed: int) -> None:
    generator = np.random.default_rng(seed)
    positive, scores = np.arange(40) < 15, generator.normal(size=40)
    assert auroc(positive, scores) == pytest.approx(sk.roc_auc_score(positive, scores), abs=1e-12)


@law
@given(seed=st.integers(0, 2**32 - 1))
def test_auroc_of_reversed_scores_is_the_rest_to_one(seed: int) -> None:
    generator = np.random.default_rng(seed)
    positive, scores = np.arange(40) < 15, generator.integers(0, 9, 40) / 8
    area, reverse = auroc(positive, scores), auroc(positive, -scores)
    assert area is not None
    assert reverse is not None
    assert area + reverse == pytest.approx(1, abs=1e-14)


def test_auroc_leaves_its_input_as_it_is() -> None:
    scores = np.array([0.9, 0.1, 0.5])
    assert auroc(np.array([True, False, True]), scores) == 1
    assert scores.tolist() == [0.9, 0.1, 0.5]


# Rows true: N, inner, outer. Of 10 healthy windows 3 are alarms; of 20 fault windows 5 are
# missed, and the 4 that are called the other fault are not.
ALARMS = np.array([[7, 1, 2], [2, 6, 2], [3, 2, 5]])


def test_alarm_rates_count_healthy_against_any_fault() -> None:
    assert alarm_rates(ALARMS, np.array([True, False, False])) == (0.3, 0.25)


def test_two_healthy_classes_raise_no_alarm_between_them() -> None:
    assert alarm_rates(ALARMS, np.array([True, True, False])) == (4 / 20, 5 / 10)


@pytest.mark.parametrize("healthy", [[False] * 3, [True] * 3])
def test_alarms_are_undefined_without_healthy_or_without_fault_classes(
    healthy: list[bool],
) -> None:
    assert alarm_rates(ALARMS, np.array(healthy)) == (None, None)


def test_an_alarm_rate_without_windows_is_undefined_by_itself() -> None:
    no_healthy = np.array([[0, 0], [1, 3]])
    no_fault = np.array([[3, 1], [0, 0]])
    healthy = np.array([True, False])
    assert alarm_rates(no_healthy, healthy) == (None, 0.25)
    assert alarm_rates(no_fault, healthy) == (0.25, None)


def test_nothing_has_no_scores() -> None:
    nothing = np.zeros((3, 3), dtype=np.int64)
    assert accuracy(nothing) is None
    assert macro_f1(nothing) is None
    assert balanced_accuracy(nothing) is None
    assert [scores.tolist() for scores in precision_recall_f1(nothing)] == [[0, 0, 0]] * 3


@pytest.mark.parametrize(
    ("labels", "predicted", "text"),
    [
        ([0, 1], [0], r"labels are \(2,\) but predictions \(1,\)"),
        ([0, 3], [0, 0], "labels must be 0 to 2; found 0 to 3"),
        ([0, 0], [-1, 0], "predictions must be 0 to 2; found -1 to 0"),
        ([0.0, 1.0], [0, 1], "labels must be integers; found float64"),
    ],
)
def test_what_is_no_class_is_refused(labels: list[int], predicted: list[int], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        confusion_matrix(np.array(labels), np.array(predicted), 3)
