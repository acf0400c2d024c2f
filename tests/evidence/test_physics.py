"""The verdict of physics, what classes mean, and whether a diagnosis agrees."""

import numpy as np
import pytest

from faultdiag.evidence.physics import THRESHOLD, compare, part_of, physics_verdict
from faultdiag.signal.bearings import get_bearing
from tests.evidence import signals
from tests.evidence.signals import FS, RPM, noise

BEARING = get_bearing("6205")
BALL = 4.70


def impacts(order: float, *, seconds: float = 10.0) -> np.ndarray:
    """Strikes as of a bearing: their intervals vary, and the load zone their height."""
    cage = BEARING.orders.ftf if order == BALL else 1.0
    varying = {"jitter": 0.01, "modulation": 0.8, "modulated_at": cage}
    return signals.impacts(order, seconds=seconds, noise=0.2, **varying)


@pytest.mark.parametrize(("order", "part"), [(5.40, "inner"), (3.60, "outer"), (BALL, "ball")])
def test_the_faulty_part_of_simulated_impacts_is_named(order: float, part: str) -> None:
    verdict = physics_verdict(impacts(order), FS, RPM, BEARING)
    assert verdict.part == part
    assert verdict.score == max(verdict.scores.values()) > THRESHOLD
    assert (verdict.stretches, verdict.seconds) == (10, 1.0)


def test_noise_has_no_signature() -> None:
    for seed in range(5):
        verdict = physics_verdict(noise(seed=seed), FS, RPM, BEARING)
        assert verdict.part is None
        assert verdict.score < THRESHOLD - 1


def test_gain_offset_and_a_constant_change_nothing() -> None:
    x = impacts(5.40)
    plain = physics_verdict(x, FS, RPM, BEARING).scores
    assert physics_verdict(7 + 0.01 * x, FS, RPM, BEARING).scores == pytest.approx(plain)
    assert physics_verdict(np.ones_like(x), FS, RPM, BEARING).part is None


def test_long_recordings_are_sampled_and_short_ones_used_whole() -> None:
    assert physics_verdict(noise(60.0), FS, RPM, BEARING).stretches == 30
    short = physics_verdict(impacts(5.40, seconds=0.7), FS, RPM, BEARING)
    assert (short.stretches, short.part) == (1, "inner")
    assert short.seconds == pytest.approx(0.7, rel=0.05)


@pytest.mark.parametrize(
    ("label", "part"),
    [
        ("IR007", "inner"),
        ("inner race", "inner"),
        ("OR021@6", "outer"),
        ("B", "ball"),
        ("roller_0.5", "ball"),
        ("cage", "cage"),
        ("N", "healthy"),
        ("normal_1", "healthy"),
        ("misalignment", None),
        ("", None),
        ("7", None),
    ],
)
def test_what_a_class_means(label: str, part: str | None) -> None:
    assert part_of(label) == part


def test_a_class_that_the_config_calls_healthy_is_healthy() -> None:
    assert part_of("B", healthy=("B",)) == "healthy"


def test_agreement() -> None:
    inner = physics_verdict(impacts(5.40), FS, RPM, BEARING)
    nothing = physics_verdict(noise(), FS, RPM, BEARING)
    assert compare("inner", inner) == "agrees"
    assert compare("outer", inner) == compare("healthy", inner) == "disagrees"
    assert compare("inner", nothing) == compare("healthy", nothing) == "no signature"
    assert compare(None, inner) == compare("inner", None) == "unknown"
