"""How far criteria without labels agree with the accuracy of the target's test part.

    python scripts/transfer_criteria.py --root data/cwru --prepared data/prepared [--out FILE]

Trains WDCNN on the data of configs/cwru_transfer.yaml, six epochs on the source and six that adapt,
notes every criterion and the accuracy after each epoch of the adaptation, and compares what each
criterion would have chosen with the best epoch and the last. The labels of the test part are used
here, and nowhere in a training.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from scipy.stats import spearmanr

from faultdiag.config.schema import Config, load_config
from faultdiag.inference import WindowBatches, logits_of
from faultdiag.preparing.prepare import prepare
from faultdiag.training.adaptation import MERITS, first_adapted_epoch, target_windows
from faultdiag.training.loop import Trainer, adapting_trainer, trainer_settings
from faultdiag.training.specs import complete_spec, resolve_spec

CONFIG = Path(__file__).parents[1] / "configs" / "cwru_transfer.yaml"
EPOCHS = (
    "train={epochs: 12, batch_size: 64, l2: 1.0e-4, schedule: cosine}",
    "transfer.steps=null",
    "transfer.batch_size=null",
    "transfer.selection=reverse_validation",
)
PARTIAL = (
    "data.select.load_hp=[1, 2]",
    "split={strategy: within_recording, fractions: [0.7, 0.2, 0.1], gap: 2048}",
    "transfer.target={fact: load_hp, values: [2], select: {size: ['007']}}",
)
# Of a target: its name, and what each of its trainings changes of the config.
TARGETS: dict[str, list[tuple[str, ...]]] = {
    "all nine classes, 3→0 and 3→1 hp": [("split.test=[0]",), ("split.test=[1]",)],
    "three of nine classes, 1→2 hp": [PARTIAL, (*PARTIAL, "transfer.method=mcc")],
}
# What a criterion ranks epochs by; the agreement is what the guard looks at, too.
RANKS = {name: merit for name, merit in MERITS.items() if name != "last"}


def adapted(config: Config) -> list[dict[str, Any]]:
    """The epochs of an adaptation, each with its criteria and its accuracy on the target's test."""
    device = torch.device("cpu")
    prepared = prepare(config)
    torch.manual_seed(config.seed)
    network = complete_spec(resolve_spec(config), prepared)[0].build()
    parts = {
        part: WindowBatches(prepared, prepared.windows.of(part), device)
        for part in ("train", "valid", "test")
    }
    settings = replace(trainer_settings(config), epochs=first_adapted_epoch(config))
    first = Trainer(network, parts["train"], parts["valid"], settings)
    first.fit(lambda *_: None)
    truth: list[float] = []

    def score(trainer: Trainer, _: bool) -> None:
        logits = logits_of(trainer.network, parts["test"])
        truth.append(float((logits.argmax(axis=1) == parts["test"].index.label).mean()))

    trainer = adapting_trainer(
        network,
        config,
        train=parts["train"],
        valid=parts["valid"],
        target=target_windows(prepared, device),
        classes=len(prepared.classes),
        history=first.progress.history,
    )
    history = trainer.fit(score).history[-len(truth) :]
    return [{**row, "accuracy": value} for row, value in zip(history, truth, strict=True)]


def line(name: str, criterion: str, runs: Sequence[Sequence[Mapping[str, Any]]]) -> list[object]:
    """A row: what the criterion would have chosen, and how it ranks all epochs of all trainings."""
    rank = RANKS[criterion]
    chosen = [max(rows, key=rank)["accuracy"] for rows in runs]
    rows = [row for own in runs for row in own]
    order = spearmanr([rank(row)[0] for row in rows], [row["accuracy"] for row in rows])
    values = [
        chosen,
        [rows[-1]["accuracy"] for rows in runs],
        [max(row["accuracy"] for row in rows) for rows in runs],
    ]
    means = [f"{100 * sum(own) / len(own):.1f}" for own in values]
    return [name, criterion, *means, f"{order.statistic:+.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    places = f"data.root={options.root}", f"data.prepared={options.prepared}"
    rows = []
    for name, trainings in TARGETS.items():
        changes = [(*places, *EPOCHS, *own) for own in trainings]
        runs = [adapted(load_config(CONFIG, own)) for own in changes]
        rows += [line(name, criterion, runs) for criterion in RANKS]
    document = {
        "command": "python scripts/transfer_criteria.py; WDCNN, MK-MMD + MCC, and for the three "
        "classes MCC too, seed 0; rank correlation over the epochs of all trainings",
        "columns": ["target", "criterion", "chosen %", "last %", "best %", "rank correlation"],
        "rows": rows,
    }
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
