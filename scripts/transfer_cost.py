"""The time of a training step with each transfer method beside one on the source alone.

    python scripts/transfer_cost.py [--rounds 20] [--out docs/results/transfer-cost.json]

WDCNN on windows of 2048 samples of simulated recordings, 32 of the source and 32 of the target in
a step (``none`` and ``shot``: 32), one thread. The methods take turns, a few steps each, so that
all of them see the same load of the machine; the figure is processor time, median over the turns.
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from faultdiag.config.schema import Config, parse_config
from faultdiag.inference import WindowBatches
from faultdiag.preparing.prepare import prepare
from faultdiag.simulation.folder import simulate_folder
from faultdiag.training.adaptation import target_windows
from faultdiag.training.loop import Trainer, adapting_trainer, trainer_settings
from faultdiag.training.specs import complete_spec, resolve_spec
from faultdiag.transfer import TRANSFER, kind_of

STEPS = 5  # of a turn
BATCH = 32
NONE = "none"


def config_of(root: Path, method: str) -> Config:
    return parse_config(
        {
            "data": {"dataset": "synthetic", "root": str(root), "prepared": str(root / "prepared")},
            "window": {"length": 2048, "stride": 64},
            "split": {"strategy": "across_loads", "train": [0], "test": [1]},
            "train": {"epochs": 2, "batch_size": BATCH, "threads": 1},
            "transfer": {"method": method},
        }
    )


class Stop(Exception):  # noqa: N818  # the end of a turn, no error
    """Enough steps."""


class Timed:
    """A training that can be continued by a few steps."""

    def __init__(self, root: Path, method: str) -> None:
        config = config_of(root, method)
        prepared = prepare(config)
        spec, _ = complete_spec(resolve_spec(config), prepared)
        torch.manual_seed(0)
        network, device = spec.build(), torch.device("cpu")
        parts = prepared.windows.of("train"), prepared.windows.of("valid")
        train, valid = (WindowBatches(prepared, part, device) for part in parts)
        options: dict[str, Any] = {"on_step": self._count}
        if method == NONE:
            self.trainer = Trainer(network, train, valid, trainer_settings(config), **options)
        else:
            options |= {"target": target_windows(prepared, device)}
            classes = len(prepared.classes)
            self.trainer = adapting_trainer(
                network, config, train=train, valid=valid, classes=classes, **options
            )
        self._steps = 0

    def _count(self, _: Trainer) -> None:
        self._steps += 1
        if self._steps % STEPS == 0:
            raise Stop

    def turn(self) -> float:
        """Return the processor time of a step in ms."""
        began = time.process_time()
        with contextlib.suppress(Stop):
            self.trainer.learn()
        return 1000 * (time.process_time() - began) / STEPS


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    methods = [NONE, *(name for name in TRANSFER if kind_of(name) != "statistics")]
    with tempfile.TemporaryDirectory() as folder:
        simulate_folder(Path(folder), seconds=4.0, loads=(0, 1))
        timed = {name: Timed(Path(folder), name) for name in methods}
        times: dict[str, list[float]] = {name: [] for name in methods}
        for number in range(options.rounds + 1):
            for name, training in timed.items():
                taken = training.turn()
                if number:  # the first turn builds what stays
                    times[name].append(taken)
    alone = statistics.median(times[NONE])
    rows = [
        [name, round(median, 1), f"{median / alone:.1f}"]
        for name in methods
        for median in [statistics.median(times[name])]
    ]
    document = {
        "command": f"python scripts/transfer_cost.py --rounds {options.rounds}; WDCNN, 32 windows "
        "of each domain, processor time on one thread, methods taking turns",
        "columns": ["method", "ms per step", "times source only"],
        "rows": rows,
    }
    text = json.dumps(document, indent=1) + "\n"
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
