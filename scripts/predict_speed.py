"""`faultdiag predict` on many recordings beside a plain script and the machine's bound, in one run.

    python scripts/predict_speed.py [--recordings 2000] [--jobs 2] [--rounds 3] [--folder DIR]

The recordings are files of CWRU's kind (uncompressed doubles, all channels of the rig), 10 s at
12 kHz: a few simulated ones, each file with another gain and another beginning. Every side is a
process of its own, and sides alternate:

- plain: loadmat, reshape, z-score, the network as one would write it down, in batches of 512,
  with as many threads as there are cores
- predict: faultdiag predict --jobs
- bound: two processes of one thread each, which read and cut their half of the files, and when
  both have done that, pass the windows through faultdiag's network in full batches; novelty is
  scored with the reading. The bound is the time of the slower one in each of the two stages, both
  added: every core busy, no overhead.

Throughput is that of the last nine tenths: the time of all recordings less that of a tenth of
them, which takes out the start of the processes (it is given too). Memory is the largest sum of
the resident memory of a process and its children, every half second. Quote ratios, not seconds.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
from torch import nn
from trained_model import WDCNN, train_model

from faultdiag import load
from faultdiag.prediction.events import Windows
from faultdiag.prediction.reading import ReadRequest, read_events
from faultdiag.simulation.folder import simulate_folder
from faultdiag.system.processes import inherited, keep_freed_memory

RATE, LENGTH, CHANNEL, BATCH = 12_000, 2048, "DE_time", 512


def make_recordings(folder: Path, count: int) -> None:
    """Write this number of files, all different, and a run to diagnose them with."""
    from scipy.io import loadmat, savemat

    simulate_folder(folder / "base", seconds=10.0)
    base = []
    for path in sorted((folder / "base").glob("*.mat")):
        found = loadmat(path)
        arrays = {name: x for name, x in found.items() if not name.startswith("__")}
        # The healthy one is at 48 kHz, and a plain script does not resample.
        if len(arrays[next(n for n in arrays if n.endswith(CHANNEL))]) <= 10 * RATE:
            base.append(arrays)
    (folder / "many").mkdir()
    for number in range(count):
        arrays = base[number % len(base)]
        moved = {
            name: np.roll(x, 131 * number, axis=0) * (1 + 1e-4 * number) if x.size > 1 else x
            for name, x in arrays.items()
        }
        savemat(folder / "many" / f"{number}.mat", moved)
    train_model(folder, WDCNN, length=LENGTH, per_class=100)


def _block(inside: int, out: int, kernel: int, stride: int, padding: int) -> list[nn.Module]:
    convolution = nn.Conv1d(inside, out, kernel, stride, padding)
    return [convolution, nn.BatchNorm1d(out), nn.ReLU(), nn.MaxPool1d(2)]


class _Attention(nn.Module):
    """Efficient channel attention beside a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv1d(1, 1, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Weigh the channels and add."""
        weights: torch.Tensor = self.mix(x.mean(-1, keepdim=True).transpose(1, 2)).sigmoid()
        return x + x * weights.transpose(1, 2)


def plain_network(classes: int) -> nn.Module:
    """The network of the run as one would write it down; its weights don't matter here."""
    return nn.Sequential(
        *(*_block(1, 16, 64, 16, 24), *_block(16, 32, 3, 1, 1), _Attention()),
        *(*_block(32, 64, 3, 1, 1), *_block(64, 64, 3, 1, 1), *_block(64, 64, 3, 1, 1)),
        *(nn.Flatten(), nn.LazyLinear(100), nn.ReLU(), nn.Linear(100, classes)),
    ).eval()


@torch.inference_mode()
def plainly(files: list[str], out: Path) -> None:
    """Diagnose files as a plain script does."""
    from scipy.io import loadmat

    network = plain_network(10)
    waiting: list[np.ndarray[Any, Any]] = []
    counts: list[int] = []
    found: list[torch.Tensor] = []

    def infer(windows: np.ndarray[Any, Any]) -> None:
        for batch in torch.from_numpy(windows).split(BATCH):
            x = (batch - batch.mean(-1, keepdim=True)) / batch.std(-1, keepdim=True)
            found.append(network(x).softmax(-1))

    for file in files:
        content = loadmat(file)
        signal = next(x for name, x in content.items() if name.endswith(CHANNEL))[:, 0]
        windows = signal[: len(signal) // LENGTH * LENGTH].astype(np.float32)
        waiting.append(windows.reshape(-1, 1, LENGTH))
        counts.append(len(waiting[-1]))
        if sum(map(len, waiting)) >= BATCH:
            infer(np.concatenate(waiting))
            waiting = []
    if waiting:
        infer(np.concatenate(waiting))
    rows = [p.mean(0).tolist() for p in torch.cat(found).split(counts)]
    with out.open("w", encoding="utf-8") as stream:
        csv.writer(stream).writerows([f, *row] for f, row in zip(files, rows, strict=True))


def _half(run: str, files: list[str], ready: Any, results: Any) -> None:
    """One process of the bound: reads its files, waits for the other, infers."""
    torch.set_num_threads(1)
    keep_freed_memory()
    diagnoser = load(run, device="cpu")
    ready.wait()
    began = time.perf_counter()
    requests = [ReadRequest(Path(file), None, RATE) for file in files]
    read = [event for r in requests for event in read_events(r, diagnoser.input)]
    reading = time.perf_counter() - began
    windows = [e.values.reshape(-1, 1, LENGTH) for e in read if isinstance(e, Windows)]
    whole = np.concatenate(windows)
    ready.wait()
    began = time.perf_counter()
    size = diagnoser.scorer.batch
    for first in range(0, len(whole), size):
        diagnoser.logits(whole[first : first + size])
    results.put((reading, time.perf_counter() - began))


def bound(run: Path, files: list[str]) -> dict[str, float]:
    """Seconds of reading and of inference, each with both cores busy and nothing else to do."""
    context = get_context("spawn")
    ready, results = context.Barrier(2), context.Queue()
    halves = [files[::2], files[1::2]]
    processes = [
        context.Process(target=_half, args=(str(run), half, ready, results)) for half in halves
    ]
    # Else each of the two computes on all cores, and waits for the other.
    with inherited():
        for process in processes:
            process.start()
    times = [results.get() for _ in processes]
    for process in processes:
        process.join()
    return {"reading": max(t[0] for t in times), "inference": max(t[1] for t in times)}


def measured(command: list[str]) -> tuple[float, float]:
    """Run a command; give its seconds and the peak of its resident memory in MiB."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0.0
    # Adding up the pages of three processes takes milliseconds of a core that they need.
    while process.poll() is None:
        peak = max(peak, sum(map(_resident, _family(process.pid))))
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.5)
    if process.returncode:
        raise SystemExit(f"{' '.join(command[:6])} … failed with exit code {process.returncode}")
    return time.perf_counter() - began, peak


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(member for child in children for member in _family(int(child)))]


def _resident(pid: int) -> float:
    try:
        # Of pages that several processes share, each counts its share.
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def one_round(folder: Path, files: list[str], jobs: int) -> dict[str, Any]:
    """Measure every side on some files."""
    listed = folder / "files.json"
    listed.write_text(json.dumps(files))
    chosen = folder / "chosen"
    chosen.write_text("path\n" + "".join(f"{file}\n" for file in files))
    manifest = chosen.rename(folder / "chosen.csv")
    itself = [sys.executable, __file__, "--side", "plain", "--files", str(listed)]
    plain = measured([*itself, "--folder", str(folder)])
    command = [sys.executable, "-m", "faultdiag", "predict", str(folder / "run"), str(manifest)]
    options = ["--sampling-rate", str(RATE), "--out", str(folder / "rows.csv")]
    ours = measured([*command, *options, "--jobs", str(jobs)])
    return {"plain": plain, "predict": ours, "bound": bound(folder / "run", files)}


def summary(small: dict[str, Any], large: dict[str, Any]) -> dict[str, float]:
    """The ratios of one round."""
    plain, ours = (large[side][0] - small[side][0] for side in ("plain", "predict"))
    least = sum(large["bound"].values()) - sum(small["bound"].values())
    return {
        "times the plain script": plain / ours,
        "share of the bound": least / ours,
        "times the plain script, with starting": large["plain"][0] / large["predict"][0],
        "memory of all over a tenth": large["predict"][1] / small["predict"][1],
    }


def compare(folder: Path, count: int, jobs: int, rounds: int) -> None:
    files = [str(folder / "many" / f"{number}.mat") for number in range(count)]
    found = []
    for number in range(rounds):
        small = one_round(folder, files[: count // 10], jobs)
        large = one_round(folder, files, jobs)
        found.append(summary(small, large))
        for name, sides in ((f"{count // 10}", small), (f"{count}", large)):
            print(f"round {number + 1}, {name} recordings: {json.dumps(sides)}", flush=True)
        print(f"  {json.dumps(found[-1])}", flush=True)
    print(f"medians of {rounds} rounds, load {os.getloadavg()}:")
    for name in found[0]:
        values = sorted(row[name] for row in found)
        print(f"  {name}: {statistics.median(values):.2f} ({values[0]:.2f} to {values[-1]:.2f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--recordings", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="kept and used again; else a temporary one")
    parser.add_argument("--side", choices=["plain"], help=argparse.SUPPRESS)
    parser.add_argument("--files", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        plainly(json.loads(arguments.files.read_text()), arguments.folder / "plain.csv")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.folder or Path(name)
        if not (folder / "run").exists():
            folder.mkdir(parents=True, exist_ok=True)
            make_recordings(folder, arguments.recordings)
        compare(folder, arguments.recordings, arguments.jobs, arguments.rounds)


if __name__ == "__main__":
    main()
