"""A recorder for the CPU that keeps what a CUDA graph keeps: operations, and where tensors lie."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

# What a GPU's stream cannot hold, because the processor would have to wait for it.
FORBIDDEN = (
    "aten::_local_scalar_dense",
    "aten::equal",
    "aten::is_nonzero",
    "aten::lift_fresh",
    "aten::masked_select",
    "aten::nonzero",
)

# Written to by batch normalisation, whose signature doesn't say so.
UNSAID = ("running_mean", "running_var")


class TapeRecorder:
    """Repeats operations on the tensors that they were recorded with, and no Python.

    Whatever was a number when the function was recorded stays that number; only what is written
    to the function's own tensors changes what comes of it.

    Parameters
    ----------
    obstacle
        What each rehearsal shall say forbids recording.
    """

    def __init__(self, obstacle: str | None = None) -> None:
        self.obstacle = obstacle
        self.rehearsals = 0
        self.recordings = 0
        self.repetitions = 0

    def rehearse(self, function: Callable[[], Tensor]) -> tuple[Tensor, str | None]:
        self.rehearsals += 1
        return function(), self.obstacle

    def record(self, function: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        tape = _Tape()
        random = torch.get_rng_state()
        try:
            with tape:
                result = function()
        finally:
            tape.undo()
            torch.set_rng_state(random)
        self.recordings += 1

        def repeat() -> None:
            self.repetitions += 1
            result.copy_(tape.play(result))

        return repeat, result


class _Tape(TorchDispatchMode):
    """Notes operations, and how what they wrote to was before."""

    def __init__(self) -> None:
        super().__init__()
        self._notes: list[tuple[Any, Any, Any, Any]] = []
        self._before: list[tuple[Tensor, Tensor]] = []
        self._made: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        kwargs = kwargs or {}
        name = func._schema.name
        if name in FORBIDDEN or (name in ("aten::index", "aten::index_put_") and _masked(args[1])):
            raise RuntimeError(f"{name} is not permitted while recording\nand more")
        self._keep(func, args, kwargs)
        given = {_memory(tensor) for tensor in _tensors([*args, *kwargs.values()])}
        out = func(*args, **kwargs)
        # A view of what was there before is no new memory.
        self._made.update({_memory(tensor) for tensor in _tensors(out)} - given)
        self._notes.append((func, args, kwargs, out))
        return out

    def _keep(self, func: Any, args: Any, kwargs: Any) -> None:
        """Keep what the operation writes to, unless an earlier one made it."""
        for place, argument in enumerate(func._schema.arguments):
            written = argument.alias_info is not None and argument.alias_info.is_write
            if not written and argument.name not in UNSAID:
                continue
            value = args[place] if place < len(args) else kwargs.get(argument.name)
            for tensor in _tensors(value):
                if _memory(tensor) not in self._made:
                    self._before.append((tensor, tensor.detach().clone()))

    def undo(self) -> None:
        """Put back what was written to, the last first."""
        with torch.no_grad():
            for tensor, value in reversed(self._before):
                tensor.copy_(value)

    def play(self, result: Tensor) -> Tensor:
        """Do all operations again; give what `result` then is."""
        now: dict[int, Tensor] = {}
        with torch.no_grad():
            for func, args, kwargs, out in self._notes:
                found = func(
                    *_mapped(args, now), **{key: _mapped(v, now) for key, v in kwargs.items()}
                )
                for old, new in zip(_tensors(out), _tensors(found), strict=True):
                    now[id(old)] = new
        return now[id(result)]


def _masked(indices: Any) -> bool:
    return any(tensor.dtype == torch.bool for tensor in _tensors(indices))


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, list | tuple):
        return [tensor for item in value for tensor in _tensors(item)]
    return []


def _mapped(value: Any, now: dict[int, Tensor]) -> Any:
    if isinstance(value, Tensor):
        return now.get(id(value), value)
    if isinstance(value, list | tuple):
        return type(value)(_mapped(item, now) for item in value)
    return value
