"""Speed of a model as checkpoint and in ONNX Runtime, float32 and int8, with 1 and 2 threads.

    python scripts/export_speed.py [--rounds 9] [--out docs/results/export-speed.json]

The network is WDCNN with ECA on windows of 2048 samples, trained for an epoch on simulated
recordings. Each number of threads is a process of its own, in which the three sides take turns:
windows/s in full batches, one a thread, and the time from a recording of 10 s in memory to its
diagnosis, novelty included. Quote ratios: absolute figures depend on the machine.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
from trained_model import WDCNN, train_model

from faultdiag import Diagnoser, Recording, load
from faultdiag.api.export import export_run
from faultdiag.simulation.folder import simulate_folder

RATE, LENGTH, SECONDS = 12_000, 2048, 10
SIDES = {"checkpoint": "run", "ONNX float32": "model.onnx", "ONNX int8": "model.int8.onnx"}
THREADS = (1, 2)
# Batches of a turn, and recordings of it.
BATCHES, RECORDINGS = 16, 5


def make_models(folder: Path) -> None:
    """Train a run and export it twice."""
    simulate_folder(folder / "base", seconds=4.0)
    train_model(folder, WDCNN, length=LENGTH, per_class=100)
    export_run(folder / "run", out=folder / SIDES["ONNX float32"])
    # One epoch leaves a poor model; here only its speed matters.
    export_run(folder / "run", out=folder / SIDES["ONNX int8"], int8=True, tolerance=1.0)


def windows_per_second(model: Diagnoser) -> float:
    """Pass full batches through a model, one on each thread at a time."""
    scorer = model.scorer
    shape = (scorer.batch, len(model.channels), model.length)
    windows = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    with scorer.threads() as (pool, count):
        score = [pool.submit(scorer.logits, windows, None) for _ in range(count)]
        _ = [future.result() for future in score]
        began = time.perf_counter()
        score = [pool.submit(scorer.logits, windows, None) for _ in range(BATCHES)]
        _ = [future.result() for future in score]
        return BATCHES * len(windows) / (time.perf_counter() - began)


def latency(model: Diagnoser) -> float:
    """Return the median time in ms from a recording in memory to its diagnosis."""
    signal = np.random.default_rng(0).standard_normal((1, RATE * SECONDS)).astype(np.float32)
    recording = Recording(signal, Path("memory"), model.channels, RATE)
    times = []
    for _ in range(RECORDINGS):
        began = time.perf_counter()
        model.diagnose(recording)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def measure_sides(folder: Path, rounds: int) -> None:
    """Print what each side does in each round, as JSON; the first round is not counted."""
    models = {side: load(folder / name, device="cpu") for side, name in SIDES.items()}
    found: dict[str, list[tuple[float, float]]] = {side: [] for side in SIDES}
    for number in range(rounds + 1):
        for side, model in models.items():
            measured = windows_per_second(model), latency(model)
            if number:
                found[side].append(measured)
    sys.stdout.write(json.dumps(found))


def table(found: dict[int, dict[str, list[tuple[float, float]]]]) -> list[list[str]]:
    """Return rows of medians; ratios are those of a round, side by side."""
    rows = []
    for threads, sides in found.items():
        for side, rounds in sides.items():
            plain = sides["checkpoint"]
            speeds, times = zip(*rounds, strict=True)
            ratios = sorted(a[0] / b[0] for a, b in zip(rounds, plain, strict=True))
            rows.append(
                [
                    f"{side}, {threads} thread{'s' if threads > 1 else ''}",
                    f"{statistics.median(speeds):,.0f}",
                    f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f})",
                    f"{statistics.median(times):.1f}",
                ]
            )
    return rows


def compare(folder: Path, rounds: int) -> dict[str, Any]:
    """Measure both numbers of threads, and return the result as it is stored."""
    make_models(folder)
    found = {}
    for threads in THREADS:
        command = [sys.executable, __file__, "--folder", str(folder), "--rounds", str(rounds)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment)
        found[threads] = json.loads(done.stdout)
    return {
        "command": f"python scripts/export_speed.py --rounds {rounds}",
        "columns": ["", "windows/s", "times the checkpoint (range)", "a recording of 10 s, ms"],
        "rows": table(found),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.folder:
        measure_sides(arguments.folder, arguments.rounds)
        return
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps(compare(Path(folder), arguments.rounds), indent=1, ensure_ascii=False)
    if arguments.out:
        arguments.out.write_text(f"{text}\n", encoding="utf-8")
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
