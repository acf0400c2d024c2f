"""Operations on pooled descriptors that several blocks share."""

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor, nn


def maximum(x: "Tensor", dim: int) -> "Tensor":
    """Maximum of `x` along `dim`, without that axis; on ties one element takes the gradient.

    After a ReLU whole channels are 0, so ties are normal; ``amax`` would spread the gradient over
    them. Where no gradient is asked for ``amax`` gives the same values several times faster.

    Examples
    --------
    >>> x = torch.zeros(1, 4, requires_grad=True)
    >>> maximum(x, -1).sum().backward()
    >>> x.grad.sum().item(), x.grad.max().item()
    (1.0, 1.0)
    """
    if torch.is_grad_enabled() and x.requires_grad:
        return x.max(dim).values
    return x.amax(dim)


def convolve(sequences: "Tensor", kernel: "Tensor", bias: "Tensor | None" = None) -> "Tensor":
    """Convolve every sequence: ``(inputs, batch, length)`` to ``(outputs, batch, length)``.

    Equals ``conv1d(sequences.transpose(0, 1), kernel, bias, padding=k // 2).transpose(0, 1)``. The
    batch stands as the height of one image, because with one or two inputs the usual layout costs
    about three times as much.
    """
    padding = kernel.shape[-1] // 2
    image = sequences.unsqueeze(0)  # (1, inputs, B, length)
    return functional.conv2d(image, kernel.unsqueeze(2), bias, padding=(0, padding)).squeeze(0)


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
