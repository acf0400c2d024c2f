"""Every attention block after block 2 of the baseline network, on other loads and other sizes.

    python scripts/ablation.py --root data/cwru --out runs/ablation [--seeds 3] [--jobs 2]

Trains on the CWRU drive-end faults (no healthy class: it has no size, and not every load), window
2048, stride 512, batches of 32, the epoch chosen on validation windows of the training recordings:

    loads   train at 3 hp, test at 0, 1 and 2 hp        nine classes, 10 epochs of 51 steps
    sizes   train on two fault sizes, test on the third three classes, 5 epochs of 134 steps,
            mean of the three folds

Every block stands in a residual slot, x + block(x). Finished cells are kept in OUT/cells.jsonl and
not trained again, so a killed run continues. The table goes to stdout and OUT/table.md.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from tqdm import tqdm

from faultdiag import models
from faultdiag.api.train import train
from faultdiag.attention import BLOCKS
from faultdiag.metrics.intervals import mean_interval
from faultdiag.models.describe import count
from faultdiag.models.layers import without_phases
from faultdiag.report.tables import format_table
from faultdiag.system.files import write_text

SIZES = ("007", "014", "021")
# Protocols with more windows get fewer epochs: about 600 steps each.
EPOCHS = {"loads": 10, "sizes": 5}


@dataclass(frozen=True)
class Cell:
    """One training: a block, a protocol, the group tested on, a seed."""

    block: str
    protocol: str
    test: str
    seed: int


def cells(blocks: list[str], seeds: int) -> Iterator[Cell]:
    """All trainings, seed by seed, so that a run cut short has every block equally often."""
    for seed in range(seeds):
        for block in blocks:
            yield Cell(block, "loads", "0,1,2", seed)
            for size in SIZES:
                yield Cell(block, "sizes", size, seed)


def slot(block: str) -> dict[str, Any] | None:
    """The attention slot of a block."""
    return None if block == "none" else {"name": block, "after": [2], "residual": True}


def config(cell: Cell, root: Path, out: Path) -> dict[str, Any]:
    """The whole config of a cell."""
    split: dict[str, Any] = {"strategy": "across_loads", "test": [0, 1, 2], "train": [3]}
    if cell.protocol == "sizes":
        split = {"strategy": "across_sizes", "test": [cell.test]}
    return {
        "seed": cell.seed,
        "data": {
            "root": str(root),
            "prepared": str(out / "prepared"),
            "select": {"group": "12k_DE", "size": list(SIZES), "clock": [None, 6]},
            "label": "{code}{size}" if cell.protocol == "loads" else "{code}",
            "healthy": [],
        },
        "window": {"length": 2048, "stride": 512},
        "split": split,
        "model": {"name": "wdcnn", "attention": slot(cell.block)},
        "train": {"epochs": EPOCHS[cell.protocol], "batch_size": 32, "threads": 1},
    }


def run_cell(cell: Cell, root: Path, out: Path) -> dict[str, Any]:
    """Train one cell and give its row."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = train(config(cell, root, out), run=Path(folder) / "run", device="auto")
    scores = run.metrics["test"]
    return {
        **asdict(cell),
        "accuracy": scores["accuracy"],
        "macro_f1": scores["macro_f1"],
        "windows": scores["windows"],
        "shared_samples": run.metrics["split"]["shared_samples"],
        "seconds": time.perf_counter() - began,
    }


def finish_cells(wanted: list[Cell], root: Path, out: Path, jobs: int) -> list[dict[str, Any]]:
    """Train whatever is not in ``cells.jsonl`` yet, and give all rows."""
    path = out / "cells.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines]
    done = {(r["block"], r["protocol"], r["test"], r["seed"]) for r in rows}
    open_ = [cell for cell in wanted if tuple(asdict(cell).values()) not in done]
    # Spawned, not forked: a forked child of a process that has used torch can hang.
    context = get_context("spawn")
    with ProcessPoolExecutor(jobs, context) as pool, path.open("a") as file:
        pending = [pool.submit(run_cell, cell, root, out) for cell in open_]
        for future in tqdm(as_completed(pending), "cells", total=len(pending), disable=None):
            rows.append(future.result())
            file.write(json.dumps(rows[-1]) + "\n")
            file.flush()
    return rows


def step_times(blocks: list[str], rounds: int = 15) -> dict[str, float]:
    """Milliseconds of a training step at batch 128 on one thread, as medians of rounds in turn."""
    torch.set_num_threads(1)
    networks = {b: models.build("wdcnn", 1, 10, length=2048, attention=slot(b)) for b in blocks}
    optimizers = {b: torch.optim.Adam(n.parameters(), fused=True) for b, n in networks.items()}
    x, y = torch.randn(128, 1, 2048), torch.randint(10, (128,))
    times: dict[str, list[float]] = {block: [] for block in blocks}
    for _ in range(rounds + 2):
        for block, network in networks.items():
            began = time.perf_counter()
            optimizers[block].zero_grad()
            torch.nn.functional.cross_entropy(network(x), y).backward()
            optimizers[block].step()
            times[block].append((time.perf_counter() - began) * 1e3)
    return {block: statistics.median(series[2:]) for block, series in times.items()}


def table(rows: list[dict[str, Any]], blocks: list[str]) -> str:
    """Accuracy by block: mean and standard deviation over seeds, with what the block costs."""
    milliseconds = step_times(blocks)
    body = []
    for block in blocks:
        network = models.build("wdcnn", 1, 10, length=2048, attention=slot(block)).eval()
        with without_phases():
            multiply_adds = count(network, torch.randn(1, 1, 2048))
        body.append(
            {
                "block": block,
                "loads": _spread(_by_seed(rows, block, "loads")),
                "sizes": _spread(_by_seed(rows, block, "sizes")),
                "parameters": sum(p.numel() for p in network.parameters()),
                "multiply_adds": f"{multiply_adds / 1e6:.3f}",
                "step": f"{milliseconds[block]:.1f}",
                "cost": f"{milliseconds[block] / milliseconds['none'] - 1:+.0%}",
            }
        )
    columns = {
        "block": "block",
        "loads": "3 → 0, 1, 2 hp, %",
        "sizes": "new size, %",
        "parameters": "parameters",
        "multiply_adds": "10⁶ multiply-adds",
        "step": "ms a step",
        "cost": "step against none",
    }
    return format_table(body, columns, markdown=True)


def _by_seed(rows: list[dict[str, Any]], block: str, protocol: str) -> list[float]:
    """Accuracy of each seed in percent: the mean over the folds of a protocol."""
    mine = [r for r in rows if r["block"] == block and r["protocol"] == protocol]
    seeds = sorted({r["seed"] for r in mine})
    return [100 * statistics.fmean(r["accuracy"] for r in mine if r["seed"] == s) for s in seeds]


def _spread(values: list[float]) -> str:
    if not values:
        return "-"
    result = mean_interval(values)
    if result.sd is None or result.low is None or result.high is None:
        return f"{result.mean:.1f}"
    low, high = max(result.low, 0), min(result.high, 100)  # the t interval knows no bounds
    return f"{result.mean:.1f} ± {result.sd:.1f} [{low:.0f}, {high:.0f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--root", type=Path, required=True, help="folder of the CWRU recordings")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--blocks", nargs="*", default=list(BLOCKS))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    blocks = ["none", *(block for block in arguments.blocks if block != "none")]
    wanted = list(cells(blocks, arguments.seeds))
    rows = finish_cells(wanted, arguments.root, arguments.out, arguments.jobs)
    text = table(rows, blocks)
    write_text(arguments.out / "table.md", text + "\n")
    print(text)


if __name__ == "__main__":
    main()
