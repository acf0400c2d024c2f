"""Multiply-adds of a module on given inputs."""

from typing import TYPE_CHECKING

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

if TYPE_CHECKING:
    from torch import Tensor, nn


def count(module: "nn.Module", *inputs: "Tensor") -> int:
    """Multiply-adds of one evaluation of `module`: convolutions and matrix products.

    What is carried out is counted, including products with padding; element-wise work, pooling and
    normalisation are not. The module's training mode is left as it was.

    Parameters
    ----------
    module
        The block or network.
    inputs
        Arguments of its ``forward``; the count is for the whole batch.

    Examples
    --------
    >>> count(torch.nn.Conv1d(4, 8, 3, padding=1), torch.zeros(1, 4, 10))
    960
    """
    training = module.training
    module.eval()
    try:
        # Fused attention on a CPU is unknown to the counter; its plain form is matrix products.
        plain = sdpa_kernel(SDPBackend.MATH)
        with torch.no_grad(), plain, FlopCounterMode(display=False) as counter:
            module(*inputs)
    finally:
        module.train(training)
    return int(counter.get_total_flops()) // 2
