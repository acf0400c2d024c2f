"""What is kept after adaptation, and what is said of it."""

import numpy as np
import pytest

from faultdiag.metrics.unlabelled import PredictionSummary, describe_unlabelled
from faultdiag.training.guard import Verdict, refusal

CLASSES = ("B", "IR", "OR")


def predictions(*recordings: list[int]) -> PredictionSummary:
    """Measures of recordings whose windows are called these classes."""
    called = [name for rows in recordings for name in rows]
    numbers = [number for number, rows in enumerate(recordings) for _ in rows]
    return describe_unlabelled(9.0 * np.eye(len(CLASSES))[called], numbers)


STEADY = predictions([0] * 20, [1] * 20)


@pytest.mark.parametrize(("wrong", "refused"), [(0, False), (1, False), (2, True), (10, True)])
def test_a_fall_by_more_than_five_points_is_refused(wrong: int, refused: bool) -> None:
    # One of 20 windows is 5 points, which is not yet more than that.
    after = predictions([2] * wrong + [0] * (20 - wrong), [2] * wrong + [1] * (20 - wrong))
    verdict = Verdict.of(CLASSES, STEADY, after, guard="agreement")
    assert verdict.lost == pytest.approx(wrong / 20)
    assert verdict.refused is refused
    assert not Verdict.of(CLASSES, STEADY, after, guard="none").refused


def test_a_fall_is_told_even_without_the_guard() -> None:
    after = predictions([0, 2] * 10, [1, 2] * 10)
    verdict = Verdict.of(CLASSES, STEADY, after, guard="none")
    assert verdict.warning is not None
    assert verdict.warning.startswith("agreement within recordings fell from 100.0% to 50.0%")


def test_recordings_that_change_class_without_support_are_told() -> None:
    after = predictions([2] * 20, [1] * 20)
    verdict = Verdict.of(CLASSES, STEADY, after, guard="agreement")
    assert not verdict.refused
    assert verdict.warning is not None
    assert verdict.warning.startswith("1 of 2 recordings went from one class to another")
    undecided = predictions([0, 2] * 10, [1] * 20)
    assert Verdict.of(CLASSES, undecided, after, guard="agreement").warning is None


def test_what_metrics_hold() -> None:
    after = predictions([0, 2] * 10, [1] * 20)
    measures = Verdict.of(CLASSES, STEADY, after, guard="agreement").to_dict()
    assert measures["agreement_before"] == 1.0
    assert measures["agreement_after"] == 0.75
    assert measures["shares_before"] == {"B": 0.5, "IR": 0.5, "OR": 0.0}
    assert measures["shares_after"] == {"B": 0.25, "IR": 0.5, "OR": 0.25}
    assert measures["refused"] is True
    assert refusal(measures) == (
        "the adapted model was refused and the model from before is kept: agreement within "
        "recordings fell from 100.0% to 75.0%, by more than 5 points"
    )
