"""A time limit for work that should move on: it counts from the last progress, not the start."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# Seconds between two interrupts once the limit has passed, because code may swallow the first one;
# and between two reports of progress.
_AGAIN = 1.0


class StalledError(BaseException):
    """Nothing moved within the time limit.

    No `Exception`, so that code which expects a damaged file to raise anything doesn't take this
    for damage.
    """


class _Progress:
    """When work last moved on; one for the process, because its timer is one too."""

    moved = 0.0
    reported = 0.0
    listener: Callable[[], object] | None = None


def progress() -> None:
    """Note for the time limit that work has moved on."""
    _Progress.moved = now = time.monotonic()
    if _Progress.listener is not None and now - _Progress.reported > _AGAIN:
        _Progress.reported = now
        _Progress.listener()


def report_progress(listener: Callable[[], object]) -> None:
    """Have a function called when work moves on, once a second at most."""
    _Progress.listener = listener


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise `StalledError` in the block if `progress` is not called for this number of seconds.

    Only the main thread of a process can be interrupted, and only on systems with a timer signal;
    elsewhere, and for None, nothing is limited. A call into a library is interrupted when it
    returns to Python.

    Raises
    ------
    StalledError
        If nothing moved.
    """
    main = threading.current_thread() is threading.main_thread()
    if seconds is None or not main or not hasattr(signal, "setitimer"):
        yield
        return

    def look(number: int, frame: FrameType | None) -> None:
        del number, frame
        left = _Progress.moved + seconds - time.monotonic()
        if left <= 0:
            raise StalledError
        signal.setitimer(signal.ITIMER_REAL, max(left, 0.001), _AGAIN)

    progress()
    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
