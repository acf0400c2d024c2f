"""After the last epoch: calibrate, fit the novelty detection, score."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from faultdiag.checkpoint import Checkpoint, load, save, to_stored
from faultdiag.evaluation.evaluate import PartLogits, describe_split, part_logits, score_part
from faultdiag.features.healthy import HealthyReference, healthy_to_stored
from faultdiag.metrics.calibration import Reliability, reliability
from faultdiag.novelty import MOST_OF_RECORDING, Novelty, evenly
from faultdiag.preparing.folder import Prepared
from faultdiag.training.calibrating import (
    Temperature,
    calibrate,
    fit_healthy_windows,
    fit_novelty,
    raw_windows,
)

CHOSEN_BY = "valid accuracy, then loss"
PARTS = ("test", "valid")
DRAWN = ("valid", "test")
# The scores of the last epoch that are reported beside those of the chosen one.
COMPARED = ("accuracy", "macro_f1", "recording_accuracy")


def score_novelty(fitted: Novelty, prepared: Prepared) -> dict[str, Any]:
    """Return the false-positive rate, its basis, and the share of novel test recordings."""
    test = prepared.windows.of("test")
    rows = [np.flatnonzero(test.recording == number) for number in test.by_recording()]
    scores = [
        fitted.score(raw_windows(prepared, test.take(own[evenly(len(own), MOST_OF_RECORDING)])))
        for own in rows
    ]
    share = float(np.mean(np.array(scores) > 1))
    rate = fitted.false_positive_rate
    return {"false_positive_rate": rate, "fitted_on": fitted.basis, "test_share": share}


@dataclass(frozen=True)
class Outcome:
    """The results of a finished training.

    Parameters
    ----------
    metrics
        The content of ``metrics.json``.
    temperature
        The temperature of the chosen epoch.
    reliability
        Per part, the windows by their confidence at temperature 1 and at that temperature.
    """

    metrics: dict[str, Any]
    temperature: float
    reliability: dict[str, tuple[Reliability, Reliability]]


@dataclass(frozen=True)
class _Fitted:
    """What is fitted on the training and validation parts, beside the temperature."""

    novelty: Novelty
    healthy: HealthyReference | None

    def stored_in(self, source: Checkpoint) -> bool:
        """Whether a checkpoint has this already."""
        return self.novelty.same(source.novelty) and self.healthy == source.healthy_reference


@dataclass(frozen=True)
class _Scored:
    """A calibrated checkpoint and its logits of each part."""

    source: Checkpoint
    logits: dict[str, PartLogits]

    @property
    def temperature(self) -> Temperature:
        """The temperature of the checkpoint, and its basis."""
        return Temperature(self.source.temperature, str(self.source.calibration["fitted_on"]))

    def scores(self, prepared: Prepared, part: str) -> dict[str, Any]:
        return score_part(
            self.logits[part],
            prepared,
            classes=self.source.classes,
            healthy=self.source.healthy,
            temperature=self.source.temperature,
        )

    def reliability(self, part: str) -> tuple[Reliability, Reliability]:
        part_of = self.logits[part]
        before, after = (part_of.probabilities(t) for t in (1.0, self.source.temperature))
        return reliability(part_of.labels, before), reliability(part_of.labels, after)


def finish(
    folder: Path, prepared: Prepared, device: torch.device, *, best_epoch: int, last_epoch: int
) -> Outcome:
    """Calibrate ``best.pt`` and ``last.pt`` of a run folder, and score both.

    The temperature of each is fitted on the validation part, the novelty detection on the
    training and validation parts (see `faultdiag.training.calibrating`). Both are written into
    the checkpoint before the test part is read. A checkpoint is replaced in one step: an
    interrupt leaves it either without or with its calibration, and finishing again gives the same
    result.

    Raises
    ------
    FaultdiagError
        If a checkpoint can't be read or written.
    """
    healthy = load(folder / "best.pt").healthy
    fitted = _Fitted(fit_novelty(prepared), fit_healthy_windows(prepared, healthy))
    best = _calibrate(folder / "best.pt", prepared, device, fitted)
    last = best
    if best_epoch == last_epoch:
        # The same weights: nothing needs to run again.
        _store(folder / "last.pt", load(folder / "last.pt"), best.temperature, fitted)
    else:
        last = _calibrate(folder / "last.pt", prepared, device, fitted)
    metrics: dict[str, Any] = {part: best.scores(prepared, part) for part in PARTS}
    metrics["novelty"] = score_novelty(fitted.novelty, prepared)
    metrics["calibration"] = {
        "temperature": best.temperature.value,
        "fitted_on": best.temperature.basis,
    }
    metrics["split"] = describe_split(prepared)
    metrics["selection"] = {
        "best_epoch": best_epoch,
        "last_epoch": last_epoch,
        "chosen_by": CHOSEN_BY,
    }
    metrics["last"] = {part: _compared(last.scores(prepared, part)) for part in PARTS}
    drawn = {part: best.reliability(part) for part in DRAWN}
    return Outcome(metrics, best.source.temperature, drawn)


def _calibrate(path: Path, prepared: Prepared, device: torch.device, fitted: _Fitted) -> _Scored:
    source = load(path)
    network = source.build(device)

    def read(part: str) -> PartLogits:
        return part_logits(
            network,
            prepared,
            part,
            classes=source.classes,
            device=device,
            precision=source.precision,
        )

    valid = read("valid")
    calibrated = _store(path, source, calibrate(prepared, valid), fitted)
    return _Scored(calibrated, {"valid": valid, "test": read("test")})


def _store(path: Path, source: Checkpoint, temperature: Temperature, fitted: _Fitted) -> Checkpoint:
    """Return the checkpoint with this calibration; write it unless it has it already."""
    before = source.calibration
    same = (before.get("temperature"), before.get("fitted_on")) == (
        temperature.value,
        temperature.basis,
    )
    if same and fitted.stored_in(source):
        return source
    calibration = {
        "temperature": temperature.value,
        "fitted_on": temperature.basis,
        "novelty": to_stored(fitted.novelty),
    }
    if fitted.healthy is not None:
        calibration["healthy"] = healthy_to_stored(fitted.healthy)
    calibrated = replace(source, calibration=calibration)
    save(path, calibrated)
    return calibrated


def _compared(scores: dict[str, Any]) -> dict[str, Any]:
    return {key: scores[key] for key in COMPARED}
