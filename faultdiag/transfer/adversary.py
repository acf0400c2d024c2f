"""A domain discriminator, and the reversal of its gradient on the way to the network."""

from typing import TYPE_CHECKING, Annotated, Any, cast

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

Width = Annotated[int, Field(ge=1, strict=True)]


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: "Tensor", scale: "Tensor") -> "Tensor":
        ctx.save_for_backward(scale)
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: "Tensor") -> "tuple[Tensor, None]":
        (scale,) = ctx.saved_tensors
        return -scale.to(gradients[0].dtype) * gradients[0], None


def reverse_gradient(x: "Tensor", scale: "Tensor") -> "Tensor":
    """Return `x`, whose gradient will be multiplied by ``-scale``."""
    return cast("Tensor", _Reversal.apply(x, scale))  # type: ignore[no-untyped-call]


class Discriminator(nn.Module):
    """Two hidden layers that predict the domain: ``(B, inputs) -> (B,)`` logits of the source.

    Parameters
    ----------
    inputs
        Width of what it sees.
    hidden
        Width of both hidden layers.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(inputs, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )

    def forward(self, x: "Tensor") -> "Tensor":
        """Return the logits of the source, ``(B,)``."""
        logits: Tensor = self.layers(x.to(next(self.parameters()).dtype)).squeeze(1)
        return logits


def domain_loss(logits: "Tensor", rows: int, weights: "Tensor | None" = None) -> "Tensor":
    """Return the cross-entropy of a discriminator, the mean over both domains' means.

    Parameters
    ----------
    logits
        Of the source, ``(B,)``; the first `rows` are source windows.
    weights
        Weight of each window, ``(B,)``; equal unless given.
    """
    truth = (torch.arange(len(logits), device=logits.device) < rows).to(logits.dtype)
    losses = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    if weights is None:
        return (losses[:rows].mean() + losses[rows:].mean()) / 2
    weights = weights.to(losses.dtype)
    source = (weights[:rows] * losses[:rows]).sum() / weights[:rows].sum()
    return (source + (weights[rows:] * losses[rows:]).sum() / weights[rows:].sum()) / 2
