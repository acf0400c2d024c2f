"""The features of a network before its classifier, whatever the network."""

from typing import TYPE_CHECKING, Any

from torch import nn

from faultdiag.errors import FaultdiagError
from faultdiag.models.front import Fronted
from faultdiag.transfer.domains import Domain

if TYPE_CHECKING:
    from torch import Tensor


def classifier_of(network: nn.Module) -> nn.Module:
    """Return the module that turns features into logits: ``classify`` of every network.

    Raises
    ------
    FaultdiagError
        If there is none, as in a baseline.
    """
    inner = network.network if isinstance(network, Fronted) else network
    classifier = getattr(inner, "classify", None)
    if not isinstance(classifier, nn.Module):
        raise FaultdiagError(
            f"{type(inner).__name__} has no features that transfer could align; transfer needs a "
            "network, such as model: {name: wdcnn}"
        )
    return classifier


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

    def forward(self, *arguments: Any) -> Domain:
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
