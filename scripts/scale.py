"""Measure how the commands grow with the number of recordings.

    python scripts/scale.py [--counts 5000 10000 20000] [--seconds 0.6] [--folder DIR] [--json OUT]

Writes that many MATLAB files of four classes, and lets `inspect`, `init`, `prepare`, `train` of one
epoch and `predict` run over the first ones of them. Each command is a process of its own; its row
has the time of the processor, of its helpers too, the time that passed and the largest peak of
memory of one process. The last column is the time of the processor per recording, against that of
the smallest count: 1 is linear.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.io import savemat

RATE = 12_000
CLASSES = {"normal": 0.0, "inner": 162.0, "outer": 107.0, "ball": 141.0}


@dataclass(frozen=True)
class Cost:
    """What one command took over so many recordings."""

    command: str
    recordings: int
    processor: float
    passed: float
    megabytes: float


def write_recordings(folder: Path, first: int, count: int, seconds: float) -> None:
    """Write recordings of the classes in turn: noise with impacts at the rate of the class."""
    samples = round(seconds * RATE)
    times = np.arange(samples) / RATE
    for number in range(first, count):
        name, rate = list(CLASSES.items())[number % len(CLASSES)]
        noise = np.random.default_rng(number).normal(size=samples)
        impacts = np.maximum(np.sin(2 * np.pi * rate * times + number), 0) ** 40
        path = folder / name / f"{name}_{number:06}.mat"
        path.parent.mkdir(parents=True, exist_ok=True)
        savemat(path, {"x": noise + 5 * impacts * np.sin(2 * np.pi * 3000 * times)})


def words_of(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the commands in the order in which one needs the others' results."""
    data, config, prepared = (str(folder / name) for name in ("data", "c.yaml", "prepared"))
    init = ["--from", data, "--sampling-rate", str(RATE), "--out", config]
    where = ["--set", f"data.prepared={prepared}"]
    once = ["--set", "train.epochs=1", "--device", "cpu", "--run", str(folder / "run")]
    out = ["--out", str(folder / "rows.csv"), "--device", "cpu"]
    yield "inspect", ["inspect", data, "--sampling-rate", str(RATE)]
    yield "init", ["init", *init]
    yield "prepare", ["prepare", config, *where]
    yield "train", ["train", config, *where, *once]
    yield "predict", ["predict", str(folder / "run"), data, *out]


def cost(command: str, words: list[str], recordings: int) -> Cost:
    """Run a command and measure it.

    Raises
    ------
    SystemExit
        If it fails.
    """
    began = time.monotonic()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "faultdiag", *words], stdout=subprocess.DEVNULL, stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            errors.seek(0)
            raise SystemExit(f"{command} failed: {errors.read()[-2000:].decode()}")
    processor = usage.ru_utime + usage.ru_stime
    passed = time.monotonic() - began
    return Cost(command, recordings, processor, passed, usage.ru_maxrss / 1024)


def measure(folder: Path, counts: list[int], seconds: float) -> Iterator[Cost]:
    """Yield the costs of all commands for each number of recordings."""
    written = 0
    for count in counts:
        write_recordings(folder / "data", written, count, seconds)
        written = count
        for command, words in words_of(folder):
            yield cost(command, words, count)
        for name in ("c.yaml", "prepared", "run", "rows.csv"):
            subprocess.run(["rm", "-rf", str(folder / name)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[5000, 10_000, 20_000])
    parser.add_argument("--seconds", type=float, default=0.6)
    parser.add_argument("--folder", type=Path, help="where recordings and results are put")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    costs: list[Cost] = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        print("command   recordings  processor s  passed s     MB  ms each  against the first")
        for each in measure(Path(name), sorted(arguments.counts), arguments.seconds):
            costs.append(each)
            first = next(c for c in costs if c.command == each.command)
            one = 1000 * each.processor / each.recordings
            ratio = one / (1000 * first.processor / first.recordings)
            print(
                f"{each.command:9} {each.recordings:10} {each.processor:12.1f} {each.passed:9.1f} "
                f"{each.megabytes:6.0f} {one:8.2f} {ratio:8.2f}",
                flush=True,
            )
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(each) for each in costs], indent=2) + "\n")


if __name__ == "__main__":
    main()
