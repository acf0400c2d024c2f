"""Source hypothesis transfer: adaptation without source data."""

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn
from torch.nn import functional

from faultdiag.option_types import NotNegative
from faultdiag.transfer.domains import Domain, entropy, probabilities

if TYPE_CHECKING:
    from torch import Tensor


class SHOT(nn.Module):
    """Sure and varied predictions of the target, under the source's frozen classifier.

    ``mean H(p) - H(mean p) + beta CE(z, pseudo)``: the first term makes each prediction sure, the
    second makes the network use all classes, and the third gathers features around the classes
    that `pseudo_labels` assigns by centroids. Everything but the classifier learns. That the target
    has all classes is an assumption: one with few of them is pulled apart. The learning rate is 0.3
    times that of the source; training starts from statistics measured as in `AdaBN`.

    Parameters
    ----------
    features, classes
        Width of the features and number of classes; neither matters.
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
    the cosine. Then each window counts for its nearest class alone, and centroids and classes are
    computed once more. A class without windows has no second centroid.

    Parameters
    ----------
    features, logits
        Features and logits of all target windows, ``(n, d)`` and ``(n, classes)``.
    """
    x = functional.normalize(features.double(), dim=1)
    nearest = _nearest(x, probabilities(logits))
    hard = functional.one_hot(nearest, logits.shape[1]).double()
    return _nearest(x, hard)


def _nearest(x: "Tensor", shares: "Tensor") -> "Tensor":
    centroids = functional.normalize(shares.T @ x, dim=1)  # (K, d): only the direction matters
    likeness = x @ centroids.T
    empty = shares.sum(0) == 0
    return torch.where(empty, -torch.inf, likeness).argmax(1)
