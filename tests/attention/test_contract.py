"""What holds for every registered block, whatever it computes."""

import inspect
from typing import Any

import pytest
import torch

from faultdiag.attention import BLOCKS, build
from faultdiag.errors import FaultdiagError
from tests.attention.perturbed import descriptors, maps, perturbed, runner

# Another value for every option, at which it is not clamped, and the channels that needs.
OTHER: dict[tuple[str, str], tuple[Any, int]] = {
    ("se", "reduction"): (4, 16),
    ("se", "bias"): (True, 16),
    ("eca", "kernel_size"): (5, 16),
    ("eca", "bias"): (True, 16),
    ("cbam", "reduction"): (4, 16),
    ("cbam", "kernel_size"): (3, 16),
    ("cbam_nobn", "reduction"): (4, 16),
    ("cbam_nobn", "kernel_size"): (3, 16),
    ("cbam_r8", "reduction"): (4, 16),
    ("cbam_r8", "kernel_size"): (3, 16),
    ("channel_product", "reduction"): (4, 16),
    ("ca", "reduction"): (1, 16),
    ("ca", "min_width"): (4, 16),
    ("multi_kernel_eca", "kernel_sizes"): ((3, 5), 16),
    ("bi_eca", "kernel_size"): (5, 16),
    ("bi_eca", "reduction"): (4, 16),
    ("bi_eca", "double_sigmoid"): (True, 16),
    ("triplet", "kernel_size"): (3, 16),
    ("emca", "kernel_size"): (5, 16),
    ("emca", "previous_channels"): ((8,), 16),
    ("psa", "kernel_sizes"): ((3, 5, 7, 11), 16),
    ("psa", "groups"): ((2, 4, 8, 16), 16),
    ("psa", "reduction"): (2, 16),
    ("sk", "kernel_sizes"): ((3, 5), 16),
    ("sk", "dilations"): ((1, 3), 16),
    ("sk", "groups"): (2, 16),
    ("sk", "reduction"): (1, 64),
    ("sk", "min_width"): (8, 16),
    ("self_attention", "heads"): (2, 16),
    ("self_attention", "qkv_bias"): (False, 16),
    ("self_attention", "position"): ("sinusoidal", 16),
    ("self_attention", "mask"): ("causal", 16),
    ("axial", "heads"): (2, 16),
    ("axial", "fold"): (4, 16),
}
EVERY = pytest.mark.parametrize("name", list(BLOCKS))


@EVERY
def test_signature_is_channels_and_named_options(name: str) -> None:
    parameters = list(inspect.signature(BLOCKS.get(name)).parameters.values())
    assert parameters[0].name == "channels"
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters[1:])
    assert all(p.default is not p.empty for p in parameters[1:])
    assert "residual" not in BLOCKS.options(name)


@EVERY
def test_docstring_states_parameters_and_source(name: str) -> None:
    block: Any = BLOCKS.get(name)
    assert "Parameters\n" in block.__doc__
    assert all(f"\n    {option}\n" in block.__doc__ for option in BLOCKS.options(name))
    assert block.reference
    if name != "none":
        assert "References\n" in block.__doc__
        assert "``" in block.__doc__


@EVERY
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(("channels", "length"), [(16, 1), (32, 7), (64, 32)])
def test_keeps_shape_and_dtype(name: str, dtype: torch.dtype, channels: int, length: int) -> None:
    block = build(name, channels).to(dtype).eval()
    y = block(maps(2, channels, length).to(dtype))
    assert y.shape == (2, channels, length)
    assert y.dtype == dtype
    assert y.isfinite().all()


@EVERY
def test_mixed_precision_stays_near(name: str) -> None:
    block, x = perturbed(name, 16).float().train(), maps(4, 16, 32).float().requires_grad_()
    wanted = block(x)
    with torch.autocast("cpu", torch.bfloat16):
        found = block(x)
    found.float().sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    scale = wanted.abs().max()
    assert (found - wanted).abs().max() < 0.05 * scale


@EVERY
def test_rows_of_a_batch_do_not_see_each_other(name: str) -> None:
    block, x = perturbed(name, 32), maps(4, 32, 16)
    alone = torch.cat([block(row) for row in x.split(1)])
    torch.testing.assert_close(block(x), alone, rtol=0, atol=1e-13)


@EVERY
def test_leaves_its_input_alone(name: str) -> None:
    x = maps(2, 16, 8)
    before = x.clone()
    perturbed(name, 16)(x)
    assert torch.equal(x, before)


@EVERY
def test_layout_of_the_input_is_no_matter(name: str) -> None:
    block, x = perturbed(name, 16), maps(2, 16, 8)
    strided = x.transpose(1, 2).contiguous().transpose(1, 2)
    assert not strided.is_contiguous()
    torch.testing.assert_close(block(strided), block(x), rtol=0, atol=1e-13)


@EVERY
@pytest.mark.parametrize("channels", [16, 64])
def test_gradient_reaches_every_parameter(name: str, channels: int) -> None:
    options: dict[str, Any] = {"previous_channels": (8, 16)} if name == "emca" else {}
    block, x = perturbed(name, channels, **options).train(), maps(4, channels, 32)
    (runner(block, 4)(x.requires_grad_()) * maps(4, channels, 32, seed=5)).sum().backward()
    silent = [
        key for key, p in block.named_parameters() if p.grad is None or not p.grad.abs().max() > 0
    ]
    assert silent == []
    assert x.grad is not None
    assert x.grad.isfinite().all()


@EVERY
def test_saved_state_gives_the_same_output(name: str) -> None:
    block, x = perturbed(name, 32), maps(2, 32, 16)
    again = perturbed(name, 32, seed=9)
    if name != "none":
        assert not torch.equal(again(x), block(x))
    again.load_state_dict(block.state_dict())
    assert torch.equal(again(x), block(x))


@EVERY
def test_exports_for_any_batch(name: str) -> None:
    options: dict[str, Any] = {"previous_channels": (8,)} if name == "emca" else {}
    block = perturbed(name, 16, **options)
    previous = descriptors(block, 3)
    batch = {0: torch.export.Dim("batch", min=2)}
    shapes = (batch, [batch]) if previous else (batch,)
    arguments = (maps(3, 16, 8), previous) if previous else (maps(3, 16, 8),)
    exported = torch.export.export(block, arguments, dynamic_shapes=shapes).module()
    again = (maps(5, 16, 8, seed=3), descriptors(block, 5)) if previous else (maps(5, 16, 8),)
    torch.testing.assert_close(exported(*again), block(*again), rtol=0, atol=1e-12)


@EVERY
def test_trains_on_a_batch_of_one_or_says_why_not(name: str) -> None:
    block, x = perturbed(name, 16).train(), maps(1, 16, 32)
    if name == "sk":
        with pytest.raises(FaultdiagError, match="use a batch of 2 or more"):
            block(x)
    else:
        assert block(x).isfinite().all()


def test_every_option_is_tried() -> None:
    assert set(OTHER) == {(name, option) for name in BLOCKS for option in BLOCKS.options(name)}


@pytest.mark.parametrize(("name", "option"), list(OTHER))
def test_every_option_changes_something(name: str, option: str) -> None:
    value, channels = OTHER[name, option]
    default, changed = perturbed(name, channels), perturbed(name, channels, **{option: value})
    shapes = [{k: v.shape for k, v in b.state_dict().items()} for b in (default, changed)]
    if shapes[0] == shapes[1]:
        changed.load_state_dict(default.state_dict())
        x = maps(2, channels, 64)
        assert (changed(x) - default(x)).abs().max() > 1e-3
    else:
        counts = [sum(p.numel() for p in b.parameters()) for b in (default, changed)]
        assert counts[0] != counts[1]


@pytest.mark.cuda
@EVERY
def test_cuda_agrees(name: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    block, x = perturbed(name, 32), maps(4, 32, 32)
    wanted = block(x)
    found = block.cuda()(x.cuda()).cpu()
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)
