"""Blocks against independent implementations: torch's own attention, and timm where installed.

timm's layers are two-dimensional; they see the map as (batch, channels, 1, length), on which a
``k x k`` convolution with "same" padding uses its middle row only.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from faultdiag.attention.eca import adaptive_kernel
from tests.attention.perturbed import maps, perturbed

WIDTHS = [16, 32, 64, 128]


def agree(ours: nn.Module, peer: nn.Module, x: Tensor) -> None:
    """Same output and same gradient by the map, to 1e-12 of the largest value."""
    ours_in, peer_in = x.clone().requires_grad_(), x.unsqueeze(2).clone().requires_grad_()
    found, wanted = ours(ours_in), peer(peer_in).squeeze(2)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    direction = maps(*x.shape, seed=4)
    (of_ours,) = torch.autograd.grad((found * direction).sum(), ours_in)
    (of_peer,) = torch.autograd.grad((wanted * direction).sum(), peer_in)
    torch.testing.assert_close(of_ours, of_peer.squeeze(2), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("channels", WIDTHS)
@pytest.mark.parametrize("mask", ["none", "causal"])
@pytest.mark.parametrize("qkv_bias", [True, False])
def test_self_attention_is_torch_multihead(channels: int, mask: str, qkv_bias: bool) -> None:
    block = perturbed("self_attention", channels, mask=mask, qkv_bias=qkv_bias)
    peer = nn.MultiheadAttention(channels, 4, batch_first=True, dtype=torch.float64)
    state = {key.removeprefix("attention."): v for key, v in block.state_dict().items()}
    zeros = torch.zeros(3 * channels, dtype=torch.float64)
    peer.load_state_dict(
        {
            "in_proj_weight": state["qkv.weight"],
            "in_proj_bias": state.get("qkv.bias", zeros),
            "out_proj.weight": state["out.weight"],
            "out_proj.bias": state["out.bias"],
        }
    )
    x = maps(5, channels, 32).requires_grad_()
    tokens = x.transpose(1, 2)
    blocked = torch.ones(32, 32, dtype=torch.bool).triu(1) if mask == "causal" else None
    wanted = peer(tokens, tokens, tokens, attn_mask=blocked)[0].transpose(1, 2)
    found = block(x)
    torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-11)
    direction = maps(*x.shape, seed=4)
    (of_ours,) = torch.autograd.grad((found * direction).sum(), x, retain_graph=True)
    (of_peer,) = torch.autograd.grad((wanted * direction).sum(), x)
    torch.testing.assert_close(of_ours, of_peer, rtol=1e-10, atol=1e-10)


class Timm:
    """timm's layers by submodule: its package needs torchvision, its layers one class of it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        spec = importlib.util.find_spec("timm")
        if spec is None or spec.origin is None:
            pytest.skip("timm is not installed")
        if importlib.util.find_spec("torchvision") is None:
            self._stub(patch, "torchvision", "torchvision.ops", "torchvision.ops.misc")
            misc = sys.modules["torchvision.ops.misc"]
            patch.setattr(misc, "FrozenBatchNorm2d", nn.BatchNorm2d, raising=False)
        folder = Path(spec.origin).parent
        for name, path in (("timm", folder), ("timm.layers", folder / "layers")):
            self._stub(patch, name)
            sys.modules[name].__path__ = [str(path)]

    @staticmethod
    def _stub(patch: pytest.MonkeyPatch, *names: str) -> None:
        for name in names:
            patch.setitem(sys.modules, name, ModuleType(name))

    def layer(self, module: str, name: str, *args: Any, **options: Any) -> nn.Module:
        """Build a layer of timm in float64 and evaluation mode."""
        found = getattr(importlib.import_module(f"timm.layers.{module}"), name)
        built: nn.Module = found(*args, **options).double().eval()
        return built


@pytest.fixture(scope="module")
def timm() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        yield Timm(patch)
        for name in [n for n in sys.modules if n.startswith("timm.")]:
            del sys.modules[name]


def copy(state: dict[str, Tensor], peer: nn.Module, names: dict[str, str]) -> None:
    """Copy our tensors into the peer's, by name; a missing height or axis of 1 is added."""
    theirs = dict(peer.named_parameters()) | dict(peer.named_buffers())
    with torch.no_grad():
        for name, ours in names.items():
            target = theirs[name]
            if target.ndim == 4 and target.shape[-1] == target.shape[-2] > 1:
                target[:, :, target.shape[2] // 2].copy_(state[ours])
            else:
                target.copy_(state[ours].reshape(target.shape))


def norm(theirs: str, ours: str) -> dict[str, str]:
    keys = ("weight", "bias", "running_mean", "running_var")
    return {f"{theirs}.{key}": f"{ours}.{key}" for key in keys}


@pytest.mark.parametrize("channels", WIDTHS)
@pytest.mark.parametrize("bias", [True, False])
def test_timm_se(timm: Timm, channels: int, bias: bool) -> None:
    block = perturbed("se", channels, bias=bias)
    peer = timm.layer("squeeze_excite", "SEModule", channels, rd_channels=channels // 16, bias=bias)
    names = {"fc1.weight": "squeeze.weight", "fc2.weight": "excite.weight"}
    names |= {"fc1.bias": "squeeze.bias", "fc2.bias": "excite.bias"} if bias else {}
    copy(block.state_dict(), peer, names)
    agree(block, peer, maps(5, channels, 32))


@pytest.mark.parametrize("channels", WIDTHS)
def test_timm_eca(timm: Timm, channels: int) -> None:
    block, peer = perturbed("eca", channels), timm.layer("eca", "EcaModule", channels)
    copy(block.state_dict(), peer, {"conv.weight": "conv.weight"})
    agree(block, peer, maps(5, channels, 32))


@pytest.mark.parametrize("channels", WIDTHS)
def test_timm_cbam(timm: Timm, channels: int) -> None:
    block = perturbed("cbam", channels)
    peer = timm.layer("cbam", "CbamModule", channels)
    with torch.no_grad():
        for name, parameter in block.named_parameters():
            if name.startswith("channel.mlp") and name.endswith("bias"):
                parameter.zero_()  # timm's MLP has none
    state = block.state_dict()
    state["planes"] = state["spatial.conv.weight"].flip(1)  # timm has the mean first
    names = {
        "channel.fc1.weight": "channel.mlp.0.weight",
        "channel.fc2.weight": "channel.mlp.2.weight",
        "spatial.conv.conv.weight": "planes",
    }
    copy(state, peer, names | norm("spatial.conv.bn", "spatial.norm"))
    agree(block, peer, maps(5, channels, 32))


@pytest.mark.parametrize("channels", WIDTHS)
@pytest.mark.parametrize("training", [True, False])
def test_timm_ca(timm: Timm, channels: int, training: bool) -> None:
    block = perturbed("ca", channels).train(training)
    width = max(8, channels // 32)
    peer = timm.layer("coord_attn", "CoordAttn", channels, rd_channels=width, bias=True)
    names = {
        f"{theirs}.{key}": f"{ours}.{key}"
        for theirs, ours in (("conv1", "squeeze"), ("conv_h", "channel"), ("conv_w", "position"))
        for key in ("weight", "bias")
    }
    copy(block.state_dict(), peer, names | norm("bn1", "norm"))
    agree(block, peer.train(training), maps(5, channels, 32))


@pytest.mark.parametrize("channels", WIDTHS)
@pytest.mark.parametrize("dilated", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_timm_sk(timm: Timm, channels: int, dilated: bool, training: bool) -> None:
    plain: dict[str, Any] = {"kernel_sizes": (3, 5), "dilations": (1, 1)}
    block = perturbed("sk", channels, groups=4, **({} if dilated else plain)).train(training)
    peer = timm.layer(
        "selective_kernel", "SelectiveKernel", channels, kernel_size=[3, 5], keep_3x3=dilated,
        split_input=False, groups=4, rd_channels=max(channels // 16, 32),
    )  # fmt: skip
    names = {f"paths.{i}.conv.weight": f"branches.{i}.0.weight" for i in (0, 1)}
    names |= {"attn.fc_reduce.weight": "squeeze.weight", "attn.fc_select.weight": "select.weight"}
    for i in (0, 1):
        names |= norm(f"paths.{i}.bn", f"branches.{i}.1")
    copy(block.state_dict(), peer, names | norm("attn.bn", "norm"))
    agree(block, peer.train(training), maps(5, channels, 32))


def test_timm_adaptive_kernel(timm: Timm) -> None:
    for channels in (8, 100, 128, 512, 2048, 2100):
        peer: Any = timm.layer("eca", "EcaModule", channels)
        assert peer.conv.kernel_size[0] == adaptive_kernel(channels)
