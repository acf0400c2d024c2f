"""A training from config to run folder: what `faultdiag train` and `faultdiag.train` call."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from faultdiag import figures, inference, models, score_figures
from faultdiag.baselines import BASELINES
from faultdiag.checkpoint import Checkpoint, build_network, save
from faultdiag.config import Config, load_config, parse_config
from faultdiag.errors import FaultdiagError
from faultdiag.files import write_json
from faultdiag.inference import WindowBatches
from faultdiag.models.baseline import BaselineModel
from faultdiag.prepared import Prepared
from faultdiag.preparing import prepare
from faultdiag.training.baseline_spec import baseline_spec
from faultdiag.training.finishing import finish
from faultdiag.training.fitting import Fitter
from faultdiag.training.folder import begin, clear, discard_untrained, require_free
from faultdiag.training.history import require_tensorboard, write_event, write_history
from faultdiag.training.interrupt import Interrupt
from faultdiag.training.loop import Trainer
from faultdiag.training.precision import set_precision
from faultdiag.training.progress import Progress
from faultdiag.training.saved import drop_previous, last_state, save_last
from faultdiag.training.settings import trainer_settings

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
    """

    folder: Path
    metrics: Mapping[str, Any]
    best_epoch: int
    epochs: int


def train(
    config: Config | Mapping[str, Any] | Path | str,
    *,
    run: Path | str | None = None,
    device: str = "auto",
    overwrite: bool = False,
    resume: bool = False,
    on_prepared: Callable[[Prepared], None] | None = None,
    on_begun: Callable[[], None] | None = None,
) -> Run:
    """Train the network or baseline of a config and write its run folder.

    Parameters
    ----------
    config
        A `Config`, plain data, or the path of a YAML file.
    run
        The run folder; unless given, ``runs/<name of the file>`` or, of no file,
        ``runs/<dataset>-<network>``.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    overwrite
        Replace a run that is there; files that are not a run's stay.
    resume
        Go on with a run that was interrupted, or for more epochs; starts fresh where there is
        none.
    on_prepared
        Called once the data is prepared, before training.
    on_begun
        Called once the run folder is this run's: at once, or, where it replaces a finished
        run, when there is a first checkpoint to replace it with.

    Raises
    ------
    FaultdiagError
        For anything the user can mend: config, recordings, device, folder, disk.
    """
    parsed = _as_config(config)
    folder = Path(run or f"runs/{_name(config, parsed)}")
    require_free(folder, overwrite=overwrite, resume=resume)
    target = inference.select_device(device)
    check_model(parsed)
    if parsed.train.tensorboard:
        require_tensorboard()
    prepared = prepare(parsed)
    if on_prepared:
        on_prepared(prepared)
    session = _Session(parsed, prepared, folder, target, on_begun)
    return session.run(overwrite=overwrite, resume=resume)


def check_model(config: Config, classes: int = 2) -> None:
    """Refuse a network, attention slot or baseline that can't be, before any data is loaded.

    Raises
    ------
    FaultdiagError
        Naming every problem by its place in the config.
    """
    if config.model.name in BASELINES:
        _check_baseline(config)
        return
    models.check(
        config.model.name,
        len(config.data.channels),
        classes,
        length=config.window.length,
        attention=config.model.attention,
        representation=config.model.representation,
        sampling_rate=config.data.sampling_rate,
        options=config.model.options,
    )


def _check_baseline(config: Config) -> None:
    from faultdiag.models.baseline_checks import problems_of

    problems = problems_of(
        config.model.name,
        config.data.channels,
        config.window.length,
        attention=config.model.attention,
        representation=config.model.representation,
        options=config.model.options,
    )
    if problems:
        raise FaultdiagError("\n".join(problems))


def prepared_spec(config: Config, prepared: Prepared) -> tuple[dict[str, Any], list[str]]:
    """Give the specification of network or baseline for these data, and notes on it.

    Raises
    ------
    FaultdiagError
        If it is a baseline that these data lack something for.
    """
    if config.model.name in BASELINES:
        return baseline_spec(config.model.name, config.model.options, prepared)
    return model_spec(config, len(prepared.classes)), []


def model_spec(config: Config, classes: int) -> dict[str, Any]:
    """Give what a checkpoint needs to build a network again."""
    return {
        "name": config.model.name,
        "channels": len(config.data.channels),
        "classes": classes,
        "length": config.window.length,
        "attention": config.model.attention,
        "representation": config.model.representation,
        "sampling_rate": config.data.sampling_rate,
        "options": config.model.options,
    }


def _as_config(config: Config | Mapping[str, Any] | Path | str) -> Config:
    if isinstance(config, Config):
        return config
    if isinstance(config, Mapping):
        return parse_config(config)
    return load_config(Path(config))


def _name(given: Config | Mapping[str, Any] | Path | str, config: Config) -> str:
    if isinstance(given, Path | str):
        return Path(given).stem
    return f"{config.data.dataset}-{config.model.name}"


class _Session:
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
        if self.config.train.threads:
            torch.set_num_threads(self.config.train.threads)
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
            with self._interrupt.watched():
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

    def _checkpoint(self, trainer: Trainer) -> Checkpoint:
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
        confusion = metrics["test"]["confusion"]
        figures.confusion_figure(
            confusion["labels"],
            confusion["matrix"],
            self.folder / "confusion.png",
            title=f"test part, {metrics['split']['strategy']}",
        )
        reliability = self.folder / "calibration.png"
        score_figures.reliability_figure(
            outcome.reliability, reliability, temperature=outcome.temperature
        )
        if isinstance(trainer, Trainer):  # one pass gives no curve
            curves = self.folder / "curves.png"
            figures.curves_figure(progress.history, curves, best_epoch=progress.best_epoch)
        drop_previous(self.folder)
        return Run(self.folder, metrics, progress.best_epoch, progress.epoch)
