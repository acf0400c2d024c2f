"""The evaluation of a part, and the one diagnosis of a recording's windows."""

import json
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as sk

from faultdiag.metrics.evaluation import Evaluation, evaluate
from faultdiag.metrics.scores import aggregate
from tests.metrics.laws import NAMES, UNDEFINED, law, seeds

pytestmark = UNDEFINED


class Part(NamedTuple):
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    recordings: NDArray[np.int64]

    def evaluate(self, healthy: tuple[str, ...] = ("N",)) -> Evaluation:
        return evaluate(*self, classes=NAMES, healthy=healthy)

    @property
    def called(self) -> NDArray[np.int64]:
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    def taken(self, order: NDArray[np.int64]) -> "Part":
        return Part(self.labels[order], self.probabilities[order], self.recordings[order])


def random_part(seed: int, recordings: int = 12) -> Part:
    """Recordings of 1 to 6 windows in any order, some of the classes, indices with gaps."""
    generator = np.random.default_rng(seed)
    numbers = generator.choice(1000, recordings, replace=False)
    classes = generator.integers(0, generator.integers(1, 5), recordings)
    which = np.repeat(np.arange(recordings), generator.integers(1, 7, recordings))
    generator.shuffle(which)
    p = generator.dirichlet(np.full(4, 0.7), which.size)
    p[np.arange(which.size), classes[which]] += generator.integers(0, 2)
    return Part(classes[which], p / p.sum(axis=1, keepdims=True), numbers[which])


# Recording 7 is healthy, 3 and 5 have faults; 3 is called rightly by its mean though two of its
# three windows are called otherwise, 5 is missed.
SMALL = Part(
    np.array([0, 0, 1, 1, 1, 2]),
    np.array(
        [
            [0.8, 0.2, 0.0, 0.0],
            [0.4, 0.6, 0.0, 0.0],
            [0.0, 0.9, 0.1, 0.0],
            [0.0, 0.4, 0.6, 0.0],
            [0.0, 0.4, 0.6, 0.0],
            [0.7, 0.0, 0.3, 0.0],
        ]
    ),
    np.array([7, 7, 3, 3, 3, 5]),
)


def test_a_small_part_by_hand() -> None:
    found = SMALL.evaluate()
    assert found["windows"] == 6
    assert found["recordings"] == 3
    assert found["accuracy"] == pytest.approx(2 / 6)
    assert found["recording_accuracy"] == pytest.approx(2 / 3)
    assert found["false_alarm_rate"] == 0.5
    assert found["missed_alarm_rate"] == 0.25
    assert found["balanced_accuracy"] == pytest.approx((1 / 2 + 1 / 3 + 0) / 3)
    assert found["macro_f1"] == pytest.approx((2 / 4 + 2 / 5 + 0) / 3)
    assert found["confusion"] == {
        "labels": NAMES,
        "matrix": [[1, 1, 0, 0], [0, 1, 2, 0], [1, 0, 0, 0], [0, 0, 0, 0]],
    }
    assert found["per_class"]["B"] == {
        "precision": None,
        "recall": None,
        "f1": None,
        "windows": 0,
        "auroc": None,
    }
    assert found["balanced_accuracy_interval"] is found["macro_f1_interval"] is None
    assert found["per_class"]["OR"]["precision"] == 0
    assert found["per_class"]["OR"]["windows"] == 1


def test_the_recordings_of_a_small_part_by_hand() -> None:
    found = SMALL.evaluate()["recording"]
    assert found["rows"] == [
        {
            "recording": 3,
            "label": "IR",
            "predicted": "IR",
            "confidence": pytest.approx(1.7 / 3),
            "agreement": pytest.approx(1 / 3),
            "windows": 3,
        },
        {
            "recording": 5,
            "label": "OR",
            "predicted": "N",
            "confidence": pytest.approx(0.7),
            "agreement": 1,
            "windows": 1,
        },
        {
            "recording": 7,
            "label": "N",
            "predicted": "N",
            "confidence": pytest.approx(0.6),
            "agreement": 0.5,
            "windows": 2,
        },
    ]
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["accuracy_interval"] == pytest.approx([0.2077, 0.9385], abs=1e-4)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert (found["false_alarm_rate"], found["missed_alarm_rate"]) == (0, 0.5)
    assert found["confusion"]["matrix"][2] == [1, 0, 0, 0]


@law
@given(seed=seeds)
def test_the_scores_are_scikit_learns(seed: int) -> None:
    part = random_part(seed)
    found, labels, called = part.evaluate(), part.labels, part.called
    f1 = sk.f1_score(labels, called, average="macro", zero_division=0)
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(labels, called))
    assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(labels, called))
    assert found["macro_f1"] == pytest.approx(f1)
    scores = sk.precision_recall_fscore_support(labels, called, labels=range(4), zero_division=0)
    for name, precision, recall, f1, windows in zip(NAMES, *scores, strict=True):
        row = found["per_class"][name]
        ours = [row["precision"] or 0, row["recall"] or 0, row["f1"] or 0, row["windows"]]
        assert ours == pytest.approx([precision, recall, f1, windows])
    matrix = sk.confusion_matrix(labels, called, labels=range(4))
    assert found["confusion"]["matrix"] == matrix.tolist()


@law
@given(seed=seeds)
def test_the_areas_are_scikit_learns(seed: int) -> None:
    part = random_part(seed)
    found, areas = part.evaluate(), []
    for i, name in enumerate(NAMES):
        positive, area = part.labels == i, found["per_class"][name]["auroc"]
        if 0 < positive.sum() < positive.size:
            areas.append(sk.roc_auc_score(positive, part.probabilities[:, i]))
            assert area == pytest.approx(areas[-1], abs=1e-12)
        else:
            assert area is None
    assert found["macro_auroc"] == (pytest.approx(np.mean(areas)) if areas else None)


def test_macro_auroc_is_scikit_learns_where_all_classes_occur() -> None:
    part = random_part(25, recordings=60)
    expected = sk.roc_auc_score(part.labels, part.probabilities, multi_class="ovr")
    assert len(set(part.labels)) == 4
    assert part.evaluate()["macro_auroc"] == pytest.approx(expected)


@law
@given(seed=seeds)
def test_each_recording_is_aggregated_as_predict_does(seed: int) -> None:
    part = random_part(seed)
    for row in part.evaluate()["recording"]["rows"]:
        mine = part.recordings == row["recording"]
        label, confidence, agreement = aggregate(part.probabilities[mine])
        assert (row["predicted"], row["confidence"]) == (NAMES[label], confidence)
        assert (row["agreement"], row["windows"]) == (agreement, mine.sum())


@law
@given(seed=seeds)
def test_the_recording_scores_are_scikit_learns(seed: int) -> None:
    found = random_part(seed).evaluate()
    true = [row["label"] for row in found["recording"]["rows"]]
    called = [row["predicted"] for row in found["recording"]["rows"]]
    f1 = sk.f1_score(true, called, average="macro", zero_division=0)
    assert found["recording_accuracy"] == pytest.approx(sk.accuracy_score(true, called))
    assert found["recording"]["accuracy"] == found["recording_accuracy"]
    assert found["recording"]["macro_f1"] == pytest.approx(f1)


@law
@given(seed=seeds)
def test_the_order_of_the_windows_does_not_matter(seed: int) -> None:
    part = random_part(seed)
    order = np.random.default_rng(seed).permutation(part.labels.size)
    shuffled = part.taken(order).evaluate()
    found = part.evaluate()
    assert shuffled["accuracy_interval"] == found["accuracy_interval"]
    assert shuffled["confusion"] == found["confusion"]
    assert shuffled["ece"] == pytest.approx(found["ece"], abs=1e-12)


@law
@given(seed=seeds)
def test_the_interval_holds_the_accuracy(seed: int) -> None:
    found = random_part(seed).evaluate()
    assert found["accuracy"] is not None
    assert found["accuracy_interval"] is not None
    low, high = found["accuracy_interval"]
    assert 0 <= low <= found["accuracy"] <= high <= 1


@law
@given(seed=seeds, recordings=st.integers(0, 3))
def test_the_document_is_plain_json_without_nan(seed: int, recordings: int) -> None:
    found = random_part(seed, recordings).evaluate()
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_part_without_windows_has_no_scores() -> None:
    nothing = Part(np.zeros(0, dtype=int), np.zeros((0, 4)), np.zeros(0, dtype=int))
    found = nothing.evaluate()
    defined = {key for key, value in found.items() if value is not None}
    assert defined == {
        *("windows", "recordings", "per_class", "confusion", "recording", "healthy_windows"),
    }
    assert (found["windows"], found["recordings"]) == (0, 0)
    assert found["recording"]["rows"] == []
    assert found["recording"]["accuracy_interval"] is None


def test_one_recording_has_no_interval_over_recordings() -> None:
    found = evaluate([0, 0], np.eye(4)[[0, 1]], [9, 9], classes=NAMES, healthy=["N"])
    assert found["accuracy"] == 0.5
    assert found["accuracy_interval"] is None


@pytest.mark.parametrize("healthy", [(), ("good",), tuple(NAMES)])
def test_without_a_healthy_or_a_fault_class_there_are_no_alarms(healthy: tuple[str, ...]) -> None:
    found = SMALL.evaluate(healthy)
    assert (found["false_alarm_rate"], found["missed_alarm_rate"]) == (None, None)
    assert found["recording"]["missed_alarm_rate"] is None


def test_single_and_half_precision_probabilities_are_good_enough() -> None:
    part = random_part(5)
    exact = part.evaluate()
    for kind in (np.float32, np.float16):
        found = evaluate(
            part.labels, part.probabilities.astype(kind), part.recordings, classes=NAMES, healthy=[]
        )
        assert found["confusion"] == exact["confusion"]
        assert found["ece"] == pytest.approx(exact["ece"], abs=1e-3)


def test_one_diagnosis_of_many_windows() -> None:
    diagnosis = aggregate([[0.5, 0.5, 0], [0.1, 0.9, 0], [0.75, 0.25, 0]])
    assert diagnosis.label == 1
    assert diagnosis.confidence == pytest.approx(0.55)
    assert diagnosis.agreement == pytest.approx(1 / 3)


def test_of_equal_classes_the_first_is_taken() -> None:
    assert aggregate([[0.0, 0.5, 0.5], [0.0, 0.25, 0.75], [0.0, 0.75, 0.25]])[0] == 1


def test_no_windows_have_no_diagnosis() -> None:
    with pytest.raises(ValueError, match="no windows to aggregate"):
        aggregate(np.zeros((0, 3)))


@pytest.mark.parametrize(
    ("probabilities", "text"),
    [
        ([0.5, 0.5], r"probabilities must be \(windows, classes\); found \(2,\)"),
        ([[]], r"found \(1, 0\)"),
        ([[1.0, 0.0], [0.5, 0.4]], r"row 1 is \[0.5, 0.4\], sum 0.9"),
        ([[1.5, -0.5]], r"must be at least 0 and sum to 1; row 0 is \[1.5, -0.5\], sum 1"),
        ([[float("nan"), 1.0]], r"row 0 is \[nan, 1.0\], sum nan"),
        ([[float("inf"), float("-inf")]], r"row 0 is \[inf, -inf\], sum nan"),
        ([[2.0, 9.0]], r"row 0 is \[2.0, 9.0\], sum 11"),
    ],
)
def test_what_are_no_probabilities_is_refused(probabilities: list[list[float]], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        aggregate(probabilities)


@pytest.mark.parametrize(
    ("labels", "recordings", "names", "text"),
    [
        ([0], [1, 1], "ab", r"labels must be \(windows,\) = \(2,\), .* found \(1,\)"),
        ([0, 0], [[1, 1]], "ab", r"recordings must be .* found \(1, 2\)"),
        ([0, 2], [1, 2], "ab", "labels must be 0 to 1; found 0 to 2"),
        ([0.0, 1.0], [1, 2], "ab", "labels must be integers; found float64"),
        ([0, 1], [0.5, 1.5], "ab", "recordings must be integers; found float64"),
        ([0, 1], [1, 2], "abc", "2 columns .* distinct class names; found .'a', 'b', 'c'"),
        ([0, 1], [1, 2], "aa", "2 columns .* distinct class names; found .'a', 'a'"),
        ([0, 1], [4, 4], "ab", "recording 4 has windows of several classes: a, b"),
    ],
)
def test_windows_that_do_not_fit_together_are_refused(
    labels: list[int], recordings: list[int], names: str, text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        evaluate(labels, np.eye(2), recordings, classes=list(names), healthy=[])


def test_metrics_import_nothing_slow() -> None:
    code = (
        "import sys, faultdiag.metrics, faultdiag.report.figures;"
        "print(sorted({'torch', 'sklearn', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
