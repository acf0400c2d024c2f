"""The specification of a network: checked, completed and built."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Protocol, cast

import torch
from pydantic import AfterValidator, Field
from torch import Tensor, nn

from faultdiag import representations
from faultdiag.baselines import BASELINES
from faultdiag.errors import FaultdiagError, unknown
from faultdiag.models import NETWORKS
from faultdiag.models.layers import lay_out
from faultdiag.models.slots import Slot, parse


def _share(value: float) -> float:
    if not 0 <= value < 1:
        raise ValueError("give 0 or more and less than 1")
    return value


def _count(value: int) -> int:
    if value < 1:
        raise ValueError("give 1 or more")
    return value


def _counts(value: tuple[int, ...]) -> tuple[int, ...]:
    if not value:
        raise ValueError("give at least one number")
    return value


Share = Annotated[float, Field(strict=True), AfterValidator(_share)]
Count = Annotated[int, Field(strict=True), AfterValidator(_count)]
Counts = Annotated[tuple[Count, ...], AfterValidator(_counts)]


def _share_range(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError("give the smaller share first")
    return value


ShareRange = Annotated[tuple[Share, Share], AfterValidator(_share_range)]


def _fraction(value: float) -> float:
    if not 0 < value <= 1:
        raise ValueError("give more than 0 and at most 1")
    return value


Fraction = Annotated[float, Field(strict=True), AfterValidator(_fraction)]


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


class Network(Protocol):
    """What the class of every network offers."""

    reference: str

    def __call__(
        self, channels: int, classes: int, length: int, slots: Sequence[Slot] = (), **options: Any
    ) -> nn.Module:
        """Construct the network."""
        ...

    def positions(self, **options: Any) -> int:
        """Give the number of places attention can take."""
        ...

    def minimum_length(self, **options: Any) -> int:
        """Give the shortest window in samples."""
        ...


def network(name: str) -> Network:
    """Give the class registered as `name`.

    Raises
    ------
    FaultdiagError
        If no network has this name. The baselines are named too: a config can ask for either.
    """
    if name in BASELINES:
        raise FaultdiagError(
            f"'{name}' is a baseline, no network: name it in a config, model: {{name: {name}}}; "
            f"networks: {', '.join(sorted(NETWORKS))}"
        )
    if name not in NETWORKS:
        raise unknown(NETWORKS.kind, name, [*NETWORKS, *BASELINES])
    return cast("Network", NETWORKS.get(name))


def defaults(name: str) -> dict[str, Any]:
    """Give the default of every option of a network."""
    return {option.name: option.default for option in NETWORKS.options(name).values()}


@dataclass(frozen=True)
class Specification:
    """The sound parts of a specification, and the problems of the others."""

    name: str
    channels: int
    classes: int
    length: int
    slots: list[Slot]
    options: dict[str, Any]
    problems: list[str]
    front: nn.Module | None = None

    def build(self) -> nn.Module:
        """Construct the network of the sound parts, behind its representation."""
        alone = self.build_alone()
        return alone if self.front is None else Fronted(self.front, alone)

    def build_alone(self) -> nn.Module:
        """Construct the network itself; it sees what the representation gives."""
        built = network(self.name)(
            self.channels, self.classes, self.length, self.slots, **self.options
        )
        lay_out(built)
        return built

    def try_out(self) -> list[str]:
        """Build the sound parts, pass two windows through, and give the problems that shows."""
        if self.name not in NETWORKS:
            return []
        options = defaults(self.name) | self.options
        shortest = network(self.name).minimum_length(**options)
        sound = replace(
            self,
            channels=max(self.channels, 1),
            classes=max(self.classes, 2),
            length=max(self.length, shortest),
        )
        problem = _failure(sound)
        if not problem:
            return []
        alone = [
            _failure(replace(sound, slots=[replace(slot, after=(position,))]))
            for slot in sound.slots
            for position in slot.after
        ]
        return [p for p in alone if p] or [problem]


def _failure(sound: Specification) -> str:
    """Text of the error that building `sound`, or passing two windows through it, raises."""
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        try:
            sound.build_alone().eval()(torch.randn(2, sound.channels, sound.length))
        except FaultdiagError as error:
            return str(error)
    return ""


def examine(
    name: str,
    shape: tuple[int, int, int],
    attention: Any,
    options: Mapping[str, Any],
    representation: tuple[Any, float | None] = (None, None),
) -> Specification:
    """Sort a specification into what is sound and what is not, without building the network.

    Parameters
    ----------
    name
        What the config names as the network.
    shape
        Channels, classes and length of the windows.
    attention, options
        The attention specification and the network's options.
    representation
        What stands in front, and the sampling rate in Hz that it is for.
    """
    try:
        entry = network(name)
    except FaultdiagError as error:
        # Of an unknown network no position is known to be wrong, but blocks and options are.
        _, problems = parse(attention, sys.maxsize, name)
        problems = [f"model.name: {error}", *problems, *_front(representation, shape)[1]]
        return Specification(name, *shape, slots=[], options={}, problems=problems)
    usable, problems = _check_options(name, options)
    known = defaults(name) | usable
    front, found = _front(representation, shape)
    seen = shape
    if front is not None:
        seen = front.out_channels, shape[1], front.out_length
    source = "window.length" if front is None else "the length that model.representation gives"
    problems += found + _check_shape(name, seen, entry.minimum_length(**known), source)
    slots, found = parse(attention, entry.positions(**known), name)
    problems += found
    return Specification(name, *seen, slots=slots, options=usable, problems=problems, front=front)


def _front(
    representation: tuple[Any, float | None], shape: tuple[int, int, int]
) -> tuple[Any, list[str]]:
    channels, _, length = shape
    try:
        return build_front(representation[0], channels, length, representation[1]), []
    except FaultdiagError as error:
        return None, [str(error)]


def _check_options(name: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    usable: dict[str, Any] = {}
    problems = []
    for key, value in options.items():
        try:
            usable |= NETWORKS.check_options(name, {key: value})
        except FaultdiagError as error:
            problems.append(f"model.{key}: {error}")
    return usable, problems


def _check_shape(name: str, shape: tuple[int, int, int], shortest: int, source: str) -> list[str]:
    channels, classes, length = shape
    problems = []
    if channels < 1:
        problems.append(f"channels is {channels}; {name} needs 1 or more")
    if classes < 2:
        problems.append(f"classes is {classes}; {name} needs 2 or more to tell apart")
    if length < shortest:
        problems.append(f"{source} is {length} samples; {name} needs {shortest} or more")
    return problems
