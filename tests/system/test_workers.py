"""Processes are started so that an interrupt of a whole group is left to the one that began."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = """
from faultdiag.prediction.streams import Stream
from tests.system.test_workers import blocked

if __name__ == "__main__":
    for _ in range(2):
        stream = Stream(blocked)
        stream.give(None)
        print(*(found for found in stream.made(1.0) if found is not None))
        stream.close()
    print(*blocked(None))
"""


def blocked(_: None) -> Iterator[bool]:
    """Tell whether interrupts are blocked."""
    yield signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="no signal masks here")
def test_processes_leave_interrupts_to_the_one_that_starts_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["True", "True", "False"], done.stderr
