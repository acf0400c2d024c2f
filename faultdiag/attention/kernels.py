"""Kernels that let one dense convolution do the work of several small or thin ones."""

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor, nn


def banded_kernel(kernel: "Tensor", size: int) -> "Tensor":
    """Kernel ``(size, size, k)`` of a 1-D convolution that equals a 2-D one with ``(k, k)``.

    ``conv1d(x, banded_kernel(w, C)) == conv2d(x[:, None], w[None, None])[:, 0]`` for ``x`` of
    shape ``(batch, C, length)`` and zero padding of ``k // 2`` on all sides.
    """
    # Kernel (out, in) is row ``in - out + k // 2`` where there is one: windows over padded rows.
    padded = functional.pad(kernel, (0, 0, size - 1, size - 1))
    first = kernel.shape[0] // 2
    windows = padded.unfold(0, size, 1)[first : first + size]  # (size, k, size)
    return windows.flip(0).transpose(1, 2)


def joint_kernel(convs: "Iterable[nn.Module]", channels: int) -> "Tensor":
    """One dense kernel ``(outputs, channels, k_max)`` that equals grouped ones side by side.

    Parameters
    ----------
    convs
        Convolutions without bias, their weights ``(outputs_i, channels / groups_i, k_i)`` with odd
        ``k_i``.
    channels
        Input channels.
    """
    kernels = [torch.as_tensor(conv.weight) for conv in convs]
    longest = max(kernel.shape[-1] for kernel in kernels)
    dense = []
    for kernel in kernels:
        gap = (longest - kernel.shape[-1]) // 2
        dense.append(functional.pad(_spread(kernel, channels // kernel.shape[1]), (gap, gap)))
    return torch.cat(dense)


def _spread(kernel: "Tensor", groups: int) -> "Tensor":
    """Dense, block-diagonal form of a grouped kernel."""
    if groups == 1:
        return kernel
    outputs, inputs, k = kernel.shape
    diagonal = torch.eye(groups, dtype=kernel.dtype, device=kernel.device)
    blocks = kernel.view(groups, outputs // groups, 1, inputs, k)
    spread = diagonal.view(groups, 1, groups, 1, 1) * blocks
    return spread.reshape(outputs, groups * inputs, k)
