"""Statistics of normalisations, replaced by those of a target."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from faultdiag import models
from faultdiag.errors import FaultdiagError
from faultdiag.transfer import build
from faultdiag.transfer.adabn import norms_of, replace_statistics


class Small(nn.Module):
    """A normalisation before and after a dense layer, with dropout between."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm1d(3)
        self.dropout = nn.Dropout(0.5)
        self.dense = nn.Linear(3, 2, dtype=torch.float32)
        self.norm2 = nn.BatchNorm1d(2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm2(self.dense(self.dropout(self.norm1(x))))
        return y


def batches(*sizes: int) -> list[tuple[Tensor, ...]]:
    rng = torch.Generator().manual_seed(0)
    return [
        (torch.randn(size, 3, generator=rng, dtype=torch.float64) * (i + 1) + i,)
        for i, size in enumerate(sizes)
    ]


def test_statistics_are_the_weighted_mean_of_those_of_the_batches() -> None:
    network = Small().double()
    target = batches(8, 8, 3)
    replace_statistics(network, target)
    sizes = np.array([8, 8, 3])

    def expected(rows: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        means = np.array([row.mean(0) for row in rows])
        variances = np.array([row.var(0, ddof=1) for row in rows])
        return sizes @ means / 19, sizes @ variances / 19

    first = [batch[0].numpy() for batch in target]
    weight, bias = (p.detach().numpy() for p in (network.dense.weight, network.dense.bias))
    second = [(x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) @ weight.T + bias for x in first]
    for norm, rows in ((network.norm1, first), (network.norm2, second)):
        mean, variance = expected(rows)
        np.testing.assert_allclose(norm.running_mean, mean, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(norm.running_var, variance, rtol=1e-10, atol=1e-12)


def test_nothing_else_changes() -> None:
    network = Small().double().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    momenta = [norm.momentum for norm in norms_of(network)]
    replace_statistics(network, batches(8, 8))
    changed = {k for k, v in network.state_dict().items() if not torch.equal(v, before[k])}
    assert {name for name in changed if "running" not in name and "tracked" not in name} == set()
    assert [norm.momentum for norm in norms_of(network)] == momenta
    assert network.training
    assert all(module.training for module in network.modules())


@pytest.mark.parametrize("name", ["wdcnn", "resnet1d", "ticnn"])
def test_evaluation_on_the_same_batch_is_what_batch_statistics_give(name: str) -> None:
    """With one batch the stored statistics are its own: evaluating it is training on it."""
    torch.manual_seed(0)
    network = models.build(name, 1, 4, length=2048).double()
    for parameter in network.parameters():
        if parameter.ndim == 1:  # biases before a norm too
            parameter.data.uniform_(0.1, 0.5)
    if name == "ticnn":
        network.blocks[0].conv.rates = (0.0, 0.0)
    windows = torch.randn(64, 1, 2048, dtype=torch.float64)
    build("adabn", 100, 4)(network, [(windows,)])
    with torch.no_grad():
        evaluated = network.eval()(windows)
        trained = network.train()(windows)
    # The stored variance has the divisor n - 1, that of a batch n.
    torch.testing.assert_close(evaluated, trained, rtol=0.02, atol=0.05)


def test_a_network_without_normalisation_is_refused() -> None:
    network = models.build("transformer1d", 1, 4, length=2048)
    with pytest.raises(
        FaultdiagError, match=r"adabn replaces the statistics.*this network has none"
    ):
        build("adabn", 64, 4)(network, [(torch.randn(4, 1, 2048),)])
