"""Processes are started so that an interrupt of a whole group is left to the one that began."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from faultdiag.prediction.events import End, NoveltyScore, ReadEvent

ROOT = Path(__file__).parents[2]
CODE = """
from faultdiag.prediction.events import NoveltyScore
from faultdiag.prediction.ahead import Stream
from tests.system.test_workers import blocked

if __name__ == "__main__":
    for _ in range(2):
        stream = Stream(blocked)
        stream.submit(None)
        print(*(event.value for event in stream.events(1.0) if isinstance(event, NoveltyScore)))
        stream.close()
    print(*(event.value for event in blocked(None) if isinstance(event, NoveltyScore)))
"""


def blocked(_: None) -> Iterator[ReadEvent]:
    """Yield an event that holds 1 where interrupts are blocked."""
    yield NoveltyScore(float(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])))
    yield End()


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="no signal masks here")
def test_processes_leave_interrupts_to_the_one_that_starts_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["1.0", "1.0", "0.0"], done.stderr
