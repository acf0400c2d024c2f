"""Multiply-adds against counting by hand."""

import pytest
import torch
from torch import nn

from faultdiag.attention import build
from faultdiag.models.describe import count


@pytest.mark.parametrize(
    ("module", "shape", "products"),
    [
        (nn.Linear(6, 5), (3, 6), 3 * 6 * 5),
        (nn.Linear(6, 5, bias=False), (3, 4, 6), 3 * 4 * 6 * 5),
        (nn.Conv1d(4, 8, 3, padding=1), (2, 4, 10), 2 * 10 * 3 * 4 * 8),
        (nn.Conv1d(4, 8, 3, stride=2), (2, 4, 11), 2 * 5 * 3 * 4 * 8),
        (nn.Conv1d(8, 8, 5, padding=2, groups=4), (1, 8, 10), 10 * 5 * 2 * 8),
        (nn.Conv1d(1, 16, 64, stride=16, padding=24), (1, 1, 2048), 128 * 64 * 16),
        (nn.ReLU(), (3, 6), 0),
        (nn.BatchNorm1d(6), (3, 6), 0),
    ],
)
def test_layers(module: nn.Module, shape: tuple[int, ...], products: int) -> None:
    assert count(module, torch.zeros(shape)) == products


C, L = 32, 32


@pytest.mark.parametrize(
    ("name", "products"),
    [
        ("none", 0),
        ("se", 2 * C * 2),
        ("eca", 3 * C),
        ("cbam", 2 * 2 * C * 2 + 2 * 7 * L),
        ("ca", C * 8 * (1 + L) + 8 * C * (1 + L)),
        ("triplet", 7 * C * C * L + 2 * 7 * C + 2 * 7 * L),
        ("psa", 9 * C * C * L + 4 * 2 * 8),
        ("sk", 2 * 3 * C * C * L + C * 32 + 32 * 2 * C),
        ("self_attention", 4 * C * C * L + 2 * L * L * C),
        ("axial", 2 * 4 * C * C * L + 2 * L * (4 + 8) * C),
    ],
)
def test_blocks(name: str, products: int) -> None:
    assert count(build(name, C), torch.zeros(1, C, L)) == products
    assert count(build(name, C), torch.zeros(3, C, L)) == 3 * products


@pytest.mark.parametrize("training", [True, False])
def test_training_mode_is_left_as_it_was(training: bool) -> None:
    block = build("cbam", 16).train(training)
    before = {key: value.clone() for key, value in block.state_dict().items()}
    count(block, torch.randn(1, 16, 8))
    assert all(module.training is training for module in block.modules())
    assert all(torch.equal(value, before[key]) for key, value in block.state_dict().items())


def test_training_mode_is_restored_after_an_error() -> None:
    block = build("se", 16)
    with pytest.raises(RuntimeError):
        count(block, torch.zeros(1, 8, 8))
    assert block.training
