"""Kill `faultdiag train --resume` at random moments, many times, and compare the final weights.

    python scripts/training_kills.py [--kills 100] [--seed 0] [--save-every 0.05]

Trains a small network with dropout, augmentation and a schedule on simulated recordings, once
uninterrupted and then again and again with kill -9 at a random moment of each process, from its
start to past its end. Whenever a run has ended in spite of all, its weights, metrics and history
are compared bit for bit with the uninterrupted run's, and the next run begins. The exit code is 1
if any differs, or a killed run can't be resumed.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from faultdiag.checkpoint import load
from faultdiag.config.schema import parse_config
from faultdiag.simulation.folder import simulate_folder
from faultdiag.system.files import write_text

# The command line, saving more often within an epoch than it does by itself.
COMMAND = """
import sys
from faultdiag.training import session
session.SAVE_EVERY = float(sys.argv.pop(1))
from faultdiag.cli import main
main()
"""


def write_config(folder: Path) -> Path:
    """Simulate ten recordings and write a config with everything that has a state or draws."""
    simulate_folder(folder / "recordings", seconds=3.0)
    config = parse_config(
        {
            "data": {
                "dataset": "synthetic",
                "root": str(folder / "recordings"),
                "prepared": str(folder / "prepared"),
            },
            "window": {"length": 2048, "stride": 128},
            "model": {"name": "wdcnn", "dropout": 0.3, "attention": {"name": "eca", "after": [2]}},
            "train": {
                "epochs": 4,
                "batch_size": 32,
                "schedule": "one_cycle",
                "balance": "sampling",
                "augment": {"shift": 50, "snr": [0, 20]},
                "threads": 1,
            },
        }
    )
    path = folder / "kills.yaml"
    write_text(path, config.to_yaml())
    return path


def start(config: Path, run: Path, save_every: float) -> "subprocess.Popen[str]":
    """Start `faultdiag train --resume`."""
    arguments = ["train", "--config", str(config), "--run", str(run), "--resume"]
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(save_every), *arguments],
        cwd=config.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: "subprocess.Popen[str]", seconds: float | None) -> bool:
    """Wait so long, kill what still runs, and say whether it had ended well by itself."""
    try:
        _, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return False
    if process.returncode:
        raise SystemExit(f"a killed run was not resumed:\n{errors}")
    return True


def content(run: Path) -> dict[str, Any]:
    """What must be the same: weights, metrics, and history without its times."""
    lines = (run / "history.jsonl").read_text().splitlines()
    rows = [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]
    weights = {name: dict(load(run / name).model) for name in ("best.pt", "last.pt")}
    metrics = json.loads((run / "metrics.json").read_text())
    return {"history": rows, "metrics": metrics, "weights": weights}


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Names of what differs between two runs."""
    names = [name for name in ("history", "metrics") if one[name] != other[name]]
    for file, weights in one["weights"].items():
        theirs = other["weights"][file]
        same = weights.keys() == theirs.keys()
        if not same or not all(torch.equal(theirs[name], x) for name, x in weights.items()):
            names.append(file)
    return names


def state(run: Path) -> str:
    """What a kill left behind."""
    if (run / "metrics.json").exists():
        return "metrics written"
    if not (run / "last.pt").exists():
        return "no checkpoint yet"
    within = load(run / "last.pt").training
    return "within an epoch" if within and len(within["steps"]) else "after an epoch"


def kill_and_compare(folder: Path, arguments: argparse.Namespace) -> Counter[str]:
    """Kill so often, and count what the kills left behind and how many runs came to their end."""
    config, moments = write_config(folder), random.Random(arguments.seed)
    began = time.monotonic()
    finished(start(config, folder / "whole", arguments.save_every), None)
    whole, seconds = content(folder / "whole"), time.monotonic() - began
    found: Counter[str] = Counter()
    while found["kills"] < arguments.kills:
        run = folder / f"run{found['runs']}"
        process = start(config, run, arguments.save_every)
        if not finished(process, moments.uniform(0, 1.1 * seconds)):
            found.update(("kills", state(run)))
            continue
        found["runs"] += 1
        wrong = differing(whole, content(run))
        if wrong:
            raise SystemExit(f"after {found['kills']} kills these differ: {', '.join(wrong)}")
        print(f"run {found['runs']} is the same after {found['kills']} kills in all", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-every", type=float, default=0.05, help="seconds")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    with tempfile.TemporaryDirectory() as name:
        found = kill_and_compare(Path(name), arguments)
    print(", ".join(f"{number} {what}" for what, number in found.items()))


if __name__ == "__main__":
    main()
