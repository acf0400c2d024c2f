"""Minimum class confusion."""

from typing import TYPE_CHECKING, ClassVar

import torch

from faultdiag.option_types import Positive
from faultdiag.transfer.domains import Domain, JointMethod, entropy, probabilities

if TYPE_CHECKING:
    from torch import Tensor


class MCC(JointMethod):
    """The confusion between pairs of classes in the predictions of target windows.

    ``Y = softmax(z / T)``; window ``i`` counts ``w_i ~ 1 + exp(-H(Y_i))``, of mean 1 and without
    gradient; ``C = (w Y)^T Y`` with its rows divided by their sums; the loss is the sum of ``C``
    off the diagonal, divided by the number of classes.

    Parameters
    ----------
    features, classes
        Width of the features and number of classes; neither matters.
    temperature
        ``T`` of the softmax.

    References
    ----------
    .. [1] Y. Jin, X. Wang, M. Long, J. Wang, "Minimum Class Confusion for Versatile Domain
       Adaptation", ECCV 2020, arXiv:1912.03699
    """

    reference: ClassVar[str] = "Jin et al., ECCV 2020, arXiv:1912.03699"

    def __init__(self, features: int, classes: int, *, temperature: Positive = 2.5) -> None:
        super().__init__(features, classes)
        self.temperature = temperature

    def forward(self, source: Domain, target: Domain, ramp: "Tensor") -> "Tensor":
        """Return the class confusion of the target windows, times the ramp."""
        del source
        return ramp * class_confusion(target.logits, self.temperature)


def class_confusion(logits: "Tensor", temperature: float = 2.5) -> "Tensor":
    """Return the mean share of predictions that goes to another class, 0 where all are sure.

    Parameters
    ----------
    logits
        Of target windows, ``(B, classes)``.
    temperature
        As for `MCC`.
    """
    y = probabilities(logits, temperature)
    weights = 1 + torch.exp(-entropy(y.detach()))
    weights = weights / weights.mean()
    correlation = (weights[:, None] * y).T @ y  # (K, K)
    confusion = correlation / correlation.sum(1, keepdim=True).clamp_min(1e-300)
    return (confusion.sum() - confusion.diagonal().sum()) / confusion.shape[0]
