"""One side of a comparison: a process that repeats a piece of work whenever it is asked.

Every side is a process of its own, so that nothing one of them sets (threads, memory pools)
reaches another, and Keras can have an environment of its own. A side writes ``ready`` to stdout,
then answers each line of stdin, the name of a piece of work, with the seconds it took.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

# What a user's shell doesn't set either.
_SET_BY_HAND = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "MKL_NUM_THREADS")

SCRIPTS = Path(__file__).parents[1]


def shell() -> dict[str, str]:
    """Environment of a shell that nothing was tuned in."""
    return {key: value for key, value in os.environ.items() if key not in _SET_BY_HAND}


class Side:
    """A process that works on demand.

    Parameters
    ----------
    interpreter
        The Python of the environment that it runs in.
    module
        Which of these modules, and its arguments.
    environment
        Variables it gets besides those of the shell.
    """

    def __init__(
        self,
        interpreter: str | Path,
        module: Sequence[str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._process = subprocess.Popen(
            [str(interpreter), "-m", *module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=SCRIPTS,
            env=shell() | dict(environment or {}),
        )
        while self._read() != "ready":
            pass  # what libraries print when they are imported

    def __enter__(self) -> "Side":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def seconds(self, work: str) -> float:
        """Do a piece of work once and give its time."""
        assert self._process.stdin
        self._process.stdin.write(work + "\n")
        self._process.stdin.flush()
        return float(self._read())

    def _read(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a side of the benchmark ended with {self._process.wait()}")
        return line.strip()
