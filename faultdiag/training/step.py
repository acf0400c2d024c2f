"""One step of training and one of validation, and the order of the windows."""

from contextlib import nullcontext
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from faultdiag.inference import WindowBatches, arguments_of, autocast, forward
from faultdiag.training.augment import Augmentation
from faultdiag.training.statistics import RunningStatistics


def shuffled(count: int, seed: int, epoch: int) -> Tensor:
    """Return the order of `count` windows in an epoch.

    It depends on seed and epoch alone: the random draws of a network (dropout) can't change it,
    and a resumed training needs no state for it.
    """
    order = np.arange(count, dtype=_smallest(count))
    np.random.default_rng([seed, epoch]).shuffle(order)
    return torch.from_numpy(order)


def balanced(
    labels: NDArray[np.integer],
    seed: int,
    epoch: int,
    *,
    groups: NDArray[np.integer] | None = None,
) -> Tensor:
    """Draw as many windows as there are, each class equally often, in the order of an epoch.

    No window of a class repeats before all others of that class were drawn: a small class repeats
    its windows, and of a large class some are left for the next epoch.

    Parameters
    ----------
    labels
        Class of each window.
    groups
        Recording of each window: every recording of a class is drawn equally often, too.
    """
    rng = np.random.default_rng([seed, epoch])
    drawn = np.empty(len(labels), dtype=_smallest(len(labels)))
    classes = np.unique(labels)
    for place, label in enumerate(classes):
        members = np.flatnonzero(labels == label)
        mine = drawn[place :: len(classes)]
        if groups is None:
            _fill(mine, members, rng)
            continue
        own = rng.permutation(np.unique(groups[members]))
        for i, group in enumerate(own):
            _fill(mine[i :: len(own)], members[groups[members] == group], rng)
    rng.shuffle(drawn)
    return torch.from_numpy(drawn)


def _fill(
    drawn: NDArray[np.integer], members: NDArray[np.integer], rng: np.random.Generator
) -> None:
    """Fill `drawn` with members in random order; none repeats before all were drawn."""
    members = members.astype(drawn.dtype)
    for first in range(0, len(drawn), len(members)):
        rng.shuffle(members)
        drawn[first : first + len(members)] = members[: len(drawn) - first]


def class_weights(labels: NDArray[np.integer], classes: int) -> Tensor:
    """Return a weight per class that balances the classes: ``n / (classes n_c)``.

    A class without windows gets the weight 1, which has no effect.
    """
    counts = np.bincount(labels, minlength=classes)
    present = np.count_nonzero(counts)
    weights = np.where(counts, len(labels) / (present * np.maximum(counts, 1)), 1.0)
    return torch.from_numpy(weights.astype(np.float32))


def batch_sizes(count: int, size: int) -> list[int]:
    """Split a number of windows into batches; a single remaining one joins the batch before it.

    BatchNorm after a global mean has one value per window and channel, and a single value has no
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


def _smallest(count: int) -> type[np.signedinteger]:
    return np.int32 if count < 2**31 else np.int64


class Step:
    """Forward, backward and one step of the optimizer: ``step(rows, *drawn)``.

    It draws no random numbers in Python, and on CUDA it neither copies from host memory nor waits
    for the device, so that it can be recorded as a CUDA graph.

    Parameters
    ----------
    network, batches, optimizer
        What is trained, the training windows, and the optimizer.
    augment
        Random changes of the windows, if any.
    balance
        Class of each training window, if the classes are to be balanced by weights.
    precision, clip_gradient, label_smoothing, trim
        As in the config's ``train`` section.
    statistics
        The network's running statistics, to be debiased; None: they are torch's own.

    Attributes
    ----------
    columns
        What its result is summed up as in the history of the training.
    """

    columns: ClassVar[tuple[str, ...]] = ("train_loss", "train_accuracy")

    def __init__(
        self,
        network: nn.Module,
        batches: WindowBatches,
        optimizer: torch.optim.Optimizer,
        augment: Augmentation | None = None,
        *,
        balance: NDArray[np.integer] | None,
        precision: str,
        clip_gradient: float | None,
        label_smoothing: float,
        trim: float = 0.0,
        statistics: RunningStatistics | None = None,
    ) -> None:
        self._network = network
        self._batches = batches
        self._optimizer = optimizer
        self._augment = augment
        self._debiased = nullcontext if statistics is None else statistics.debiased
        self._balance = balance
        self._weights: Tensor | None = None
        self._precision = precision
        self._clip = clip_gradient
        self._smoothing = label_smoothing
        self._trim = trim

    def __call__(self, rows: Tensor, *drawn: Tensor) -> Tensor:
        """Train on the windows of `rows`; return the sum of losses and the number of correct ones.

        Parameters
        ----------
        rows
            Indices of the windows, on the device.
        drawn
            The result of `Augmentation.draw`.
        """
        rows = rows.long()
        labels = self._batches.labels(rows)
        with autocast(self._batches.device, self._precision), self._debiased():
            logits: Tensor = self._network(*self._arguments(rows, drawn))
            loss = self._loss(logits, labels)
        self._descend(loss)
        right = (logits.detach().argmax(1) == labels).sum()
        return torch.stack((loss.detach() * len(rows), right))

    def _arguments(self, rows: Tensor, drawn: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        if self._augment is None:
            return arguments_of(self._network, self._batches, rows)
        windows, factor = self._augment.changed(rows, *drawn)
        return arguments_of(self._network, self._batches, rows, windows, factor)

    def _descend(self, loss: Tensor) -> None:
        """Compute the gradients of a loss and let the optimizer make a step."""
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self._clip:
            nn.utils.clip_grad_norm_(self._network.parameters(), self._clip)
        self._optimizer.step()

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        wide = logits if logits.dtype == torch.float64 else logits.float()
        if self._balance is not None and self._weights is None:
            weights = class_weights(self._balance, wide.shape[1])
            self._weights = weights.to(wide.device, wide.dtype)
        if left_out := int(self._trim * len(labels)):
            losses = functional.cross_entropy(wide.detach(), labels, reduction="none")
            kept = losses.topk(len(labels) - left_out, largest=False).indices
            wide, labels = wide[kept], labels[kept]
        return functional.cross_entropy(
            wide, labels, self._weights, label_smoothing=self._smoothing
        )


class ValidationStep:
    """Loss and correct windows, with the network in evaluation mode: ``step(rows)``.

    Parameters
    ----------
    network, batches, precision
        As for `Step`.
    """

    def __init__(self, network: nn.Module, batches: WindowBatches, *, precision: str) -> None:
        self._network = network
        self._batches = batches
        self._precision = precision

    def __call__(self, rows: Tensor) -> Tensor:
        """Return the sum of losses of the windows of `rows`, and the number of correct ones."""
        labels = self._batches.labels(rows)
        with autocast(self._batches.device, self._precision):
            logits = forward(self._network, self._batches, rows).double()
        loss = functional.cross_entropy(logits, labels, reduction="sum")
        return torch.stack((loss, (logits.argmax(1) == labels).sum()))
