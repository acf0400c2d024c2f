"""Convolutions on images against torch's own 1-D ones and Keras' padding rule."""

from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from faultdiag import models
from faultdiag.models.layers import (
    Convolution,
    ConvolutionBlock,
    as_image,
    in_phases,
    lay_out,
    same_padding,
    without_phases,
)
from faultdiag.models.wdcnn import WDCNN
from tests.models.networks import perturb, windows

SIZES = st.tuples(st.integers(1, 60), st.integers(1, 20), st.integers(1, 9))


@settings(deadline=None)
@given(SIZES)
def test_same_padding_gives_every_stride_one_output(sizes: tuple[int, int, int]) -> None:
    length, kernel, stride = sizes
    left, right = same_padding(length, kernel, stride)
    outputs = -(-length // stride)
    padded = length + left + right
    assert (padded - kernel) // stride + 1 == outputs
    # The least padding that does, and at most one zero more at the end than at the start.
    assert left + right == 0 or (padded - 1 - kernel) // stride + 1 < outputs
    assert right - left in {0, 1}


@settings(deadline=None)
@given(SIZES, st.integers(1, 3), st.sampled_from(["same", "centred", "valid"]))
def test_convolves_as_torch_does_in_one_dimension(
    sizes: tuple[int, int, int], channels: int, padding: str
) -> None:
    length, kernel, stride = sizes
    if padding == "valid":
        length += kernel
    if padding == "centred":
        kernel += 1 - kernel % 2
    conv = Convolution(channels, 4, kernel, stride=stride, padding=padding).double()
    x = windows(2, channels, length).double()
    zeros = {
        "same": same_padding(length, kernel, stride),
        "centred": (kernel // 2, kernel // 2),
        "valid": (0, 0),
    }[padding]
    expected = functional.conv1d(functional.pad(x, zeros), conv.weight, conv.bias, stride)
    found = conv(as_image(x)).squeeze(2)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@settings(deadline=None)
@given(SIZES, st.integers(1, 3), st.sampled_from(["same", "centred", "valid"]))
def test_phases_change_no_gradient(
    sizes: tuple[int, int, int], channels: int, padding: Literal["same", "centred", "valid"]
) -> None:
    length, kernel, stride = sizes
    if padding == "valid":
        length += kernel
    conv = Convolution(channels, 4, kernel, stride=stride, padding=padding).double()
    image = as_image(windows(2, channels, length).double()).requires_grad_()
    found = conv(image)
    with without_phases():
        expected = conv(image)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    weights = torch.arange(expected.numel(), dtype=torch.float64).view_as(expected)
    inputs = (image, conv.weight, conv.bias)
    for mine, theirs in zip(
        torch.autograd.grad((found * weights).sum(), inputs),
        torch.autograd.grad((expected * weights).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-9)


def test_a_strided_convolution_of_few_channels_goes_by_phases() -> None:
    conv = Convolution(1, 16, 64, stride=16)
    x, kernel, padding = in_phases(
        as_image(windows(2, 1, 2048)), conv.weight, conv.stride[0], (24, 24)
    )
    # 24 zeros are a phase and a half: 8 zeros before the kernel make it two.
    assert (x.shape, kernel.shape, padding) == ((2, 16, 1, 128), (16, 16, 5), (2, 2))
    with FlopCounterMode(display=False) as phases:
        conv(as_image(windows(2, 1, 2048)))
    with without_phases(), FlopCounterMode(display=False) as strides:
        conv(as_image(windows(2, 1, 2048)))
    assert phases.get_total_flops() * 64 == strides.get_total_flops() * 80


def test_kernels_are_laid_out_like_images_and_keep_their_values() -> None:
    torch.manual_seed(0)
    network = WDCNN(2, 3, 2048)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    lay_out(network)
    after = network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert after["blocks.1.conv.weight"].stride() == (48, 1, 16)
    torch.manual_seed(0)
    built = models.build("wdcnn", 2, 3, length=2048)
    assert built.state_dict()["blocks.1.conv.weight"].stride() == (48, 1, 16)
    assert all(torch.equal(built.state_dict()[name], value) for name, value in before.items())


@pytest.mark.parametrize("channels", [1, 2])
def test_an_image_has_its_channels_innermost(channels: int) -> None:
    x = windows(2, channels, 50)
    image = as_image(x)
    assert image.shape == (2, channels, 1, 50)
    assert image.stride() == (50 * channels, 1, 50 * channels, channels)
    assert torch.equal(image.squeeze(2), x)
    assert as_image(image.squeeze(2)).data_ptr() == image.data_ptr()


def test_a_block_keeps_the_channels_innermost() -> None:
    block = ConvolutionBlock(Convolution(1, 8, 5))
    assert block(windows(2, 1, 50)).stride() == (200, 1, 8)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_a_block_equals_normalise_activate_pool(training: bool, bias: bool) -> None:
    torch.manual_seed(0)
    block = perturb(ConvolutionBlock(Convolution(2, 8, 5, bias=bias), pool=3)).double()
    norm = nn.BatchNorm1d(8, eps=1e-3, momentum=0.01).double()
    norm.load_state_dict(block.norm.state_dict())
    block.train(training)
    norm.train(training)
    x = windows(4, 2, 50).double()
    y = functional.conv1d(x, block.conv.weight, block.conv.bias, padding=2)
    expected = functional.max_pool1d(functional.relu(norm(y)), 3)
    torch.testing.assert_close(block(x), expected, rtol=0, atol=1e-12)
    assert expected.shape[-1] == 16


def test_state_has_the_names_and_shapes_of_one_dimensional_layers() -> None:
    block = ConvolutionBlock(Convolution(2, 8, 5))
    plain = nn.ModuleDict({"conv": nn.Conv1d(2, 8, 5), "norm": nn.BatchNorm1d(8)})
    assert {k: v.shape for k, v in block.state_dict().items()} == {
        k: v.shape for k, v in plain.state_dict().items()
    }
