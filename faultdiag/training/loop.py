"""The training loop. It sees the training and validation parts, never the test part."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from faultdiag.config.schedules import Constant, Schedule, with_warm_up
from faultdiag.config.schema import Config, TransferConfig, build_schedule
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError
from faultdiag.inference import BATCH, WindowBatches
from faultdiag.signal.recording import Segment
from faultdiag.system.terminal import note
from faultdiag.training.adaptation import (
    MERITS,
    Adaptation,
    AdaptationSettings,
    JointStep,
    SourceFreeStep,
    batch_size_of,
)
from faultdiag.training.augment import Augmentation, Ranges
from faultdiag.training.gpu import RecordedFunction, Recorder, recorder_for
from faultdiag.training.step import (
    LearningRate,
    RunningStatistics,
    Step,
    ValidationStep,
    balanced,
    batch_sizes,
    build_optimizer,
    recordable,
    shuffled,
    without_front,
)
from faultdiag.transfer import kind_of

Merit = Callable[[Document], tuple[float, ...]]


def validation_merit(row: Document) -> tuple[float, ...]:
    """Return the key by which epochs are compared: accuracy, then loss."""
    return row["valid_accuracy"], -row["valid_loss"]


@dataclass
class Progress:
    """The progress of a training: a row per epoch, and the best epoch by its merit so far."""

    history: list[Json] = field(default_factory=list)
    best_epoch: int = 0
    merit: Merit = validation_merit

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return len(self.history)

    def note(self, row: Json) -> bool:
        """Add the row of a finished epoch; return whether it is the best so far."""
        self.history.append(row)
        best = self.history[self.best_epoch - 1] if self.best_epoch else None
        if best is None or self.merit(row) > self.merit(best):
            self.best_epoch = row["epoch"]
        return bool(self.best_epoch == row["epoch"])


def last_gain(history: Sequence[Document], windows: int) -> int:
    """Return the last epoch whose validation accuracy rose by more than chance.

    An epoch counts if its accuracy exceeds that of the last one that counted, p, by more than one
    standard error, ``sqrt(p (1 - p) / windows)``: less is no sign of a better network, and waiting
    for the last such epoch would double the training for it.

    Parameters
    ----------
    windows
        Number of validation windows that share no sample with each other.

    References
    ----------
    .. [1] Breiman, Friedman, Olshen, Stone, "Classification and Regression Trees", 1984,
       section 3.4.3: the rule of one standard error. doi:10.1201/9781315139470

    Examples
    --------
    >>> accuracies = {1: 0.8, 2: 0.98, 3: 0.99}
    >>> last_gain([{"epoch": n, "valid_accuracy": a} for n, a in accuracies.items()], 100)
    2
    """
    epoch, best = 0, -1.0
    for row in history:
        accuracy = row["valid_accuracy"]
        error = math.sqrt(max(best * (1 - best), 0.0) / windows)
        if accuracy > best + error:
            epoch, best = row["epoch"], accuracy
    return epoch


def progress_line(row: Document, epochs: int) -> str:
    """Return the log line of an epoch, used where no progress bar is shown."""
    known = [f"{text} {row[name]:{form}}" for name, text, form in _LOGGED if name in row]
    return f"epoch {row['epoch']} of {epochs}: {', '.join(known)}, {row['seconds']:.1f} s"


def _postfix(row: Document) -> str:
    """Return the text of an epoch for a bar: the accuracy that it is judged by, if any."""
    for name, word in (("valid_accuracy", "valid"), ("target_agreement", "agreement")):
        if name in row:
            return f"epoch {row['epoch']}, {word} {row[name]:.4f}"
    return f"epoch {row['epoch']}"


# Columns of the history that are logged, in what words and how.
_LOGGED = (
    ("train_loss", "training loss", ".4g"),
    ("transfer_loss", "transfer loss", ".4g"),
    ("valid_accuracy", "validation accuracy", ".4f"),
    ("target_agreement", "target agreement", ".4f"),
)


# Steps between two checks of the loss on a GPU, each of which waits for the device.
_CHECK_EVERY = 50


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a training: the fields of the config's ``train`` section."""

    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    l2: float
    precision: str
    seed: int
    momentum: float = 0.9
    schedule: Schedule = field(default_factory=Constant)
    warmup_epochs: float = 0.0
    early_stopping: int | None = None
    clip_gradient: float | None = None
    label_smoothing: float = 0.0
    trim: float = 0.0
    balance: str = "none"
    augment: Ranges = field(default_factory=Ranges)
    graphs: str = "auto"
    running_statistics: str = "debiased"
    steps: int | None = None
    keep: str = "best"

    def resolved(self, per_epoch: int, before: int = 0) -> "Settings":
        """Return the settings with the epochs that `steps` make; the last may be a part of one.

        Parameters
        ----------
        per_epoch
            Steps of an epoch.
        before
            Epochs of the phase before, which are not of these steps.
        """
        if self.steps is None:
            return self
        return replace(self, epochs=before + math.ceil(self.steps / per_epoch))


def _merit(settings: Settings, adaptation: Adaptation | None) -> Merit:
    """Return the key by which epochs are compared."""
    if adaptation is not None:
        return MERITS[adaptation.settings.selection]
    return validation_merit if settings.keep == "best" else MERITS["last"]


class Trainer:
    """A network, its optimizer and the progress of its training.

    Parameters
    ----------
    network
        The network, on its device.
    train, valid
        Windows to train on, and windows to choose the epoch by; with an adaptation these are of
        the source, and there may be no valid. A source-free adaptation trains on the target's.
    settings
        The settings of the training.
    segments
        The segments that the training windows were cut from; needed for augmentation only.
    independent
        Number of validation windows that share no sample with each other; all of them unless
        given.
    adaptation
        The second phase of a training with transfer: its target and method.
    history
        The epochs of the phase before.
    on_step
        Called after each step, with the trainer. It may raise; the training can be resumed from
        `state`.
    recorder
        Records the steps to repeat them; CUDA graphs by default, where they are available.
    """

    def __init__(
        self,
        network: nn.Module,
        train: WindowBatches,
        valid: WindowBatches | None,
        settings: Settings,
        *,
        segments: Sequence[Segment] = (),
        independent: int | None = None,
        adaptation: Adaptation | None = None,
        history: Sequence[Json] = (),
        on_step: Callable[["Trainer"], None] | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.network, self.train, self.valid = network, train, valid
        self._sizes = batch_sizes(len(train), settings.batch_size)
        self._first = len(history)  # epochs of the phase before
        self.settings = settings = settings.resolved(len(self._sizes), self._first)
        self.adaptation = adaptation
        self.progress = Progress(list(history), merit=_merit(settings, adaptation))
        self.optimizer = self._built_optimizer()
        recorder = recorder or recorder_for(settings.graphs, train.device)
        # A tensor on every GPU, so that graphs change the time of a training and nothing else.
        on_device = recorder is not None or train.device.type != "cpu"
        self._rate = LearningRate(self.optimizer, train.device if on_device else None)
        self._on_step = on_step
        self._independent = independent or (0 if valid is None else len(valid))
        self._augment: Augmentation | None = None
        if settings.augment.any:
            self._augment = Augmentation(train, segments, settings.augment, settings.seed)
        self._check_every = 1 if train.device.type == "cpu" else _CHECK_EVERY
        self._done = 0  # steps of the current epoch
        self._build_steps(recorder)

    def _built_optimizer(self) -> torch.optim.Optimizer:
        settings, adaptation = self.settings, self.adaptation
        return build_optimizer(
            self.network,
            name=settings.optimizer,
            learning_rate=settings.learning_rate,
            l2=settings.l2,
            momentum=settings.momentum,
            others=() if adaptation is None else adaptation.method.parameters(),
        )

    def _build_steps(self, recorder: Recorder | None) -> None:
        """Build the steps of training and validation, and the sums of the current epoch."""
        settings = self.settings
        core, train, valid = self.network, self.train, self.valid
        if self._augment is None and self.adaptation is None:
            core, train, valid = without_front(core, train, valid)
        self._shown = [part.outputs for part in (train, valid) if part is not None]
        step = self._built_step(core, train)
        self._columns = step.columns
        shape = (len(self._sizes), len(step.columns))
        self._steps = torch.zeros(shape, dtype=torch.float64, device=train.device)
        repeated = partial(RecordedFunction, recorder=recorder, required=settings.graphs == "on")
        recording = partial(recordable, self.optimizer)
        self._run = repeated(step, rows=self._sizes[0], name="training step", recording=recording)
        self._validation: RecordedFunction | None = None
        if valid is not None:
            validation = ValidationStep(core, valid, precision=settings.precision)
            rows = min(BATCH, len(valid))
            self._validation = repeated(validation, rows=rows, name="validation")

    def _built_step(self, network: nn.Module, train: WindowBatches) -> Step:
        """Build the step of the training."""
        # It must not refer to the trainer: a reference cycle would keep the GPU's memory.
        settings, adaptation = self.settings, self.adaptation
        debiased = settings.running_statistics == "debiased"
        operands = (network, train, self.optimizer, self._augment)
        options: Json = {
            "balance": self.train.index.label if settings.balance == "weights" else None,
            "precision": settings.precision,
            "clip_gradient": settings.clip_gradient,
            "label_smoothing": settings.label_smoothing,
            "trim": settings.trim,
            "statistics": RunningStatistics(self.network) if debiased else None,
        }
        if adaptation is None:
            return Step(*operands, **options)
        options |= {"method": adaptation.method, "weight": adaptation.settings.weight}
        if adaptation.source_free:
            return SourceFreeStep(*operands, **options)
        return JointStep(*operands, target=adaptation.target, **options)

    def fit(self, on_epoch: Callable[["Trainer", bool], None]) -> Progress:
        """Train to the last epoch; `on_epoch(trainer, is_best)` is called after each.

        Raises
        ------
        FaultdiagError
            If the loss is no longer finite.
        """
        done = (self.progress.epoch - self._first) * len(self._sizes) + self._done
        with tqdm(
            total=self._total, initial=done, desc="training", unit="step", disable=None
        ) as bar:
            while self.progress.epoch < self.settings.epochs and not self.stalled:
                row = self._epoch(bar)
                is_best = self.progress.note(row)
                bar.set_postfix_str(_postfix(row))
                if bar.disable:
                    note(progress_line(row, self.settings.epochs))
                on_epoch(self, is_best)
        return self.progress

    @property
    def outputs(self) -> Tensor | None:
        """The outputs of a front end for all training and validation windows, where kept."""
        kept = [outputs for outputs in self._shown if outputs is not None]
        return torch.cat(kept) if kept else None

    def steps_until(self, epoch: int) -> int:
        """Return the number of steps up to the end of an epoch."""
        return min(epoch * len(self._sizes), self._total)

    @property
    def _total(self) -> int:
        """Number of steps, those of the phase before left out."""
        most = (self.settings.epochs - self._first) * len(self._sizes)
        return most if self.settings.steps is None else min(self.settings.steps, most)

    @property
    def _in_epoch(self) -> int:
        """Number of steps of the epoch that is trained."""
        before = (self.progress.epoch - self._first) * len(self._sizes)
        return min(len(self._sizes), self._total - before)

    @property
    def stalled(self) -> bool:
        """Whether early stopping ends the training now."""
        patience = self.settings.early_stopping
        if patience is None:
            return False
        gained = last_gain(self.progress.history, self._independent)
        return self.progress.epoch - gained >= patience

    def _epoch(self, bar: "tqdm[Any]") -> Json:
        began = time.perf_counter()
        learnt = dict(zip(self._columns, self.learn(bar), strict=True))
        epoch = self.progress.epoch + 1
        row: Json = {"epoch": epoch, **learnt}
        if self.valid is not None:
            valid_loss, valid_accuracy = self.validate()
            if not math.isfinite(valid_loss):
                raise self._not_finite("validation", valid_loss, f"epoch {epoch}")
            row |= {"valid_loss": valid_loss, "valid_accuracy": valid_accuracy}
        if self.adaptation is not None:
            row |= self.adaptation.criteria()
        return {
            **row,
            "learning_rate": self._rate.value,
            "seconds": time.perf_counter() - began,
        }

    def learn(self, bar: "tqdm[Any] | None" = None) -> tuple[float, ...]:
        """Train one epoch and return its means: loss and accuracy, or the step's own columns.

        An interrupted epoch continues where it stopped.
        """
        self.network.train()
        order = self._order().to(self.train.device)
        first = sum(self._sizes[: self._done])
        steps = self._in_epoch
        while self._done < steps:
            size = self._sizes[self._done]
            self._set_rate()
            self._steps[self._done] = self._step(order[first : first + size])
            first += size
            self._done += 1
            self._require_finite()
            if bar is not None:
                bar.update()
            if self._on_step is not None:
                self._on_step(self)
        means = (self._steps[:steps].sum(0) / first).tolist()
        self._done = 0
        return tuple(means)

    def _order(self) -> Tensor:
        epoch = self.progress.epoch + 1
        windows = self.train.index
        if self.settings.balance == "sampling":
            return balanced(windows.label, self.settings.seed, epoch)
        if self.settings.balance == "recordings":
            groups = windows.recording
            return balanced(windows.label, self.settings.seed, epoch, groups=groups)
        return shuffled(len(self.train), self.settings.seed, epoch)

    def _set_rate(self) -> None:
        steps = len(self._sizes)
        history = self.progress.history[self._first :]
        factor = with_warm_up(
            self.settings.schedule,
            step=len(history) * steps + self._done,
            steps=self._total,
            warm_up=round(self.settings.warmup_epochs * steps),
            losses=[row["valid_loss"] for row in history if "valid_loss" in row],
        )
        if self.adaptation is not None:
            factor *= self.adaptation.learning_rate
        self._rate.set(self.settings.learning_rate * factor)

    def _require_finite(self) -> None:
        every = self._check_every
        if self._done % every and self._done < self._in_epoch:
            return
        begun = (self._done - 1) // every * every
        sums = self._steps[begun : self._done]
        bad = (~sums.isfinite()).nonzero()
        if len(bad):
            step, column = (int(place) for place in bad[0])
            place = f"epoch {self.progress.epoch + 1}, step {begun + step + 1}"
            kind = "transfer" if self._columns[column] == "transfer_loss" else "training"
            raise self._not_finite(kind, float(sums[step, column]), place)

    def _not_finite(self, kind: str, loss: float, place: str) -> FaultdiagError:
        instead = "" if self.settings.precision == "float32" else ", train in float32"
        clip = "" if self.settings.clip_gradient else ", set train.clip_gradient: 1"
        rate = self.settings.learning_rate
        return FaultdiagError(
            f"the {kind} loss is {loss} in {place}; lower train.learning_rate (it is {rate:g})"
            f"{clip}{instead}, or set train.warmup_epochs"
        )

    def _step(self, rows: Tensor) -> Tensor:
        drawn: tuple[Tensor, ...] = ()
        if self._augment is not None:
            drawn = self._augment.draw(len(rows), self.progress.epoch + 1, self._done)
        return self._run(rows, *self._of_target(rows), *drawn)

    def _of_target(self, rows: Tensor) -> tuple[Tensor, ...]:
        """Return the inputs of a step of an adaptation besides its rows."""
        if self.adaptation is None:
            return ()
        epoch = self.progress.epoch - self._first
        step = epoch * len(self._sizes) + self._done
        if self.adaptation.source_free:
            return (self.adaptation.pseudo_labels(rows, step),)
        first = epoch * len(self.train) + sum(self._sizes[: self._done])
        return self.adaptation.arguments(first, len(rows), step)

    @torch.inference_mode()
    def validate(self) -> tuple[float, float]:
        """Return mean loss and accuracy of the validation windows."""
        if self.valid is None or self._validation is None:
            raise ValueError("there are no validation windows")
        self.network.eval()
        total = torch.zeros(2, dtype=torch.float64, device=self.valid.device)
        for rows in self.valid.in_order():
            total += self._validation(rows)
        loss, accuracy = (total / len(self.valid)).tolist()
        return loss, accuracy

    def state(self) -> Json:
        """Return the state for resuming besides the weights, as plain types and tensors."""
        return {
            "optimizer": self._rate.state(),
            "history": self.progress.history,
            "best_epoch": self.progress.best_epoch,
            "steps": self._steps[: self._done].cpu(),
            "random": torch.get_rng_state(),
            "random_cuda": _cuda_states(self.train.device),
            "adaptation": None if self.adaptation is None else self.adaptation.state(),
        }

    def restore(self, weights: Mapping[str, Tensor], state: Document) -> None:
        """Restore the state that `state` returned."""
        self.network.load_state_dict(dict(weights))
        self._rate.restore(state["optimizer"])
        self._run.forget()  # the tensors of the optimizer have moved
        self.progress = replace(
            self.progress, history=list(state["history"]), best_epoch=state["best_epoch"]
        )
        if self.adaptation is not None:
            self.adaptation.restore(state["adaptation"])
        self._done = len(state["steps"])
        self._steps[: self._done] = state["steps"].to(self._steps.device)
        torch.set_rng_state(state["random"])
        if self.train.device.type == "cuda" and state["random_cuda"] is not None:
            torch.cuda.set_rng_state(state["random_cuda"], self.train.device)


def adapting_trainer(
    network: nn.Module,
    config: Config,
    *,
    train: WindowBatches | None,
    valid: WindowBatches | None,
    target: WindowBatches,
    classes: int,
    segments: Sequence[Segment] = (),
    history: Sequence[Json] = (),
    begin: bool = True,
    on_step: Callable[[Trainer], None] | None = None,
) -> Trainer:
    """Build the trainer that adapts a network, which was trained on the source, to the target.

    Parameters
    ----------
    train, valid, segments
        Data of the source; None if they are not available: source-free methods don't need them.
    target
        Its windows, without labels.
    history
        The epochs of the training on the source.
    begin
        Whether the network is to be made ready; False where a state is restored next.

    Raises
    ------
    FaultdiagError
        As `Adaptation`, and if the method needs source windows and there are none.
    """
    transfer = config.transfer or TransferConfig()
    source_free = kind_of(transfer.method) == "source_free"
    if train is None and not source_free:
        raise FaultdiagError(
            f"transfer.method {transfer.method} needs the source's recordings, which are not at "
            "hand; use shot or adabn, which need the model and the target alone"
        )
    settings = _adapting_settings(config, transfer.steps, source_free=source_free)
    stream = target if source_free or train is None else train
    per_epoch = len(batch_sizes(len(stream), settings.batch_size))
    steps = transfer.steps or per_epoch * (settings.epochs - len(history))
    terms = (transfer.method, transfer.options, transfer.weight, transfer.selection, settings.seed)
    adaptation = Adaptation(
        network, target, AdaptationSettings(*terms), classes=classes, steps=steps, valid=valid
    )
    if begin:
        adaptation.begin()
    return Trainer(
        network,
        stream,
        valid,
        settings,
        segments=segments,
        adaptation=adaptation,
        history=history,
        on_step=on_step,
    )


def _adapting_settings(config: Config, steps: int | None, *, source_free: bool) -> Settings:
    """Return the settings of a training for the phase that adapts."""
    settings = replace(
        trainer_settings(config),
        steps=steps,
        batch_size=batch_size_of(config)[0],
        early_stopping=None,
        warmup_epochs=0.0,
    )
    return replace(settings, augment=Ranges(), balance="none") if source_free else settings


def _cuda_states(device: torch.device) -> Tensor | None:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def trainer_settings(config: Config) -> Settings:
    """Return the settings of the config's ``train`` section."""
    section = config.train
    same = ("epochs", "batch_size", "optimizer", "learning_rate", "l2", "precision", "momentum")
    options = ("warmup_epochs", "early_stopping", "clip_gradient", "label_smoothing", "balance")
    both = (*same, *options, "graphs", "running_statistics", "steps", "keep", "trim")
    return Settings(
        **{name: getattr(section, name) for name in both},
        seed=config.seed,
        schedule=build_schedule(section.schedule),
        augment=Ranges(**section.augment.model_dump()),
    )
