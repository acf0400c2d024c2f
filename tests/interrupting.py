"""A prediction that is interrupted at one file, once all before it is written."""

from concurrent.futures import Future
from typing import Any

import pytest

from faultdiag.prediction import batching, reading
from faultdiag.prediction import reading as read_ahead
from faultdiag.prediction.reading import Asked


def never_waiting(patch: pytest.MonkeyPatch) -> None:
    """Write the row of each recording before the next is read."""
    patch.setattr(batching, "PATIENCE", -1.0)
    patch.setattr(Future, "done", lambda self: self.result() is not None)


def interrupting(patch: pytest.MonkeyPatch, name: str) -> None:
    """Interrupt the reading of the file of this name."""
    real = reading.try_read

    def interrupted(one: Asked, *more: Any) -> Any:
        if one.path.name == name:
            raise KeyboardInterrupt
        return real(one, *more)

    patch.setattr(read_ahead, "try_read", interrupted)
    never_waiting(patch)
