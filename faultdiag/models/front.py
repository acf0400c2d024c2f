"""A representation in front of a network."""

from torch import Tensor, nn


class Fronted(nn.Module):
    """A network that sees a representation of the windows: ``(B, C, L) -> (B, classes)``.

    Parameters
    ----------
    front
        The representation; it has no parameters.
    network
        Built for what `front` gives.
    """

    def __init__(self, front: nn.Module, network: nn.Module) -> None:
        super().__init__()
        self.front = front
        self.network = network

    def forward(self, windows: Tensor, shaft_rate: Tensor | None = None) -> Tensor:
        """Return the logits of windows, with their shaft rates ``(B,)`` in Hz where needed."""
        logits: Tensor = self.network(self.front(windows, shaft_rate))
        return logits


def needs_speed(network: nn.Module) -> bool:
    """Whether a network or baseline must be given the shaft rate of each window."""
    eye = network.front if isinstance(network, Fronted) else network
    return bool(getattr(eye, "needs_speed", False))
