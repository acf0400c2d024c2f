"""What transfer methods share: both domains as a network sees them, and the base of the losses."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import nn
from torch.nn import functional

from faultdiag.errors import FaultdiagError
from faultdiag.models.layers import FrontEndNetwork

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

    Losses are computed in float64: it costs little for so few numbers, and mixed precision would
    round the small differences in them.
    """
    return functional.softmax(logits.double() / temperature, dim=1)


def entropy(p: "Tensor") -> "Tensor":
    """Return the entropy in nats of each row of probabilities, ``(batch,)``."""
    # The logarithm is bounded, so that a probability of 0 has a gradient.
    return -(p * p.clamp_min(1e-300).log()).sum(1)


def classifier_of(network: nn.Module) -> nn.Module:
    """Return the module that turns features into logits: ``classify`` of every network.

    Raises
    ------
    FaultdiagError
        If there is none, as in a baseline.
    """
    inner = network.network if isinstance(network, FrontEndNetwork) else network
    classifier = getattr(inner, "classify", None)
    if not isinstance(classifier, nn.Module):
        raise FaultdiagError(
            f"{type(inner).__name__} has no features that transfer could align; transfer needs a "
            "network, such as model: {name: wdcnn}"
        )
    return classifier


class JointMethod(nn.Module):
    """A loss on a batch of both domains: ``method(source, target, ramp)``.

    Parameters
    ----------
    features, classes
        Width of the features and number of classes. Most losses work for any and ignore them.
    """

    kind: ClassVar[str] = "joint"
    minimum_batch: ClassVar[int] = 2

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        del features, classes


class FeatureNetwork(nn.Module):
    """A network that returns its features beside its logits.

    Parameters
    ----------
    network
        Any network; it is not changed.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self._classifier = [classifier_of(network)]  # in a list, so as not to be a second child

    def forward(self, *arguments: "Tensor") -> Domain:
        """Return features ``(B, D)`` and logits ``(B, classes)``; arguments are the network's."""
        seen: list[Tensor] = []
        hook = self._classifier[0].register_forward_pre_hook(
            lambda _, inputs: seen.append(inputs[0])
        )
        try:
            logits = self.network(*arguments)
        finally:
            hook.remove()
        return Domain(seen[-1], logits)
