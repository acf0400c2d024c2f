"""The corrected resampled t test and Holm's method, against scipy and statements of the papers."""

import numpy as np
import pytest
from scipy import stats

from faultdiag.metrics.intervals import holm, paired_difference


def test_without_correction_it_is_the_paired_t_test() -> None:
    x = np.random.default_rng(0).normal(0.02, 0.03, 12)
    found = paired_difference(x.tolist(), 1e-12)
    expected = stats.ttest_1samp(x, 0)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6)
    low, high = expected.confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_the_correction_widens_the_interval() -> None:
    x = [0.01, 0.03, 0.02, 0.04]
    plain, corrected = paired_difference(x, 1e-12), paired_difference(x, 0.25)
    assert corrected.p > plain.p
    # sqrt((1/4 + 1/4) / (1/4))
    assert (corrected.high - corrected.low) / (plain.high - plain.low) == pytest.approx(2**0.5)


def test_correlated_folds_are_not_significant_too_often() -> None:
    """Of ten folds that share nine tenths of their training, 5 % may differ by chance."""
    rng = np.random.default_rng(1)
    shared = rng.normal(size=(2000, 1)) * np.sqrt(0.1)
    x = 0.01 * (shared + rng.normal(size=(2000, 10)) * np.sqrt(0.9))
    ratio = 1 / 9
    wrong = np.mean([paired_difference(row, ratio).p < 0.05 for row in x])
    plain = np.mean(stats.ttest_1samp(x, 0, axis=1).pvalue < 0.05)
    assert wrong < 0.07 < plain


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([0.1], (0.1, None, None, None)),
        ([0.0, 0.0], (0.0, 0.0, 0.0, 1.0)),
        ([0.5] * 3, (0.5, 0.5, 0.5, None)),
    ],
)
def test_single_and_equal_differences(differences: list[float], expected: object) -> None:
    assert tuple(paired_difference(differences, 0.2)) == expected


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(ValueError, match="found differences"):
        paired_difference([], 0.2)
    with pytest.raises(ValueError, match="ratio 0"):
        paired_difference([0.1], 0)


def test_holm_is_monotone_and_bounded() -> None:
    assert holm([0.5, 0.9, 0.01]) == [1.0, 1.0, 0.03]
    assert holm([]) == []
    assert holm([None]) == [None]
