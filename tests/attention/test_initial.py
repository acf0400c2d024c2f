"""How blocks start: the authors' initialisation and BatchNorm momenta."""

import math

import pytest
import torch
from torch import nn

from faultdiag.attention import build


def weights(name: str, channels: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {key: p.detach() for key, p in build(name, channels).named_parameters()}


@pytest.mark.parametrize(
    ("name", "momentum", "count"),
    [("cbam", 0.01, 1), ("triplet", 0.01, 3), ("ca", 0.1, 1), ("sk", 0.05, 3)],
)
def test_batchnorm_follows_the_authors(name: str, momentum: float, count: int) -> None:
    norms = [m for m in build(name, 16).modules() if isinstance(m, nn.BatchNorm1d)]
    assert [m.momentum for m in norms] == [momentum] * count
    assert [m.eps for m in norms] == [1e-5] * count


@pytest.mark.parametrize(
    "name", ["none", "se", "eca", "cbam_nobn", "cbam_r8", "multi_kernel_eca", "bi_eca", "psa"]
)
def test_no_batchnorm_inside(name: str) -> None:
    assert list(build(name, 16).buffers()) == []


def test_ca_starts_normal_with_variance_2_over_outputs() -> None:
    found = weights("ca", 512)  # 16 wide
    for name, outputs in (("squeeze", 16), ("channel", 512), ("position", 512)):
        deviation = found[f"{name}.weight"].std().item()
        assert deviation == pytest.approx(math.sqrt(2 / outputs), rel=0.05)
        assert found[f"{name}.bias"].eq(0).all()


def test_psa_starts_normal_with_variance_2_over_fan_out() -> None:
    found = weights("psa", 128)
    for i, size in enumerate((3, 5, 7, 9)):
        deviation = found[f"convs.{i}.weight"].std().item()
        assert deviation == pytest.approx(math.sqrt(2 / (size * 32)), rel=0.1)


def test_sk_starts_with_he_convolutions_and_small_linear_maps() -> None:
    found = weights("sk", 128)
    for i in (0, 1):
        deviation = found[f"branches.{i}.0.weight"].std().item()
        assert deviation == pytest.approx(math.sqrt(2 / (3 * 128)), rel=0.05)
    for name in ("squeeze", "select"):
        assert found[f"{name}.weight"].std().item() == pytest.approx(0.01, rel=0.05)


def test_cbam_starts_with_a_he_position_kernel_and_an_inert_norm() -> None:
    found = weights("cbam", 16)
    assert found["spatial.norm.weight"].item() == 0
    torch.manual_seed(0)
    kernels = torch.cat([build("cbam", 16).get_parameter("spatial.conv.weight") for _ in range(99)])
    assert kernels.std().item() == pytest.approx(math.sqrt(2 / 7), rel=0.1)


@pytest.mark.parametrize(
    ("name", "attentions"), [("self_attention", ["attention"]), ("axial", ["rows", "columns"])]
)
def test_attention_starts_like_torch_multihead(name: str, attentions: list[str]) -> None:
    found = weights(name, 64)
    limit = math.sqrt(6 / (4 * 64))  # Xavier over the stacked (3 C, C) map
    for key in attentions:
        stacked = found[f"{key}.qkv.weight"]
        assert stacked.shape == (192, 64)
        assert 0.99 * limit < stacked.abs().max() <= limit
    assert all(p.eq(0).all() for key, p in found.items() if key.endswith("bias"))
    assert ("attention.qkv.bias" in found) == (name == "self_attention")
