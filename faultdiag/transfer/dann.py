"""Domain-adversarial training: the discriminator of domains, and the reversal of its gradient."""

from typing import TYPE_CHECKING, Any, ClassVar, cast

import torch
from torch import nn
from torch.nn import functional

from faultdiag.option_types import Count
from faultdiag.transfer.domains import Domain, JointMethod

if TYPE_CHECKING:
    from torch import Tensor


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
        Width of its input.
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
        Logits of the source domain, ``(B,)``; the first `rows` are source windows.
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


class DANN(JointMethod):
    """A discriminator learns to tell the domains apart, and the network to prevent it.

    ``L = -mean log D(h_s) / 2 - mean log(1 - D(h_t)) / 2`` on the features ``h``; the gradient
    that reaches the network is multiplied by ``-ramp``, so that the discriminator always learns
    at its full rate.

    Parameters
    ----------
    features, classes
        Width of the features; the classes are not used.
    hidden
        Width of the discriminator's two hidden layers.

    References
    ----------
    .. [1] Y. Ganin et al., "Domain-Adversarial Training of Neural Networks", JMLR 17(59), 2016,
       arXiv:1505.07818
    """

    reference: ClassVar[str] = "Ganin et al., JMLR 2016, arXiv:1505.07818"
    minimum_batch: ClassVar[int] = 1

    def __init__(self, features: int, classes: int, *, hidden: Count = 256) -> None:
        super().__init__(features, classes)
        self.discriminator = Discriminator(features, hidden)

    def forward(self, source: Domain, target: Domain, ramp: "Tensor") -> "Tensor":
        """Return the discriminator's loss; its gradient in the features is reversed."""
        features = reverse_gradient(torch.cat([source.features, target.features]), ramp)
        return domain_loss(self.discriminator(features), len(source.features))
