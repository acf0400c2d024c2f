"""What a transfer method sees of each domain, and how its weight grows."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Domain:
    """The windows of one domain, as the network sees them.

    Parameters
    ----------
    features
        Input of the classifier, ``(batch, features)``.
    logits
        Output of the classifier, ``(batch, classes)``.
    """

    features: "Tensor"
    logits: "Tensor"

    def split(self, rows: int) -> "tuple[Domain, Domain]":
        """Split a joint batch: its first `rows` windows, and the others."""
        first = Domain(self.features[:rows], self.logits[:rows])
        return first, Domain(self.features[rows:], self.logits[rows:])


def ramp(progress: float) -> float:
    """Return the weight of the transfer loss: ``2 / (1 + exp(-10 p)) - 1``.

    It grows from 0 to 1, because features of an untrained network are not worth aligning [1]_.

    Parameters
    ----------
    progress
        Share of the adaptation steps that are done, ``p`` in 0 to 1.

    References
    ----------
    .. [1] Y. Ganin et al., "Domain-Adversarial Training of Neural Networks", JMLR 17(59), 2016,
       arXiv:1505.07818, section 5.2.2

    Examples
    --------
    >>> [round(ramp(p), 3) for p in (0, 0.1, 0.5, 1)]
    [0.0, 0.462, 0.987, 1.0]
    """
    return 2 / (1 + math.exp(-10 * progress)) - 1


def probabilities(logits: "Tensor", temperature: float = 1.0) -> "Tensor":
    """Return the softmax of logits in float64, ``(batch, classes)``.

    Losses are computed in float64: it costs little on so few numbers, and no mixed precision
    rounds the differences that they are made of.
    """
    return functional.softmax(logits.double() / temperature, dim=1)


def entropy(p: "Tensor") -> "Tensor":
    """Return the entropy in nats of each row of probabilities, ``(batch,)``."""
    # The logarithm is bounded, so that a probability of 0 has a gradient.
    return -(p * p.clamp_min(1e-300).log()).sum(1)
