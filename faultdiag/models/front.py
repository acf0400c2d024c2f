"""A representation in front of a network."""

from typing import Any

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

    def forward(self, windows: Tensor, facts: Tensor | None = None) -> Tensor:
        """Return the logits of windows.

        Parameters
        ----------
        windows
            ``(B, C, L)``.
        facts
            What the front end needs to know of each window, if anything: the shaft rates ``(B,)``
            in Hz, or the conditions ``(B, 5)``.
        """
        logits: Tensor = self.network(self.front(windows, facts))
        return logits


def seen_through(front: Any) -> tuple[int, int]:
    """Return channels and length of what a front end returns."""
    return int(front.out_channels), int(front.out_length)


def needs_speed(network: nn.Module) -> bool:
    """Whether a network or baseline must be given the shaft speed of each window."""
    return _needs(network, "needs_speed")


def needs_bearing(network: nn.Module) -> bool:
    """Whether a network must be given the conditions of each window, fault orders included."""
    return _needs(network, "needs_bearing")


def _needs(network: nn.Module, fact: str) -> bool:
    eye = network.front if isinstance(network, Fronted) else network
    return bool(getattr(eye, fact, False))


def facts_for(network: nn.Module, conditions: Tensor) -> tuple[Tensor, ...]:
    """Return the inputs of a network besides windows: nothing, shaft rates, or conditions.

    Parameters
    ----------
    conditions
        ``(B, 5)``: `faultdiag.signal.bearings.CONDITIONS` of each window.
    """
    if needs_bearing(network):
        return (conditions,)
    return (conditions[:, 0],) if needs_speed(network) else ()
