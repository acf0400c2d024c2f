"""What a network looked at: sanity checks on networks that are known to look at something."""

import re
from collections.abc import Iterator
from copy import deepcopy
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from faultdiag import attention, models
from faultdiag.errors import FaultdiagError
from faultdiag.evidence import attribution
from faultdiag.evidence.attribution import (
    METHODS,
    attention_gates,
    grad_cam,
    gradient_x_input,
    integrated_gradients,
    target_of,
)
from faultdiag.evidence.explainer import Explainer
from faultdiag.evidence.explanation import occlude_bands
from faultdiag.models.layers import FrontEndNetwork
from faultdiag.representations import REPRESENTATIONS
from faultdiag.signal.bearings import get_bearing

LENGTH, FS = 1024, 12_000
NETWORKS = ("cnn1d", "wdcnn", "resnet1d")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def network(name: str, **options: object) -> nn.Module:
    return models.build(name, 1, 3, length=LENGTH, **options).eval()  # type: ignore[arg-type]


def ringing(hz: float, windows: int, seed: int = 0) -> np.ndarray:
    """Impulse trains that ring at a frequency, in noise: ``(windows, 1, length)``, normalised."""
    rng = np.random.default_rng(seed)
    x = 0.3 * rng.normal(size=(windows, LENGTH))
    t = np.arange(120) / FS
    ring = np.exp(-t * 700) * np.sin(2 * np.pi * hz * t)
    for row in x:
        for start in range(int(rng.integers(20, 120)), LENGTH - 130, 200):
            row[start : start + 120] += 2 * ring
    x -= x.mean(axis=1, keepdims=True)
    x /= x.std(axis=1, keepdims=True)
    return x[:, None].astype(np.float32)


def noise(windows: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(100 + seed).normal(size=(windows, 1, LENGTH))
    return x.astype(np.float32)


@cache
def listener(hz: float) -> nn.Module:
    """A small network that learnt to tell ringing at a frequency (class 1) from noise."""
    torch.manual_seed(1)
    built = models.build("cnn1d", 1, 2, length=LENGTH)
    x = torch.from_numpy(np.concatenate([noise(60), ringing(hz, 60)]))
    labels = torch.arange(2).repeat_interleave(60)
    optimizer = torch.optim.Adam(built.parameters(), lr=3e-3)
    built.train()
    for _ in range(20):
        order = torch.randperm(len(x))
        for batch in order.split(40):
            optimizer.zero_grad()
            nn.functional.cross_entropy(built(x[batch]), labels[batch]).backward()
            optimizer.step()
    built.eval()
    with torch.inference_mode():
        assert (built(x).argmax(1) == labels).float().mean() > 0.98
    return built


def randomised(network: nn.Module) -> nn.Module:
    """The same network with random weights."""
    copy = deepcopy(network)
    with torch.no_grad():
        for parameter in copy.parameters():
            parameter.copy_(0.1 * torch.randn_like(parameter))
    return copy


@pytest.mark.parametrize("name", NETWORKS)
def test_integrated_gradients_are_complete(name: str) -> None:
    net = network(name)
    x = torch.randn(3, 1, LENGTH)
    found = integrated_gradients(target_of(net, x, 1))
    with torch.no_grad():
        exact = net.double()
        expected = exact(x.double())[:, 1] - exact(torch.zeros_like(x).double())[:, 1]
    assert found.shape == (3, 1, LENGTH)
    assert found.sum(axis=(1, 2)) == pytest.approx(expected.numpy(), rel=1e-3)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_random_weights_change_what_is_relevant(method: str) -> None:
    trained, x = listener(3000), torch.from_numpy(ringing(3000, 1, seed=9))
    first = METHODS[method](target_of(trained, x, 1)).ravel()
    second = METHODS[method](target_of(randomised(trained), x, 1)).ravel()
    scaled = [found / np.abs(found).max() for found in (first, second)]
    assert np.ptp(scaled[0]) > 0.1
    assert np.abs(scaled[0] - scaled[1]).max() > 0.2


def test_gradient_x_input_of_a_linear_network_is_its_terms() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(LENGTH, 2))
    x = torch.randn(2, 1, LENGTH)
    found = gradient_x_input(target_of(net, x, 1))
    expected = x.numpy() * net[1].weight.detach().numpy()[1]
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_network_itself_stays_as_it_is() -> None:
    net = network("wdcnn")
    x = torch.randn(1, 1, LENGTH)
    before = net(x)
    integrated_gradients(target_of(net, x, 0))
    assert next(net.parameters()).dtype == torch.float32
    assert all(p.requires_grad for p in net.parameters())
    assert torch.equal(net(x), before)


@pytest.mark.parametrize("name", ["wdcnn", "resnet1d", "densenet1d"])
def test_grad_cam_is_of_one_value_for_each_sample(name: str) -> None:
    found = grad_cam(target_of(network(name), torch.randn(2, 1, LENGTH), 0))
    assert found.shape == (2, LENGTH)
    assert (found >= 0).all()


def test_a_network_that_standardises_is_refused_after_few_steps() -> None:
    class Standardising(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            x = x / (x.square().mean((1, 2), keepdim=True).sqrt() + 1e-9)
            return x.abs().mean((1, 2))[:, None] * torch.tensor([1.0, -1.0], dtype=x.dtype)

    with pytest.raises(FaultdiagError, match=r"after 128 steps .* standardises"):
        integrated_gradients(target_of(Standardising(), torch.randn(1, 1, 64), 1))


def test_grad_cam_needs_a_convolution() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(LENGTH, 2))
    with pytest.raises(FaultdiagError, match="Grad-CAM needs a convolution"):
        grad_cam(target_of(net, torch.randn(1, 1, LENGTH), 0))


@pytest.mark.parametrize("hz", [1250, 3250, 4750])
def test_the_band_of_an_injected_impulse_train_is_found(hz: float) -> None:
    network = listener(hz)

    def probabilities(windows: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return torch.softmax(network(torch.from_numpy(windows)).double(), 1).numpy()

    found = occlude_bands(ringing(hz, 8, seed=9), FS, 1, probabilities, bands=12)
    best = int(found.drops.argmax())
    assert found.edges[best] <= hz <= found.edges[best + 1]
    assert found.drops[best] > 0.1
    assert (found.edges[0], found.edges[-1]) == (0, FS / 2)


def test_relevance_is_where_the_impulses_are() -> None:
    x = ringing(3000, 1, seed=9)
    found = np.abs(integrated_gradients(target_of(listener(3000), torch.from_numpy(x), 1))[0, 0])
    loud = np.convolve(np.abs(x[0, 0]) > 2.0, np.ones(40), "same") > 0
    assert 0.1 < loud.mean() < 0.8
    assert found[loud].mean() > 1.5 * found[~loud].mean()


def test_occlusion_of_everything_leaves_a_zero_window() -> None:
    seen = []

    def probabilities(windows: np.ndarray) -> np.ndarray:
        seen.append(windows)
        return np.full((len(windows), 2), 0.5)

    windows = ringing(3000, 2)
    found = occlude_bands(windows, FS, 0, probabilities, bands=1)
    assert np.abs(seen[1]).max() < 1e-5
    assert found.drops.tolist() == [0.0]


class Halving(nn.Module):
    """Multiplies the first channel by a half and leaves the others alone."""

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.ones(x.shape[1])
        gate[0] = 0.5
        return x * gate[:, None]


def test_gates_are_the_mean_factors_of_a_block() -> None:
    from faultdiag.models.layers import AttentionSlot

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.slot = AttentionSlot(Halving(), residual=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.slot(x, [])

    net = Net()
    (gate,) = attention_gates(net, lambda: net(torch.randn(4, 3, 50)))
    assert gate.gains == pytest.approx([0.5, 1.0, 1.0])
    assert (gate.place, gate.block) == ("slot", "Halving")


@pytest.mark.parametrize("block", sorted(attention.BLOCKS))
def test_the_gates_of_every_block_can_be_shown(block: str) -> None:
    net = network("wdcnn", attention={"name": block, "after": [2]})
    x = torch.randn(2, 1, LENGTH)
    (gate,) = attention_gates(net, lambda: net(x))
    assert gate.gains.shape == (32,)
    assert np.isfinite(gate.gains).all()
    if block == "none":
        assert gate.gains == pytest.approx(np.ones(32))


def test_without_captum_the_explanation_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing() -> object:
        raise FaultdiagError("no captum")

    monkeypatch.setattr(attribution, "_captum", missing)
    found = Explainer(listener(3000), lambda x: x, FS).explain(ringing(3000, 4), 1, "three")
    assert found.time is None
    assert any("faultdiag[explain]" in text for text in found.missing)
    assert found.bands.drops.max() > 0


def test_an_explanation_is_of_the_surest_window() -> None:
    windows = np.concatenate([noise(3, seed=5), ringing(3000, 1)])
    found = Explainer(listener(3000), lambda x: x, FS, methods=["gradient_x_input"]).explain(
        windows, 1, "three"
    )
    assert found.time is not None
    assert found.time.start == pytest.approx(3 * LENGTH / FS)
    assert found.time.window == pytest.approx(windows[3, 0], abs=1e-6)
    assert list(found.time.methods) == ["gradient_x_input"]
    assert (found.windows, found.label) == (4, "three")


FRONTS = [{"name": "cnn1d", "representation": name} for name in REPRESENTATIONS]
EXPLAINED = [{"name": name} for name in models.NETWORKS] + FRONTS


@pytest.mark.parametrize("options", EXPLAINED, ids=lambda o: "-".join(o.values()))
def test_every_network_behind_every_front_end_is_explained_or_says_why_not(
    options: dict[str, str],
) -> None:
    if options.get("representation") == "fault_order_combs":
        options = {"name": "tied_z"}  # its twenty teeth are too few for others
    net = models.build(channels=1, classes=4, length=2048, sampling_rate=FS, **options).eval()
    windows = np.random.default_rng(0).normal(size=(2, 1, 2048)).astype(np.float32)
    methods = ("gradient_x_input", "grad_cam")
    found = Explainer(net, lambda x: x, FS, methods=methods).explain(
        windows, 1, "IR", rpm=1797.0, bearing=get_bearing("6205")
    )
    assert np.isfinite(found.bands.drops).all()
    assert found.time is not None
    for method in set(methods) - set(found.time.methods):
        (reason,) = (text for text in found.missing if text.startswith(f"{method}: "))
        assert re.search("no gradient reaches|needs a convolution", reason)
    if isinstance(net, FrontEndNetwork) and (found.front or options["representation"] != "raw"):
        assert found.front is not None
        assert np.isfinite(found.front.values).all()
        assert found.front.axis != "position"


@pytest.mark.parametrize("name", ["tied_z", "tied_teeth"])
def test_a_tied_network_asks_for_speed_and_bearing(name: str) -> None:
    net = network(name, sampling_rate=FS)
    explainer = Explainer(net, lambda x: x, FS)
    with pytest.raises(FaultdiagError, match="needs the bearing"):
        explainer.explain(noise(2), 1, "IR", rpm=1797.0)
