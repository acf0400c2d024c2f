"""A prediction that is interrupted at one file, once all before it is written."""

from concurrent.futures import Future
from typing import Any

import pytest

from faultdiag.prediction import ahead, batching, reading
from faultdiag.prediction.reading import ReadRequest


def never_waiting(patch: pytest.MonkeyPatch) -> None:
    """Write the row of each recording before the next is read."""
    patch.setattr(batching, "PATIENCE", -1.0)
    patch.setattr(Future, "done", lambda self: self.result() is not None)


def interrupting(patch: pytest.MonkeyPatch, name: str) -> None:
    """Interrupt the reading of the file of this name."""
    real = reading.read_events

    def interrupted(request: ReadRequest, *more: Any) -> Any:
        if request.path.name == name:
            raise KeyboardInterrupt
        return real(request, *more)

    patch.setattr(ahead, "read_events", interrupted)
    never_waiting(patch)
