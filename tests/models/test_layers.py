"""Convolutions on images against torch's own 1-D ones and Keras' padding rule."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from faultdiag.models.layers import Convolution, ConvolutionBlock, as_image, same_padding
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
