"""The interference that TICNN's first kernel meets in training."""

import torch

from faultdiag.models.ticnn import InterferedConvolution
from tests.models.networks import build, windows


def test_shares_lost_are_spread_between_the_rates() -> None:
    torch.manual_seed(0)
    conv = InterferedConvolution(1, 64, 64, stride=8, rates=(0.1, 0.9))
    lost = torch.stack([(conv.kernel() == 0).float().mean() for _ in range(300)])
    assert 0.08 < lost.min() < 0.15
    assert 0.85 < lost.max() < 0.92
    assert abs(lost.mean() - 0.5) < 0.05


def test_the_expected_kernel_is_the_whole_one() -> None:
    torch.manual_seed(0)
    conv = InterferedConvolution(1, 4, 8, stride=1, rates=(0.1, 0.5))
    mean = torch.stack([conv.kernel() for _ in range(4000)]).mean(0)
    torch.testing.assert_close(mean, conv.weight, rtol=0.1, atol=1e-6)


def test_evaluation_uses_the_whole_kernel() -> None:
    net = build("ticnn")
    assert net.blocks[0].conv.kernel() is net.blocks[0].conv.weight
    assert torch.equal(net(windows()), net(windows()))


def test_no_interference_where_the_rates_are_zero() -> None:
    net = build("ticnn", kernel_dropout=(0.0, 0.0)).train()
    assert torch.equal(net(windows()), net(windows()))


def test_lost_weights_get_no_gradient() -> None:
    torch.manual_seed(0)
    conv = InterferedConvolution(1, 4, 16, stride=1, rates=(0.5, 0.5))
    kernel = conv.kernel()
    kernel.sum().backward()
    assert torch.equal(conv.weight.grad == 0, kernel == 0)
