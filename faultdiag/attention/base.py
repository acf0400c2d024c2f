"""Helpers of several blocks: sizes derived from channels and options, checks, pooled descriptors.

Functions that refuse something take the block's registry name for their message.
"""

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from faultdiag.errors import FaultdiagError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor


def check_channels(block: str, channels: int, *, multiple_of: int = 1) -> None:
    """Refuse a number of channels the block cannot divide.

    Raises
    ------
    FaultdiagError
        If `channels` is below 1 or no multiple of `multiple_of`.
    """
    if channels < 1:
        raise FaultdiagError(f"attention block '{block}': channels is {channels}; use 1 or more")
    if channels % multiple_of:
        lower = channels - channels % multiple_of
        near = f"{lower} or {lower + multiple_of}" if lower else f"{multiple_of}"
        raise FaultdiagError(
            f"attention block '{block}' needs channels divisible by {multiple_of}, "
            f"found {channels}; use {near}"
        )


def hidden_width(block: str, channels: int, reduction: int | None, *, default: int) -> int:
    """Hidden width ``channels // reduction`` of a block that has no minimum width.

    A reduction left at None is `default`, and the width then is at least 1. One given by the
    caller must leave at least one hidden unit by itself.

    Raises
    ------
    FaultdiagError
        If a given `reduction` is below 1 or larger than `channels`.

    Examples
    --------
    >>> hidden_width("se", 64, None, default=16), hidden_width("se", 8, None, default=16)
    (4, 1)
    """
    if reduction is None:
        return max(1, channels // default)
    if not 1 <= reduction <= channels:
        raise FaultdiagError(
            f"attention block '{block}': reduction is {reduction} at {channels} channels; "
            f"use 1 to {channels}"
        )
    return channels // reduction


def floored_width(block: str, channels: int, reduction: int, minimum: int) -> int:
    """Hidden width ``max(minimum, channels // reduction)``.

    Raises
    ------
    FaultdiagError
        If `reduction` or `minimum` is below 1.

    Examples
    --------
    >>> floored_width("ca", 64, 32, 8), floored_width("ca", 512, 32, 8)
    (8, 16)
    """
    at_least("reduction", reduction, block)
    at_least("min_width", minimum, block)
    return max(minimum, channels // reduction)


def at_least(option: str, value: int, block: str, *, minimum: int = 1) -> None:
    """Refuse an option below `minimum`.

    Raises
    ------
    FaultdiagError
        If it is.
    """
    if value < minimum:
        raise FaultdiagError(
            f"attention block '{block}': {option} is {value}; use {minimum} or more"
        )


def check_odd(block: str, kernel_size: int, *, option: str = "kernel_size") -> None:
    """Refuse a kernel that cannot be centred: an even one would lengthen its output by 1.

    Raises
    ------
    FaultdiagError
        If `kernel_size` is even or below 1.
    """
    if kernel_size < 1 or kernel_size % 2 == 0:
        near = f"{kernel_size - 1} or {kernel_size + 1}" if kernel_size > 1 else "1 or 3"
        raise FaultdiagError(
            f"attention block '{block}': {option} is {kernel_size} but must be odd; use {near}"
        )


def check_kernels(
    block: str, kernel_sizes: tuple[int, ...], *, purpose: str, otherwise: str = ""
) -> None:
    """Refuse fewer than two kernels, and kernels that cannot be centred.

    Parameters
    ----------
    purpose
        What the block does with several kernels, as a verb phrase.
    otherwise
        What to use for a single kernel, to end the message with.

    Raises
    ------
    FaultdiagError
        If there are fewer than two sizes, or one is even or below 1.
    """
    if len(kernel_sizes) < 2:
        raise FaultdiagError(
            f"attention block '{block}' {purpose}, found {len(kernel_sizes)} in kernel_sizes; "
            f"use 2 or more{otherwise}"
        )
    for size in kernel_sizes:
        check_odd(block, size, option="a size in kernel_sizes")


def check_one_each(
    block: str, kernel_sizes: tuple[int, ...], option: str, values: tuple[int, ...]
) -> None:
    """Refuse an option that does not have one number, 1 or more, for each kernel.

    Raises
    ------
    FaultdiagError
        If the numbers differ in count from the kernels, or one is below 1.
    """
    if len(kernel_sizes) != len(values):
        raise FaultdiagError(
            f"attention block '{block}' has {len(kernel_sizes)} kernel_sizes but {len(values)} "
            f"{option}; give one number in {option} for each kernel"
        )
    for value in values:
        at_least(f"a number in {option}", value, block)


def check_divides(block: str, option: str, value: int, channels: int) -> None:
    """Refuse an option that does not divide the channels, naming those that do.

    Raises
    ------
    FaultdiagError
        If `value` is below 1 or does not divide `channels`.
    """
    if value < 1 or channels % value:
        divisors = [d for d in range(1, channels + 1) if channels % d == 0]
        raise FaultdiagError(
            f"attention block '{block}': {option} is {value}, which does not divide {channels} "
            f"channels; use one of {', '.join(map(str, divisors))}"
        )


def check_batch_statistics(block: str, training: bool, values: int) -> None:
    """Refuse to train a BatchNorm on a single value, whose variance is 0 by definition.

    Raises
    ------
    FaultdiagError
        If `training` is true and the statistics would come from fewer than 2 values.
    """
    if training and values < 2:
        raise FaultdiagError(
            f"attention block '{block}' has a BatchNorm that would see {values} value per channel "
            "in training; use a batch of 2 or more and drop a last batch of 1"
        )


def bottleneck(channels: int, hidden: int, *, bias: bool) -> nn.Sequential:
    """Return a perceptron ``channels -> hidden -> channels`` with a ReLU between."""
    return nn.Sequential(
        nn.Linear(channels, hidden, bias=bias),
        nn.ReLU(),
        nn.Linear(hidden, channels, bias=bias),
    )


def maximum(x: "Tensor", dim: int) -> "Tensor":
    """Maximum of `x` along `dim`, without that axis; on ties one element takes the gradient.

    After a ReLU whole channels are 0, so ties are normal; ``amax`` would spread the gradient over
    them. Without a gradient ``amax`` gives the same values several times faster.

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
    batch is laid out as the height of one image, because with one or two inputs the usual layout
    takes about three times as long.
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
