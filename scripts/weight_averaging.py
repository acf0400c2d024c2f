"""Weights averaged over the last steps of band_net, beside the last ones, on another load.

    python scripts/weight_averaging.py data/cwru [--seeds 3] [--set KEY=VALUE]…

Trains the network of configs/cwru_loads.yaml on two loads and looks at a third, for each of the
twelve choices of these; the fourth load, which a test would be made on, is not read. After the
last step the weights are those of the training, their mean over the last quarter or half of the
steps, or their exponential mean over about a tenth of the steps. Printed as JSON, per kind: windows
and recordings that are right, the loss, and the share of a recording's windows in its commonest
class, which needs no labels. All but the recordings are means over the windows and trainings.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping
from itertools import permutations
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, nn

from faultdiag.config.schema import Config, load_config
from faultdiag.inference import WindowBatches, logits_of
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.prepare import prepare
from faultdiag.training.loop import Trainer, trainer_settings
from faultdiag.training.specs import complete_spec, resolve_spec

CONFIG = Path(__file__).parents[1] / "configs" / "cwru_loads.yaml"
LOADS = (0, 1, 2, 3)
# First step of each mean, as a share of all steps.
MEANS = {"mean of the last quarter": 0.75, "mean of the last half": 0.5}
EMA = "exponential mean over a tenth"
LAST = "last step"
Weights = Mapping[str, Tensor]


class Averages:
    """Means of the weights of a network, updated after each step."""

    def __init__(self, steps: int) -> None:
        self.steps, self.step = steps, 0
        self.means: dict[str, dict[str, Tensor]] = {}

    def __call__(self, trainer: Trainer) -> None:
        """Add the weights of one more step."""
        self.step += 1
        weights = {
            name: value.double()
            for name, value in trainer.network.state_dict().items()
            if value.is_floating_point()
        }
        for kind, first in MEANS.items():
            count = self.step - int(first * self.steps)
            if count > 0:
                self._add(kind, weights, 1 / count)
        self._add(EMA, weights, 1.0 if self.step == 1 else 10 / self.steps)

    def _add(self, kind: str, weights: Weights, share: float) -> None:
        mean = self.means.setdefault(kind, dict(weights))
        for name, value in weights.items():
            mean[name] = mean[name] + share * (value - mean[name])


def measure(network: nn.Module, prepared: Prepared) -> dict[str, float]:
    """Return how well a network does on the part called test: the load looked at."""
    windows = prepared.windows.of("test")
    batches = WindowBatches(prepared, windows, torch.device("cpu"))
    logits = torch.as_tensor(logits_of(network, batches)).double()
    labels = torch.from_numpy(windows.label.astype(np.int64))
    chosen, rows = logits.argmax(1), torch.from_numpy(windows.recording.astype(np.int64))
    right, agree = [], []
    for number in rows.unique():
        own = rows == number
        together = logits[own].softmax(1).mean(0).argmax()
        right.append(float(together == labels[own][0]))
        agree.append(float(chosen[own].bincount().max() / own.sum()))
    return {
        "windows": float((chosen == labels).double().mean()),
        "recordings": fmean(right),
        "loss": float(nn.functional.cross_entropy(logits, labels)),
        "agreement": fmean(agree),
    }


def compare(config: Config) -> dict[str, dict[str, float]]:
    """Train once; return the measures with the weights of each kind."""
    prepared = prepare(config)
    torch.manual_seed(config.seed)
    network = complete_spec(resolve_spec(config), prepared)[0].build()
    train = WindowBatches(prepared, prepared.windows.of("train"), torch.device("cpu"))
    settings = trainer_settings(config)
    averages = Averages(settings.steps or 0)
    Trainer(network, train, None, settings, on_step=averages).fit(lambda *_: None)
    last = {name: value.clone() for name, value in network.state_dict().items()}
    results = {}
    for kind, weights in {LAST: last, **averages.means}.items():
        network.load_state_dict({**last, **weights})
        results[kind] = measure(network.eval(), prepared)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("cwru", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], dest="settings", help="as of train")
    arguments = parser.parse_args()
    rows: dict[str, list[dict[str, float]]] = defaultdict(list)
    with TemporaryDirectory() as folder:
        places = [f"data.root={arguments.cwru.resolve()}", f"data.prepared={folder}"]
        for tested, looked_at in permutations(LOADS, 2):
            train = [load for load in LOADS if load not in {tested, looked_at}]
            split = [f"split.train={train}", f"split.test=[{looked_at}]"]
            for seed in range(arguments.seeds):
                config = load_config(CONFIG, [*places, *split, *arguments.settings, f"seed={seed}"])
                for kind, row in compare(config).items():
                    rows[kind].append(row)
                print(f"{train} -> {looked_at}, seed {seed}", flush=True)
    for kind, own in rows.items():
        means = {name: round(fmean(row[name] for row in own), 5) for name in own[0]}
        print(json.dumps({"weights": kind, "trainings": len(own), **means}))


if __name__ == "__main__":
    main()
