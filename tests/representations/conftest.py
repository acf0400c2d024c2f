"""One thread: the transforms here are too short to gain from more."""

from tests.models.conftest import one_thread

__all__ = ["one_thread"]
