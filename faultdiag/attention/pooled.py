"""What gates compute on pooled maps: maxima, and convolutions over a few short sequences."""

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


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
