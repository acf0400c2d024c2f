"""After the last epoch: calibrate, fit the novelty detection, score."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from faultdiag.checkpoint import Checkpoint, load, save, to_stored
from faultdiag.config.schema import TransferConfig
from faultdiag.documents import Json
from faultdiag.evaluation.evaluate import PartLogits, describe_split, part_reader, score_part
from faultdiag.features.healthy import HealthyReference, healthy_to_stored
from faultdiag.metrics.calibration import Reliability, reliability
from faultdiag.novelty import MOST_OF_RECORDING, Novelty, evenly
from faultdiag.preparing.folder import Prepared
from faultdiag.signature import Signature
from faultdiag.signature import to_stored as signature_to_stored
from faultdiag.splits.within import SOURCE_TEST, TARGET_ADAPT
from faultdiag.training.calibrating import (
    Temperature,
    calibrate,
    fit_healthy_windows,
    fit_novelty,
    fit_signature_of,
    raw_windows,
    with_head_of,
    with_target,
)
from faultdiag.training.guard import Verdict, choose_adapted, chosen_by, measure
from faultdiag.training.run_folder import ADAPTED, CHOSEN, SOURCE

# What the kept epoch was chosen by, for each value of ``train.keep``.
CHOSEN_BY = {"best": "valid accuracy, then loss", "last": "last epoch"}
PARTS = ("test", "valid")
DRAWN = ("valid", "test")
# The scores of the last epoch that are reported beside those of the chosen one.
COMPARED = ("accuracy", "macro_f1", "recording_accuracy")


def score_novelty(fitted: Novelty, prepared: Prepared) -> Json:
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

    metrics: Json
    temperature: float
    reliability: dict[str, tuple[Reliability, Reliability]]


@dataclass(frozen=True)
class _References:
    """What is fitted on the training and validation parts, besides the temperature."""

    novelty: Novelty
    healthy: HealthyReference | None

    def stored_in(self, source: Checkpoint) -> bool:
        """Whether a checkpoint has this already."""
        return self.novelty.same(source.novelty) and self.healthy == source.healthy_reference


@dataclass(frozen=True)
class _ScoredCheckpoint:
    """A calibrated checkpoint and its logits of each part."""

    source: Checkpoint
    logits: dict[str, PartLogits]

    @property
    def temperature(self) -> Temperature:
        """The temperature of the checkpoint, and its basis."""
        return Temperature(self.source.temperature, str(self.source.calibration["fitted_on"]))

    def scores(self, prepared: Prepared, part: str) -> Json | None:
        """Return the scores of a part; None where none of its windows has a label."""
        labelled = self.logits[part].labelled()
        if labelled is None:
            return None
        return score_part(
            labelled,
            prepared,
            classes=self.source.classes,
            healthy=self.source.healthy,
            temperature=self.source.temperature,
        )

    def reliability(self, part: str) -> tuple[Reliability, Reliability] | None:
        part_of = self.logits[part].labelled()
        if part_of is None:
            return None
        before, after = (part_of.probabilities(t) for t in (1.0, self.source.temperature))
        return reliability(part_of.labels, before), reliability(part_of.labels, after)


def finish(
    folder: Path,
    prepared: Prepared,
    device: torch.device,
    *,
    best_epoch: int,
    last_epoch: int,
    transfer: TransferConfig | None = None,
    keep: str = "best",
) -> Outcome:
    """Calibrate ``best.pt`` and ``last.pt`` of a run folder, and score both.

    With ``train.refit``, the temperature and the scores of validation are those of the model that
    validation chose. With transfer, ``best.pt`` first becomes the adapted model, or where the guard
    refuses that, the one from before.

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
    adapted = choose_adapted(folder, prepared, device, transfer)
    source = load(folder / "best.pt")
    fitted = _fit(source, prepared)
    refit = (folder / CHOSEN).is_file() and adapted is None
    chosen = _calibrate(folder / (CHOSEN if refit else "best.pt"), prepared, device, fitted)
    best_epoch = best_epoch if adapted is None else source.epoch
    same_epoch = best_epoch == last_epoch
    last = _calibrate_last(folder, chosen, prepared, device, fitted, same_epoch=same_epoch)
    best = _refitted(folder / "best.pt", chosen, prepared, device, fitted) if refit else chosen
    metrics = _scores_of_parts(best, prepared)
    if transfer is not None:
        metrics["transfer"] = _transfer_metrics(folder, prepared, device, transfer, adapted)
    metrics |= _fitted_metrics(best, fitted, prepared)
    metrics["selection"] = {
        "best_epoch": best_epoch,
        "last_epoch": last_epoch,
        "chosen_by": CHOSEN_BY[keep] if adapted is None else chosen_by(transfer, adapted),
        **({"refit": True} if refit else {}),
    }
    metrics["last"] = {part: _compared(last.scores(prepared, part)) for part in PARTS}
    return Outcome(metrics, best.source.temperature, _reliabilities(best))


def _fit(source: Checkpoint, prepared: Prepared) -> _References:
    """Fit what a checkpoint says of novel and of healthy windows."""
    known = fit_novelty(prepared)
    if source.transfer is not None:
        known = with_target(known, prepared)
    return _References(known, fit_healthy_windows(prepared, source.healthy))


def _scores_of_parts(best: _ScoredCheckpoint, prepared: Prepared) -> Json:
    """Return the scores of test and validation, and of the parts that only transfer has."""
    of_transfer = [part for part in (TARGET_ADAPT, SOURCE_TEST) if part in prepared.parts]
    return {part: best.scores(prepared, part) for part in (*PARTS, *of_transfer)}


def _fitted_metrics(best: _ScoredCheckpoint, fitted: _References, prepared: Prepared) -> Json:
    """Return what ``metrics.json`` says of novelty, calibration, signature and split."""
    metrics: Json = {"novelty": score_novelty(fitted.novelty, prepared)}
    metrics["calibration"] = {
        "temperature": best.temperature.value,
        "fitted_on": best.temperature.basis,
    }
    if (signature := best.source.signature) is not None:
        metrics["signature"] = _score_signature(signature, best.logits["test"])
    return metrics | {"split": describe_split(prepared)}


def _reliabilities(best: _ScoredCheckpoint) -> dict[str, tuple[Reliability, Reliability]]:
    """Return the reliability of each part that is drawn and has labels."""
    bins = {part: best.reliability(part) for part in DRAWN}
    return {part: pair for part, pair in bins.items() if pair is not None}


def _calibrate(
    path: Path, prepared: Prepared, device: torch.device, fitted: _References
) -> _ScoredCheckpoint:
    source = load(path)
    read = part_reader(source, prepared, device)
    valid = read("valid")
    signature = fit_signature_of(source, prepared, valid, device)
    calibrated = _store(path, source, calibrate(prepared, valid), fitted, signature)
    others = [part for part in prepared.parts if part not in {"train", "valid"}]
    return _ScoredCheckpoint(calibrated, {"valid": valid, **{part: read(part) for part in others}})


def _calibrate_last(
    folder: Path,
    chosen: _ScoredCheckpoint,
    prepared: Prepared,
    device: torch.device,
    fitted: _References,
    *,
    same_epoch: bool,
) -> _ScoredCheckpoint:
    """Calibrate ``last.pt``; where its weights are the chosen ones, nothing needs to run again."""
    path = folder / "last.pt"
    if same_epoch:
        source = load(path)
        if _same_weights(chosen.source, source):
            _store(path, source, chosen.temperature, fitted, chosen.source.signature)
            return chosen
    return _calibrate(path, prepared, device, fitted)


def _refitted(
    path: Path,
    chosen: _ScoredCheckpoint,
    prepared: Prepared,
    device: torch.device,
    fitted: _References,
) -> _ScoredCheckpoint:
    """Return a model trained on train and valid, judged on valid by the one chosen before."""
    source = load(path)
    signature = with_head_of(source, chosen.source.signature, device)
    stored = _store(path, source, chosen.temperature, fitted, signature)
    read = part_reader(stored, prepared, device)
    others = {part: read(part) for part in chosen.logits if part != "valid"}
    return _ScoredCheckpoint(stored, {"valid": chosen.logits["valid"], **others})


def _same_weights(one: Checkpoint, other: Checkpoint) -> bool:
    return all(torch.equal(tensor, other.model[name]) for name, tensor in one.model.items())


def _transfer_metrics(
    folder: Path,
    prepared: Prepared,
    device: torch.device,
    transfer: TransferConfig,
    verdict: Verdict | None,
) -> Json:
    """Return what ``metrics.json`` holds under ``transfer``."""
    result: Json = {"method": transfer.method, "guard": transfer.guard}
    if verdict is None:
        same = measure(part_reader(load(folder / "best.pt"), prepared, device)(TARGET_ADAPT))
        return result | Verdict.of(prepared.classes, same, same, guard="none").to_dict()
    scores = {
        name: _compared(_scores(load(folder / file), prepared, device))
        for name, file in (("source_only", SOURCE), ("adapted", ADAPTED))
    }
    return result | verdict.to_dict() | scores


def _scores(model: Checkpoint, prepared: Prepared, device: torch.device) -> Json | None:
    logits = part_reader(model, prepared, device)("test")
    return _ScoredCheckpoint(model, {"test": logits}).scores(prepared, "test")


def _store(
    path: Path,
    source: Checkpoint,
    temperature: Temperature,
    fitted: _References,
    signature: Signature | None,
) -> Checkpoint:
    """Return the checkpoint with this calibration; write it unless it has it already."""
    before = source.calibration
    same = (before.get("temperature"), before.get("fitted_on")) == (
        temperature.value,
        temperature.basis,
    )
    if same and fitted.stored_in(source) and signature == source.signature:
        return source
    calibration = {
        "temperature": temperature.value,
        "fitted_on": temperature.basis,
        "novelty": to_stored(fitted.novelty),
    }
    if fitted.healthy is not None:
        calibration["healthy"] = healthy_to_stored(fitted.healthy)
    if signature is not None:
        calibration["signature"] = signature_to_stored(signature)
    calibrated = replace(source, calibration=calibration)
    save(path, calibrated)
    return calibrated


def _score_signature(signature: Signature, test: PartLogits) -> Json:
    """Return what ``metrics.json`` holds of a signature: its fit, and its share in the test."""
    strength = signature.strength(test.logits)
    numbers = np.unique(test.recordings)
    means = [float(strength[test.recordings == number].mean()) for number in numbers]
    share = float(np.mean([signature.verdict(mean) == "yes" for mean in means])) if means else None
    return {
        "threshold": signature.threshold,
        "error": signature.error,
        "fitted_on": signature.basis,
        "test_share": share,
    }


def _compared(scores: Json | None) -> Json | None:
    return None if scores is None else {key: scores[key] for key in COMPARED}
