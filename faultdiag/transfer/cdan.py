"""Conditional domain-adversarial training."""

from typing import TYPE_CHECKING, ClassVar

import torch

from faultdiag.option_types import Count
from faultdiag.transfer.dann import Discriminator, domain_loss, reverse_gradient
from faultdiag.transfer.domains import Domain, JointMethod, entropy, probabilities

if TYPE_CHECKING:
    from torch import Tensor


class CDAN(JointMethod):
    """As `DANN`, with a discriminator that also sees the predicted class of each window.

    It sees the outer product ``h p^T`` of features and predicted probabilities, flattened. With
    `entropy_weighting` (CDAN+E) a window has the weight ``1 + exp(-H(p))``: more for a sure one. No
    gradient flows through ``p``, as in the authors' code; the product is never replaced by a
    random projection, which only saves time for far wider features.

    Parameters
    ----------
    features, classes
        Width of the features and number of classes.
    hidden
        Width of the discriminator's two hidden layers.
    entropy_weighting
        Whether windows count by the entropy of their prediction.

    References
    ----------
    .. [1] M. Long, Z. Cao, J. Wang, M. I. Jordan, "Conditional Adversarial Domain Adaptation",
       NeurIPS 2018, arXiv:1705.10667
    """

    reference: ClassVar[str] = "Long et al., NeurIPS 2018, arXiv:1705.10667"
    minimum_batch: ClassVar[int] = 1

    def __init__(
        self,
        features: int,
        classes: int,
        *,
        hidden: Count = 256,
        entropy_weighting: bool = True,
    ) -> None:
        super().__init__(features, classes)
        self.discriminator = Discriminator(features * classes, hidden)
        self.entropy_weighting = entropy_weighting

    def forward(self, source: Domain, target: Domain, ramp: "Tensor") -> "Tensor":
        """Return the discriminator's loss; its gradient in the features is reversed."""
        features = reverse_gradient(torch.cat([source.features, target.features]), ramp)
        predicted = probabilities(torch.cat([source.logits, target.logits]).detach())
        product = features[:, :, None] * predicted[:, None, :].to(features.dtype)  # (B, D, K)
        weights = 1 + torch.exp(-entropy(predicted)) if self.entropy_weighting else None
        return domain_loss(self.discriminator(product.flatten(1)), len(source.features), weights)
