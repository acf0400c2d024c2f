"""One training from a config to a run folder."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import numpy as np
import torch

from faultdiag import inference
from faultdiag.checkpoint import Checkpoint, load, save
from faultdiag.config.schema import Config, TransferConfig
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError
from faultdiag.inference import WindowBatches
from faultdiag.models.baseline import BaselineModel
from faultdiag.models.spec import ModelSpec
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.prepare import prepare
from faultdiag.splits.within import PARTS
from faultdiag.system.files import write_json
from faultdiag.system.processes import keep_freed_memory
from faultdiag.system.terminal import note, warn
from faultdiag.training.adaptation import (
    NO_METHOD,
    first_adapted_epoch,
    require_windows,
    target_batches,
    target_windows,
    trains,
)
from faultdiag.training.finishing import Outcome, finish
from faultdiag.training.fitting import Fitter
from faultdiag.training.gpu import repeatable, require_graphs, set_precision
from faultdiag.training.guard import refusal
from faultdiag.training.loggers import require_loggers, write_event, write_mlflow_run
from faultdiag.training.loop import Progress, Trainer, adapting_trainer, trainer_settings
from faultdiag.training.run_folder import (
    ADAPTED,
    CHOSEN,
    SOURCE,
    begin,
    claim,
    clear,
    discard_untrained,
    drop_previous,
    last_state,
    resume_notes,
    save_last,
    split_document,
    write_history,
)
from faultdiag.training.sources import TrainedSources
from faultdiag.training.specs import complete_spec, resolve_spec
from faultdiag.transfer.adabn import replace_statistics


class Interrupt:
    """Whether a training was asked to stop by a signal.

    Attributes
    ----------
    requested
        True from the first signal on. A second one stops at once.
    """

    def __init__(self) -> None:
        self.requested = False

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Watch for SIGINT and SIGTERM while the block runs.

        Raises
        ------
        KeyboardInterrupt
            At the end of the block, if there was a signal that the block did not react to.
        """
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may handle signals
            return
        signals = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, self._note) for number in signals]
        try:
            yield
        finally:
            for number, handler in zip(signals, before, strict=True):
                signal.signal(number, handler)
        if self.requested:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        note("stopping after this step; interrupt again to stop at once")


# The parts that a refit is trained on.
FITTED = ("train", "valid")

# Seconds between two checkpoints within an epoch: the most that a killed training loses.
SAVE_EVERY = 300.0


@dataclass(frozen=True)
class Run:
    """A finished training.

    Parameters
    ----------
    folder
        The run folder.
    metrics
        The content of its ``metrics.json``.
    best_epoch, epochs
        The epoch whose weights were kept, and the number of epochs.
    outcome
        The results that its pictures are drawn from.
    history
        A row per epoch; a single row for a baseline.
    trained_in_epochs
        Whether there were epochs; a baseline is fitted in one pass.
    healthy
        The healthy classes of its config.
    """

    folder: Path
    metrics: Document
    best_epoch: int
    epochs: int
    outcome: Outcome | None = None
    history: Sequence[Document] = ()
    trained_in_epochs: bool = True
    healthy: tuple[str, ...] = ()

    @property
    def refused(self) -> str | None:
        """Why the guard refused the adapted model and kept the one from before, else None."""
        transfer = self.metrics.get("transfer")
        return refusal(transfer) if transfer and transfer["refused"] else None


class Session:
    """One training, from config and data to a run folder.

    Attributes
    ----------
    sources
        Where networks trained on the source are found and kept; None: nowhere.
    """

    def __init__(
        self,
        config: Config,
        spec: ModelSpec,
        prepared: Prepared,
        folder: Path,
        device: torch.device,
        *,
        on_begun: Callable[[], None] | None = None,
    ) -> None:
        self.config = config
        self.prepared = prepared
        self.folder = folder
        self.device = device
        self.spec, self.notes = complete_spec(spec, prepared)
        self._on_begun = on_begun
        self.sources: TrainedSources | None = None
        self._overwrite = False
        self._replaces = False
        self._saved = time.monotonic()
        self._interrupt = Interrupt()

    def run(self, *, overwrite: bool, resume: bool) -> Run:
        """Train and score.

        Raises
        ------
        FaultdiagError
            If training fails for a reason that the user can fix, or a file can't be written.
        KeyboardInterrupt
            If interrupted; the run can be resumed.
        """
        self._set_up()
        trainer = self._trainer()
        last = self._restore(trainer) if resume else None
        # An earlier run is replaced only once this one has a first checkpoint.
        self._overwrite = overwrite
        self._replaces = overwrite and (self.folder / "best.pt").exists()
        if not self._replaces:
            self._begin()
        try:
            with self._interrupt.watch(), repeatable(self.config.train.deterministic):
                trainer = self._train(trainer, last)
        except Exception:
            discard_untrained(self.folder)
            raise
        return self._finish(trainer)

    def _set_up(self) -> None:
        """Set threads, memory and precision of the process, and print the notes."""
        train = self.config.train
        if train.threads:
            torch.set_num_threads(train.threads)
        keep_freed_memory()
        set_precision(self.device, train.precision, deterministic=train.deterministic)
        for text in self.notes:
            note(f"note: {text}")

    def _train(self, trainer: Trainer | Fitter, last: Checkpoint | None) -> Trainer | Fitter:
        """Train, adapt and refit as the config says, from the last state on."""
        if last is None or not _adapting(last):
            self._fit(trainer)
        if isinstance(trainer, Trainer):
            return self._second_phase(trainer, last)
        if self.config.train.refit:
            self._refit_baseline(trainer)
        return trainer

    def _restore(self, trainer: Trainer | Fitter) -> Checkpoint | None:
        """Restore the state of an interrupted run, if there is one, and return it."""
        last = last_state(self.folder, self.config, self.prepared)
        if last is None:
            return None
        for text in resume_notes(self.folder, self.device):
            note(f"note: {text}")
        if not _adapting(last):
            trainer.restore(last.model, last.training or {})
        return last

    def _fit(self, trainer: Trainer | Fitter) -> None:
        """Train to the last epoch, or take the state of a training that was the same up to it."""
        if self.sources is None or not isinstance(trainer, Trainer):
            trainer.fit(self._after_epoch)
        elif (done := self.sources.restore(self.config, self.folder)) is not None:
            trainer.restore(done.model, done.training or {})
        else:
            trainer.fit(self._after_epoch)
            self.sources.keep(self.config, self.folder)

    @property
    def _adapts(self) -> bool:
        transfer = self.config.transfer
        return transfer is not None and transfer.method != NO_METHOD

    def _second_phase(self, trainer: Trainer, last: Checkpoint | None) -> Trainer:
        """Adapt the network, or train it again with the validation windows, if the config says."""
        if self._adapts:
            return self._adapt(trainer, last)
        if self.config.train.refit:
            self._refit(trainer)
        return trainer

    def _adapt(self, trainer: Trainer, last: Checkpoint | None) -> Trainer:
        """Adapt the network that was trained on the source; `last` is where it was interrupted."""
        transfer = self.config.transfer or TransferConfig()
        resumed = last if last is not None and _adapting(last) else None
        if resumed is None:
            save(self.folder / SOURCE, self._checkpoint(trainer))
        target = target_windows(self.prepared, self.device)
        if not trains(transfer.method):
            require_windows(transfer.method, len(target), "the target has")
            batches = target_batches(trainer.network, target, self.config.seed)
            replace_statistics(trainer.network, batches)
            save(self.folder / ADAPTED, self._checkpoint(trainer))
            return trainer
        adapter = adapting_trainer(
            trainer.network,
            self.config,
            train=trainer.train,
            valid=trainer.valid,
            target=target,
            segments=self.prepared.segments("train"),
            classes=len(self.prepared.classes),
            history=_of_source(trainer.progress.history if resumed is None else _history(resumed)),
            begin=resumed is None,
            on_step=self._after_step,
        )
        if resumed is not None:
            adapter.restore(resumed.model, resumed.training or {})
        adapter.fit(self._after_epoch)
        return adapter

    def _refit(self, chosen: Trainer) -> None:
        """Train once more, on the windows of training and validation, and write ``best.pt``.

        It takes as many steps as the chosen epoch had; interrupted, it starts again.
        """
        settings, epoch = chosen.settings, chosen.progress.best_epoch
        batches = self._fitted_windows()
        if chosen.outputs is not None:
            batches = batches.showing(chosen.outputs)
        torch.manual_seed(self.config.seed)
        refit = Trainer(
            self.spec.build().to(self.device),
            batches,
            None,
            replace(settings, steps=chosen.steps_until(epoch), keep="last", early_stopping=None),
            segments=[s for part in FITTED for s in self.prepared.segments(part)],
            on_step=self._stop_if_interrupted,
        )
        refit.fit(lambda *_: None)
        best = load(self.folder / CHOSEN)
        save(self.folder / "best.pt", replace(best, model=refit.network.state_dict()))

    def _refit_baseline(self, chosen: Fitter) -> None:
        """Fit a baseline once more, on the windows of training and validation."""
        network = self.spec.build().to(self.device)
        if isinstance(network, BaselineModel):
            refit = Fitter(network, self._fitted_windows(), chosen.valid, self.config.seed)
            refit.fit(lambda *_: None)
            best = load(self.folder / CHOSEN)
            save(self.folder / "best.pt", replace(best, model=network.state_dict()))

    def _fitted_windows(self) -> WindowBatches:
        """Return the windows that a refit is trained on."""
        index = self.prepared.windows
        # Training windows first, as in the outputs that are kept.
        both = index.take(np.isin(index.part, [PARTS.index(part) for part in FITTED]))
        return WindowBatches(self.prepared, both, self.device)

    def _stop_if_interrupted(self, trainer: Trainer) -> None:
        del trainer
        if self._interrupt.requested:
            raise KeyboardInterrupt

    def _begin(self) -> None:
        if self._overwrite:
            clear(self.folder)
        begin(self.folder, self.config, split_document(self.prepared), self.device)
        self._replaces = False
        if self._on_begun:
            self._on_begun()

    def _trainer(self) -> Trainer | Fitter:
        torch.manual_seed(self.config.seed)
        network = self.spec.build().to(self.device)
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
            replace(trainer_settings(self.config), epochs=first_adapted_epoch(self.config)),
            segments=self.prepared.segments("train"),
            independent=self.prepared.audit.disjoint_windows["valid"],
            on_step=self._after_step,
        )

    def _after_step(self, trainer: Trainer) -> None:
        """Save a checkpoint within an epoch: after an interrupt at once, else every few minutes."""
        due = self._interrupt.requested or time.monotonic() - self._saved > SAVE_EVERY
        # An earlier run is not replaced before this one has finished an epoch.
        if due and not self._replaces:
            save_last(self.folder, replace(self._checkpoint(trainer), training=trainer.state()))
            self._saved = time.monotonic()
        if self._interrupt.requested:
            raise KeyboardInterrupt

    def _after_epoch(self, trainer: Trainer | Fitter, is_best: bool) -> None:
        if self._replaces:
            self._begin()
        checkpoint = self._checkpoint(trainer)
        if is_best:
            adapted = isinstance(trainer, Trainer) and trainer.adaptation is not None
            save(self.folder / (ADAPTED if adapted else "best.pt"), checkpoint)
            if self.config.train.refit:
                save(self.folder / CHOSEN, checkpoint)
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
        # An interrupt may have come between the last checkpoint and its history.
        self._write_history(progress)
        epochs = {"best_epoch": progress.best_epoch, "last_epoch": progress.epoch}
        outcome = finish(
            self.folder,
            self.prepared,
            self.device,
            transfer=self.config.transfer,
            keep=self.config.train.keep,
            **epochs,
        )
        metrics = outcome.metrics
        write_json(self.folder / "metrics.json", metrics)
        drop_previous(self.folder)
        self._log(progress, metrics["test"])
        return Run(
            self.folder,
            metrics,
            metrics["selection"]["best_epoch"],
            progress.epoch,
            outcome,
            progress.history,
            isinstance(trainer, Trainer),
            tuple(self.config.data.healthy),
        )

    def _log(self, progress: Progress, scores: Document) -> None:
        """Write the finished run to MLflow if the config asks for it; a failure is a warning."""
        if not self.config.train.mlflow:
            return
        try:
            write_mlflow_run(self.folder, self.config, progress.history, scores)
        except FaultdiagError as error:
            warn(f"the run is complete in {self.folder}; it was not written to MLflow: {error}")


def _adapting(last: Checkpoint) -> bool:
    """Return whether a training was interrupted while it adapted."""
    return (last.training or {}).get("adaptation") is not None


def _history(last: Checkpoint) -> list[Json]:
    return list((last.training or {})["history"])


def _of_source(history: Sequence[Json]) -> list[Json]:
    """Return the epochs of the training on the source, without those of the adaptation."""
    return [row for row in history if "target_agreement" not in row]


def train_run(
    config: Config,
    *,
    run: Path,
    device: str = "auto",
    overwrite: bool = False,
    resume: bool = False,
    on_prepared: Callable[[Prepared], None] | None = None,
    on_begun: Callable[[], None] | None = None,
    on_finished: Callable[[Run], None] | None = None,
    sources: Path | None = None,
) -> Run:
    """Train the network or baseline of a config and write its run folder.

    Parameters
    ----------
    run
        The run folder.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    overwrite
        Replace an existing run; other files in the folder stay.
    resume
        Continue an interrupted run, or train it for more epochs; without a run, start a new
        one.
    on_prepared
        Called when the data is prepared, before training.
    on_begun
        Called when the run folder belongs to this run: at once, or, if it replaces a finished
        run, after the first checkpoint.
    on_finished
        Called at the end, while no other command may write the run folder.
    sources
        A folder of networks that were trained on the source, to start from where one is the same,
        or to add to.

    Raises
    ------
    FaultdiagError
        For anything the user can fix: config, recordings, device, folder, disk; or if another
        command is writing the run folder.
    """
    with claim(run, overwrite=overwrite, resume=resume):
        session = _session(config, run, device, on_prepared, on_begun)
        # The events of the source's epochs are in the run that trained them, and in no other.
        if sources is not None and not config.train.tensorboard:
            session.sources = TrainedSources(sources)
        finished = session.run(overwrite=overwrite, resume=resume)
        if on_finished:
            on_finished(finished)
    return finished


def _session(
    config: Config,
    run: Path,
    device: str,
    on_prepared: Callable[[Prepared], None] | None,
    on_begun: Callable[[], None] | None,
) -> Session:
    """Check everything that a training needs, and prepare its data."""
    target = inference.select_device(device)
    spec = resolve_spec(config)
    require_graphs(config.train.graphs, target)
    require_loggers(config.train)
    prepared = prepare(config)
    if on_prepared:
        on_prepared(prepared)
    return Session(config, spec, prepared, run, target, on_begun=on_begun)
