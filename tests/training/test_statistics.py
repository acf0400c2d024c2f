"""Running statistics of batch normalisation against weighted means in float64."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from faultdiag import models
from faultdiag.training.step import DECAY, RunningStatistics


def weighted(values: NDArray[np.float64], weights: list[float]) -> NDArray[np.float64]:
    """Mean of the rows, each new one getting its weight and all before it the rest."""
    mean = np.zeros(values.shape[1])
    for value, weight in zip(values, weights, strict=True):
        mean = (1 - weight) * mean + weight * value
    return mean


@pytest.mark.parametrize("momentum", [0.01, 0.1])
def test_statistics_are_polynomial_decay_averages(momentum: float) -> None:
    steps = 80
    norm = nn.BatchNorm1d(3, momentum=momentum).double()
    statistics = RunningStatistics(norm)
    x = np.random.default_rng(0).normal(2.0, 3.0, (steps, 16, 3))
    for batch in x:
        with statistics.debiased():
            norm(torch.from_numpy(batch))
    weights = [max(momentum, (DECAY + 1) / (t + DECAY)) for t in range(1, steps + 1)]
    mean, variance = weighted(x.mean(1), weights), weighted(x.var(1, ddof=1), weights)
    np.testing.assert_allclose(norm.get_buffer("running_mean").numpy(), mean, rtol=1e-12)
    np.testing.assert_allclose(norm.get_buffer("running_var").numpy(), variance, rtol=1e-12)


def test_the_first_batch_replaces_what_the_network_began_with() -> None:
    norm = nn.BatchNorm1d(2)
    x = torch.randn(8, 2) + 5
    with RunningStatistics(norm).debiased():
        norm(x)
    torch.testing.assert_close(norm.running_mean, x.mean(0))
    torch.testing.assert_close(norm.running_var, x.var(0))


def test_later_steps_are_torchs_own_to_the_last_bit() -> None:
    ours, plain = (nn.BatchNorm1d(4, momentum=0.1) for _ in range(2))
    for norm in (ours, plain):
        norm.get_buffer("num_batches_tracked").fill_(200)
    statistics = RunningStatistics(ours)
    for _ in range(5):
        x = torch.randn(8, 4)
        with statistics.debiased():
            ours(x)
        plain(x)
    assert torch.equal(ours.get_buffer("running_mean"), plain.get_buffer("running_mean"))
    assert torch.equal(ours.get_buffer("running_var"), plain.get_buffer("running_var"))


def test_a_bias_that_is_left_out_of_training_is_in_the_mean() -> None:
    """WDCNN's blocks add the convolution's bias to the running mean themselves."""
    torch.manual_seed(0)
    network = models.build("wdcnn", 1, 3, length=512)
    block = network.blocks[0]
    with torch.no_grad():
        block.conv.bias.fill_(2.0)
    x = torch.randn(32, 1, 512)
    with RunningStatistics(network).debiased():
        network(x)
    expected = functional_mean(block, x)
    torch.testing.assert_close(block.norm.running_mean, expected, atol=1e-5, rtol=1e-5)


def functional_mean(block: nn.Module, x: torch.Tensor) -> torch.Tensor:
    conv = block.conv
    y = torch.nn.functional.conv1d(
        torch.nn.functional.pad(x, (24, 24)), conv.weight, conv.bias, stride=16
    )
    return y.mean((0, 2)).detach()


def test_frozen_statistics_stay() -> None:
    norm = nn.BatchNorm1d(2).eval()
    before = norm.get_buffer("running_mean").clone()
    with RunningStatistics(norm).debiased():
        norm(torch.randn(8, 2))
    assert torch.equal(norm.get_buffer("running_mean"), before)
    assert torch.equal(norm.get_buffer("running_var"), torch.ones(2))
