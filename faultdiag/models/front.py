"""A representation in front of a network."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from faultdiag import representations
from faultdiag.errors import FaultdiagError

PLACE = "model.representation"


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
        """Give the logits of windows, with their shaft rates ``(B,)`` in Hz where needed."""
        logits: Tensor = self.network(self.front(windows, shaft_rate))
        return logits


def needs_speed(network: nn.Module) -> bool:
    """Say whether a network or baseline must be given the shaft rate of each window."""
    eye = network.front if isinstance(network, Fronted) else network
    return bool(getattr(eye, "needs_speed", False))


def build_front(
    specification: Any, channels: int, length: int, sampling_rate: float | None
) -> nn.Module | None:
    """Build the representation that a config names; None for the raw windows.

    Parameters
    ----------
    specification
        A name, or a mapping ``{name, **options}``; None is ``raw``.
    channels, length, sampling_rate
        Of the windows; the rate in Hz.

    Raises
    ------
    FaultdiagError
        If it can't be built; the message begins with the place in the config.
    """
    name, options = _named(specification)
    if name == "raw" and not options:
        return None
    if sampling_rate is None:
        raise FaultdiagError(f"{PLACE} is '{name}', which needs the sampling rate of the windows")
    try:
        return representations.build(name, channels, length, sampling_rate, **options)
    except FaultdiagError as error:
        raise FaultdiagError(f"{PLACE}: {error}") from error


def _named(specification: Any) -> tuple[str, dict[str, Any]]:
    if specification is None:
        return "raw", {}
    if isinstance(specification, str):
        return specification, {}
    if isinstance(specification, Mapping) and isinstance(specification.get("name"), str):
        options = {str(key): value for key, value in specification.items() if key != "name"}
        return specification["name"], options
    raise FaultdiagError(
        f"{PLACE} is {specification!r}; give a name, or name and options, such as "
        "{name: envelope_spectrum, bands: 4}"
    )
