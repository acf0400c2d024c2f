"""What every network, and every attention block in the baseline network, must do."""

import io
from functools import cache
from itertools import product
from typing import Any

import pytest
import torch

from faultdiag import models
from faultdiag.attention import BLOCKS
from faultdiag.errors import FaultdiagError
from faultdiag.models import NETWORKS
from faultdiag.models.zoo import defaults, network
from tests.models.networks import LENGTH, ON_COMBS, build, eca, inputs, perturb, untrained

NAMES = list(NETWORKS)

# Every network with ECA, and the baseline network with every block.
CASES = [(name, "eca") for name in NETWORKS] + [("wdcnn", b) for b in BLOCKS if b != "eca"]

# A value unlike the default for every option of every network.
OTHER: dict[str, dict[str, Any]] = {
    "wdcnn": {"dropout": 0.5, "padding5": "valid"},
    "cnn1d": {"widths": (8, 8), "kernels": (5, 5, 5, 3), "pool": 2, "dropout": 0.5},
    "ticnn": {"kernel_dropout": (0.0, 0.5), "dropout": 0.5},
    "resnet1d": {"width": 16, "depths": (1, 1), "stem_kernel": 7, "dropout": 0.5},
    "densenet1d": {
        "growth": 4,
        "depths": (1, 2),
        "width": 8,
        "compression": 0.25,
        "stem_kernel": 7,
        "dropout": 0.5,
    },
    "band_net": {"bands": 5, "hidden": (16, 8), "norm": True, "dropout": 0.5},
    "tied_z": {
        "parts": ("ball", "normal", "outer", "inner"),
        "harmonics": 12,
        "pool": "mean",
        "noise": 1.0,
        "band_dropout": 0.5,
        "tooth_dropout": 0.5,
    },
    "tied_teeth": {
        "parts": ("ball", "normal", "outer", "inner"),
        "harmonics": 12,
        "hidden": 3,
        "noise": 1.0,
        "band_dropout": 0.5,
        "tooth_dropout": 0.5,
    },
    "transformer1d": {
        "patch": 16,
        "width": 32,
        "depth": 2,
        "heads": 2,
        "expansion": 1,
        "dropout": 0.5,
    },
}

# Two blocks where there may be as few, for what is slow to test.
LITTLE: dict[str, dict[str, Any]] = {
    "cnn1d": {"widths": (8, 8)},
    "resnet1d": {"depths": (1, 1)},
    "densenet1d": {"depths": (1, 1)},
    "transformer1d": {"depth": 2},
}

# The slow ones, small but able to learn.
SMALL: dict[str, dict[str, Any]] = {
    "resnet1d": {"width": 16, "depths": (1, 1, 1)},
    "densenet1d": {"growth": 8, "depths": (2, 2)},
    "transformer1d": {"depth": 2},
}


def case(name: str, block: str, **settings: Any) -> torch.nn.Module:
    return build(name, attention=eca(name) | {"name": block, "residual": False}, **settings)


@pytest.mark.parametrize(("name", "block"), CASES)
def test_gives_finite_logits_of_each_window(name: str, block: str) -> None:
    logits = case(name, block)(inputs(name))
    assert logits.shape == (3, 4)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()
    assert (logits[0] - logits[1]).abs().max() > 1e-6


@pytest.mark.parametrize(("name", "block"), CASES)
def test_a_window_does_not_see_its_batch(name: str, block: str) -> None:
    net = case(name, block).double()
    x = inputs(name, 4).double()
    together, alone = net(x), torch.cat([net(x[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("name", "block"), CASES)
def test_gradient_reaches_every_parameter(name: str, block: str) -> None:
    # In evaluation mode: in training a bias before a normalisation has no gradient by nature.
    # From several seeds: with one of them the only unit of a narrow ReLU may be off.
    labels = torch.tensor([0, 1, 2])
    dead = {n for n, _ in case(name, block).named_parameters()}
    for seed in range(20):
        net = case(name, block, seed=seed).double()
        torch.nn.functional.cross_entropy(net(inputs(name).double()), labels).backward()
        dead -= {n for n, p in net.named_parameters() if p.grad is not None and reached(p.grad)}
        if not dead:
            break
    assert not dead


def reached(gradient: torch.Tensor) -> bool:
    return bool(gradient.abs().max() > 1e-10)


@pytest.mark.parametrize(("name", "block"), CASES)
def test_saved_weights_give_the_same_logits(name: str, block: str) -> None:
    net = case(name, block)
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    file.seek(0)
    slot = eca(name) | {"name": block, "residual": False}
    fresh = untrained(name, attention=slot).eval()
    assert not torch.equal(fresh(inputs(name)), net(inputs(name)))
    fresh.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(fresh(inputs(name)), net(inputs(name)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("training", [False, True])
def test_half_precision_gives_nearly_the_same(name: str, training: bool) -> None:
    net = build(name, attention=eca(name)).train(training)
    if name == "ticnn":
        net.blocks[0].conv.rates = (0.0, 0.0)
    with torch.no_grad():
        torch.manual_seed(4)
        expected = net(inputs(name))
        torch.manual_seed(4)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(inputs(name)).float()
    torch.testing.assert_close(logits, expected, rtol=0.1, atol=0.1 * float(expected.abs().max()))


@pytest.mark.parametrize("name", NAMES)
def test_exports_whole_for_any_batch(name: str) -> None:
    net = build(name, attention=eca(name), **LITTLE.get(name, {}))
    batch = torch.export.Dim("batch", max=1024)
    program = torch.export.export(net, (inputs(name),), dynamic_shapes=({0: batch},))
    torch.testing.assert_close(program.module()(inputs(name, 5)), net(inputs(name, 5)))


@pytest.mark.parametrize(
    ("name", "channels", "length"),
    [
        (name, channels, length)
        for name, channels in product(NAMES, (1, 2, 3))
        for length in ((20, 28) if name in ON_COMBS else (1023, 1500))
    ],
)
def test_takes_any_channels_and_length(name: str, channels: int, length: int) -> None:
    net = build(name, channels, length=length, attention=eca(name))
    x = inputs(name, 2, channels, length)
    logits = net(x)
    assert logits.shape == (2, 4)
    for channel in range(x.shape[1]):
        without = x.clone()
        without[:, channel] = 0
        assert not torch.equal(net(without), logits)


@pytest.mark.parametrize("name", NAMES)
def test_minimum_length_works_and_one_less_is_refused(name: str) -> None:
    shortest = network(name).minimum_length(**defaults(name))
    assert build(name, length=shortest)(inputs(name, 2, 1, shortest)).isfinite().all()
    expected = rf"^window\.length is {shortest - 1} samples; {name} needs {shortest} or more$"
    with pytest.raises(FaultdiagError, match=expected):
        untrained(name, length=shortest - 1)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_one_trains_at_the_minimum_length(name: str) -> None:
    shortest = network(name).minimum_length(**defaults(name))
    net = build(name, length=shortest, attention=eca(name)).train()
    logits = net(inputs(name, 1, 1, shortest))
    logits.square().sum().backward()
    assert logits.isfinite().all()


# Twenty weights do not hold eight windows; see test_tied.
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ON_COMBS])
def test_learns_eight_windows_by_heart(name: str) -> None:
    torch.manual_seed(3)
    net = untrained(name, attention=eca(name), **SMALL.get(name, {}))
    x, labels = inputs(name, 8), torch.arange(8) % 4
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    first = last = 0.0
    for step in range(40):
        loss = torch.nn.functional.cross_entropy(net(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        first, last = (loss.item() if step == 0 else first), loss.item()
    assert last < 0.2 * first


@pytest.mark.parametrize("name", NAMES)
def test_options_of_the_table_are_all_there_are(name: str) -> None:
    assert set(OTHER[name]) == set(NETWORKS.options(name))


@pytest.mark.parametrize(("name", "option"), [(n, o) for n, t in OTHER.items() for o in t])
def test_every_option_changes_something(name: str, option: str) -> None:
    shapes, logits = trained(name)
    other_shapes, other = trained(name, **{option: OTHER[name][option]})
    assert other_shapes != shapes or (other - logits).abs().max() > 1e-4


@cache
def trained(name: str, **options: Any) -> tuple[list[torch.Size], torch.Tensor]:
    net = build(name, attention=eca(name), **options).train()
    torch.manual_seed(4)
    return [p.shape for p in net.parameters()], net(inputs(name))


@pytest.mark.parametrize("name", NAMES)
def test_equal_options_give_equal_logits(name: str) -> None:
    _, logits = trained(name)
    trained.cache_clear()
    assert torch.equal(trained(name)[1], logits)


@pytest.mark.parametrize("name", NAMES)
def test_dropout_is_off_in_evaluation(name: str) -> None:
    options = [option for option in NETWORKS.options(name) if option.endswith("dropout")]
    if not options:
        pytest.fail(f"{name} has no dropout")
    share = {"kernel_dropout": (0.0, 0.5)}
    net = build(name, **{option: share.get(option, 0.5) for option in options})
    assert torch.equal(net(inputs(name)), net(inputs(name)))


@pytest.mark.parametrize("name", NAMES)
def test_seed_decides_the_weights(name: str) -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        net = untrained(name)
        return torch.cat([p.flatten() for p in net.parameters()])

    assert torch.equal(weights(5), weights(5))
    assert not torch.equal(weights(5), weights(6))


@pytest.mark.parametrize("name", NAMES)
def test_kernels_are_those_of_convolutions_and_dense_layers(name: str) -> None:
    plain, with_cbam = (
        untrained(name, attention=slot) for slot in (None, {"name": "cbam", "after": 1})
    )
    kernels = models.kernel_parameters(plain)
    own = {id(p) for p in plain.parameters() if p.ndim >= 2}
    position = getattr(plain, "position", None)
    assert {id(k) for k in kernels} == own - {id(position)}
    assert [k.shape for k in models.kernel_parameters(with_cbam)] == [k.shape for k in kernels]


@pytest.mark.parametrize("name", NAMES)
def test_says_where_it_comes_from(name: str) -> None:
    reference = network(name).reference
    assert "doi:10." in reference or "arXiv:" in reference
    identifier = reference.rsplit(" ", 1)[1]
    assert identifier in (NETWORKS.get(name).__doc__ or "")


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("name", "block"), CASES)
def test_cpu_and_cuda_agree(name: str, block: str) -> None:
    net = case(name, block).double()
    x = inputs(name).double()
    expected = net(x)
    torch.testing.assert_close(net.cuda()(x.cuda()).cpu(), expected, rtol=1e-9, atol=1e-9)


def test_perturbation_moves_every_parameter() -> None:
    net = models.build("wdcnn", 1, 4, length=LENGTH)
    before = [p.clone() for p in net.parameters()]
    perturb(net)
    assert all((p != b).all() for p, b in zip(net.parameters(), before, strict=True))
