"""The signature of a bearing fault: evidence from logits, its threshold, and where it is stored."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from faultdiag.models.tied import TiedHead, head_of
from faultdiag.signature import (
    ERROR,
    Head,
    fit_signature,
    from_stored,
    to_stored,
)

PARTS = ("ball", "normal", "inner", "outer")
HEAD = Head(PARTS, (1.2, -0.4), (0.5, -0.3), (0.7, -0.4, -0.8, 0.7))


def logits_of(evidence: np.ndarray, head: Head = HEAD) -> np.ndarray:
    """The logits of a tied head, written out for each window."""
    rows = []
    for inner, outer, ball in evidence:
        races = max(inner, outer)
        known = {
            "inner": head.race[0] * inner + head.race[1] * outer,
            "outer": head.race[0] * outer + head.race[1] * inner,
            "normal": -0.9 * max(races, ball),
        }
        if head.ball is not None:
            known["ball"] = head.ball[0] * ball + head.ball[1] * races
        rows.append([known[part] + b for part, b in zip(head.parts, head.bias, strict=True)])
    return np.array(rows)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("parts", [PARTS, ("inner", "outer"), ("outer", "ball", "inner")])
def test_the_evidence_of_a_network_follows_from_its_logits(
    parts: tuple[Any, ...], sign: int
) -> None:
    torch.manual_seed(0)
    head = TiedHead(parts).double()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
            parameter.mul_(sign if parameter.shape == (2,) else 1)
    evidence = torch.randn(20, 3, dtype=torch.float64)
    with torch.no_grad():
        logits = head(evidence).numpy()
    known = head_of(torch.nn.Sequential(head))
    assert known is not None
    assert known.invertible
    expected = sign * evidence.numpy()[:, : len(known.faulty)]
    np.testing.assert_allclose(known.evidence(logits), expected, atol=1e-9)


def test_a_ball_that_is_named_by_elimination_has_no_evidence() -> None:
    head = replace(HEAD, ball=(0.01, -0.5))
    assert head.faulty == ["inner", "outer"]
    assert head.evidence(np.zeros((3, 4))).shape == (3, 2)


@pytest.mark.parametrize(
    "head", [replace(HEAD, parts=("ball", "normal", "inner", "x")), replace(HEAD, race=(1.0, 1.0))]
)
def test_some_heads_tell_no_evidence(head: Head) -> None:
    assert not head.invertible


def fitted_on(right: int, wrong: int, noise: float = 0.0) -> Any:
    """A signature fitted on clear inner-race windows, and weaker ones that are healthy."""
    rng = np.random.default_rng(0)
    evidence = np.zeros((right + wrong, 3))
    evidence[:right, 0] = 5 + rng.random(right)
    evidence[right:, 1] = 2 + rng.random(wrong)
    labels = np.array([2] * right + [1] * wrong)
    noisy = np.full((50, 3), noise)
    return fit_signature(HEAD, logits_of(evidence), labels, logits_of(noisy), basis="held out")


def test_the_threshold_keeps_the_stated_error() -> None:
    fitted = fitted_on(40, 40)
    assert 2.5 < fitted.threshold <= 5.1, "above nearly all of the wrong ones, below the right"
    strength = fitted.strength(logits_of(np.array([[5.5, 0, 0], [0, 2.1, 0]])))
    assert [fitted.verdict(value) for value in strength] == ["yes", "no"]
    assert (fitted.error, fitted.basis) == (ERROR, "held out")


def test_the_threshold_is_above_noise() -> None:
    assert fitted_on(40, 0, noise=4.0).threshold == pytest.approx(5.0, abs=0.05)
    assert fitted_on(40, 0, noise=8.0).threshold == pytest.approx(8.0)


def test_where_the_clearest_windows_are_wrong_nothing_has_a_signature() -> None:
    fitted = fitted_on(0, 30)
    strengths = fitted.strength(logits_of(np.array([[2.01, 0, 0], [2.9, 0, 0]])))
    assert [fitted.verdict(value) for value in strengths] == ["no", "no"]


def test_it_is_stored_as_plain_data() -> None:
    fitted = fitted_on(40, 40)
    assert from_stored(to_stored(fitted), 4) == fitted
    assert from_stored(None, 4) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": float("nan")}, "holds what is no finite number"),
        ({"head": 5}, "is int, no mapping"),
        ({"head": {}}, "lacks 'ball'"),
        ({"threshold": None}, "holds what is no finite number"),
    ],
)
def test_what_is_no_signature_is_refused(change: dict[str, Any], message: str) -> None:
    stored = {**to_stored(fitted_on(40, 40)), **change}
    with pytest.raises(ValueError, match=message):
        from_stored(stored, 4)
    with pytest.raises(ValueError, match="does not have 3 parts"):
        from_stored(to_stored(fitted_on(40, 40)), 3)
