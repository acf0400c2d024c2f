"""Start the same command twice at once, many times: never do both write one output and succeed.

    python scripts/simultaneous_starts.py [--starts 200] [--seed 0]

Pairs of `train`, `prepare`, `protocol` and `predict --out` with one output are started at the same
moment, in copies of a process that has imported everything. One of a pair succeeds and the other
exits with 1: it names the owner, or finds a finished run. The exit code is 1 if both succeed, if
none does, or if a lock or an unfinished file is left behind.
"""

import argparse
import contextlib
import io
import random
import shutil
import tempfile
import time
from collections import Counter
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from faultdiag.simulation.folder import simulate_folder
from faultdiag.system import files

COMMANDS: dict[str, list[str]] = {
    "train": ["train", "c.yaml", "--run", "run", "--device", "cpu"],
    "prepare": ["prepare", "c.yaml"],
    "protocol": ["protocol", "c.yaml", "--out", "out", "--jobs", "1", "--device", "cpu"],
    "predict": ["predict", "model", "recordings", "--out", "rows.csv", "--device", "cpu"],
}
OUTPUTS = ("run", "prepared", "out", "rows.csv", "rows.csv.partial")
# What only the owner of an output says of another one.
HELD = "is being written by"


def run_command(words: list[str], folder: str, begin: Any, results: Any) -> None:
    """Run a command line at the moment that both wait for, and report how it ended."""
    import os

    from typer.testing import CliRunner

    from faultdiag.cli.app import app

    os.chdir(folder)
    begin.wait()
    with contextlib.redirect_stderr(io.StringIO()):
        result = CliRunner().invoke(app, words)
    results.put((result.exit_code, result.stderr))


def pair(context: Any, words: list[str], folder: Path, apart: float) -> list[Any]:
    """Start two processes with one command, at most so many seconds apart."""
    begin, results = context.Event(), context.Queue()
    arguments = (words, str(folder), begin, results)
    both = [context.Process(target=run_command, args=arguments) for _ in range(2)]
    both[0].start()
    time.sleep(apart)
    both[1].start()
    begin.set()
    ends = [results.get(timeout=300) for _ in both]
    for process in both:
        process.join()
    return ends


def verdict(ends: list[Any]) -> str:
    """What happened to a pair, in words; "wrong" in front of what must not be."""
    codes = sorted(code for code, _ in ends)
    held = any(HELD in errors for _, errors in ends)
    if codes == [0, 1]:
        return "one refused, named the owner" if held else "one refused, found it finished"
    return f"wrong: exit codes {codes}: {[errors[-300:] for _, errors in ends]}"


def write_config(folder: Path) -> None:
    """Simulate recordings and write a config whose commands take some seconds."""
    simulate_folder(folder / "recordings", seconds=2.0)
    document: dict[str, Any] = {
        "data": {"dataset": "synthetic", "root": "recordings", "prepared": "prepared"},
        "window": {"length": 1024, "stride": 128},
        "model": {"name": "cnn1d", "widths": [8, 16], "kernels": [7, 7]},
        "train": {"epochs": 2, "batch_size": 64, "threads": 1},
        "protocol": {"seeds": 2, "models": {"a": {}}, "protocols": {"within": {}}, "noise": None},
    }
    (folder / "c.yaml").write_text(files.dump(document))


def remove(folder: Path) -> None:
    """Remove what the commands wrote."""
    for name in OUTPUTS:
        path = folder / name
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def left_over(folder: Path) -> list[str]:
    """Locks and unfinished files that nobody owns any more."""
    return sorted(p.name for p in folder.rglob(".*") if p.name not in {".", ".."})


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--starts", type=int, default=200, help="pairs in all")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    context = get_context("forkserver")
    context.set_forkserver_preload(["faultdiag.cli.app", "faultdiag.api.train", "torch"])
    chance = random.Random(arguments.seed)
    counts: dict[str, Counter[str]] = {name: Counter() for name in COMMANDS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_config(folder)
        model = ["train", "c.yaml", "--run", "model", "--device", "cpu"]
        pair(context, model, folder, 0)
        for number in range(arguments.starts):
            command = list(COMMANDS)[number % len(COMMANDS)]
            remove(folder)
            ends = pair(context, COMMANDS[command], folder, chance.choice([0, 0, 0.02, 0.2]))
            found = verdict(ends)
            if left := left_over(folder):
                found = f"wrong: left behind {left}"
            counts[command][found] += 1
    for command, rows in counts.items():
        print(command, dict(rows))
    raise SystemExit(any("wrong" in row for rows in counts.values() for row in rows))


if __name__ == "__main__":
    main()
