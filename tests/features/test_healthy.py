"""Window statistics against numpy, their comparison with healthy windows, and storing it."""

import numpy as np
import pytest

from faultdiag.features.extract import (
    fit_healthy,
    healthy_from_stored,
    healthy_to_stored,
    statistics_of_windows,
    summarise,
)

RNG = np.random.default_rng(0)


def test_statistics_are_numpys() -> None:
    x = RNG.normal(size=(5, 2, 4096)) ** 3 + 2
    found = statistics_of_windows(x)
    centred = x - x.mean(axis=-1, keepdims=True)
    sd = x.std(axis=-1)
    assert found[..., 0] == pytest.approx(sd)
    assert found[..., 1] == pytest.approx((centred**4).mean(axis=-1) / sd**4)
    assert found[..., 2] == pytest.approx(np.abs(centred).max(axis=-1) / sd)


def test_noise_has_kurtosis_3() -> None:
    assert summarise(statistics_of_windows(RNG.normal(size=(50, 4096)))).kurtosis == pytest.approx(
        3, abs=0.05
    )


def test_constant_windows_are_left_out() -> None:
    x = np.concatenate([np.ones((3, 64)), RNG.normal(size=(4, 64))])
    assert summarise(statistics_of_windows(x)).windows == 4
    assert np.isnan(summarise(statistics_of_windows(np.ones((3, 64)))).rms)


def test_ratios_are_over_the_healthy_medians() -> None:
    healthy = RNG.normal(size=(100, 2, 2048))
    reference = fit_healthy(statistics_of_windows(healthy), ["DE", "FE"])
    measured = summarise(statistics_of_windows(2.5 * RNG.normal(size=(40, 2048))))
    ratios = reference.ratios("FE", measured)
    assert ratios is not None
    assert ratios.rms == pytest.approx(2.5, rel=0.02)
    assert ratios.kurtosis == pytest.approx(1, rel=0.05)
    assert reference.ratios("BA", measured) is None


def test_a_stored_reference_is_the_same_and_damage_is_nothing() -> None:
    reference = fit_healthy(statistics_of_windows(RNG.normal(size=(9, 1, 512))), ["DE"])
    assert healthy_from_stored(healthy_to_stored(reference)) == reference
    for damaged in (None, 3, {}, {"DE": {"rms": 1.0}}, {"DE": 5}, [("DE", 1)]):
        assert healthy_from_stored(damaged) is None
    stored = healthy_to_stored(reference)
    stored["DE"]["rms"] = float("nan")
    assert healthy_from_stored(stored) is None
