"""Maxima and convolutions over pooled maps."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from faultdiag.attention.base import convolve, maximum
from tests.attention.perturbed import maps


@pytest.mark.parametrize("dim", [1, -1])
def test_maximum_is_the_same_with_and_without_gradient(dim: int) -> None:
    x = maps(3, 5, 7).requires_grad_()
    with_gradient = maximum(x, dim)
    with torch.no_grad():
        without = maximum(x, dim)
    assert torch.equal(with_gradient, without)
    assert torch.equal(without, x.detach().max(dim).values)


@pytest.mark.parametrize("dim", [1, -1])
def test_one_element_takes_the_gradient_of_a_tie(dim: int) -> None:
    x = torch.zeros(2, 4, 4, requires_grad=True)
    maximum(x, dim).sum().backward()
    assert x.grad is not None
    assert x.grad.sum(dim).eq(1).all()
    assert set(x.grad.unique().tolist()) == {0.0, 1.0}


@given(
    planes=st.tuples(st.integers(1, 3), st.integers(1, 2)),
    batch=st.integers(1, 4),
    length=st.integers(1, 9),
    half=st.integers(0, 4),
    bias=st.booleans(),
)
def test_convolve_is_the_module_on_every_sequence(
    planes: tuple[int, int], batch: int, length: int, half: int, bias: bool
) -> None:
    conv = nn.Conv1d(*planes, 2 * half + 1, padding=half, bias=bias).double()
    x = maps(planes[0], batch, length)
    wanted = conv(x.transpose(0, 1)).transpose(0, 1)
    torch.testing.assert_close(convolve(x, conv.weight, conv.bias), wanted, rtol=0, atol=1e-12)
