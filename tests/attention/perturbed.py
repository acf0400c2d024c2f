"""Blocks with every parameter and buffer moved off its initial value, and maps without ties."""

import functools
from typing import Any

import torch
from torch import Tensor, nn

from faultdiag.attention import build


def perturbed(name: str, channels: int, *, seed: int = 0, **options: Any) -> nn.Module:
    """A float64 block in evaluation mode whose parameters and running statistics are random."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        block = build(name, channels, **options).double().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in block.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(0.3 * noise)
        for key, buffer in block.named_buffers():
            if buffer.is_floating_point():
                noise = torch.rand(buffer.shape, generator=generator, dtype=torch.float64)
                buffer.copy_(0.5 + noise if key.endswith("running_var") else noise - 0.5)
    return block


def maps(*shape: int, seed: int = 1, dtype: torch.dtype = torch.float64) -> Tensor:
    """Standard normal numbers; in float64 no two of them are equal."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def descriptors(block: nn.Module, batch: int, *, seed: int = 2) -> list[Tensor]:
    """Earlier stages' descriptors for a block that takes them, otherwise none."""
    widths: tuple[int, ...] = getattr(block, "previous_channels", ())
    return [maps(batch, width, seed=seed + i) for i, width in enumerate(widths)]


def runner(block: nn.Module, batch: int) -> Any:
    """The block as a function of the map alone."""
    previous = descriptors(block, batch)
    return functools.partial(block, previous=previous) if previous else block
