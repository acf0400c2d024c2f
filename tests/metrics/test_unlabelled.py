"""Measures without labels, against hand-made predictions and the losses of transfer."""

import numpy as np
import pytest
import torch

from faultdiag.metrics.unlabelled import (
    class_confusion,
    describe_unlabelled,
    information,
    moved_recordings,
    reverse_accuracy,
)
from faultdiag.transfer import mcc

RNG = np.random.default_rng(0)


def sure(classes: list[int], of: int = 3) -> np.ndarray:
    """Logits of windows that are sure of these classes."""
    return 20.0 * np.eye(of)[classes]


def test_agreement_is_the_mean_share_of_the_commonest_class() -> None:
    found = describe_unlabelled(sure([0, 0, 0, 1, 2, 2]), [7, 7, 7, 7, 9, 9])
    assert found.agreement == pytest.approx((3 / 4 + 1) / 2)
    assert found.recordings.tolist() == [7, 9]
    assert found.classes.tolist() == [0, 2]
    assert found.agreements.tolist() == [0.75, 1.0]
    np.testing.assert_allclose(found.shares, [3 / 6, 1 / 6, 2 / 6])


def test_the_order_of_windows_changes_nothing() -> None:
    logits, recordings = RNG.standard_normal((40, 4)), RNG.integers(0, 5, 40)
    order = RNG.permutation(40)
    one = describe_unlabelled(logits, recordings)
    two = describe_unlabelled(logits[order], recordings[order])
    assert one.agreement == pytest.approx(two.agreement)
    assert one.confusion == pytest.approx(two.confusion)
    assert one.information == pytest.approx(two.information)
    assert one.classes.tolist() == two.classes.tolist()


def test_information_is_that_of_sure_and_varied_windows() -> None:
    assert information(sure([0, 1, 2])) == pytest.approx(np.log(3), abs=1e-6)
    assert information(sure([1, 1, 1])) == pytest.approx(0, abs=1e-6)
    assert information(np.zeros((5, 3))) == pytest.approx(0, abs=1e-12)


def test_confusion_is_the_loss_of_minimum_class_confusion() -> None:
    logits = 3 * RNG.standard_normal((30, 5))
    loss = mcc.class_confusion(torch.from_numpy(logits))
    assert class_confusion(logits) == pytest.approx(loss.item(), rel=1e-10)


def test_recordings_that_moved_from_a_decided_class_are_unsupported() -> None:
    recordings = np.repeat([0, 1, 2], 10)
    before = describe_unlabelled(sure([0] * 10 + [1] * 10 + [0, 1] * 5), recordings)
    after = describe_unlabelled(sure([2] * 10 + [1] * 10 + [1] * 10), recordings)
    moved = moved_recordings(before, after)
    assert moved.to_dict() == {"recordings": 3, "moved": 2, "unsupported": 1}


def test_reverse_validation_is_right_where_the_domains_agree() -> None:
    centres = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    labels = np.repeat([0, 1, 2], 20)
    source, target = (centres[labels] + 0.3 * RNG.standard_normal((60, 2)) for _ in range(2))
    assert reverse_accuracy(target, labels, source, labels) == 1.0
    assert reverse_accuracy(target, (labels + 1) % 3, source, labels) == 0.0
    # All windows of one class: nothing to fit.
    assert reverse_accuracy(target, np.zeros(60, np.int64), source, labels) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("logits", "recordings"),
    [(np.empty((0, 3)), []), (np.zeros(3), [0, 0, 0]), (sure([0]), [1, 2])],
)
def test_shapes_are_checked(logits: np.ndarray, recordings: list[int]) -> None:
    with pytest.raises(ValueError, match=r"logits must be \(windows, classes\)"):
        describe_unlabelled(logits, recordings)
