"""Count the modules that a command goes through, from its start to the first result.

    python scripts/count_stops.py train|predict

Runs a tiny training up to its first optimiser step, or a tiny prediction up to its first row, and
follows every call: a stop is a module of the package in which at least one function was called,
counted once, in the order of the first calls. What runs while a module is imported is no stop, and
neither is what other processes do. A training runs with its recordings prepared already, and a
prediction on an untrained network.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType

ROOT = str(Path(__file__).resolve().parents[1] / "faultdiag") + os.sep
INTERRUPTED = 130
CONFIG = """
data: {dataset: synthetic, root: recordings, prepared: prepared, channels: [DE]}
window: {length: 1024, stride: 512}
split: {strategy: within_recording, fractions: [0.6, 0.2, 0.2], gap: 1024}
model: {name: cnn1d, widths: [4, 8], kernels: [7, 7]}
train: {epochs: 1, batch_size: 64, threads: 1}
"""


def arrive(*_: object) -> None:
    """Stop following, and end the command: the first result is there."""
    sys.setprofile(None)
    raise KeyboardInterrupt


def imports(frame: FrameType | None) -> bool:
    """Return whether a frame runs because some module of the package is imported."""
    while frame is not None:
        code = frame.f_code
        if code.co_name == "<module>" and code.co_filename.startswith(ROOT):
            return True
        frame = frame.f_back
    return False


def stops(work: Callable[[], object]) -> list[str]:
    """Return the modules of the package that `work` calls until it arrives, in order."""
    visited: dict[str, None] = {}

    def follow(frame: FrameType, event: str, _: object) -> None:
        file = frame.f_code.co_filename
        seen = not file.startswith(ROOT) or file[len(ROOT) :] in visited
        if event == "call" and not seen and not imports(frame):
            visited[file[len(ROOT) :]] = None

    sys.setprofile(follow)
    try:
        work()
    except SystemExit as end:
        if end.code != INTERRUPTED:
            raise
    return list(visited)


def run(*words: str) -> None:
    """Run a command in this process, as the shell would."""
    from faultdiag.cli import main

    sys.argv = ["faultdiag", *words]
    main()


def finish(*words: str) -> None:
    """Run a command to its end."""
    try:
        run(*words)
    except SystemExit as end:
        if end.code:
            raise


def prepare(folder: Path) -> None:
    """Simulate recordings, write a config, and train a model on them."""
    os.chdir(folder)
    Path("stops.yaml").write_text(CONFIG, encoding="utf-8")
    finish("simulate", "--out", "recordings", "--seconds", "2")
    finish("train", "--config", "stops.yaml", "--run", "run", "--device", "cpu")


def to_first_step() -> None:
    """Train until the optimiser takes its first step."""
    import torch

    for optimizer in (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD):
        optimizer.step = arrive  # type: ignore[method-assign, assignment]
    run("train", "--config", "stops.yaml", "--run", "other", "--device", "cpu")


def to_first_row() -> None:
    """Predict until the first row is written."""

    class Stdout:
        encoding = "utf-8"

        def write(self, text: str) -> int:
            if "recordings" in text:
                arrive()
            return len(text)

        def flush(self) -> None:
            """Do nothing: nothing is kept."""

        def isatty(self) -> bool:
            return False

    sys.stdout = Stdout()
    run("predict", "run", "recordings", "--device", "cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("command", choices=("train", "predict"))
    command = parser.parse_args().command
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        stdout = sys.stdout
        visited = stops(to_first_step if command == "train" else to_first_row)
        sys.stdout = stdout
    print(*visited, sep="\n")
    print(f"{command}: {len(visited)} stops")


if __name__ == "__main__":
    main()
