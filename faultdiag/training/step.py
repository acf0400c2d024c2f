"""One step of training and one of validation, as functions of tensors on the device."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from faultdiag.inference import WindowBatches, autocast, forward
from faultdiag.training.augment import Augmentation
from faultdiag.training.order import class_weights


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
