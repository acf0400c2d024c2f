"""Attention slots as modules: the blocks of a network in their places."""

from collections.abc import Sequence

from torch import Tensor, nn

from faultdiag import attention
from faultdiag.errors import FaultdiagError
from faultdiag.models.spec import PLACE, Slot, uses_previous


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
        self.uses_previous = any(uses_previous(slot.name) for slot in slots)

    def forward(self, position: int, x: Tensor, previous: list[Tensor]) -> Tensor:
        """Attend to ``(B, C, L)`` at a position; where no slot is, return `x` itself."""
        key = str(position)
        if key not in self.at:
            return x
        y: Tensor = self.at[key](x, previous)
        return y

    def remember(self, previous: list[Tensor], x: Tensor) -> list[Tensor]:
        """Return `previous` and, if any block uses it, the channel means ``(B, C)`` of `x`."""
        return [*previous, x.mean(-1)] if self.uses_previous else previous


def _build(slot: Slot, channels: int, previous: tuple[int, ...]) -> nn.Module:
    extra = {"previous_channels": previous} if uses_previous(slot.name) else {}
    return attention.build(slot.name, channels, **slot.options, **extra)
