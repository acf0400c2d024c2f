"""The baseline network against its published numbers and two independent formulas of it."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from faultdiag import models
from tests.models.networks import build, perturb, windows

ECA = {"name": "eca", "after": 2, "residual": True}
Array = NDArray[np.float64]


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_has_the_published_numbers() -> None:
    plain = models.build("wdcnn", 1, 10, length=2048)
    statistics = [b.numel() for n, b in plain.named_buffers() if "running" in n]
    assert count(plain) == 60_710
    assert sum(statistics) == 480
    assert count(plain) + sum(statistics) == 61_190
    assert count(models.build("wdcnn", 1, 10, length=2048, attention=ECA)) == 60_713


def test_has_54790_numbers_with_the_fifth_convolution_unpadded() -> None:
    net = models.build("wdcnn", 1, 10, length=2048, padding5="valid")
    assert count(net) + 480 == 54_790


def test_kernels_under_the_published_penalty() -> None:
    net = models.build("wdcnn", 1, 10, length=2048, attention=ECA)
    shapes = [tuple(k.shape) for k in models.kernel_parameters(net)]
    convolutions = [(16, 1, 64), (32, 16, 3), (64, 32, 3), (64, 64, 3), (64, 64, 3)]
    assert shapes == [*convolutions, (100, 256), (10, 100)]
    assert sum(k.numel() for k in models.kernel_parameters(net)) == 59_880


def test_starts_as_keras_does() -> None:
    torch.manual_seed(0)
    net = models.build("wdcnn", 1, 10, length=2048)
    limits = [0.0743, 0.2041, 0.1443, 0.1250, 0.1250, 0.1298, 0.2335]
    for kernel, limit in zip(models.kernel_parameters(net), limits, strict=True):
        assert limit * 0.97 < kernel.abs().max() < limit * 1.001
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            assert (parameter == 0).all()
        elif "norm" in name:
            assert (parameter == 1).all()


def test_normalises_as_keras_does() -> None:
    norms = [m for m in models.build("wdcnn", 1, 10, length=2048).modules() if hasattr(m, "eps")]
    assert [(m.eps, m.momentum) for m in norms] == [(1e-3, 0.01)] * 5


# The network in plain numpy, evaluation mode, from the weights by name.


def convolve(x: Array, kernel: Array, bias: Array, stride: int, valid: bool) -> Array:
    outputs, _, size = kernel.shape
    length = x.shape[-1]
    count = (length - size) // stride + 1 if valid else -(-length // stride)
    total = 0 if valid else max((count - 1) * stride + size - length, 0)
    padded = np.pad(x, ((0, 0), (0, 0), (total // 2, total - total // 2)))
    y = np.zeros((len(x), outputs, count))
    for position in range(count):
        patch = padded[:, :, position * stride : position * stride + size]
        y[:, :, position] = np.einsum("bik,oik->bo", patch, kernel)
    return y + bias[:, None]


def normalise(x: Array, weights: dict[str, Array], key: str) -> Array:
    mean, variance = weights[f"{key}.running_mean"], weights[f"{key}.running_var"]
    scale = weights[f"{key}.weight"] / np.sqrt(variance + 1e-3)
    return (x - mean[:, None]) * scale[:, None] + weights[f"{key}.bias"][:, None]


def pool(x: Array) -> Array:
    return np.maximum(x[..., 0 : x.shape[-1] // 2 * 2 : 2], x[..., 1::2])


def amplify(x: Array, kernel: Array) -> Array:
    means = np.pad(x.mean(-1), ((0, 0), (1, 1)))
    score = sum(kernel[i] * means[:, i : i + x.shape[1]] for i in range(3))
    return x * (1 + 1 / (1 + np.exp(-score)))[..., None]


def in_numpy(x: Array, weights: dict[str, Array], valid5: bool = False) -> Array:
    for block in range(5):
        kernel, bias = (weights[f"blocks.{block}.conv.{part}"] for part in ("weight", "bias"))
        x = convolve(x, kernel, bias, 1 if block else 16, valid5 and block == 4)
        x = pool(np.maximum(normalise(x, weights, f"blocks.{block}.norm"), 0))
        if block == 1 and "attention.at.2.block.conv.weight" in weights:
            x = amplify(x, weights["attention.at.2.block.conv.weight"][0, 0])
    x = x.transpose(0, 2, 1).reshape(len(x), -1)
    x = np.maximum(x @ weights["hidden.weight"].T + weights["hidden.bias"], 0)
    return x @ weights["classify.weight"].T + weights["classify.bias"]


@pytest.mark.parametrize("attention", [None, ECA])
@pytest.mark.parametrize(
    ("channels", "length", "padding5"),
    [(1, 2048, "same"), (1, 2047, "same"), (2, 1111, "same"), (1, 2048, "valid")],
)
def test_equals_its_formula(
    attention: dict[str, object] | None, channels: int, length: int, padding5: str
) -> None:
    net = build("wdcnn", channels, 10, length=length, attention=attention, padding5=padding5)
    x = windows(3, channels, length).double()
    weights = {name: value.double().numpy() for name, value in net.state_dict().items()}
    expected = in_numpy(x.numpy(), weights, padding5 == "valid")
    found = net.double()(x).detach().numpy()
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


# The network of torch's own 1-D layers, to compare training with.


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        widths = (1, 16, 32, 64, 64, 64)
        for i in range(5):
            kernel, stride, padding = (3, 1, 1) if i else (64, 16, 24)
            layers += [
                nn.Conv1d(widths[i], widths[i + 1], kernel, stride, padding),
                nn.BatchNorm1d(widths[i + 1], eps=1e-3, momentum=0.01),
                nn.ReLU(),
                nn.MaxPool1d(2),
            ]
        self.layers = nn.Sequential(*layers)
        self.hidden, self.classify = nn.Linear(256, 100), nn.Linear(100, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layers(x).transpose(1, 2).flatten(1)
        return self.classify(functional.relu(self.hidden(x)))


def test_trains_as_the_plain_network_does() -> None:
    torch.manual_seed(0)
    plain = perturb(Plain()).double().train()
    net = models.build("wdcnn", 1, 10, length=2048).double().train()
    theirs = dict(zip(net.state_dict(), plain.state_dict().values(), strict=True))
    net.load_state_dict(theirs)
    x, labels = windows(8, 1, 2048).double(), torch.arange(8) % 10
    losses = []
    for network in (net, plain):
        loss = functional.cross_entropy(network(x), labels)
        loss.backward()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(losses[1], abs=1e-12)
    for (name, ours), reference in zip(net.named_parameters(), plain.parameters(), strict=True):
        # The norm takes the bias away again, so that it has no gradient to be computed.
        assert (ours.grad is None) == name.endswith("conv.bias")
        found = torch.zeros_like(ours) if ours.grad is None else ours.grad
        torch.testing.assert_close(found, reference.grad, rtol=0, atol=1e-12)
    for ours, reference in zip(net.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(ours, reference, rtol=0, atol=1e-12)
