"""Cells of `faultdiag protocol` side by side against one after another, in one run.

    python scripts/protocol_speed.py [--config configs/protocol_quick.yaml] [--root data/simulated]
        [--jobs 2] [--seeds 4] [--rounds 2]

Both sides train the same cells: every network of the config on its first protocol, without
noise, with so many seeds (8 cells for two networks and four seeds). One side has --jobs processes
of one thread, started in each round; the other is one process with --jobs threads. Both start
with all data prepared, and the time is that of the cells. Rounds alternate; each ratio is that of
a pair of rounds. Quote the ratio, and say what else ran.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch

from faultdiag.protocol.cell import run_cell
from faultdiag.protocol.plan import Plan, read_plan
from faultdiag.protocol.run import finish
from faultdiag.simulation.folder import simulate_folder


def planned(config: Path, root: Path, prepared: Path, seeds: int) -> Plan:
    """The networks of a config on its first protocol."""
    settings = [f"data.root={root}", f"data.prepared={prepared}", "protocol.noise=[]"]
    plan = read_plan(config, settings, seeds)
    cells = tuple(cell for cell in plan.cells if cell.protocol == plan.protocols[0])
    return Plan(**{**vars(plan), "cells": cells})


def seconds(plan: Plan, jobs: int) -> float:
    """Time of all cells, none of them finished before."""
    with tempfile.TemporaryDirectory() as out:
        began = time.perf_counter()
        results, _ = finish(plan, out=Path(out), jobs=jobs, device="cpu", work=run_cell)
        took = time.perf_counter() - began
    failed = [row["reason"] for _, row in results if "reason" in row]
    if failed:
        raise SystemExit(f"a cell failed, so there is nothing to compare: {failed[0]}")
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--config", type=Path, default=Path("configs/protocol_quick.yaml"))
    parser.add_argument("--root", type=Path, help="simulated recordings; made unless given")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = arguments.root or Path(folder) / "recordings"
        if arguments.root is None:
            simulate_folder(root, loads=[0, 1])
        plan = planned(arguments.config, root, Path(folder) / "prepared", arguments.seeds)
        torch.set_num_threads(arguments.jobs)
        finish(  # Prepares the data, and warms this process up.
            Plan(**{**vars(plan), "cells": plan.cells[:1]}),
            out=Path(folder) / "first",
            jobs=1,
            device="cpu",
        )
        pairs = []
        for number in range(arguments.rounds):
            apart = seconds(plan, arguments.jobs)
            serial = seconds(plan, 1)
            pairs.append((apart, serial))
            print(
                f"round {number + 1}: {len(plan.cells)} cells, {arguments.jobs} processes of one "
                f"thread {apart:.1f} s, one process of {arguments.jobs} threads {serial:.1f} s: "
                f"{apart / serial:.0%}"
            )
        print(f"median ratio {statistics.median(a / s for a, s in pairs):.0%}")
        print(f"load of the machine in the last minutes: {os.getloadavg()}")


if __name__ == "__main__":
    main()
