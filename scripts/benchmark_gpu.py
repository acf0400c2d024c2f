"""Training on a CUDA device: the baseline fit, and windows per second beside their bounds.

    python scripts/benchmark_gpu.py [--rounds N] [--json FILE]
    python scripts/benchmark_gpu.py --device cpu --quick

Prints the time of the 20-epoch fit of the baseline (10 classes, 700 training windows each, 2048
samples, batches of 128), with CUDA graphs and without, and what `deterministic` costs; then the
windows per second of wdcnn and resnet1d at batches of 128 and 8192. The launch bound is the number
of kernels of a step times the time of a tiny one; the memory bound is the bytes that the
operations of a step touch, each tensor once per operation, over the bandwidth of a large copy.
"""

import argparse
import datetime
import io
import itertools
import os
import sys
import tempfile
from contextlib import redirect_stderr
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_bounds import (
    Limits,
    extrapolated,
    kernels_of,
    launch_bound,
    measure_limits,
    memory_bound,
    seconds,
    synchronise,
    touched_bytes,
)

from faultdiag import models
from faultdiag.checkpoint import package_versions
from faultdiag.config.schema import parse_config
from faultdiag.errors import FaultdiagError
from faultdiag.inference import WindowBatches, select_device
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.prepare import prepare
from faultdiag.simulation.folder import simulate_folder
from faultdiag.system.files import write_json
from faultdiag.training.gpu import set_precision
from faultdiag.training.loop import Settings, Trainer

CPU = torch.device("cpu")
# With CUDA graphs, these and cuDNN's search for the fastest algorithms, and neither.
MODES = ("graphs", "search", "eager")
PRECISIONS = ("float32", "tf32", "bfloat16")
# Batches at which the bytes of a step are counted, on the CPU.
COUNTED = (16, 32)


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    seconds: float
    per_class: int
    epochs: int
    batches: tuple[int, ...]
    steps: int
    rounds: int


FULL = Extent(seconds=10.0, per_class=1000, epochs=20, batches=(128, 8192), steps=10, rounds=5)
QUICK = Extent(seconds=4.0, per_class=20, epochs=1, batches=(8,), steps=2, rounds=1)


def baseline_data(folder: Path, extent: Extent) -> Prepared:
    """Simulate a recording per class and prepare it."""
    simulate_folder(folder / "recordings", seconds=extent.seconds)
    config = {
        "data": {
            "dataset": "synthetic",
            "root": str(folder / "recordings"),
            "prepared": str(folder / "prepared"),
        },
        "window": {"length": 2048, "per_class": extent.per_class},
        "model": {"name": "wdcnn"},
    }
    return prepare(parse_config(config))


class Bench:
    """Trainings on a device, timed."""

    def __init__(self, prepared: Prepared, device: torch.device, extent: Extent) -> None:
        self.prepared = prepared
        self.device = device
        self.extent = extent

    def trainer(
        self,
        name: str,
        batch: int,
        *,
        device: torch.device | None = None,
        windows: int | None = None,
        **changes: Any,
    ) -> Trainer:
        """Return a training of so many windows an epoch, by default the training part."""
        device = device or self.device
        torch.manual_seed(0)
        slot = {"name": "eca", "after": [2], "residual": True} if name == "wdcnn" else None
        classes = len(self.prepared.classes)
        network = models.build(name, 1, classes, length=2048, attention=slot).to(device)
        every = self.prepared.windows.of("train")
        train = every if windows is None else every.take(np.arange(windows) % len(every))
        batches, valid = (
            WindowBatches(self.prepared, part, device)
            for part in (train, self.prepared.windows.of("valid"))
        )
        values = {"epochs": self.extent.epochs, "precision": "float32", **changes}
        settings = Settings(
            batch_size=batch,
            optimizer="adam",
            learning_rate=1e-3,
            l2=1e-4,
            seed=0,
            **values,
        )
        return Trainer(network, batches, valid, settings)

    def fit_seconds(
        self, *, graphs: str, deterministic: bool = False, search: bool = False
    ) -> dict[str, float]:
        """Time the baseline fit: the first of its kind in this process, and the next ones.

        `search` lets cuDNN time its algorithms and take the fastest, which faultdiag does not.
        """
        set_precision(self.device, "float32", deterministic=deterministic)
        torch.backends.cudnn.benchmark = search

        def fit() -> None:
            with redirect_stderr(io.StringIO()):
                self.trainer("wdcnn", 128, graphs=graphs).fit(lambda *_: None)

        found = [seconds(fit, self.device, 1) for _ in range(1 + self.extent.rounds)]
        return {"first": found[0], "median": float(np.median(found[1:]))}

    def fits(self) -> dict[str, Any]:
        """Time the baseline fit in every way there is."""
        if self.device.type != "cuda":
            return {"eager": self.fit_seconds(graphs="off")}
        rows = {
            "graphs": self.fit_seconds(graphs="on"),
            "eager": self.fit_seconds(graphs="off"),
            "graphs_search": self.fit_seconds(graphs="on", search=True),
            "graphs_deterministic": self.fit_seconds(graphs="on", deterministic=True),
        }
        cost = rows["graphs_deterministic"]["median"] / rows["graphs"]["median"]
        return {**rows, "deterministic_cost": cost}

    def step(self, name: str, batch: int, precision: str, limits: Limits) -> dict[str, Any]:
        """Time steps with graphs and without, beside their bounds."""
        set_precision(self.device, precision, deterministic=False)
        row: dict[str, Any] = {"network": name, "batch": batch, "precision": precision}
        # The last is without graphs: every kernel is started by itself, and can be counted.
        for key in MODES if self.device.type == "cuda" else MODES[-1:]:
            torch.backends.cudnn.benchmark = key == "search"
            trainer = self.trainer(
                name,
                batch,
                windows=batch * self.extent.steps,
                graphs="off" if key == "eager" else "on",
                precision=precision,
            )
            trainer.learn()
            took = seconds(trainer.learn, self.device, self.extent.rounds) / self.extent.steps
            row[f"{key}_step_s"], row[f"{key}_windows_per_s"] = took, batch / took
        kernels = round(kernels_of(trainer.learn, self.device) / self.extent.steps)
        touched = self.touched(name, batch, precision)
        row |= {
            "kernels_per_step": kernels,
            "bytes_per_step": touched,
            "launch_bound_s": launch_bound(kernels, limits.launch_us),
            "memory_bound_s": memory_bound(touched, limits.bandwidth),
        }
        if limits.node_us is not None:
            row["graph_launch_bound_s"] = launch_bound(kernels, limits.node_us)
        return row

    def touched(self, name: str, batch: int, precision: str) -> float:
        """Estimate the bytes that a step touches from two small ones on the CPU."""
        counts = []
        for small in COUNTED:
            trainer = self.trainer(name, small, device=CPU, windows=small, precision=precision)
            counts.append(float(touched_bytes(trainer.learn)))
        return extrapolated(COUNTED, (counts[0], counts[1]), batch)


def run(device: torch.device, extent: Extent, *, quick: bool) -> dict[str, Any]:
    """Measure everything."""
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(baseline_data(Path(name), extent), device, extent)
        synchronise(device)
        # Before anything else, so that the first fit starts the libraries, as a user's does.
        fits = bench.fits()
        limits = measure_limits(
            device, kernels=100 if quick else 1000, copied=2**22 if quick else 2**31
        )
        cases = itertools.product(("wdcnn", "resnet1d"), extent.batches, PRECISIONS)
        steps = [bench.step(*case, limits) for case in cases]
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "versions": package_versions(),
        "cuda": torch.version.cuda,
        "limits": asdict(limits),
        "fit": fits,
        "steps": steps,
    }


def show(result: dict[str, Any], extent: Extent) -> None:
    """Print what was measured."""
    limits = result["limits"]
    node = "" if limits["node_us"] is None else f", {limits['node_us']:.2f} us in a graph"
    print(f"{result['device']}, torch {result['versions']['torch']}, {result['date']}")
    print(f"a tiny kernel: {limits['launch_us']:.2f} us{node}", end="; ")
    print(f"a large copy: {limits['bandwidth'] / 1e9:,.0f} GB/s read and written")
    for name, row in result["fit"].items():
        if name == "deterministic_cost":
            print(f"deterministic: {row:.2f} times the time")
        else:
            print(
                f"{extent.epochs}-epoch baseline fit, {name}: {row['median']:.3f} s "
                f"(the first {row['first']:.3f} s)"
            )
    for row in result["steps"]:
        print(_line(row))


def _line(row: dict[str, Any]) -> str:
    speeds = [
        f"{key} {row[f'{key}_windows_per_s']:,.0f} windows/s ({row[f'{key}_step_s'] * 1e3:.3f} ms)"
        for key in MODES
        if f"{key}_step_s" in row
    ]
    graph = row.get("graph_launch_bound_s")
    inside = "" if graph is None else f", in a graph {graph * 1e3:.3f} ms"
    return (
        f"{row['network']} batch {row['batch']} {row['precision']}: {', '.join(speeds)}; "
        f"{row['kernels_per_step']} kernels, launch bound {row['launch_bound_s'] * 1e3:.3f} ms"
        f"{inside}; {row['bytes_per_step'] / 1e6:,.1f} MB, memory bound "
        f"{row['memory_bound_s'] * 1e3:.3f} ms"
    )


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="a little of everything, to try it")
    parser.add_argument("--rounds", type=int, default=FULL.rounds)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    try:
        device = select_device(arguments.device)
    except FaultdiagError as error:
        sys.exit(f"{error}; --device cpu --quick tries the benchmark out without one")
    quick = arguments.quick or device.type == "cpu"
    extent = QUICK if quick else Extent(**asdict(FULL) | {"rounds": arguments.rounds})
    result = run(device, extent, quick=quick)
    show(result, extent)
    if arguments.json:
        write_json(arguments.json, result)


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    main()
