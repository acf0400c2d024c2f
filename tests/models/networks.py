"""Networks for the tests: built, and perturbed so that no parameter is inert."""

from typing import Any

import torch
from torch import nn

from faultdiag import models

# A shortest or nearly shortest window that every network takes.
LENGTH = 1040


def eca(name: str) -> dict[str, Any]:
    """An ECA slot that every network has."""
    return {"name": "eca", "after": [1, 2], "residual": name == "wdcnn"}


def build(
    name: str, channels: int = 1, classes: int = 4, *, seed: int = 0, **settings: Any
) -> nn.Module:
    """A network with perturbed parameters and statistics, in evaluation mode."""
    torch.manual_seed(seed)
    settings = {"length": LENGTH, **settings}
    return perturb(models.build(name, channels, classes, **settings)).eval()


def perturb(network: nn.Module) -> nn.Module:
    """Move every parameter and running statistic off its initial value."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.add_(0.1 * torch.randn(buffer.shape, generator=generator))
            if name.endswith("running_var"):
                buffer.add_(torch.rand(buffer.shape, generator=generator))
    return network


def windows(batch: int = 3, channels: int = 1, length: int = LENGTH) -> torch.Tensor:
    """Standard normal windows."""
    generator = torch.Generator().manual_seed(2)
    return torch.randn(batch, channels, length, generator=generator)
