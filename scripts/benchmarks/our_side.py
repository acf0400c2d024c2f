"""faultdiag's side: its own loop and its own inference, set up as `faultdiag train` does.

python -m benchmarks.our_side FOLDER [THREADS [PRECISION]]
"""

import sys
from pathlib import Path

import torch

from benchmarks.data import read_config
from benchmarks.serve import serve
from faultdiag.inference import WindowBatches, logits_of
from faultdiag.preparing.prepare import prepare
from faultdiag.system.processes import keep_freed_memory
from faultdiag.training.loop import Trainer, trainer_settings
from faultdiag.training.specs import complete_spec, resolve_spec


class OurSide:
    """A trainer of the baseline network, and the same network for inference."""

    def __init__(self, folder: Path, threads: int | None, precision: str) -> None:
        config = read_config(folder)
        train = config.train.model_copy(update={"threads": threads, "precision": precision})
        config = config.model_copy(update={"train": train})
        prepared = prepare(config)
        spec, _ = complete_spec(resolve_spec(config), prepared)
        windows, valid = (
            WindowBatches(prepared, prepared.windows.of(part), torch.device("cpu"))
            for part in ("train", "valid")
        )
        keep_freed_memory()
        if threads:
            torch.set_num_threads(threads)
        self.trainer = Trainer(spec.build(), windows, valid, trainer_settings(config))
        self.network = spec.build().eval()
        self.precision = precision

    def training(self) -> None:
        """One epoch, without its validation."""
        self.trainer.learn()

    def inference(self) -> None:
        """All training windows once."""
        logits_of(self.network, self.trainer.train, self.precision)


if __name__ == "__main__":
    given = sys.argv[2:]
    side = OurSide(
        Path(sys.argv[1]),
        int(given[0]) or None if given else None,
        given[1] if len(given) > 1 else "float32",
    )
    serve({"training": side.training, "inference": side.inference})
