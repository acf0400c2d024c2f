"""Ctrl-C and SIGTERM during training: finish the step, save, then stop."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """Whether a training was asked to stop.

    Attributes
    ----------
    asked
        True from the first signal on. A second one doesn't wait.
    """

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note SIGINT and SIGTERM while the block runs.

        Raises
        ------
        KeyboardInterrupt
            At the end of the block, if there was a signal that nothing in it heeded.
        """
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may handle signals
            return
        watched = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, self._note) for number in watched]
        try:
            yield
        finally:
            for number, handler in zip(watched, before, strict=True):
                signal.signal(number, handler)
        if self.asked:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        sys.stderr.write("stopping after this step; once more to stop at once\n")
