"""Source hypothesis transfer: adaptation without source data."""

from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from faultdiag.transfer.domains import Domain, entropy, probabilities

if TYPE_CHECKING:
    from torch import Tensor

NotNegative = Annotated[float, Field(ge=0, strict=True)]


class SHOT(nn.Module):
    """Sure and varied predictions of the target, under the source's frozen classifier.

    ``mean H(p) - H(mean p) + beta CE(z, pseudo)``: each window shall be sure of a class, all
    classes shall be used, and features shall gather around the pseudo-labels that
    `pseudo_labels` reads from the class centroids. Everything but the classifier learns. All
    classes being used is an assumption: a target with few of them is pulled apart. It learns at
    0.3 times the learning rate of the source, from statistics measured as `AdaBN` does.

    Parameters
    ----------
    features, classes
        Width of the features and number of classes; any work.
    beta
        Weight of the pseudo-labels.

    References
    ----------
    .. [1] J. Liang, D. Hu, J. Feng, "Do We Really Need to Access the Source Data? Source
       Hypothesis Transfer for Unsupervised Domain Adaptation", ICML 2020, arXiv:2002.08546
    """

    reference: ClassVar[str] = "Liang et al., ICML 2020, arXiv:2002.08546"
    kind: ClassVar[str] = "source_free"
    minimum_batch: ClassVar[int] = 2
    learning_rate: ClassVar[float] = 0.3

    def __init__(self, features: int, classes: int, *, beta: NotNegative = 0.3) -> None:
        super().__init__()
        del features, classes
        self.beta = beta

    def forward(self, target: Domain, pseudo: "Tensor") -> "Tensor":
        """Return the loss of target windows and their pseudo-labels, ``(B,)``."""
        p = probabilities(target.logits)
        spread = entropy(p).mean() - entropy(p.mean(0, keepdim=True)).squeeze()
        return spread + self.beta * functional.cross_entropy(target.logits.double(), pseudo)


def pseudo_labels(features: "Tensor", logits: "Tensor") -> "Tensor":
    """Return the class whose centroid is nearest to each window, ``(n,)``.

    The centroid of a class is the mean of all features, weighted by its probability; nearness is
    the cosine. Windows and centroids are then assigned once more, each window to one class. A
    class that no window was assigned to has no second centroid.

    Parameters
    ----------
    features, logits
        Of all target windows, ``(n, d)`` and ``(n, classes)``.
    """
    x = functional.normalize(features.double(), dim=1)
    nearest = _nearest(x, probabilities(logits))
    hard = functional.one_hot(nearest, logits.shape[1]).double()
    return _nearest(x, hard)


def _nearest(x: "Tensor", shares: "Tensor") -> "Tensor":
    centroids = functional.normalize(shares.T @ x, dim=1)  # (K, d): the length doesn't count
    likeness = x @ centroids.T
    empty = shares.sum(0) == 0
    return torch.where(empty, -torch.inf, likeness).argmax(1)
