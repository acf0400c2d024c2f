"""The optimizer, with the published penalty on kernels alone."""

import torch
from torch import nn

from faultdiag.models import kernel_parameters


def build_optimizer(
    network: nn.Module, *, name: str, learning_rate: float, l2: float, momentum: float = 0.9
) -> torch.optim.Optimizer:
    """Build the optimizer with L2 on the kernels alone.

    The penalty is ``l2 * sum(w ** 2)`` over convolution and linear kernels, no bias,
    BatchNorm or attention weight, as in the published baseline. Its gradient ``2 * l2 * w`` is
    the coupled weight decay of Adam and SGD; AdamW takes ``l2`` as its decoupled decay.
    """
    kernels = kernel_parameters(network)
    chosen = {id(parameter) for parameter in kernels}
    others = [p for p in network.parameters() if id(p) not in chosen]
    decay = l2 if name == "adamw" else 2 * l2
    groups = [{"params": kernels, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    if name == "sgd":
        return torch.optim.SGD(groups, lr=learning_rate, momentum=momentum, fused=True)
    optimizer = torch.optim.AdamW if name == "adamw" else torch.optim.Adam
    return optimizer(groups, lr=learning_rate, fused=True)
