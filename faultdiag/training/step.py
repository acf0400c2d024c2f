"""One step of training and one of validation, and the order of the windows."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from faultdiag.inference import WindowBatches, autocast, forward
from faultdiag.training.augment import Augmentation


def shuffled(count: int, seed: int, epoch: int) -> Tensor:
    """Give the order of `count` windows in an epoch.

    It follows from seed and epoch alone: a network that draws (dropout) can't shift it, and a
    resumed training needs no state for it.
    """
    order = np.arange(count, dtype=_smallest(count))
    np.random.default_rng([seed, epoch]).shuffle(order)
    return torch.from_numpy(order)


def balanced(labels: NDArray[np.integer], seed: int, epoch: int) -> Tensor:
    """Give as many windows as there are, every class equally often, in the order of an epoch.

    A class comes whole before any of its windows comes again: of a small class all windows are
    seen, some of them once more often than others; of a large one some wait for the next epoch.

    Parameters
    ----------
    labels
        Class of each window.
    """
    rng = np.random.default_rng([seed, epoch])
    dtype = _smallest(len(labels))
    classes = np.unique(labels)
    drawn = np.empty(len(labels), dtype=dtype)
    for place, label in enumerate(classes):
        members = np.flatnonzero(labels == label).astype(dtype)
        mine = drawn[place :: len(classes)]
        for first in range(0, len(mine), len(members)):
            rng.shuffle(members)
            mine[first : first + len(members)] = members[: len(mine) - first]
    rng.shuffle(drawn)
    return torch.from_numpy(drawn)


def class_weights(labels: NDArray[np.integer], classes: int) -> Tensor:
    """Give a weight per class with which every class counts the same: ``n / (classes n_c)``.

    A class without windows has the weight 1; it makes no difference.
    """
    counts = np.bincount(labels, minlength=classes)
    present = np.count_nonzero(counts)
    weights = np.where(counts, len(labels) / (present * np.maximum(counts, 1)), 1.0)
    return torch.from_numpy(weights.astype(np.float32))


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


def _smallest(count: int) -> type[np.signedinteger]:
    return np.int32 if count < 2**31 else np.int64


class Step:
    """Forward, backward and one step of the optimizer: ``step(rows, *drawn)``.

    It draws nothing in Python, and on CUDA it neither copies from the processor's memory nor
    waits for the device, so that it can be recorded as a CUDA graph.

    Parameters
    ----------
    network, batches, optimizer
        What is trained, on what, by what.
    augment
        What changes the windows, if anything does.
    balance
        Class of each training window, if every class shall count the same.
    precision, clip_gradient, label_smoothing
        As in the config's ``train`` section.
    """

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
    ) -> None:
        self._network = network
        self._batches = batches
        self._optimizer = optimizer
        self._augment = augment
        self._balance = balance
        self._weights: Tensor | None = None
        self._precision = precision
        self._clip = clip_gradient
        self._smoothing = label_smoothing

    def __call__(self, rows: Tensor, *drawn: Tensor) -> Tensor:
        """Learn from the windows of `rows`; give the sum of their losses and how many are right.

        Parameters
        ----------
        rows
            Which windows, on the device.
        drawn
            What `Augmentation.draw` gave.
        """
        rows = rows.long()
        labels = self._batches.labels(rows)
        with autocast(self._batches.device, self._precision):
            logits = self._logits(rows, drawn)
            loss = self._loss(logits, labels)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self._clip:
            nn.utils.clip_grad_norm_(self._network.parameters(), self._clip)
        self._optimizer.step()
        right = (logits.detach().argmax(1) == labels).sum()
        return torch.stack((loss.detach() * len(rows), right))

    def _logits(self, rows: Tensor, drawn: tuple[Tensor, ...]) -> Tensor:
        if self._augment is None:
            return forward(self._network, self._batches, rows)
        windows, factor = self._augment.changed(rows, *drawn)
        return forward(self._network, self._batches, rows, windows, factor)

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        wide = logits if logits.dtype == torch.float64 else logits.float()
        if self._balance is not None and self._weights is None:
            weights = class_weights(self._balance, wide.shape[1])
            self._weights = weights.to(wide.device, wide.dtype)
        return functional.cross_entropy(
            wide, labels, self._weights, label_smoothing=self._smoothing
        )


class Judge:
    """Loss and number right of windows, the network in evaluation mode: ``judge(rows)``.

    Parameters
    ----------
    network, batches, precision
        As of a `Step`.
    """

    def __init__(self, network: nn.Module, batches: WindowBatches, *, precision: str) -> None:
        self._network = network
        self._batches = batches
        self._precision = precision

    def __call__(self, rows: Tensor) -> Tensor:
        """Give the sum of the losses of the windows of `rows`, and how many are right."""
        labels = self._batches.labels(rows)
        with autocast(self._batches.device, self._precision):
            logits = forward(self._network, self._batches, rows).double()
        loss = functional.cross_entropy(logits, labels, reduction="sum")
        return torch.stack((loss, (logits.argmax(1) == labels).sum()))
