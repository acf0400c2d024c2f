"""The training loop. It sees the training and the validation part, never the test part."""

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from faultdiag.errors import FaultdiagError
from faultdiag.inference import WindowBatches, autocast, forward
from faultdiag.models import kernel_parameters


@dataclass(frozen=True, slots=True)
class Settings:
    """How a network is trained; the fields are those of the config's ``train`` section."""

    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    l2: float
    precision: str
    seed: int


@dataclass
class Progress:
    """Where training stands: rows of history, and the best epoch by validation so far."""

    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0

    @property
    def epoch(self) -> int:
        """Epochs finished."""
        return len(self.history)

    def note(self, row: dict[str, Any]) -> bool:
        """Add the row of a finished epoch and say whether it is the best so far."""
        self.history.append(row)
        best = self.history[self.best_epoch - 1] if self.best_epoch else None
        if best is None or _merit(row) > _merit(best):
            self.best_epoch = row["epoch"]
        return bool(self.best_epoch == row["epoch"])


def _merit(row: Mapping[str, Any]) -> tuple[float, float]:
    """Accuracy first; of equals the one with the smaller loss."""
    return row["valid_accuracy"], -row["valid_loss"]


class Trainer:
    """A network, its optimizer and the random state of its training.

    Parameters
    ----------
    network
        On the device where it is trained.
    train, valid
        Windows to learn from, and windows to choose the epoch by.
    settings
        How it is trained.
    """

    def __init__(
        self, network: nn.Module, train: WindowBatches, valid: WindowBatches, settings: Settings
    ) -> None:
        self.network = network
        self.train = train
        self.valid = valid
        self.settings = settings
        self.progress = Progress()
        self.optimizer = build_optimizer(network, settings)

    def fit(self, on_epoch: Callable[["Trainer", bool], None]) -> Progress:
        """Train to the last epoch; `on_epoch(trainer, is_best)` is called after each.

        Raises
        ------
        FaultdiagError
            If the loss stops being a number.
        """
        steps = len(batch_sizes(len(self.train), self.settings.batch_size))
        total, done = (n * steps for n in (self.settings.epochs, self.progress.epoch))
        with tqdm(total=total, initial=done, desc="training", unit="step", disable=None) as bar:
            while self.progress.epoch < self.settings.epochs:
                row = self._epoch(bar)
                is_best = self.progress.note(row)
                bar.set_postfix_str(f"epoch {row['epoch']}, valid {row['valid_accuracy']:.4f}")
                if bar.disable:
                    sys.stderr.write(_line(row, self.settings.epochs))
                on_epoch(self, is_best)
        return self.progress

    def _epoch(self, bar: "tqdm[Any]") -> dict[str, Any]:
        began = time.perf_counter()
        loss, accuracy = self.learn(bar)
        epoch = self.progress.epoch + 1
        self._require_finite("training", loss, epoch)
        valid_loss, valid_accuracy = self.validate()
        self._require_finite("validation", valid_loss, epoch)
        return {
            "epoch": epoch,
            "train_loss": loss,
            "train_accuracy": accuracy,
            "valid_loss": valid_loss,
            "valid_accuracy": valid_accuracy,
            "learning_rate": self.settings.learning_rate,
            "seconds": time.perf_counter() - began,
        }

    def _require_finite(self, kind: str, loss: float, epoch: int) -> None:
        if not math.isfinite(loss):
            instead = "" if self.settings.precision == "float32" else " or train in float32"
            raise FaultdiagError(
                f"the {kind} loss is {loss} in epoch {epoch}; lower train.learning_rate "
                f"(it is {self.settings.learning_rate:g}){instead}"
            )

    def learn(self, bar: "tqdm[Any] | None" = None) -> tuple[float, float]:
        """Pass once over the training windows and give their mean loss and accuracy."""
        self.network.train()
        order = shuffled(len(self.train), self.settings.seed, self.progress.epoch + 1)
        order = order.to(self.train.device)
        total = torch.zeros(2, dtype=torch.float64, device=self.train.device)
        first = 0
        for size in batch_sizes(len(order), self.settings.batch_size):
            total += self._step(order[first : first + size].long())
            first += size
            if bar is not None:
                bar.update()
        loss, right = (total / len(order)).tolist()
        return loss, right

    def _step(self, rows: Tensor) -> Tensor:
        labels = self.train.labels(rows)
        with autocast(self.train.device, self.settings.precision):
            logits = forward(self.network, self.train, rows)
            wide = logits if logits.dtype == torch.float64 else logits.float()
            loss = functional.cross_entropy(wide, labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        right = (logits.detach().argmax(1) == labels).sum()
        return torch.stack((loss.detach() * len(rows), right))

    @torch.inference_mode()
    def validate(self) -> tuple[float, float]:
        """Pass over the validation windows and give their mean loss and accuracy."""
        self.network.eval()
        total = torch.zeros(2, dtype=torch.float64, device=self.valid.device)
        for rows in self.valid.in_order():
            labels = self.valid.labels(rows)
            with autocast(self.valid.device, self.settings.precision):
                logits = forward(self.network, self.valid, rows).double()
            loss = functional.cross_entropy(logits, labels, reduction="sum")
            total += torch.stack((loss, (logits.argmax(1) == labels).sum()))
        loss, right = (total / len(self.valid)).tolist()
        return loss, right

    def state(self) -> dict[str, Any]:
        """Give everything besides the weights that resuming needs, as plain types and tensors."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "history": self.progress.history,
            "best_epoch": self.progress.best_epoch,
            "random": torch.get_rng_state(),
            "random_cuda": _cuda_states(self.train.device),
        }

    def restore(self, weights: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Go back to where `state` was taken."""
        self.network.load_state_dict(dict(weights))
        self.optimizer.load_state_dict(dict(state["optimizer"]))
        self.progress = Progress(list(state["history"]), state["best_epoch"])
        torch.set_rng_state(state["random"])
        if self.train.device.type == "cuda" and state["random_cuda"] is not None:
            torch.cuda.set_rng_state(state["random_cuda"], self.train.device)


def shuffled(count: int, seed: int, epoch: int) -> Tensor:
    """Give the order of `count` windows in an epoch.

    It follows from seed and epoch alone: a network that draws (dropout) can't shift it, and a
    resumed training needs no state for it.
    """
    order = np.arange(count, dtype=np.int32 if count < 2**31 else np.int64)
    np.random.default_rng([seed, epoch]).shuffle(order)
    return torch.from_numpy(order)


def batch_sizes(count: int, size: int) -> list[int]:
    """Cut a number of windows into batches; a single one left over joins the batch before it.

    BatchNorm after a global mean has one value per window and channel, and one value has no
    variance.

    Examples
    --------
    >>> batch_sizes(10, 4), batch_sizes(9, 4)
    ([4, 4, 2], [4, 5])
    """
    sizes = [size] * (count // size)
    rest = count % size
    if rest == 1 and sizes:
        sizes[-1] += 1
    elif rest:
        sizes.append(rest)
    return sizes


def _line(row: Mapping[str, Any], epochs: int) -> str:
    """What is logged of an epoch where stderr is no terminal and no bar is shown."""
    return (
        f"epoch {row['epoch']} of {epochs}: training loss {row['train_loss']:.4g}, validation "
        f"accuracy {row['valid_accuracy']:.4f}, {row['seconds']:.1f} s\n"
    )


def _cuda_states(device: torch.device) -> Tensor | None:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def build_optimizer(network: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """Build the optimizer with L2 on the kernels alone.

    The penalty is ``l2 * sum(w ** 2)`` over convolution and linear kernels, no bias,
    BatchNorm or attention weight, as in the published baseline. Its gradient ``2 * l2 * w`` is
    the coupled weight decay of Adam and SGD; AdamW takes ``l2`` as its decoupled decay.
    """
    kernels = kernel_parameters(network)
    chosen = {id(parameter) for parameter in kernels}
    others = [p for p in network.parameters() if id(p) not in chosen]
    decay = settings.l2 if settings.optimizer == "adamw" else 2 * settings.l2
    groups = [{"params": kernels, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=0.9, fused=True)
    optimizer = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
    return optimizer(groups, lr=settings.learning_rate, fused=True)
