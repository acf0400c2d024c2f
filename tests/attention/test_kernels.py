"""Dense kernels against the convolutions they replace."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from faultdiag.attention.base import banded_kernel, joint_kernel
from tests.attention.perturbed import maps


@pytest.mark.parametrize(("size", "k"), [(16, 7), (3, 7), (1, 3)])
def test_banded_kernel_is_a_plane_convolution(size: int, k: int) -> None:
    x, kernel = maps(2, size, 10), maps(k, k)
    plane = functional.conv2d(x.unsqueeze(1), kernel.view(1, 1, k, k), padding=k // 2).squeeze(1)
    banded = functional.conv1d(x, banded_kernel(kernel, size), padding=k // 2)
    torch.testing.assert_close(banded, plane, rtol=0, atol=1e-12)


def test_joint_kernel_is_grouped_convolutions_side_by_side() -> None:
    x = maps(2, 32, 20)
    convs = [
        nn.Conv1d(32, 8, k, padding=k // 2, groups=g, bias=False).double()
        for k, g in ((3, 1), (5, 4), (9, 8))
    ]
    joint = joint_kernel(convs, 32)
    found = functional.conv1d(x, joint, padding=4)
    wanted = torch.cat([conv(x) for conv in convs], 1)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
