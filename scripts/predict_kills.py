"""`faultdiag predict` killed at random moments and continued, against one that was left alone.

    python scripts/predict_kills.py RUN PATH… [--kills 10] [--jobs 2] [--seed 0]

The same command runs once uninterrupted. Then it is started, killed with SIGKILL after a random
time that is at most as long as the uninterrupted one took, and started again with --resume, until
it has been killed so often and come to its end. The rows and the rows of the windows of both must
be equal byte for byte; else the exit code is 1.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def command(run: str, paths: list[str], folder: Path, jobs: int) -> list[str]:
    """The command, with its files in a folder."""
    files = ["--out", str(folder / "rows.csv"), "--windows", str(folder / "windows.csv")]
    said = [sys.executable, "-m", "faultdiag", "predict", run, *paths]
    return [*said, *files, "--jobs", str(jobs)]


def rows_in(folder: Path) -> int:
    """How many rows of recordings are there."""
    path = folder / "rows.csv.partial"
    return max(path.read_bytes().count(b"\n") - 1, 0) if path.exists() else 0


def killed(words: list[str], folder: Path, after: float) -> bool:
    """Run a command and kill it after so many seconds, unless it has come to its end by then."""
    process = subprocess.Popen(
        [*words, "--resume"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        print(f"killed after {after:.2f} s, {rows_in(folder)} rows are kept", flush=True)
        return True
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run")
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        whole, torn = Path(name) / "whole", Path(name) / "torn"
        for folder in (whole, torn):
            folder.mkdir()
        began = time.perf_counter()
        subprocess.run(
            command(arguments.run, arguments.paths, whole, arguments.jobs),
            stdout=subprocess.DEVNULL,
            check=False,
        )
        took = time.perf_counter() - began
        words = command(arguments.run, arguments.paths, torn, arguments.jobs)
        kills = 0
        while kills < arguments.kills:
            if killed(words, torn, chance.uniform(0, took)):
                kills += 1
            else:
                # Come to its end before the moment: once more from the beginning.
                for file in torn.iterdir():
                    file.unlink()
        subprocess.run([*words, "--resume"], stdout=subprocess.DEVNULL, check=False)
        left = sorted(file.name for file in torn.iterdir())
        equal = left == ["rows.csv", "windows.csv"] and all(
            (torn / file).read_bytes() == (whole / file).read_bytes() for file in left
        )
        lines = (whole / "rows.csv").read_bytes().count(b"\n")
    print(f"{kills} kills, {lines - 1} rows: {'equal' if equal else 'NOT equal'} to those of one")
    raise SystemExit(not equal)


if __name__ == "__main__":
    main()
