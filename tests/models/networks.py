"""Networks for the tests: built, and perturbed so that no parameter is inert."""

from typing import Any

import torch
from torch import nn

from faultdiag import models
from faultdiag.models.zoo import defaults, network

# A shortest or nearly shortest window that every network takes.
LENGTH = 1040
# These take combs instead: three parts in so many bands, with so many teeth.
ON_COMBS = ("tied_z", "tied_teeth")
BANDS, TEETH = 13, 60


def shape(name: str, channels: int = 1, length: int | None = None) -> tuple[int, int]:
    """Channels and length of what a network sees of `channels` sensors."""
    on_combs = name in ON_COMBS
    return 3 * BANDS * channels if on_combs else channels, length or (TEETH if on_combs else LENGTH)


def eca(name: str) -> dict[str, Any]:
    """An ECA slot that the network has: at two positions if there are as many."""
    positions = network(name).positions(**defaults(name))
    return {"name": "eca", "after": [1, 2][:positions], "residual": name == "wdcnn"}


def untrained(
    name: str, channels: int = 1, classes: int = 4, length: int | None = None, **settings: Any
) -> nn.Module:
    """A network without its front end, as it is built."""
    channels, length = shape(name, channels, length)
    settings = {"representation": "raw", **settings}
    return models.build(name, channels, classes, length=length, **settings)


def build(
    name: str, channels: int = 1, classes: int = 4, *, seed: int = 0, **settings: Any
) -> nn.Module:
    """A network with perturbed parameters and statistics, in evaluation mode."""
    torch.manual_seed(seed)
    return perturb(untrained(name, channels, classes, **settings)).eval()


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


def inputs(name: str, batch: int = 3, channels: int = 1, length: int | None = None) -> torch.Tensor:
    """Standard normal numbers of the shape that a network sees."""
    return windows(batch, *shape(name, channels, length))


def windows(batch: int = 3, channels: int = 1, length: int = LENGTH) -> torch.Tensor:
    """Standard normal windows."""
    generator = torch.Generator().manual_seed(2)
    return torch.randn(batch, channels, length, generator=generator)
