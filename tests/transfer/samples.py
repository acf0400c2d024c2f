"""Batches of both domains to try the transfer losses on."""

import torch
from torch import Tensor, nn

from faultdiag.transfer.domains import Domain

FEATURES, CLASSES = 6, 4
ONE = torch.ones((), dtype=torch.float64)


def domain(rows: int = 8, *, seed: int = 0, shift: float = 0.0, spread: float = 1.0) -> Domain:
    """Features around `shift`, and logits, of `rows` windows."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(rows, FEATURES, generator=generator, dtype=torch.float64)
    logits = torch.randn(rows, CLASSES, generator=generator, dtype=torch.float64)
    return Domain(features * spread + shift, 3 * logits)


def layers_of(module: nn.Module) -> list[tuple[object, object]]:
    """Weights and biases of the linear layers of a module, as float64 arrays."""
    return [
        (layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy())
        for layer in module.modules()
        if isinstance(layer, nn.Linear)
    ]


def inputs(*, rows: int = 5) -> tuple[Tensor, ...]:
    """Features and logits of both domains, with gradients: for gradcheck."""
    source, target = domain(rows, seed=1), domain(rows + 1, seed=2, shift=0.5)
    tensors = (source.features, source.logits, target.features, target.logits)
    return tuple(tensor.clone().requires_grad_() for tensor in tensors)
