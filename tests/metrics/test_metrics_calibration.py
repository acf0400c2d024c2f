"""Calibration error against its definition, and temperatures against the likelihood itself."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import log_loss

from faultdiag.metrics.calibration import (
    expected_calibration_error,
    fit_temperature,
    nll,
    reliability,
)
from tests.metrics.laws import law, seeds

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def softmax(logits: Floats) -> Floats:
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def sampled(seed: int, windows: int, classes: int, spread: float = 2.0) -> tuple[Floats, Ints]:
    """Logits, and labels drawn from their softmax: perfectly calibrated at T = 1."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(scale=spread, size=(windows, classes))
    chosen = softmax(logits).cumsum(axis=1) > generator.random((windows, 1))
    return logits, chosen.argmax(axis=1)


def plain_ece(labels: Ints, probabilities: Floats, bins: int) -> float:
    """Equation (3) of arXiv:1706.04599, one bin after the other."""
    confidence, called = probabilities.max(axis=1), probabilities.argmax(axis=1)
    total = 0.0
    for m in range(1, bins + 1):
        inside = (confidence > (m - 1) / bins) & (confidence <= m / bins)
        if inside.any():
            right = (called[inside] == labels[inside]).mean()
            total += inside.mean() * abs(right - confidence[inside].mean())
    return total


@law
@given(seed=seeds, classes=st.integers(2, 6), bins=st.integers(1, 20))
def test_calibration_error_is_its_definition(seed: int, classes: int, bins: int) -> None:
    logits, labels = sampled(seed, 60, classes)
    p = softmax(2 * logits)
    found = expected_calibration_error(labels, p, bins=bins)
    assert found == pytest.approx(plain_ece(labels, p, bins), abs=1e-12)


@law
@given(seed=seeds, classes=st.integers(2, 6), bins=st.integers(1, 20))
def test_the_bins_of_a_reliability_diagram_are_those_of_the_error(
    seed: int, classes: int, bins: int
) -> None:
    logits, labels = sampled(seed, 60, classes)
    p = softmax(2 * logits)
    windows, confidence, accuracy = reliability(labels, p, bins=bins)
    assert windows.sum() == 60
    np.testing.assert_array_equal(np.isnan(accuracy), windows == 0)
    np.testing.assert_array_equal(np.isnan(confidence), windows == 0)
    error = np.nansum(windows / 60 * np.abs(accuracy - confidence))
    assert error == pytest.approx(expected_calibration_error(labels, p, bins=bins), abs=1e-12)
    assert np.nansum(windows * accuracy) == pytest.approx((p.argmax(1) == labels).sum())
    edges = np.linspace(0, 1, bins + 1)
    some = windows > 0
    assert (confidence[some] > edges[:-1][some] - 1e-12).all()
    assert (confidence[some] <= edges[1:][some] + 1e-12).all()


def test_a_confidence_on_an_edge_belongs_to_the_bin_below() -> None:
    # 0.6 = 3/5 is the last of (0.4, 0.6], with 0.5: one right of two, mean confidence 0.55.
    p = np.array([[0.6, 0.4], [0.5, 0.5], [0.7, 0.3]])
    expected = 2 / 3 * abs(0.5 - 0.55) + 1 / 3 * abs(1 - 0.7)
    assert expected_calibration_error(np.array([0, 1, 0]), p, bins=5) == pytest.approx(expected)


def test_sure_and_right_is_calibrated_and_sure_and_wrong_is_not() -> None:
    p = np.eye(3)
    assert expected_calibration_error(np.array([0, 1, 2]), p) == 0
    assert expected_calibration_error(np.array([1, 2, 0]), p) == 1


def test_a_rounding_error_above_one_counts_in_the_last_bin() -> None:
    p = np.array([[1 + 1e-7, 0.0]])
    assert expected_calibration_error(np.array([0]), p) == pytest.approx(1e-7)


def test_no_windows_have_no_calibration_error() -> None:
    assert expected_calibration_error(np.array([], dtype=int), np.zeros((0, 3))) is None


@law
@given(seed=seeds)
def test_nll_is_scikit_learns_log_loss(seed: int) -> None:
    logits, labels = sampled(seed, 30, 4)
    expected = log_loss(labels, softmax(logits / 1.7), labels=[0, 1, 2, 3])
    assert nll(logits, labels, temperature=1.7) == pytest.approx(expected, rel=1e-9)


def test_nll_of_huge_logits_neither_overflows_nor_loses_the_loss() -> None:
    assert nll(np.array([[1e4, 0.0], [0.0, 1e4]]), np.array([0, 0])) == pytest.approx(5e3)


def test_nll_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="the likelihood of no windows has no mean"):
        nll(np.zeros((0, 3)), np.array([], dtype=int))


@law
@given(seed=seeds, scale=st.floats(0.02, 50))
def test_no_temperature_within_the_bounds_is_likelier(seed: int, scale: float) -> None:
    logits, labels = sampled(seed, 40, 3)
    logits = scale * logits
    assume((logits.argmax(axis=1) != labels).any())
    best = fit_temperature(logits, labels)
    least = nll(logits, labels, temperature=best)
    assert 1 / 20 - 1e-9 <= best <= 20 + 1e-9
    for temperature in np.geomspace(1 / 20, 20, 60):
        assert least <= nll(logits, labels, temperature=float(temperature)) * (1 + 1e-9)


@pytest.mark.parametrize("factor", [0.25, 1.0, 3.0])
def test_the_temperature_undoes_a_known_overconfidence(factor: float) -> None:
    logits, labels = sampled(1, 20_000, 5)
    assert fit_temperature(factor * logits, labels) == pytest.approx(factor, rel=0.05)


@law
@given(seed=seeds, temperature=st.floats(1 / 20, 20))
def test_a_temperature_changes_no_decision(seed: int, temperature: float) -> None:
    generator = np.random.default_rng(seed)
    logits = generator.normal(scale=5, size=(200, 10)).astype(np.float32).astype(np.float64)
    # Near ties, an ulp of float32 apart, and exact ones.
    logits[:50, 3] = np.nextafter(logits[:50, 0].astype(np.float32), np.float32(np.inf))
    logits[50:100, 7] = logits[50:100, 2]
    np.testing.assert_array_equal(
        softmax(logits / temperature).argmax(axis=1), logits.argmax(axis=1)
    )


def test_the_temperature_scales_with_the_logits() -> None:
    logits, labels = sampled(2, 500, 4)
    once, twice = fit_temperature(logits, labels), fit_temperature(2 * logits, labels)
    assert twice == pytest.approx(2 * once, rel=1e-8)


def test_tempering_lowers_the_calibration_error_of_an_overconfident_model() -> None:
    logits, labels = sampled(3, 5000, 4)
    tempered = 5 * logits / fit_temperature(5 * logits, labels)
    before = expected_calibration_error(labels, softmax(5 * logits))
    after = expected_calibration_error(labels, softmax(tempered))
    assert before is not None
    assert after is not None
    assert before > 0.15
    assert after < 0.03


@pytest.mark.parametrize("margin", [1e-3, 1.0, 100.0])
def test_without_a_single_error_nothing_is_changed(margin: float) -> None:
    labels = np.array([0, 1, 2, 0])
    logits = margin * np.eye(3)[labels]
    # The likelihood alone would sharpen without end.
    assert nll(logits, labels, temperature=0.05) <= nll(logits, labels)
    assert fit_temperature(logits, labels) == 1


def test_without_windows_or_without_an_opinion_nothing_is_changed() -> None:
    assert fit_temperature(np.zeros((0, 3)), np.array([], dtype=int)) == 1
    assert fit_temperature(np.ones((5, 3)), np.array([0, 1, 2, 0, 1])) == 1


def test_always_wrong_is_made_as_unsure_as_the_bound_allows() -> None:
    logits = np.array([[9.0, 0.0], [0.0, 9.0]])
    assert fit_temperature(logits, np.array([1, 0])) == pytest.approx(20, rel=1e-9)


def test_hardly_ever_wrong_is_made_as_sure_as_the_bound_allows() -> None:
    logits = np.array([[1e-3, 0.0]] * 99 + [[0.0, 1e-9]])
    assert fit_temperature(logits, np.zeros(100, dtype=int)) == pytest.approx(1 / 20, rel=1e-9)


def test_single_precision_gives_the_same_temperature() -> None:
    logits, labels = sampled(4, 300, 4)
    single = fit_temperature(logits.astype(np.float32), labels)
    assert single == pytest.approx(fit_temperature(logits, labels), rel=1e-5)


@pytest.mark.parametrize(
    ("logits", "labels", "text"),
    [
        (np.zeros((2, 3)), [0], r"found \(2, 3\) and \(1,\)"),
        (np.zeros(2), [0, 1], r"found \(2,\) and \(2,\)"),
        (np.zeros((2, 3)), [0, 3], "labels must be 0 to 2; found 0 to 3"),
        (np.array([[0.0, np.nan]]), [0], "logits must be finite"),
        (np.array([[0.0, np.inf]]), [0], "logits must be finite"),
    ],
)
def test_what_are_no_logits_and_labels_is_refused(
    logits: Floats, labels: list[int], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        fit_temperature(logits, np.array(labels))


@pytest.mark.parametrize("independent", [1, 10, 500])
def test_successes_alone_raise_confidence_to_the_rule_of_succession(independent: int) -> None:
    labels = np.arange(60) % 3
    logits = np.eye(3)[labels] * 2
    temperature = fit_temperature(logits, labels, independent=independent)
    confidence = softmax(logits / temperature).max(axis=1)
    np.testing.assert_allclose(confidence, (independent + 1) / (independent + 2), rtol=1e-6)


def test_the_rule_of_succession_hardly_moves_a_temperature_with_errors() -> None:
    logits, labels = sampled(3, 2000, 4)
    plain = fit_temperature(3 * logits, labels)
    assert fit_temperature(3 * logits, labels, independent=2000) == pytest.approx(plain, rel=0.02)
