"""`faultdiag watch` over thousands of files that arrive, killed and started again on the way.

    python scripts/watch_many.py [--files 10000] [--kills 5]

Small recordings are written beside the folder and renamed into it, every hundredth one cut off. The
command is killed (SIGKILL) at shares of the files and started again. At the end there must be one
row for every file, those of the cut files with an error. Memory is that of the process with all
files, beside that with one. The exit code is 1 if a row is lost or repeated, or if a file takes
more than 2 kB of memory.
"""

import argparse
import csv
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
from trained_model import train_model

from faultdiag.api.export import export_run
from faultdiag.simulation.folder import simulate_folder

LENGTH, RATE, BROKEN = 256, 12_000, 100
MOST_GROWTH = 2.0  # kB a file: what is remembered of each is its path, size and time


def make_model(folder: Path) -> Path:
    """Train a tiny model on simulated recordings and export it."""
    simulate_folder(folder / "base", seconds=1.0)
    train_model(folder, {"name": "cnn1d"}, length=LENGTH, per_class=20)
    export_run(folder / "run", out=folder / "model.onnx")
    return folder / "model.onnx"


def deliver(arriving: Path, spool: Path, first: int, last: int) -> None:
    """Write recordings beside the folder and rename them into it."""
    draw = np.random.default_rng(first)
    for number in range(first, last):
        buffer = io.BytesIO()
        np.save(buffer, draw.standard_normal(2 * LENGTH).astype(np.float32))
        content = buffer.getvalue()
        path = spool / f"{number:06d}.npy"
        path.write_bytes(content[:200] if number % BROKEN == 0 else content)
        path.rename(arriving / path.name)


class Watch:
    """The command, which can be killed and started again."""

    def __init__(self, model: Path, arriving: Path, out: Path) -> None:
        words = [model, arriving, "--out", out, "--every", "0.2", "--sampling-rate", RATE]
        self._command = [sys.executable, "-m", "faultdiag", "watch", *map(str, words), "--quiet"]
        self.out = out
        self.start()

    def start(self) -> None:
        """Start the command."""
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        """Kill it without a warning."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def rows(self) -> int:
        """Return how many rows are there."""
        if not self.out.exists():
            return 0
        return max(self.out.read_bytes().count(b"\n") - 1, 0)

    def wait_for(self, rows: int) -> None:
        """Wait until there are so many rows."""
        while self.rows() < rows:
            if self.process.poll() is not None:
                raise SystemExit(f"watch ended with exit code {self.process.returncode}")
            time.sleep(0.1)

    def memory(self) -> float:
        """Return its resident memory in kB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith("VmRSS:")))


def problems(out: Path, files: int, growth: float) -> list[str]:
    """Return what is wrong with the rows at the end."""
    with out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    counts = Counter(Path(row["path"]).name for row in rows)
    failed = sum(row["status"] == "error" for row in rows)
    wrong = []
    if repeated := sum(count > 1 for count in counts.values()):
        wrong.append(f"{repeated} files have two rows")
    if len(counts) != files:
        wrong.append(f"{files - len(counts)} files have no row")
    if failed != len(range(0, files, BROKEN)):
        wrong.append(f"{failed} rows are errors, {len(range(0, files, BROKEN))} files are cut off")
    if growth > MOST_GROWTH:
        wrong.append(f"memory grew by {growth:.2f} kB a file")
    return wrong


def observe(folder: Path, files: int, kills: int) -> list[str]:
    """Let files arrive, kill the command on the way, and return what went wrong."""
    arriving, spool = folder / "arriving", folder / "spool"
    arriving.mkdir()
    spool.mkdir()
    watch = Watch(make_model(folder), arriving, folder / "rows.csv")
    began = time.monotonic()
    shares = np.linspace(0, files, kills + 1).round().astype(int).tolist()
    for number, (first, last) in enumerate(pairwise(shares)):
        deliver(arriving, spool, first, last)
        watch.wait_for(first + (last - first) // 2)
        watch.kill()
        watch.start()
        print(f"kill {number + 1}: {watch.rows()} rows of {last} files", flush=True)
    watch.wait_for(files)
    time.sleep(1.0)  # a row too many would come now
    whole = watch.memory()
    seconds = time.monotonic() - began
    watch.kill()
    small = memory_alone(folder)
    growth = (whole - small) / files
    print(f"{files} files, {kills} kills, {seconds:.0f} s")
    print(f"memory {whole / 1024:.0f} MiB, {small / 1024:.0f} MiB with one file")
    return problems(watch.out, files, growth)


def memory_alone(folder: Path) -> float:
    """Return the memory of the command in a folder with one file."""
    alone = folder / "alone"
    alone.mkdir()
    deliver(alone, folder / "spool", 1, 2)
    single = Watch(folder / "model.onnx", alone, folder / "alone.csv")
    single.wait_for(1)
    memory = single.memory()
    single.kill()
    return memory


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=5)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        wrong = observe(Path(folder), options.files, options.kills)
    for text in wrong:
        print(text)
    print("every file has one row" if not wrong else "failed")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
