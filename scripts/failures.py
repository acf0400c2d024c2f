"""Name the test recordings that the rows of a protocol get wrong.

    python scripts/failures.py configs/protocol_cwru.yaml sizes --rows tied_teeth tied_z --seeds 2

Every cell of the protocol is trained, and each test recording is diagnosed by the mean probability
of its windows. Printed as JSON: per row, the recordings that are wrong, by how many of the seeds,
and as what.
"""

import argparse
import json
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from faultdiag.checkpoint import load
from faultdiag.config.schema import Config
from faultdiag.evaluation import part_reader
from faultdiag.preparing.prepare import prepare
from faultdiag.protocol.plan import read_plan
from faultdiag.training.session import train_run


def wrong_recordings(config: Config) -> list[tuple[str, str, str]]:
    """Train a config; return name, class and diagnosis of the test recordings that are wrong."""
    with TemporaryDirectory() as folder:
        train_run(config, run=Path(folder) / "run", device="cpu")
        source = load(Path(folder) / "run" / "best.pt")
    prepared = prepare(config)
    test = prepared.windows.of("test")
    read = part_reader(source, prepared, torch.device("cpu"))("test")
    probabilities = read.probabilities(source.temperature)
    wrong = []
    for number in np.unique(test.recording):
        own = test.recording == number
        label, named = read.labels[own][0], probabilities[own].mean(0).argmax()
        if label != named:
            classes = prepared.classes
            wrong.append((prepared.recordings[number].name, classes[label], classes[named]))
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("protocol")
    parser.add_argument("--rows", nargs="+", required=True)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    arguments = parser.parse_args()
    plan = read_plan(arguments.config, arguments.overrides, arguments.seeds)
    wrong: dict[str, Counter[str]] = {row: Counter() for row in arguments.rows}
    for cell in plan.cells:
        if cell.protocol == arguments.protocol and cell.model in wrong:
            found = wrong_recordings(cell.config)
            wrong[cell.model].update(
                f"{name} ({label} as {named})" + f", {cell.fold}" * bool(cell.fold)
                for name, label, named in found
            )
    print(json.dumps({row: dict(sorted(found.items())) for row, found in wrong.items()}, indent=1))


if __name__ == "__main__":
    main()
