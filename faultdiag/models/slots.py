"""Attention slots: where in a network which block stands, parsed, checked and applied."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from faultdiag import attention
from faultdiag.errors import FaultdiagError

PLACE = "model.attention"


@dataclass(frozen=True)
class Slot:
    """One attention block, the positions it follows, and where the config names it.

    Each position gets its own block with its own parameters.
    """

    name: str
    after: tuple[int, ...]
    residual: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    place: str = PLACE


class AttentionSlot(nn.Module):
    """A block in its place: ``block(x)``, or ``x + block(x)`` if residual.

    For a pure gate g the residual form is ``x (1 + g)``: it can amplify but never suppress.
    """

    def __init__(self, block: nn.Module, *, residual: bool, place: str = PLACE) -> None:
        super().__init__()
        self.block = block
        self.residual = residual
        self.place = place
        self.uses_previous = bool(getattr(block, "uses_previous", False))

    def forward(self, x: Tensor, previous: list[Tensor]) -> Tensor:
        """Attend to ``(B, C, L)``; `previous` holds earlier stages' means, ``(B, C')`` each."""
        try:
            y: Tensor = self.block(x, previous) if self.uses_previous else self.block(x)
        except FaultdiagError as error:
            raise FaultdiagError(f"{self.place}: {error}") from error
        return x + y if self.residual else y


class Slots(nn.Module):
    """The attention slots of one network, by position.

    Parameters
    ----------
    slots
        Checked slots; every position at most once.
    widths
        Channels at each position, the first position first.
    previous
        Channels of the descriptors that reach each position; by default those of all the
        positions before it.

    Raises
    ------
    FaultdiagError
        If a block refuses its channels or options; all such problems in one message.
    """

    def __init__(
        self,
        slots: Sequence[Slot],
        widths: Sequence[int],
        previous: Sequence[tuple[int, ...]] | None = None,
    ) -> None:
        super().__init__()
        earlier = previous or [tuple(widths[:i]) for i in range(len(widths))]
        self.at = nn.ModuleDict()
        problems = []
        for slot in slots:
            for position in slot.after:
                place = f"{slot.place} after block {position}"
                try:
                    block = _build(slot, widths[position - 1], earlier[position - 1])
                except FaultdiagError as error:
                    problems.append(f"{place}: {error}")
                else:
                    entry = AttentionSlot(block, residual=slot.residual, place=place)
                    self.at[str(position)] = entry
        if problems:
            raise FaultdiagError("\n".join(problems))
        self.uses_previous = any(_uses_previous(slot.name) for slot in slots)

    def forward(self, position: int, x: Tensor, previous: list[Tensor]) -> Tensor:
        """Attend to ``(B, C, L)`` at a position; where no slot is, give `x` itself."""
        key = str(position)
        if key not in self.at:
            return x
        y: Tensor = self.at[key](x, previous)
        return y

    def remember(self, previous: list[Tensor], x: Tensor) -> list[Tensor]:
        """Give `previous` and, if any block uses it, the channel means ``(B, C)`` of `x`."""
        return [*previous, x.mean(-1)] if self.uses_previous else previous


def _uses_previous(name: str) -> bool:
    return bool(getattr(attention.BLOCKS.get(name), "uses_previous", False))


def _build(slot: Slot, channels: int, previous: tuple[int, ...]) -> nn.Module:
    extra = {"previous_channels": previous} if _uses_previous(slot.name) else {}
    return attention.build(slot.name, channels, **slot.options, **extra)


def parse(
    specification: Any, positions: int, network: str, place: str = PLACE
) -> tuple[list[Slot], list[str]]:
    """Read an attention specification; give its sound slots, and every problem of the others.

    Parameters
    ----------
    specification
        None, one mapping ``{name, after, residual, **block options}``, or a list of mappings.
    positions
        How many positions the network has.
    network
        Its name, for the messages.
    place
        Where the specification stands in the config; every problem starts with it.
    """
    if specification is None:
        return [], []
    if isinstance(specification, Mapping):
        return _parse_slots([(place, specification)], positions, network)
    if isinstance(specification, Sequence) and not isinstance(specification, str):
        entries = [(f"{place}.{i}", entry) for i, entry in enumerate(specification)]
        return _parse_slots(entries, positions, network)
    return [], [f"{place} is {specification!r}; give name and after, or a list of such slots"]


def _parse_slots(
    entries: Sequence[tuple[str, Any]], positions: int, network: str
) -> tuple[list[Slot], list[str]]:
    slots: list[Slot] = []
    problems: list[str] = []
    taken: dict[int, str] = {}
    for place, entry in entries:
        found, slot = _parse_slot(place, entry, positions, network)
        for position in slot.after if slot else ():
            if position in taken:
                found.append(f"{place}.after is {position}, where {taken[position]} already stands")
            taken.setdefault(position, place)
        problems += found
        if slot and not found:
            slots.append(slot)
    return slots, problems


def _parse_slot(
    place: str, entry: Any, positions: int, network: str
) -> tuple[list[str], Slot | None]:
    if not isinstance(entry, Mapping):
        return [f"{place} is {entry!r}; give name and after"], None
    name, residual = entry.get("name"), entry.get("residual", False)
    options = {str(k): v for k, v in entry.items() if k not in {"name", "after", "residual"}}
    after, problems = _parse_after(place, entry.get("after"), positions, network)
    problems = [*_check_name(place, name), *problems, *_check_residual(place, name, residual)]
    if isinstance(name, str) and name in attention.BLOCKS:
        problems += _check_options(place, name, options)
    return problems, Slot(str(name), after, residual is True, options, place)


def _check_name(place: str, name: Any) -> list[str]:
    if name is None:
        return [f"{place}.name is missing; known: {', '.join(sorted(attention.BLOCKS))}"]
    try:
        attention.BLOCKS.get(name if isinstance(name, str) else repr(name))
    except FaultdiagError as error:
        return [f"{place}.name: {error}"]
    return []


def _check_residual(place: str, name: Any, residual: Any) -> list[str]:
    if not isinstance(residual, bool):
        return [f"{place}.residual is {residual!r}; give true or false"]
    if residual and name == "none":
        return [f"{place}.residual is true for 'none', which would only double x; leave it out"]
    return []


def _parse_after(
    place: str, after: Any, positions: int, network: str
) -> tuple[tuple[int, ...], list[str]]:
    legal = f"{network} has blocks 1 to {positions}"
    if after is None:
        return (), [f"{place}.after is missing; {legal}"]
    entries = list(after) if isinstance(after, list | tuple) else [after]
    if not entries:
        return (), [f"{place}.after is empty; {legal}"]
    good = [p for p in entries if type(p) is int and 1 <= p <= positions]
    bad = [p for p in entries if type(p) is not int or not 1 <= p <= positions]
    problems = [f"{place}.after is {p!r}; {legal}" for p in bad]
    unique = tuple(dict.fromkeys(good))
    problems += [
        f"{place}.after has {p} more than once; name each block once"
        for p in unique
        if good.count(p) > 1
    ]
    return unique, problems


def _check_options(place: str, name: str, options: Mapping[str, Any]) -> list[str]:
    hidden = {"previous_channels": ()} if _uses_previous(name) else {}
    problems = []
    for key, value in options.items():
        try:
            if key in hidden:
                raise FaultdiagError("is set by the network; leave it out")
            attention.BLOCKS.check_options(name, {key: value, **hidden})
        except FaultdiagError as error:
            problems.append(f"{place}.{key}: {error}")
    return problems
