"""Every transfer loss against its formula in numpy, its gradient, and what it must not see."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from faultdiag.transfer import TRANSFER, build
from faultdiag.transfer.domains import Domain, ramp
from faultdiag.transfer.mcc import class_confusion
from faultdiag.transfer.mk_mmd import bandwidth, squared_distances
from faultdiag.transfer.shot import pseudo_labels
from tests.transfer import oracles
from tests.transfer.samples import CLASSES, FEATURES, ONE, domain, inputs, layers_of

JOINT = [name for name in TRANSFER if TRANSFER.get(name).kind == "joint"]
ADVERSARIAL = {"dann", "cdan"}
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


def method(name: str, **options: Any) -> nn.Module:
    """A method whose own layers, if any, are in float64."""
    torch.manual_seed(3)
    return build(name, FEATURES, CLASSES, **options).double()


def arrays(*domains: Domain) -> list[Any]:
    return [tensor.numpy() for d in domains for tensor in (d.features, d.logits)]


Case = tuple[str, dict[str, Any], Callable[[Any, Any, Any, Any, nn.Module], float]]
CASES: list[Case] = [
    ("mk_mmd", {}, lambda hs, zs, ht, zt, m: oracles.mk_mmd(hs, ht)),
    ("mk_mmd", {"unbiased": True}, lambda hs, zs, ht, zt, m: oracles.mk_mmd(hs, ht, unbiased=True)),
    (
        "mk_mmd",
        {"bandwidth": "median", "kernels": 4},
        lambda hs, zs, ht, zt, m: oracles.mk_mmd(hs, ht, rule="median", kernels=4),
    ),
    ("jmmd", {}, lambda hs, zs, ht, zt, m: oracles.jmmd(hs, zs, ht, zt)),
    ("jmmd", {"width": 0.5}, lambda hs, zs, ht, zt, m: oracles.jmmd(hs, zs, ht, zt, 0.5)),
    ("coral", {}, lambda hs, zs, ht, zt, m: oracles.coral(hs, ht)),
    ("mcc", {}, lambda hs, zs, ht, zt, m: oracles.mcc(zt)),
    ("mcc", {"temperature": 1.0}, lambda hs, zs, ht, zt, m: oracles.mcc(zt, 1.0)),
    (
        "mk_mmd_mcc",
        {"confusion": 0.5},
        lambda hs, zs, ht, zt, m: oracles.mk_mmd(hs, ht) + 0.5 * oracles.mcc(zt),
    ),
    ("dann", {"hidden": 7}, lambda hs, zs, ht, zt, m: oracles.dann(hs, ht, layers_of(m))),
    ("cdan", {"hidden": 7}, lambda hs, zs, ht, zt, m: oracles.cdan(hs, zs, ht, zt, layers_of(m))),
    (
        "cdan",
        {"hidden": 7, "entropy_weighting": False},
        lambda hs, zs, ht, zt, m: oracles.cdan(
            hs, zs, ht, zt, layers_of(m), entropy_weighting=False
        ),
    ),
]


@pytest.mark.parametrize(("name", "options", "oracle"), CASES)
@pytest.mark.parametrize(("rows", "others"), [(8, 8), (5, 9), (2, 2)])
def test_the_loss_is_the_formula(
    name: str, options: dict[str, Any], oracle: Any, rows: int, others: int
) -> None:
    source, target = domain(rows, seed=1), domain(others, seed=2, shift=0.7, spread=1.5)
    built = method(name, **options)
    loss = built(source, target, ONE)
    np.testing.assert_allclose(loss.item(), oracle(*arrays(source, target), built), **CLOSE)


def test_every_joint_method_has_a_formula() -> None:
    assert {name for name, _, _ in CASES} == set(JOINT)


@pytest.mark.parametrize("name", JOINT)
def test_the_gradient_is_that_of_the_loss(name: str) -> None:
    built = method(name, **({"hidden": 7} if name in ADVERSARIAL else {}))
    if name in ADVERSARIAL:
        # A reversed gradient is no gradient of the loss; reversed once more it is one. Features
        # alone: no gradient flows through the predictions.
        hs, zs, ht, zt = inputs()

        def loss(a: Tensor, b: Tensor) -> Tensor:
            value: Tensor = built(Domain(a, zs.detach()), Domain(b, zt.detach()), -ONE)
            return value

        assert torch.autograd.gradcheck(loss, (hs, ht))
        return
    base = frozen_bandwidth(built)

    def metric(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
        value: Tensor = base(Domain(a, b), Domain(c, d))
        return value

    assert torch.autograd.gradcheck(metric, inputs())


def frozen_bandwidth(built: nn.Module) -> Callable[[Domain, Domain], Tensor]:
    """The loss with what carries no gradient held: numerical differences would see it move."""
    from faultdiag.transfer import mcc, mk_mmd

    hs, _, ht, zt = inputs()
    held = bandwidth(squared_distances(torch.cat([hs, ht])), "mean")
    weights = mcc.entropy(mcc.probabilities(zt, 2.5)).detach()

    def loss(source: Domain, target: Domain) -> Tensor:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mk_mmd, "bandwidth", lambda *_: held)
            patch.setattr(mcc, "entropy", lambda _: weights)
            value: Tensor = built(source, target, ONE)
        return value

    return loss


@pytest.mark.parametrize("name", ["mk_mmd", "jmmd", "coral"])
def test_equal_samples_are_at_no_distance(name: str) -> None:
    same = domain(16)
    assert method(name)(same, same, ONE).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", ["mk_mmd", "jmmd"])
def test_the_distance_grows_with_a_shift(name: str) -> None:
    source, built = domain(32, seed=1), method(name)
    losses = [
        built(source, domain(32, seed=2, shift=s), ONE).item() for s in (0.0, 0.5, 1.0, 2.0, 4.0)
    ]
    assert losses == sorted(losses)
    assert losses[-1] > 10 * losses[0]


def test_coral_grows_with_the_spread_and_sees_no_shift() -> None:
    source, built = domain(32, seed=1), method("coral")
    losses = [built(source, domain(32, seed=2, spread=s), ONE).item() for s in (1.0, 1.5, 2.0, 3.0)]
    assert losses == sorted(losses)
    moved = built(source, domain(32, seed=2, shift=9.0), ONE).item()
    assert moved == pytest.approx(losses[0], rel=1e-9)


def test_the_unbiased_estimate_is_zero_on_average() -> None:
    rng = torch.Generator().manual_seed(0)
    draws = torch.randn(400, 2, 8, FEATURES, generator=rng, dtype=torch.float64)
    empty = torch.zeros(8, CLASSES)
    for unbiased, centre in ((True, True), (False, False)):
        built = method("mk_mmd", unbiased=unbiased)
        values = torch.stack([built(Domain(a, empty), Domain(b, empty), ONE) for a, b in draws])
        error = values.std() / len(values) ** 0.5
        assert bool(abs(values.mean()) < 4 * error) is centre


@pytest.mark.parametrize("name", ["mk_mmd", "jmmd"])
def test_scale_rotation_and_shift_of_both_domains_change_no_discrepancy(name: str) -> None:
    source, target, built = domain(seed=1), domain(seed=2, shift=1.0), method(name)
    rotation, _ = torch.linalg.qr(domain(FEATURES, seed=5).features)

    def moved(d: Domain) -> Domain:
        return Domain(30 * d.features @ rotation + 4, d.logits)

    before = built(source, target, ONE).item()
    assert built(moved(source), moved(target), ONE).item() == pytest.approx(before, rel=1e-9)


@pytest.mark.parametrize("name", JOINT)
def test_the_order_of_windows_changes_nothing(name: str) -> None:
    source, target, built = domain(seed=1), domain(seed=2), method(name)
    turned = Domain(target.features.flip(0), target.logits.flip(0))
    before = built(source, target, ONE).item()
    assert built(source, turned, ONE).item() == pytest.approx(before, rel=1e-12)


@pytest.mark.parametrize("name", JOINT)
def test_at_the_start_of_the_ramp_nothing_reaches_the_network(name: str) -> None:
    hs, zs, ht, zt = inputs()
    method(name)(Domain(hs, zs), Domain(ht, zt), 0 * ONE).backward()
    reached = [t.grad for t in (hs, zs, ht, zt) if t.grad is not None]
    assert reached
    assert all(not gradient.any() for gradient in reached)


def test_the_ramp_rises_from_zero_to_one() -> None:
    values = [ramp(p / 10) for p in range(11)]
    assert values == sorted(values)
    assert values[0] == 0
    assert values[-1] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", sorted(ADVERSARIAL))
def test_the_gradient_of_an_adversary_is_reversed_in_the_network_alone(name: str) -> None:
    gradients = {}
    for scale in (-1.0, 0.25):
        hs, zs, ht, zt = inputs()
        built = method(name, hidden=7)
        built(Domain(hs, zs), Domain(ht, zt), scale * ONE).backward()
        own = [p.grad.clone() for p in built.parameters() if p.grad is not None]
        gradients[scale] = ([hs.grad, ht.grad], own)
        assert zs.grad is None
    (plain, own), (reversed_, same) = gradients[-1.0], gradients[0.25]
    for one, other in zip(plain, reversed_, strict=True):
        torch.testing.assert_close(other, -0.25 * one)
    for one, other in zip(own, same, strict=True):
        torch.testing.assert_close(one, other)


def test_confusion_is_none_where_all_are_sure_and_largest_where_none_is() -> None:
    sure = 100 * torch.eye(CLASSES, dtype=torch.float64)
    assert class_confusion(sure).item() == pytest.approx(0, abs=1e-12)
    uniform = torch.zeros(5, CLASSES, dtype=torch.float64)
    assert class_confusion(uniform).item() == pytest.approx(1 - 1 / CLASSES)


@pytest.mark.parametrize("name", [*JOINT, "shot"])
def test_extreme_predictions_and_equal_features_have_a_finite_gradient(name: str) -> None:
    built = method(name)
    h = torch.ones(4, FEATURES, dtype=torch.float64, requires_grad=True)
    z = (2000 * torch.eye(CLASSES, dtype=torch.float64)).requires_grad_()
    side = Domain(h, z)
    loss = built(side, torch.arange(4)) if name == "shot" else built(side, side, ONE)
    loss.backward()
    assert loss.isfinite()
    assert all(t.grad is None or t.grad.isfinite().all() for t in (h, z))


def test_shot_is_the_formula_and_its_gradient() -> None:
    target, pseudo = domain(7, seed=4), torch.tensor([0, 1, 2, 3, 0, 1, 2])
    built = method("shot", beta=0.4)
    expected = oracles.shot(target.logits.numpy(), pseudo.numpy(), 0.4)
    np.testing.assert_allclose(built(target, pseudo).item(), expected, **CLOSE)

    def loss(z: Tensor) -> Tensor:
        value: Tensor = built(Domain(target.features, z), pseudo)
        return value

    assert torch.autograd.gradcheck(loss, target.logits.clone().requires_grad_())


@pytest.mark.parametrize("seed", range(5))
def test_pseudo_labels_are_those_of_the_nearest_centroids(seed: int) -> None:
    target = domain(40, seed=seed)
    found = pseudo_labels(target.features, target.logits)
    expected = oracles.pseudo_labels(target.features.numpy(), target.logits.numpy())
    assert found.tolist() == expected.tolist()


def test_pseudo_labels_of_separate_clusters_are_the_clusters() -> None:
    centres = 10 * torch.eye(CLASSES, FEATURES, dtype=torch.float64)
    truth = torch.arange(CLASSES).repeat(10)
    features = centres[truth] + 0.1 * domain(40).features
    # The predictions of every fifth window are of the next class.
    said = torch.where(torch.arange(40) % 5 == 0, (truth + 1) % CLASSES, truth)
    logits = 4 * nn.functional.one_hot(said, CLASSES).double()
    assert pseudo_labels(features, logits).tolist() == truth.tolist()
