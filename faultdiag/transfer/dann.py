"""Domain-adversarial training."""

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from faultdiag.transfer.adversary import Discriminator, Width, domain_loss, reverse_gradient
from faultdiag.transfer.domains import Domain

if TYPE_CHECKING:
    from torch import Tensor


class DANN(nn.Module):
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
    kind: ClassVar[str] = "joint"
    minimum_batch: ClassVar[int] = 1

    def __init__(self, features: int, classes: int, *, hidden: Width = 256) -> None:
        super().__init__()
        del classes
        self.discriminator = Discriminator(features, hidden)

    def forward(self, source: Domain, target: Domain, ramp: "Tensor") -> "Tensor":
        """Return the discriminator's loss; its gradient in the features is reversed."""
        features = reverse_gradient(torch.cat([source.features, target.features]), ramp)
        return domain_loss(self.discriminator(features), len(source.features))
