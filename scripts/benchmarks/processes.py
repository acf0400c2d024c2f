"""Whole processes: the time of `train` beside its fit, the start-up, and anonymous memory."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.data import Material, baseline
from benchmarks.side import shell
from faultdiag.config.schema import Config
from faultdiag.preparing.prepare import prepare
from faultdiag.simulation.folder import simulate_folder
from faultdiag.system.files import write_text

FAULTDIAG = (sys.executable, "-m", "faultdiag")
# Overlap of 2048-sample windows: nearly total, and none.
STRIDES = (1, 2048)


def command_time(material: Material, rounds: int) -> dict[str, Any]:
    """Seconds from the prompt to the exit of `faultdiag train` on prepared data, and of its fit."""
    pairs = [_train(material.config, material.folder / f"run{i}") for i in range(rounds)]
    whole, fit = (statistics.median(column) for column in zip(*pairs, strict=True))
    bars = [1.3 * fit_ + 3 - whole_ for whole_, fit_ in pairs]
    return {"command_s": whole, "fit_s": fit, "bar_s": 1.3 * fit + 3, "met": min(bars) >= 0}


def _train(config: Path, run: Path) -> tuple[float, float]:
    command = [*FAULTDIAG, "train", "--config", str(config), "--run", str(run)]
    whole = _seconds(command, config.parent, 0)
    rows = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    return whole, sum(row["seconds"] for row in rows)


def start_up(folder: Path, rounds: int) -> dict[str, float]:
    """Seconds of whole processes that must answer at once, medians."""
    write_text(folder / "bad.yaml", "window: {length: long}\ntrain: {epochs: 0}\n")
    bad = [*FAULTDIAG, "train", "--config", "bad.yaml"]
    commands: list[tuple[str, Sequence[str], int]] = [
        ("help_s", [*FAULTDIAG, "--help"], 0),
        ("bad_config_s", bad, 1),
    ]
    times: dict[str, list[float]] = {name: [] for name, _, _ in commands}
    for _ in range(rounds):
        for name, command, expected in commands:
            times[name].append(_seconds(command, folder, expected))
    return {name: statistics.median(found) for name, found in times.items()}


def _seconds(command: Sequence[str], folder: Path, expected: int) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=shell()
    )
    seconds = time.perf_counter() - began
    if done.returncode != expected:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return seconds


def memory(folder: Path, sizes: Sequence[float]) -> list[dict[str, Any]]:
    """Anonymous memory of `train` above that on tiny recordings, for each size and overlap.

    Parameters
    ----------
    sizes
        Seconds of the ten recordings, at 12 kHz.
    """
    rows = []
    for stride in STRIDES:
        least, _ = _peak(folder / f"tiny-{stride}", 2.1, stride)
        for seconds in sizes:
            peak, config = _peak(folder / f"{seconds:g}-{stride}", seconds, stride)
            signals = prepare(config).signals.nbytes / 2**20
            above = peak - least
            row = {"stride": stride, "signals_mib": signals, "tiny_mib": least, "train_mib": peak}
            rows.append({**row, "above_tiny": above / signals, "met": above <= 1.5 * signals})
    return rows


def _peak(folder: Path, seconds: float, stride: int) -> tuple[float, Config]:
    """Peak of RssAnon in MiB while one epoch is trained, preparing included."""
    simulate_folder(folder / "recordings", seconds=seconds)
    config = baseline(folder, epochs=1, stride=stride)
    write_text(folder / "memory.yaml", config.to_yaml())
    command = [*FAULTDIAG, "train", "--config", "memory.yaml", "--run", "run"]
    child = subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=shell(),
    )
    peak = 0.0
    while child.poll() is None:
        peak = max(peak, anonymous(child.pid))
        time.sleep(0.005)
    if child.returncode:
        raise SystemExit(f"faultdiag train failed with exit code {child.returncode} in {folder}")
    return peak, config


def anonymous(pid: int) -> float:
    """Anonymous memory of a process in MiB; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")), 0.0)
