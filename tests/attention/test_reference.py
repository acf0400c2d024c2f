"""Every block against its own equation in numpy, forward and gradient."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.func import functional_call

from faultdiag.attention import BLOCKS
from tests.attention.oracles import ORACLES, norm_eval, norm_train
from tests.attention.perturbed import descriptors, maps, perturbed

# Options that take another path through a block than its defaults do.
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("se", {"reduction": 4, "bias": True}),
    ("eca", {"kernel_size": 9, "bias": True}),
    ("cbam", {"reduction": 2, "kernel_size": 3}),
    ("cbam_nobn", {"kernel_size": 3}),
    ("cbam_r8", {"kernel_size": 3}),
    ("channel_product", {"reduction": 4}),
    ("ca", {"reduction": 4, "min_width": 2}),
    ("multi_kernel_eca", {"kernel_sizes": (1, 9)}),
    ("bi_eca", {"kernel_size": 5, "reduction": 4, "double_sigmoid": True}),
    ("triplet", {"kernel_size": 3}),
    ("emca", {"previous_channels": (8, 16)}),
    ("psa", {"kernel_sizes": (5, 3), "groups": (2, 4), "reduction": 2}),
    ("sk", {"kernel_sizes": (3, 5, 3), "dilations": (1, 1, 3), "groups": 4, "min_width": 4}),
    ("self_attention", {"heads": 8, "qkv_bias": False}),
    ("self_attention", {"position": "sinusoidal"}),
    ("self_attention", {"mask": "causal"}),
    ("axial", {"heads": 2, "fold": 8}),
]
SIZES = [(16, 1), (16, 7), (16, 32), (32, 32), (32, 64), (64, 32), (64, 7), (128, 32), (128, 1)]


def cases() -> Iterator[Any]:
    for name in BLOCKS:
        for channels, length in SIZES:
            yield pytest.param(name, {}, channels, length, id=f"{name}-{channels}x{length}")
    for name, options in VARIANTS:
        shown = "-".join(f"{key}={value}" for key, value in options.items())
        yield pytest.param(name, options, 16, 32, id=f"{name}-{shown}")


def expected(name: str, block: torch.nn.Module, x: torch.Tensor, norm: Any, **options: Any) -> Any:
    """The oracle's output for the block's own parameters."""
    values = {key: value.numpy().copy() for key, value in block.state_dict().items()}
    previous = descriptors(block, len(x))
    if previous:
        options["previous"] = [d.numpy() for d in previous]
    return ORACLES[name](x.numpy(), values, norm, **options)


@pytest.mark.parametrize(("name", "options", "channels", "length"), list(cases()))
def test_output_is_the_equation(
    name: str, options: dict[str, Any], channels: int, length: int
) -> None:
    block, x = perturbed(name, channels, **options), maps(3, channels, length)
    previous = descriptors(block, 3)
    with torch.no_grad():
        found = block(x, previous) if previous else block(x)
    wanted = expected(name, block, x, norm_eval, **options)
    assert found.shape == x.shape
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["cbam", "ca", "triplet", "sk"])
@pytest.mark.parametrize(("channels", "length"), [(16, 1), (16, 32), (64, 7)])
def test_training_uses_the_statistics_of_the_batch(name: str, channels: int, length: int) -> None:
    block, x = perturbed(name, channels), maps(5, channels, length)
    wanted = expected(name, block, x, norm_train)
    found = block.train()(x).detach().numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-12)


def gradcheck(
    name: str, x: torch.Tensor, *, fast: bool, training: bool = False, **options: Any
) -> bool:
    """Compare the gradient by the map and by every parameter with finite differences."""
    block = perturbed(name, x.shape[1], **options).train(training)
    names = [key for key, _ in block.named_parameters()]
    values = [value.detach().clone() for value in block.parameters()]
    previous = descriptors(block, len(x))

    def run(x: torch.Tensor, *values: torch.Tensor) -> Any:
        arguments = (x, previous) if previous else (x,)
        return functional_call(block, dict(zip(names, values, strict=True)), arguments)

    inputs = tuple(tensor.requires_grad_() for tensor in (x, *values))
    return torch.autograd.gradcheck(run, inputs, fast_mode=fast)


@pytest.mark.parametrize("name", list(BLOCKS))
@pytest.mark.parametrize(("channels", "length"), [(16, 1), (16, 32), (32, 7), (64, 32), (128, 7)])
def test_gradient_along_a_random_direction(name: str, channels: int, length: int) -> None:
    assert gradcheck(name, maps(2, channels, length), fast=True)


@pytest.mark.parametrize("name", sorted(set(BLOCKS) - {"sk", "psa", "self_attention", "axial"}))
def test_gradient_by_every_element(name: str) -> None:
    assert gradcheck(name, maps(2, 16, 2), fast=False)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sk", {"min_width": 2, "groups": 4}),
        ("psa", {"kernel_sizes": (3, 5), "groups": (4, 2)}),
        ("self_attention", {"position": "sinusoidal", "mask": "causal"}),
        ("axial", {"heads": 2}),
    ],
)
def test_gradient_by_every_element_of_wide_blocks(name: str, options: dict[str, Any]) -> None:
    assert gradcheck(name, maps(2, 4, 6), fast=False, **options)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_gradient_with_options(name: str, options: dict[str, Any]) -> None:
    assert gradcheck(name, maps(2, 16, 8), fast=True, **options)


@pytest.mark.parametrize("name", ["cbam", "ca", "triplet", "sk"])
def test_gradient_in_training(name: str) -> None:
    assert gradcheck(name, maps(4, 16, 8), fast=True, training=True)
