"""After the last epoch: calibrate, fit the novelty detection, score.

Windows of recordings that training has not seen say how sure the network can be of new recordings,
and how unlike the training data these are. Other seconds of the training recordings are easier:
they may lower confidences, never raise them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from faultdiag import novelty
from faultdiag.arrays import Ints
from faultdiag.checkpoint import Checkpoint, load, save, to_stored
from faultdiag.config.schema import TransferConfig
from faultdiag.documents import Json
from faultdiag.evaluation import (
    PartLogits,
    describe_split,
    part_logits,
    part_reader,
    score_part,
)
from faultdiag.features.extract import (
    HealthyReference,
    fit_healthy,
    healthy_to_stored,
    statistics_of_windows,
)
from faultdiag.metrics.calibration import Reliability, fit_temperature, reliability
from faultdiag.models.tied import head_of
from faultdiag.novelty import MOST_OF_RECORDING, NEIGHBOURS, HeldOut, Novelty, evenly
from faultdiag.preparing.folder import Prepared, gather
from faultdiag.preparing.window_index import WindowIndex
from faultdiag.signal.windows import count_disjoint
from faultdiag.signature import Signature, fit_signature
from faultdiag.signature import to_stored as signature_to_stored
from faultdiag.splits.sharing import origins
from faultdiag.splits.within import SOURCE_TEST, TARGET_ADAPT
from faultdiag.training.guard import Verdict, choose_adapted, chosen_by, measure
from faultdiag.training.run_folder import ADAPTED, CHOSEN, SOURCE

# The most validation windows that the threshold is computed from.
MOST_VALID = 4096
# The most healthy training windows whose statistics are taken.
MOST_HEALTHY = 1024

SEEN = "other seconds of the training recordings"

_SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")
# What the kept epoch was chosen by, for each value of ``train.keep``.
CHOSEN_BY = {"best": "valid accuracy, then loss", "last": "last epoch"}
PARTS = ("test", "valid")
DRAWN = ("valid", "test")
# The scores of the last epoch that are reported beside those of the chosen one.
COMPARED = ("accuracy", "macro_f1", "recording_accuracy")


@dataclass(frozen=True)
class Temperature:
    """The temperature of a network, and the windows that it was fitted on, in words."""

    value: float
    basis: str


def held_out_name(prepared: Prepared) -> str:
    """Return the groups held out for validation, such as ``load_hp 2``; empty if there are none."""
    return str(prepared.document["split"].get("held_out") or "")


def calibrate(prepared: Prepared, valid: PartLogits) -> Temperature:
    """Fit the temperature on the validation windows.

    If some of their recordings are not in the training part, only these are used, and the
    temperature may raise confidences as well as lower them. Otherwise it is at least 1.
    """
    unseen = unseen_rows(prepared)
    if not unseen.any():
        return Temperature(max(fit_temperature(valid.logits, valid.labels), 1.0), SEEN)
    windows = prepared.windows.of("valid").take(unseen)
    independent = sum(count_disjoint(s, prepared.length) for s in windows.by_recording().values())
    value = fit_temperature(valid.logits[unseen], valid.labels[unseen], independent=independent)
    return Temperature(value, _held_out(prepared))


def unseen_rows(prepared: Prepared) -> NDArray[np.bool_]:
    """Return which validation windows are of recordings without a training window."""
    runs = _runs(prepared)
    # By recording: a number per training window could take more memory than the signals.
    trained = runs[list(prepared.windows.of("train").by_recording())]
    return ~np.isin(runs[prepared.windows.of("valid").recording], trained)


def _held_out(prepared: Prepared) -> str:
    return f"held-out {held_out_name(prepared) or 'recordings'}"


def _runs(prepared: Prepared) -> Ints:
    """Return a number per recording, the same for copies of one recording."""
    copies = [duplicate.recordings for duplicate in prepared.duplicates]
    known = origins(prepared.recordings, prepared.sampling_rate, copies)
    return np.array([origin.run for origin in known], dtype=np.int64)


def fit_novelty(prepared: Prepared, *, refit: bool = False) -> Novelty:
    """Fit the novelty detection on the training and validation parts; the test part is not read.

    The threshold is fitted on training windows compared with those of other groups (values of the
    split's fact, else recordings), and on validation windows of other recordings, where there are
    any of these; else on the validation windows.

    Parameters
    ----------
    refit
        Whether the model is trained on the validation windows, too: then these are training
        windows here as well.
    """
    train, valid = prepared.windows.of("train"), prepared.windows.of("valid")
    known = _reference(prepared, [train, valid] if refit else [train])
    levels = np.concatenate([_described(prepared, part) for part in known])
    beside = valid.take(slice(0)) if refit else valid.take(unseen_rows(prepared))
    held_out, basis = _compared_across(prepared, known, levels, _some(beside, MOST_VALID))
    if len(held_out.distances):
        return novelty.fit_across(levels, held_out, basis=basis)
    if refit:
        return replace(fit_novelty(prepared), reference=levels)
    seen = _distances(prepared, _some(valid, MOST_VALID), levels)
    return novelty.fit(levels, seen, independent=len(seen), basis=SEEN)


def _reference(prepared: Prepared, parts: Sequence[WindowIndex]) -> list[WindowIndex]:
    """Return the windows of parts that are kept as reference, evenly spread over all of them."""
    most = novelty.most_windows(len(prepared.channels), prepared.length)
    total = sum(map(len, parts))
    return [_some(part, max(1, most * len(part) // total)) for part in parts if len(part)]


def _compared_across(
    prepared: Prepared, known: Sequence[WindowIndex], levels: novelty.Levels, beside: WindowIndex
) -> tuple[HeldOut, str]:
    """Compare windows with those of other groups, and windows beside them with all of these.

    Returns
    -------
    tuple[HeldOut, str]
        The distances, and what they are in words; none where no class has two groups.
    """
    groups, fact = _groups(prepared)
    recording, label = (
        np.concatenate([getattr(part, column) for part in known])
        for column in ("recording", "label")
    )
    across, rows = novelty.distances_across(levels, groups[recording], label, NEIGHBOURS)
    distances = np.concatenate([across, _distances(prepared, beside, levels)])
    recordings = np.concatenate([recording[rows], beside.recording])
    return HeldOut(distances, recordings, groups[recordings]), f"held-out {fact}"


def with_target(fitted: Novelty, prepared: Prepared) -> Novelty:
    """Return the novelty detection of an adapted model, which knows the target's windows, too."""
    count = novelty.most_windows(len(prepared.channels), prepared.length)
    target = _described(prepared, _some(prepared.windows.of(TARGET_ADAPT), count))
    return replace(fitted, reference=np.concatenate([fitted.reference, target]))


def _groups(prepared: Prepared) -> tuple[Ints, str]:
    """Return the group of each recording as a number, and what the groups are."""
    fact = str(prepared.document["split"].get("fact") or "")
    values = [recording.facts.get(fact) for recording in prepared.recordings]
    named = sorted({str(value) for value in values if value is not None})
    if not named:
        return _runs(prepared), "recordings"
    # A recording without the fact is a group of its own.
    alone = [len(named) + run for run in _runs(prepared).tolist()]
    numbers = [
        alone[i] if value is None else named.index(str(value)) for i, value in enumerate(values)
    ]
    return np.array(numbers, dtype=np.int64), f"{fact} values"


def _some(windows: WindowIndex, most: int) -> WindowIndex:
    return windows.take(evenly(len(windows), most))


def _evenly_of(windows: WindowIndex, recordings: Sequence[int], most: int) -> Ints:
    """Return at most `most` rows of windows of these recordings, sorted, evenly spread.

    The windows lie recording after recording, so no number per window is needed.
    """
    numbers = np.array(recordings, dtype=windows.recording.dtype)
    first, last = (np.searchsorted(windows.recording, numbers, side) for side in _SIDES)
    ends = np.cumsum(last - first)
    chosen = evenly(int((last - first).sum()), most)
    place = np.searchsorted(ends, chosen, side="right")
    return np.asarray(last[place] - ends[place] + chosen, dtype=np.int64)


def _distances(
    prepared: Prepared, windows: WindowIndex, reference: novelty.Levels
) -> NDArray[np.float64]:
    if not len(windows):
        return np.empty(0)
    neighbours = min(NEIGHBOURS, len(reference))
    return novelty.distances(_described(prepared, windows), reference, neighbours)


def _described(prepared: Prepared, windows: WindowIndex) -> novelty.Levels:
    chunks = range(0, len(windows), novelty.CHUNK)
    rows = [windows.take(slice(first, first + novelty.CHUNK)) for first in chunks]
    return np.concatenate([novelty.describe(raw_windows(prepared, some)) for some in rows])


def fit_healthy_windows(prepared: Prepared, healthy: Collection[str]) -> HealthyReference | None:
    """Fit what recordings' statistics are compared with; None without healthy training windows."""
    train = prepared.windows.of("train")
    numbers = [i for i, row in enumerate(prepared.recordings) if row.label in healthy]
    rows = _evenly_of(train, numbers, MOST_HEALTHY)
    if not len(rows):
        return None
    windows = raw_windows(prepared, train.take(rows))
    return fit_healthy(statistics_of_windows(windows), prepared.channels)


def raw_windows(prepared: Prepared, windows: WindowIndex) -> NDArray[np.float32]:
    """Return windows as recorded, ``(windows, channels, length)``."""
    return gather(prepared.signals, prepared.positions(windows), prepared.length)


def fit_signature_of(
    source: Checkpoint, prepared: Prepared, valid: PartLogits, device: torch.device
) -> Signature | None:
    """Fit from which evidence on a recording has a bearing signature; None if nothing shows it.

    It is fitted on the validation windows, if there are any on those of recordings without a
    training window, and on noise in their place. The test part is not read.
    """
    network = source.build(device)
    head = head_of(network)
    if head is None or not head.invertible:
        return None
    unseen = unseen_rows(prepared)
    rows = unseen if unseen.any() else np.ones(len(valid.labels), dtype=bool)
    noise = part_logits(
        network,
        prepared,
        "valid",
        classes=source.classes,
        device=device,
        precision=source.precision,
        normalize=source.normalize,
        snr=0.0,
        alone=True,
    )
    basis = _held_out(prepared) if unseen.any() else SEEN
    return fit_signature(head, valid.logits[rows], valid.labels[rows], noise.logits, basis=basis)


def with_head_of(
    source: Checkpoint, signature: Signature | None, device: torch.device
) -> Signature | None:
    """Return a signature for the weights of a checkpoint that was trained again, on all windows."""
    head = head_of(source.build(device))
    if signature is None or head is None or not head.invertible:
        return None
    return replace(signature, head=head)


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
    """Results fitted on the training and validation parts, besides the temperature."""

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
    training and validation parts (see `faultdiag.training.finishing`). Both are written into
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
    refit = (folder / CHOSEN).is_file() and adapted is None
    fitted = _fit(source, prepared, refit=refit)
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


def _fit(source: Checkpoint, prepared: Prepared, *, refit: bool) -> _References:
    """Fit what a checkpoint says of novel and of healthy windows."""
    known = fit_novelty(prepared, refit=refit)
    if source.transfer is not None:
        known = with_target(known, prepared)
    return _References(known, fit_healthy_windows(prepared, source.healthy))


def _scores_of_parts(best: _ScoredCheckpoint, prepared: Prepared) -> Json:
    """Return the scores of test and validation, and of the parts that only transfer has."""
    of_transfer = [part for part in (TARGET_ADAPT, SOURCE_TEST) if part in prepared.parts]
    return {part: best.scores(prepared, part) for part in (*PARTS, *of_transfer)}


def _fitted_metrics(best: _ScoredCheckpoint, fitted: _References, prepared: Prepared) -> Json:
    """Return the entries of ``metrics.json`` on novelty, calibration, signature and split."""
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
    """Return the entry ``transfer`` of ``metrics.json``."""
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
    """Return the entry of ``metrics.json`` on a signature: its fit, and its share in the test."""
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
