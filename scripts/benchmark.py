"""Training and inference of faultdiag beside a plain PyTorch loop, in one run.

    python scripts/benchmark.py [--rounds 5] [--threads 2] [--json FILE]

Both sides get the same windows (10 classes, 700 training windows each, 2048 samples), the same
network (WDCNN with ECA after block 2) and batch size. Rounds alternate; medians and the ratio of
each pair of rounds are printed. Machines are shared and noisy: quote the ratios.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from faultdiag.attention import build as build_block
from faultdiag.checkpoint import build_network
from faultdiag.config import Config, parse_config
from faultdiag.files import write_json, write_text
from faultdiag.inference import WindowBatches, logits_of
from faultdiag.prepared import Prepared, gather
from faultdiag.preparing import prepare
from faultdiag.simulation import simulate_folder
from faultdiag.training.loop import Settings, Trainer
from faultdiag.training.specs import model_spec

Work = Callable[[], object]

CPU = torch.device("cpu")
BATCH = 128


class PlainWDCNN(nn.Module):
    """The baseline network as one would write it down: Conv1d, BatchNorm1d, MaxPool1d."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.first = nn.Sequential(*_block(1, 16, 64, 16, 24), *_block(16, 32, 3, 1, 1))
        self.attention = build_block("eca", 32)
        self.second = nn.Sequential(
            *_block(32, 64, 3, 1, 1), *_block(64, 64, 3, 1, 1), *_block(64, 64, 3, 1, 1)
        )
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(256, 100), nn.ReLU(), nn.Linear(100, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits of windows."""
        x = self.first(x)
        x = x + self.attention(x)
        return self.head(self.second(x))  # type: ignore[no-any-return]  # Sequential is untyped


def _block(inside: int, out: int, kernel: int, stride: int, padding: int) -> list[nn.Module]:
    return [
        nn.Conv1d(inside, out, kernel, stride, padding),
        nn.BatchNorm1d(out, eps=1e-3, momentum=0.01),
        nn.ReLU(),
        nn.MaxPool1d(2),
    ]


def benchmark_config(folder: Path) -> Config:
    """Simulate ten recordings and give the config of the baseline on them."""
    simulate_folder(folder / "recordings", seconds=10.0)
    return parse_config(
        {
            "data": {
                "dataset": "synthetic",
                "root": str(folder / "recordings"),
                "prepared": str(folder / "prepared"),
            },
            "window": {"length": 2048, "per_class": 1000},
            "model": {
                "name": "wdcnn",
                "attention": {"name": "eca", "after": [2], "residual": True},
            },
            "train": {"epochs": 1, "batch_size": BATCH},
        }
    )


def plain_training(prepared: Prepared) -> Work:
    """One epoch of a plain DataLoader loop over an array of all windows."""
    windows = prepared.windows.of("train")
    x = torch.from_numpy(gather(prepared.signals, prepared.positions(windows), prepared.length))
    x = (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True)
    y = torch.from_numpy(windows.label.astype("int64"))
    loader = DataLoader(TensorDataset(x, y), batch_size=BATCH, shuffle=True)
    network = PlainWDCNN(len(prepared.classes))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=2e-4)
    criterion = nn.CrossEntropyLoss()

    def epoch() -> None:
        network.train()
        for windows_, labels in loader:
            optimizer.zero_grad()
            criterion(network(windows_), labels).backward()
            optimizer.step()

    return epoch


def our_training(config: Config, prepared: Prepared) -> Work:
    """One epoch of faultdiag's own loop, without its validation."""
    network = build_network(model_spec(config, len(prepared.classes)))
    settings = Settings(1, BATCH, "adam", 1e-3, 1e-4, "float32", 0)
    train, valid = (
        WindowBatches(prepared, prepared.windows.of(part), CPU) for part in ("train", "valid")
    )
    trainer = Trainer(network, train, valid, settings)
    return trainer.learn


def inference_pair(config: Config, prepared: Prepared) -> tuple[Work, Work]:
    """The same network over all training windows: plainly in batches of 512, and ours."""
    windows = prepared.windows.of("train")
    x = torch.from_numpy(gather(prepared.signals, prepared.positions(windows), prepared.length))
    plain = PlainWDCNN(len(prepared.classes)).eval()
    network = build_network(model_spec(config, len(prepared.classes))).eval()
    batches = WindowBatches(prepared, windows, CPU)

    @torch.inference_mode()
    def plainly() -> None:
        for batch in x.split(512):
            plain((batch - batch.mean(-1, keepdim=True)) / batch.std(-1, keepdim=True))

    return plainly, lambda: logits_of(network, batches)


def compare(plain: Work, ours: Work, rounds: int, windows: int) -> Any:
    """Time both in turn and give windows per second and the ratio, as medians."""
    plain()  # not counted: caches and memory pools fill
    ours()
    pairs = [(_seconds(plain), _seconds(ours)) for _ in range(rounds)]
    return {
        "plain_windows_per_s": windows / statistics.median(p for p, _ in pairs),
        "faultdiag_windows_per_s": windows / statistics.median(o for _, o in pairs),
        "ratio": statistics.median(p / o for p, o in pairs),
        "ratios": sorted(p / o for p, o in pairs),
    }


def _seconds(work: Work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def peak_memory(config: Config, folder: Path) -> dict[str, float]:
    """Peak resident and anonymous memory in MiB of `faultdiag train` as a process of its own."""
    write_text(folder / "benchmark.yaml", config.to_yaml())
    command = [sys.executable, "-m", "faultdiag", "train", "--config", "benchmark.yaml"]
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    peaks = {"resident_mib": 0.0, "anonymous_mib": 0.0}
    while child.poll() is None:
        for name, key in (("resident_mib", "VmRSS"), ("anonymous_mib", "RssAnon")):
            peaks[name] = max(peaks[name], _status(child.pid, key))
        time.sleep(0.01)
    if child.returncode:
        raise SystemExit(f"faultdiag train failed with exit code {child.returncode}")
    return peaks


def _status(pid: int, key: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(key)), 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = benchmark_config(folder)
        prepared = prepare(config)
        count = len(prepared.windows.of("train"))
        result = {
            "threads": arguments.threads,
            "training": compare(
                plain_training(prepared), our_training(config, prepared), arguments.rounds, count
            ),
            "inference": compare(*inference_pair(config, prepared), arguments.rounds, count),
            "memory_of_train": peak_memory(config, folder),
            "signals_mib": prepared.signals.nbytes / 2**20,
        }
    for kind in ("training", "inference"):
        row = result[kind]
        print(
            f"{kind}: plain loop {row['plain_windows_per_s']:,.0f} windows/s, faultdiag "
            f"{row['faultdiag_windows_per_s']:,.0f} windows/s, ratio {row['ratio']:.2f} "
            f"({row['ratios'][0]:.2f} to {row['ratios'][-1]:.2f} over {arguments.rounds} rounds)"
        )
    memory = result["memory_of_train"]
    print(
        f"train as a process: peak {memory['resident_mib']:.0f} MiB resident, "
        f"{memory['anonymous_mib']:.0f} MiB anonymous; its signals {result['signals_mib']:.1f} MiB"
    )
    if arguments.json:
        write_json(arguments.json, result)


if __name__ == "__main__":
    main()
