"""What holds for every transfer method, with every network."""

import math
import re
from typing import Any

import pytest
import torch
from torch import nn

from faultdiag import models
from faultdiag.attention import BLOCKS
from faultdiag.baselines import BASELINES
from faultdiag.errors import FaultdiagError
from faultdiag.models import NETWORKS
from faultdiag.models.baseline import build_baseline
from faultdiag.models.layers import facts_for
from faultdiag.representations import REPRESENTATIONS
from faultdiag.transfer import TRANSFER, build
from faultdiag.transfer.domains import FeatureNetwork, classifier_of
from tests.transfer.samples import CLASSES, FEATURES, ONE, domain

KINDS = {"joint", "source_free", "statistics"}

# A value of each option that is not its default.
OTHER: dict[str, Any] = {
    "kernels": 3,
    "factor": 3.0,
    "bandwidth": "median",
    "unbiased": True,
    "width": 0.3,
    "hidden": 8,
    "entropy_weighting": False,
    "temperature": 1.0,
    "confusion": 2.0,
    "beta": 1.0,
}


def loss_of(name: str, **options: Any) -> float:
    torch.manual_seed(0)
    built = build(name, FEATURES, CLASSES, **options)
    source, target = domain(7, seed=1), domain(7, seed=2, shift=1.0)
    if built.kind == "source_free":
        return float(built(target, torch.arange(7) % CLASSES))
    return float(built(source, target, ONE).detach())


@pytest.mark.parametrize("name", list(TRANSFER))
def test_a_method_says_what_it_is(name: str) -> None:
    method: Any = TRANSFER.get(name)
    assert method.kind in KINDS
    assert method.minimum_batch >= 1
    assert re.search(r"arXiv:\d{4}\.\d{5}", method.reference)
    assert "References" in method.__doc__
    for option in TRANSFER.options(name):
        assert f"{option}" in method.__doc__


@pytest.mark.parametrize(
    ("name", "option"), [(name, option) for name in TRANSFER for option in TRANSFER.options(name)]
)
def test_every_option_changes_something(name: str, option: str) -> None:
    assert loss_of(name, **{option: OTHER[option]}) != loss_of(name)


@pytest.mark.parametrize(
    ("name", "options", "problem"),
    [
        ("mk_mmd", {"kernels": 0}, "kernels is 0; give 1 or more"),
        ("mk_mmd", {"factor": 0.0}, "factor is 0.0; give a number above 0"),
        (
            "mk_mmd",
            {"bandwidth": "mode"},
            "bandwidth is 'mode'; Input should be 'mean' or 'median'",
        ),
        ("mcc", {"temperature": -1.0}, "temperature is -1.0; give a number above 0"),
        ("shot", {"beta": -0.1}, "beta is -0.1; give 0 or more"),
        ("dann", {"hidden": 0}, "hidden is 0; give 1 or more"),
        ("dann", {"hiden": 8}, "has no option 'hiden' .did you mean 'hidden'"),
        ("mmd", {}, "unknown transfer method 'mmd' .did you mean 'jmmd'"),
    ],
)
def test_what_can_not_be_is_refused(name: str, options: dict[str, Any], problem: str) -> None:
    with pytest.raises(FaultdiagError, match=problem):
        build(name, FEATURES, CLASSES, **options)


@pytest.mark.parametrize("name", [n for n in TRANSFER if TRANSFER.get(n).kind == "joint"])
def test_the_smallest_batch_has_a_finite_loss(name: str) -> None:
    built = build(name, FEATURES, CLASSES)
    rows = built.minimum_batch
    loss = built(domain(rows, seed=1), domain(rows, seed=2), ONE)
    assert math.isfinite(loss.item())


def networks() -> list[Any]:
    """Every network, alone, with each block, and behind each front end."""
    plain = [pytest.param(name, {}, {}, id=name) for name in NETWORKS]
    attended = [
        pytest.param("wdcnn", {"attention": {"name": block, "after": [2]}}, {}, id=f"wdcnn-{block}")
        for block in BLOCKS
    ]
    seen = [
        pytest.param("cnn1d", {"representation": front}, {"pool": 2}, id=f"cnn1d-{front}")
        for front in REPRESENTATIONS
        if front != "fault_order_combs"  # twenty positions are too few for cnn1d
    ]
    return [*plain, *attended, *seen]


@pytest.mark.parametrize(("name", "slots", "options"), networks())
def test_features_are_what_the_classifier_of_any_network_sees(
    name: str, slots: dict[str, Any], options: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    network = models.build(name, 1, 4, length=2048, sampling_rate=12000, **slots, **options).eval()
    known = torch.tensor([[29.0, 3.6, 5.4, 2.4, 0.4]] * 3)
    arguments = [torch.randn(3, 1, 2048), *facts_for(network, known)]
    with torch.no_grad():
        found = FeatureNetwork(network)(*arguments)
        assert found.features.ndim == 2
        assert torch.equal(found.logits, network(*arguments))
        assert torch.equal(found.logits, classifier_of(network)(found.features))


def test_looking_at_features_leaves_the_network_as_it_was() -> None:
    network = models.build("wdcnn", 1, 4, length=2048)
    tapped = FeatureNetwork(network)
    names = set(dict(network.named_parameters()))
    assert set(dict(tapped.named_parameters())) == {f"network.{name}" for name in names}
    tapped(torch.randn(2, 1, 2048))
    assert not classifier_of(network)._forward_pre_hooks


def test_a_baseline_has_no_features_to_align() -> None:
    name = "logistic"
    assert name in BASELINES
    baseline: nn.Module = build_baseline(name, ["DE"], ["N", "IR"], sampling_rate=12e3)
    with pytest.raises(FaultdiagError, match=r"has no features that transfer could align.*wdcnn"):
        classifier_of(baseline)
