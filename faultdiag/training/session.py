"""One training on prepared data: the loop, its checkpoints, the run folder it leaves."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from faultdiag.checkpoint import Checkpoint, build_network, save
from faultdiag.config import Config
from faultdiag.errors import FaultdiagError
from faultdiag.files import write_json
from faultdiag.inference import WindowBatches
from faultdiag.models.baseline import BaselineModel
from faultdiag.prepared import Prepared
from faultdiag.processor import keep_freed_memory
from faultdiag.training.finishing import Outcome, finish
from faultdiag.training.fitting import Fitter
from faultdiag.training.folder import begin, clear, discard_untrained
from faultdiag.training.history import write_event, write_history
from faultdiag.training.interrupt import Interrupt
from faultdiag.training.loop import Trainer
from faultdiag.training.precision import repeatable, set_precision
from faultdiag.training.progress import Progress
from faultdiag.training.saved import drop_previous, last_state, save_last
from faultdiag.training.settings import trainer_settings
from faultdiag.training.specs import prepared_spec

# Seconds between two checkpoints within an epoch: what a killed training loses at most.
SAVE_EVERY = 300.0


@dataclass(frozen=True)
class Run:
    """A finished training.

    Parameters
    ----------
    folder
        The run folder.
    metrics
        What ``metrics.json`` in it says.
    best_epoch, epochs
        The epoch whose weights were kept, and how many there were.
    outcome
        What the last look at it found, for its pictures.
    history
        A row for each epoch; one where there was a single pass.
    trained_in_epochs
        Whether it learns in epochs; a baseline makes one pass.
    """

    folder: Path
    metrics: Mapping[str, Any]
    best_epoch: int
    epochs: int
    outcome: Outcome | None = None
    history: Sequence[Mapping[str, Any]] = ()
    trained_in_epochs: bool = True


class Session:
    """One training: config and data in, run folder out."""

    def __init__(
        self,
        config: Config,
        prepared: Prepared,
        folder: Path,
        device: torch.device,
        on_begun: Callable[[], None] | None = None,
    ) -> None:
        self.config = config
        self.prepared = prepared
        self.folder = folder
        self.device = device
        self.spec, self.notes = prepared_spec(config, prepared)
        self._on_begun = on_begun
        self._overwrite = False
        self._waits = False
        self._saved = time.monotonic()
        self._interrupt = Interrupt()

    def run(self, *, overwrite: bool, resume: bool) -> Run:
        """Train, and score what came of it.

        Raises
        ------
        FaultdiagError
            If training fails for what the user can mend, or a file can't be written.
        KeyboardInterrupt
            If it was interrupted; the run can be resumed.
        """
        if self.config.train.threads:
            torch.set_num_threads(self.config.train.threads)
        keep_freed_memory()
        train = self.config.train
        set_precision(self.device, train.precision, deterministic=train.deterministic)
        for note in self.notes:
            sys.stderr.write(f"note: {note}\n")
        trainer = self._trainer()
        last = last_state(self.folder, self.config, self.prepared) if resume else None
        if last is not None and last.training is not None:
            trainer.restore(last.model, last.training)
        # An earlier run is only replaced once this one has a first checkpoint.
        self._overwrite = overwrite
        self._waits = overwrite and (self.folder / "best.pt").exists()
        if not self._waits:
            self._begin()
        try:
            with self._interrupt.watched(), repeatable(train.deterministic):
                trainer.fit(self._after_epoch)
        except FaultdiagError:
            discard_untrained(self.folder)
            raise
        return self._finish(trainer)

    def _begin(self) -> None:
        if self._overwrite:
            clear(self.folder)
        begin(self.folder, self.config, self.prepared, self.device)
        self._waits = False
        if self._on_begun:
            self._on_begun()

    def _trainer(self) -> Trainer | Fitter:
        torch.manual_seed(self.config.seed)
        network = build_network(self.spec).to(self.device)
        train, valid = (
            WindowBatches(self.prepared, self.prepared.windows.of(part), self.device)
            for part in ("train", "valid")
        )
        if isinstance(network, BaselineModel):
            return Fitter(network, train, valid, self.config.seed)
        return Trainer(
            network,
            train,
            valid,
            trainer_settings(self.config),
            segments=self.prepared.segments("train"),
            on_step=self._after_step,
        )

    def _after_step(self, trainer: Trainer) -> None:
        """Save what an interrupt would lose: at once when there was one, else now and then."""
        due = self._interrupt.asked or time.monotonic() - self._saved > SAVE_EVERY
        # While an earlier run waits to be replaced, it is not given up for less than an epoch.
        if due and not self._waits:
            save_last(self.folder, replace(self._checkpoint(trainer), training=trainer.state()))
            self._saved = time.monotonic()
        if self._interrupt.asked:
            raise KeyboardInterrupt

    def _after_epoch(self, trainer: Trainer | Fitter, is_best: bool) -> None:
        if self._waits:
            self._begin()
        checkpoint = self._checkpoint(trainer)
        if is_best:
            save(self.folder / "best.pt", checkpoint)
        save_last(self.folder, replace(checkpoint, training=trainer.state()))
        self._saved = time.monotonic()
        self._write_history(trainer.progress)
        if self.config.train.tensorboard:
            write_event(self.folder / "tensorboard", checkpoint.metrics)

    def _checkpoint(self, trainer: Trainer | Fitter) -> Checkpoint:
        history = trainer.progress.history
        return Checkpoint(
            model=trainer.network.state_dict(),
            model_spec=self.spec,
            classes=self.prepared.classes,
            healthy=self.config.data.healthy,
            sampling_rate=self.prepared.sampling_rate,
            channels=self.prepared.channels,
            window=self.prepared.document["window"],
            normalize=self.prepared.normalize,
            config=self.config.model_dump(mode="json"),
            epoch=len(history),
            metrics=history[-1] if history else {},
        )

    def _write_history(self, progress: Progress) -> None:
        write_history(self.folder, progress.history)

    def _finish(self, trainer: Trainer | Fitter) -> Run:
        progress = trainer.progress
        # An interrupt may have come between the last checkpoint and its line of history.
        self._write_history(progress)
        epochs = {"best_epoch": progress.best_epoch, "last_epoch": progress.epoch}
        outcome = finish(self.folder, self.prepared, self.device, **epochs)
        metrics = outcome.metrics
        write_json(self.folder / "metrics.json", metrics)
        drop_previous(self.folder)
        return Run(
            self.folder,
            metrics,
            progress.best_epoch,
            progress.epoch,
            outcome,
            progress.history,
            isinstance(trainer, Trainer),
        )
