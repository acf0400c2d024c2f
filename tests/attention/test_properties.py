"""Laws of single blocks: gate ranges, symmetries, causality, what is degenerate in 1-D."""

from math import e
from typing import Any

import pytest
import torch
from torch.nn import functional

from faultdiag.attention import build
from faultdiag.attention.axial import nearest_fold
from faultdiag.attention.base import joint_kernel
from faultdiag.attention.psa import PyramidSqueezeAttention
from tests.attention.perturbed import maps, perturbed

GATES = [
    "se", "eca", "cbam", "cbam_nobn", "cbam_r8", "channel_product", "ca", "multi_kernel_eca",
    "bi_eca", "triplet", "emca",
]  # fmt: skip
EQUIVARIANT = [
    "none", "se", "eca", "channel_product", "ca", "multi_kernel_eca", "bi_eca", "emca",
    "self_attention",
]  # fmt: skip


@pytest.mark.parametrize("name", GATES)
def test_a_gate_lies_between_0_and_1(name: str) -> None:
    x = 3 * maps(8, 16, 32)
    gate = perturbed(name, 16)(x) / x
    assert gate.min() >= 0
    assert gate.max() <= 1
    assert gate.max() - gate.min() > 0.1


def test_double_sigmoid_cannot_suppress() -> None:
    x = 50 * maps(64, 16, 4)
    double = perturbed("bi_eca", 16, double_sigmoid=True)(x) / x
    single = perturbed("bi_eca", 16)(x) / x
    assert double.min() >= 0.5
    assert double.max() <= e / (e + 1) + 1e-12
    assert single.min() < 0.01


def test_bidirectional_is_two_kernels_of_one_direction() -> None:
    x = maps(4, 16, 8)
    block = perturbed("bi_eca", 16)
    means = x.mean(-1)
    kernels = dict(block.named_parameters())
    reversed_kernel = kernels["backward_conv.weight"].flip(-1)
    rows = means.unsqueeze(1)
    ahead = functional.conv1d(rows, kernels["forward_conv.weight"], padding=1).squeeze(1)
    back = functional.conv1d(rows, reversed_kernel, padding=1).squeeze(1)
    mix = torch.softmax(block.get_submodule("mix")(means), -1)
    gate = torch.sigmoid(mix[:, :1] * ahead + mix[:, 1:] * back)
    torch.testing.assert_close(block(x), x * gate.unsqueeze(-1), rtol=0, atol=1e-13)


def test_channel_product_starts_near_a_quarter() -> None:
    torch.manual_seed(0)
    x = torch.rand(64, 64, 32) + 0.1
    product = (build("channel_product", 64)(x) / x).mean().item()
    single = (build("se", 64)(x) / x).mean().item()
    assert product == pytest.approx(0.25, abs=0.03)
    assert single == pytest.approx(0.5, abs=0.03)


def test_cbam_position_gate_starts_at_one_half() -> None:
    block, x = build("cbam", 32), torch.randn(4, 32, 16)
    half = 0.5 * block.get_submodule("channel")(x)
    torch.testing.assert_close(block(x), half, rtol=0, atol=1e-7)
    assert all(p.abs().max() == 0 for key, p in block.named_parameters() if key.endswith("bias"))


def test_softmax_of_sigmoids_is_nearly_uniform() -> None:
    block = perturbed("psa", 16)
    assert isinstance(block, PyramidSqueezeAttention)
    x = 50 * maps(16, 16, 8)
    kernel = joint_kernel(block.convs, 16)
    weights = block(x) / functional.conv1d(x, kernel, padding=4)
    assert weights.min() > 1 / (1 + 3 * e) - 1e-9
    assert weights.max() < e / (e + 3) + 1e-9
    sums = weights.unflatten(1, (4, 4)).sum(1)
    torch.testing.assert_close(sums, torch.ones_like(sums), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", EQUIVARIANT)
def test_permuting_positions_permutes_the_output(name: str) -> None:
    block, x = perturbed(name, 16), maps(3, 16, 24)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(block(x)[..., order], block(x[..., order]), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cbam", {}),
        ("triplet", {}),
        ("psa", {}),
        ("sk", {}),
        ("axial", {}),
        ("self_attention", {"position": "sinusoidal"}),
        ("self_attention", {"mask": "causal"}),
    ],
)
def test_order_of_positions_matters(name: str, options: dict[str, Any]) -> None:
    block, x = perturbed(name, 16, **options), maps(3, 16, 24)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))
    assert (block(x)[..., order] - block(x[..., order])).abs().max() > 1e-3


def test_axial_does_not_tell_the_order_of_rows_or_columns() -> None:
    block, x = perturbed("axial", 16, fold=6), maps(2, 16, 24)
    grid = torch.arange(24).view(4, 6)
    for order in (grid[[2, 0, 3, 1]], grid[:, [5, 1, 0, 2, 4, 3]]):
        seen = order.flatten()
        torch.testing.assert_close(block(x)[..., seen], block(x[..., seen]), rtol=0, atol=1e-12)


def test_axial_on_one_row_is_self_attention_plus_a_linear_map() -> None:
    block, x = perturbed("axial", 16, fold=8), maps(2, 16, 8)
    rows, columns = block.get_submodule("rows"), block.get_submodule("columns")
    tokens = x.transpose(1, 2)
    alone = columns.get_submodule("qkv")(tokens)[..., 32:]
    wanted = rows(tokens) + columns.get_submodule("out")(alone)
    torch.testing.assert_close(block(x), wanted.transpose(1, 2), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("length", "row"), [(1, 1), (2, 1), (7, 1), (32, 4), (36, 6), (2048, 32)])
def test_nearest_fold(length: int, row: int) -> None:
    assert nearest_fold(length) == row


@pytest.mark.parametrize("position", ["none", "sinusoidal"])
def test_causal_mask_hides_the_future(position: str) -> None:
    block = perturbed("self_attention", 16, mask="causal", position=position)
    x = maps(2, 16, 12)
    for now in range(12):
        changed = x.clone()
        changed[..., now + 1 :] = maps(2, 16, 11 - now, seed=7)
        assert torch.equal(block(changed)[..., : now + 1], block(x)[..., : now + 1])
    assert (block(x + 1)[..., 0] - block(x)[..., 0]).abs().max() > 1e-3


def test_gradient_of_a_silent_channel_goes_to_one_position() -> None:
    block = perturbed("channel_product", 4, reduction=1)
    x = torch.zeros(1, 4, 8, dtype=torch.float64)
    x[:, 1:] = maps(1, 3, 8).abs()
    x.requires_grad_()
    gate = block(x + 0.0)[:, 1:].sum()
    (gradient,) = torch.autograd.grad(gate, x)
    silent = gradient[0, 0]
    assert silent.unique().numel() == 2
    assert (silent != silent.mode().values).sum() == 1


def test_emca_is_eca_at_the_first_stage() -> None:
    first, eca = perturbed("emca", 32), perturbed("eca", 32)
    x = maps(2, 32, 8)
    first.load_state_dict({"local.weight": eca.get_parameter("conv.weight")})
    assert torch.equal(first(x), eca(x))
