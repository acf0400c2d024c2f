"""Fitting a baseline. Like the training loop, it sees the training and validation parts only."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import Tensor
from tqdm import tqdm

from faultdiag.arrays import Floats, Ints
from faultdiag.documents import Document, Json
from faultdiag.inference import WindowBatches
from faultdiag.models.baseline import LEAST, BaselineModel
from faultdiag.system.terminal import note
from faultdiag.training.loop import Progress


class Fitter:
    """Fits a baseline in one pass; the counterpart of `faultdiag.training.loop.Trainer`.

    Parameters
    ----------
    network
        The baseline.
    train, valid
        Windows to fit on, and windows to report a score of beside the test part.
    seed
        Seed of what the baseline draws at random.
    """

    def __init__(
        self, network: BaselineModel, train: WindowBatches, valid: WindowBatches, seed: int
    ) -> None:
        self.network = network
        self.train = train
        self.valid = valid
        self.seed = seed
        self.progress = Progress()

    def fit(self, on_epoch: Callable[["Fitter", bool], None]) -> Progress:
        """Fit, unless it is fitted already; `on_epoch(fitter, True)` is called afterwards.

        Raises
        ------
        FaultdiagError
            If the training part lacks what the baseline needs.
        """
        if self.progress.epoch:
            return self.progress
        row = self._learn()
        self.progress.note(row)
        on_epoch(self, True)
        return self.progress

    def _learn(self) -> Json:
        began = time.perf_counter()
        baseline = self.network.baseline
        with tqdm(
            total=len(self.train) + len(self.valid), desc="features", unit="window", disable=None
        ) as bar:
            train, valid = (self._table(part, bar) for part in (self.train, self.valid))
            bar.set_postfix_str(f"fitting {baseline.name}")
            bar.refresh()
            baseline.fit(*train, seed=self.seed)
        train_loss, train_accuracy = self._scores(*train)
        valid_loss, valid_accuracy = self._scores(*valid)
        row = {
            "epoch": 1,
            "train_loss": train_loss,
            "train_accuracy": train_accuracy,
            "valid_loss": valid_loss,
            "valid_accuracy": valid_accuracy,
            "seconds": time.perf_counter() - began,
        }
        note(
            f"fitted {baseline.name} to {len(self.train)} windows: accuracy {train_accuracy:.4f}, "
            f"on validation {valid_accuracy:.4f}, {row['seconds']:.1f} s"
        )
        return row

    def _table(self, windows: WindowBatches, bar: "tqdm[Any]") -> tuple[Floats, Ints]:
        """Compute features and labels of all windows, with one batch in memory at a time."""
        table = np.empty((len(windows), len(self.network.baseline.features)))
        labels = np.empty(len(windows), dtype=np.int64)
        for rows in windows.in_order():
            chosen = slice(int(rows[0]), int(rows[-1]) + 1)
            table[chosen] = features_of(self.network, windows, rows)
            labels[chosen] = windows.labels(rows).cpu().numpy()
            bar.update(len(rows))
        return table, labels

    def _scores(self, table: Floats, labels: Ints) -> tuple[float, float]:
        """Return mean loss and accuracy."""
        p = self.network.baseline.probabilities(table)
        right = p[np.arange(len(labels)), labels]
        loss = -np.log(np.maximum(right, LEAST)).mean()
        return float(loss), float((p.argmax(axis=1) == labels).mean())

    def state(self) -> Json:
        """Return the state for resuming besides the fitted model, as plain types."""
        return {"history": self.progress.history, "best_epoch": self.progress.best_epoch}

    def restore(self, weights: Mapping[str, Tensor], state: Document) -> None:
        """Restore the state that `state` returned."""
        self.network.load_state_dict(dict(weights))
        self.progress = Progress(list(state["history"]), state["best_epoch"])


def features_of(network: BaselineModel, windows: WindowBatches, rows: Tensor) -> Floats:
    """Compute the features that a baseline sees of windows."""
    if network.needs_bearing:
        return network.features(windows.windows(rows), windows.conditions(rows))
    speeds = (windows.shaft_rates(rows),) if network.needs_speed else ()
    return network.features(windows.windows(rows), *speeds)


def try_baseline(network: BaselineModel, windows: WindowBatches, rows: Tensor) -> str:
    """Compute the features of a few windows and describe those that the baseline uses.

    Raises
    ------
    FaultdiagError
        If the features can't be computed.
    """
    baseline = network.baseline
    table = features_of(network, windows, rows)[:, baseline.columns]
    if not baseline.sees_features:
        return f"baseline {baseline.name}: uses no features"
    orders = f" at the orders of bearing {network.bearing.name}" if network.bearing else ""
    orders = " at the orders of each recording's bearing" if network.needs_bearing else orders
    return (
        f"baseline {baseline.name}: {table.shape[1]} features of each window "
        f"({', '.join(baseline.groups)}{orders}); computed for one batch of {len(table)} windows"
    )
