"""Which part of the model in the box does the work: one thing changed, all else as it is trained.

    python scripts/bearing_types_parts.py data/cwru data/mfpt [--seeds 3]

Changed are the training data (without simulated recordings), the attention over bands (their mean
in its place) and the tied head (a linear layer from the evidence for the parts to the classes).
Tested on recordings of other machines and bearings: CWRU's fan end, MFPT and simulated ones; right
by the mean probability of the windows. Printed as JSON: recordings right, of each seed.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn
from train_bearing_types import (
    CLASSES,
    DRIVE_END,
    FAN_END,
    RATE,
    Combs,
    build,
    combs,
    measured,
    simulated,
    spec,
    train,
    windows_of,
)

from faultdiag.datasets import DATASETS
from faultdiag.datasets.load import load_entry
from faultdiag.models.spec import parse_spec

OTHERS = ("6205", "6203", "NICE", "NU205", "13,7.5,39")


def mean_of_bands(combs: Combs) -> nn.Module:
    """Build the network without attention over bands."""
    whole = spec()
    options = {**whole.options, "pool": "mean"}
    length = whole.length
    plain = parse_spec(
        "tied_z", 1, len(CLASSES), length=length, sampling_rate=RATE, options=options
    )
    return plain.build_network(*combs.values.shape[1:])


def free_head(combs: Combs) -> nn.Module:
    """Build the network with a head whose weights are not tied."""
    network = build(combs)
    network.classify = nn.Linear(3, len(CLASSES))
    return network


def mfpt(root: Path) -> Combs:
    """Return the combs of MFPT's recordings, of the bearing NICE at 1500 rpm."""
    entries = DATASETS.build("mfpt", root).entries({}).entries
    loaded = [(entry, load_entry(entry, ["gs"], RATE)) for entry in entries]
    rows = (
        (number, str(entry.facts["fault"]), recording.rpm, windows_of(recording.signal, RATE))
        for number, (entry, recording) in enumerate(loaded)
    )
    return combs(rows, "NICE")


@torch.inference_mode()
def right(network: nn.Module, tested: Combs) -> int:
    """Count the recordings whose mean probability is largest for their class."""
    probabilities = network(tested.values).softmax(1).numpy()
    numbers = np.unique(tested.recordings)
    means = [probabilities[tested.recordings == number].mean(0) for number in numbers]
    labels = [tested.labels[tested.recordings == number][0] for number in numbers]
    return int((np.argmax(means, axis=1) == labels).sum())


def score(
    variant: str, tests: Mapping[str, Combs], seeds: int, *sets: Combs
) -> dict[str, list[int]]:
    """Train a variant with each seed and count the recordings of each test that are right."""
    builders = {"mean of the bands": mean_of_bands, "free head": free_head}
    data = sets[0] if variant == "no simulated recordings" else sets[0] + sets[1]
    trained = [train(data, seed, builders.get(variant, build)) for seed in range(seeds)]
    return {name: [right(network, test) for network in trained] for name, test in tests.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("cwru", type=Path)
    parser.add_argument("mfpt", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tests = {"fan end": measured(arguments.cwru, FAN_END[2:], "FE"), "MFPT": mfpt(arguments.mfpt)}
    tests |= {f"simulated, {name}": simulated(name, seed=7) for name in OTHERS}
    print(json.dumps({name: len(np.unique(test.recordings)) for name, test in tests.items()}))
    sets = measured(arguments.cwru, DRIVE_END, "DE"), simulated()
    for variant in ("as shipped", "no simulated recordings", "mean of the bands", "free head"):
        print(variant, json.dumps(score(variant, tests, arguments.seeds, *sets)), flush=True)


if __name__ == "__main__":
    main()
