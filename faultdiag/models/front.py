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
        Built for the output of `front`.
    """

    def __init__(self, front: nn.Module, network: nn.Module) -> None:
        super().__init__()
        self.front = front
        self.network = network

    @property
    def in_double(self) -> bool:
        """Whether predictions run in float64 up to the network: if it can be exported."""
        return not hasattr(self.front, "not_exported")

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
        seen = self.front(windows, facts)
        kinds = (parameter.dtype for parameter in self.network.parameters())
        logits: Tensor = self.network(seen.to(next(kinds, seen.dtype)))
        return logits


def seen_through(front: Any) -> tuple[int, int]:
    """Return the channels and the length of a front end's output."""
    return int(front.out_channels), int(front.out_length)


def seen_by(network: nn.Module, windows: Tensor) -> Tensor:
    """Return raw windows for a prediction: in float64 for front ends and for features.

    Each runtime rounds its float32 sums differently, and logarithms of weak lines, choices between
    lines and thresholds of trees magnify that: probabilities of an exported graph and of its
    network differed by up to 3e-4 for combs. They agree when windows are normalised and transformed
    in float64.
    """
    return windows.double() if getattr(network, "in_double", False) else windows


def needs_speed(network: nn.Module) -> bool:
    """Whether a network or baseline must be given the shaft speed of each window."""
    return _needs(network, "needs_speed")


def needs_bearing(network: nn.Module) -> bool:
    """Whether a network must be given the conditions of each window, fault orders included."""
    return _needs(network, "needs_bearing")


def _needs(network: nn.Module, fact: str) -> bool:
    first = network.front if isinstance(network, Fronted) else network
    return bool(getattr(first, fact, False))


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
