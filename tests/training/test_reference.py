"""The fast path against the network and loop as one would write them down, in float64."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from faultdiag import models
from faultdiag.inference import WindowBatches
from faultdiag.preparing.folder import gather
from faultdiag.preparing.prepare import prepare
from faultdiag.training.loop import Settings, Trainer
from faultdiag.training.step import shuffled
from tests.data_fixtures import tiny_config

RATE, L2, BATCH, STEPS, SEED = 1e-3, 1e-4, 16, 5, 3
WIDTHS = (1, 16, 32, 64, 64, 64)


class DoubleBatches(WindowBatches):
    """Windows in double precision, normalised in it."""

    def raw(self, rows: Tensor, shift: Tensor | None = None, length: int | None = None) -> Tensor:
        return super().raw(rows, shift, length).double()


class Gate(nn.Module):
    """ECA with a residual, as published."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.sigmoid(self.conv(x.mean(-1)[:, None]))[:, 0]
        return x + x * weights[..., None]


def plain_network(length: int, classes: int) -> nn.Sequential:
    """Conv1d, BatchNorm1d, ReLU, MaxPool1d; gate after block 2; two dense layers."""
    layers: list[nn.Module] = []
    for number, (inputs, outputs) in enumerate(pairwise(WIDTHS), start=1):
        kernel, stride, padding = (64, 16, 24) if number == 1 else (3, 1, 1)
        layers += [
            nn.Conv1d(inputs, outputs, kernel, stride, padding),
            nn.BatchNorm1d(outputs, eps=1e-3, momentum=0.01),
            nn.ReLU(),
            nn.MaxPool1d(2),
            *([Gate()] if number == 2 else []),
        ]
    hidden = nn.Linear(64 * (length // 512), 100)
    return nn.Sequential(*layers, nn.Flatten(), hidden, nn.ReLU(), nn.Linear(100, classes)).double()


def same_weights(plain: nn.Module, ours: nn.Module) -> None:
    """Copy our weights, which are in the same order, into the plain network."""
    order = sorted(ours.state_dict(), key=_place)
    state = {
        name: _as_plain(ours.state_dict()[mine], mine)
        for name, mine in zip(plain.state_dict(), order, strict=True)
    }
    plain.load_state_dict(state)


def _place(name: str) -> tuple[float, int]:
    """The gate stands after block 2, index 1."""
    head, _, rest = name.partition(".")
    heads = {"hidden": 10.0, "classify": 11.0, "attention": 1.5}
    kinds = ("conv.weight", "conv.bias", "norm.weight", "norm.bias", "mean", "var", "tracked")
    ends = [number for number, kind in enumerate(kinds) if rest.endswith(kind)]
    if head == "blocks":
        return float(rest.partition(".")[0]), ends[0]
    return heads[head], int(rest == "bias")


def _as_plain(value: Tensor, name: str) -> Tensor:
    """Our flattening runs over the positions first, a plain one over the channels."""
    if name != "hidden.weight":
        return value
    return value.view(len(value), -1, 64).transpose(1, 2).reshape(len(value), -1)


def test_five_steps_of_the_fast_path_are_those_of_a_plain_loop(
    recordings: Path, prepared_root: Path
) -> None:
    length = 1024
    prepared = prepare(tiny_config(recordings, prepared_root, window__length=length))
    rows = np.linspace(0, len(prepared.windows.of("train")) - 1, STEPS * BATCH).astype(int)
    index = prepared.windows.of("train").take(rows)
    torch.manual_seed(0)
    slot = {"name": "eca", "after": [2], "residual": True}
    ours = models.build("wdcnn", 1, 3, length=length, attention=slot).double()
    plain = plain_network(length, 3)
    same_weights(plain, ours)
    settings = Settings(1, BATCH, "adam", RATE, L2, "float32", SEED, running_statistics="published")
    batches = DoubleBatches(prepared, index, torch.device("cpu"))
    Trainer(ours, batches, batches, settings).learn()

    raw = gather(prepared.signals, prepared.positions(index), length).astype(np.float64)
    raw -= raw.mean(-1, keepdims=True)
    data = TensorDataset(
        torch.from_numpy(raw / raw.std(-1, keepdims=True)),
        torch.from_numpy(index.label.astype(np.int64)),
    )
    train_plainly(plain, data, shuffled(len(index), SEED, 1))
    expected = plain_network(length, 3)
    same_weights(expected, ours)
    for name, value in plain.state_dict().items():
        # A norm takes the bias before it away again: its gradient is rounding, which Adam enlarges.
        dead = name.endswith(".bias") and isinstance(plain[int(name.split(".")[0])], nn.Conv1d)
        torch.testing.assert_close(
            expected.state_dict()[name], value, rtol=0, atol=1e-8 if dead else 1e-10
        )


def train_plainly(network: nn.Module, data: TensorDataset, order: Tensor) -> None:
    """One epoch of Adam, with the published penalty in the loss."""
    kernels = [p for p in network.parameters() if p.ndim > 1 and p.shape != (1, 1, 3)]
    assert len(kernels) == 7
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    network.train()
    for windows, labels in DataLoader(data, batch_size=BATCH, sampler=order.tolist()):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(windows), labels)
        (loss + L2 * sum((kernel**2).sum() for kernel in kernels)).backward()
        optimizer.step()


def test_another_order_gives_other_weights(recordings: Path, prepared_root: Path) -> None:
    """The comparison above would see it."""
    networks = [plain_network(1024, 3) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    torch.manual_seed(1)
    data = TensorDataset(torch.randn(80, 1, 1024).double(), torch.arange(80) % 3)
    for seed, network in enumerate(networks):
        train_plainly(network, data, shuffled(80, seed, 1))
    first, second = (network.state_dict()["0.weight"] for network in networks)
    assert (first - second).abs().max() > 1e-6
