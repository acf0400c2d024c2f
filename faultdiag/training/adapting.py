"""Adapt a finished run to unlabelled recordings, and write the run that comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from faultdiag.checkpoint import Checkpoint, save, to_stored
from faultdiag.config.schema import Config, TransferConfig
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError
from faultdiag.evaluation import describe_split, part_reader, score_part
from faultdiag.inference import WindowBatches
from faultdiag.metrics.unlabelled import PredictionSummary
from faultdiag.preparing.folder import Prepared
from faultdiag.splits.within import TARGET_ADAPT
from faultdiag.system.files import write_json
from faultdiag.training.adaptation import NO_METHOD, require_windows, target_batches, trains
from faultdiag.training.finishing import calibrate, with_target
from faultdiag.training.gpu import repeatable, set_precision
from faultdiag.training.guard import Verdict, adapted_note, chosen_by, measure
from faultdiag.training.loop import Trainer, adapting_trainer
from faultdiag.training.run_folder import ADAPTED, SOURCE, begin, write_history
from faultdiag.transfer import TRANSFER, kind_of
from faultdiag.transfer.adabn import replace_statistics

# What adapts where the source's recordings are at hand, and where they are not.
WITH_SOURCE, WITHOUT_SOURCE = "mk_mmd_mcc", "shot"


@dataclass(frozen=True)
class AdaptedRun:
    """A run that was adapted, or not.

    Parameters
    ----------
    folder
        The run folder; it is not there where the guard refused the adaptation.
    metrics
        The content of its ``metrics.json``.
    model
        Its checkpoint.
    history
        A row per epoch of the adaptation.
    why
        Which method it was, and why, in words.
    """

    folder: Path
    metrics: Document
    model: Checkpoint
    history: Sequence[Document]
    why: str

    @property
    def refused(self) -> bool:
        """Whether the guard refused the adapted model, and nothing was written."""
        return bool(self.metrics["transfer"]["refused"])


def needs_source(method: str) -> bool:
    """Return whether a method compares the target with the source's recordings."""
    return kind_of(method) == "joint"


def choose_method(method: str | None, missing: str | None) -> tuple[str, str]:
    """Return the method that adapts, and why it is that one.

    Parameters
    ----------
    method
        The user's choice, if any.
    missing
        Why the source's recordings are not at hand; None where they are.

    Raises
    ------
    FaultdiagError
        If the method needs the source's recordings and they are not at hand.
    """
    if method is None:
        if missing is None:
            return WITH_SOURCE, f"{WITH_SOURCE}, because the source's recordings are at hand"
        return WITHOUT_SOURCE, (
            f"{WITHOUT_SOURCE}, which needs the model and the target alone, because the source's "
            f"recordings are not at hand: {missing}"
        )
    if method == NO_METHOD:
        raise FaultdiagError(
            f"--method {NO_METHOD} adapts nothing; choose one of: {', '.join(sorted(TRANSFER))}"
        )
    if missing is not None and needs_source(method):
        raise FaultdiagError(
            f"--method {method} compares the target with the source's recordings, which are not at "
            f"hand: {missing}; restore them, name them with --config, or use --method adabn or "
            "shot, which need the model and the target alone"
        )
    return method, f"{method}, as asked"


def adapt_model(
    source: Checkpoint,
    config: Config,
    target: Prepared,
    prepared: Prepared | None,
    *,
    device: torch.device,
    epochs: int,
) -> tuple[Checkpoint, Verdict, list[Json]]:
    """Adapt a trained network to the windows of a target.

    Parameters
    ----------
    source
        The model.
    config
        With the sections ``train`` and ``transfer`` to adapt by.
    target
        Its recordings, all of them to adapt to.
    prepared
        The recordings that the model was trained on; None where they are not at hand.
    epochs
        Passes over the source's windows, or of a source-free method over the target's; with
        ``transfer.steps`` the steps count.

    Returns
    -------
    tuple
        The adapted checkpoint, the comparison with the one before, and a row per epoch.

    Raises
    ------
    FaultdiagError
        If the network can't be adapted so, or the loss is no longer finite.
    """
    transfer = config.transfer or TransferConfig()
    set_precision(device, source.precision, deterministic=config.train.deterministic)
    torch.manual_seed(config.seed)
    network = source.build(device)
    windows = WindowBatches(target, target.windows.of(TARGET_ADAPT).without_labels(), device)
    require_windows(transfer.method, len(windows), "the target has")
    before = _measured(source, target, device)
    with repeatable(config.train.deterministic):
        weights, history = _adapted(network, config, windows, source, prepared, epochs=epochs)
    adapted = replace(source, model=weights, training=None)
    after = _measured(adapted, target, device)
    verdict = Verdict.of(source.classes, before, after, guard=transfer.guard)
    names = [(row.name, row.sha256) for row in target.recordings]
    note = adapted_note(transfer, names, len(windows), verdict)
    calibration = _calibration(adapted, target, prepared, device)
    return replace(adapted, transfer=note, calibration=calibration), verdict, history


def _adapted(
    network: nn.Module,
    config: Config,
    target: WindowBatches,
    source: Checkpoint,
    prepared: Prepared | None,
    *,
    epochs: int,
) -> tuple[dict[str, Tensor], list[Json]]:
    """Return the weights of the chosen epoch, and the history."""
    transfer = config.transfer or TransferConfig()
    if not trains(transfer.method):
        replace_statistics(network, target_batches(network, target, config.seed))
        return _weights(network), []
    parts: list[WindowBatches | None] = [None, None]
    if prepared is not None:
        parts = [
            WindowBatches(
                prepared, prepared.windows.of(part), target.device, normalize=source.normalize
            )
            for part in ("train", "valid")
        ]
    settings = config.train.model_copy(update={"epochs": epochs, "schedule": "cosine"})
    trainer = adapting_trainer(
        network,
        config.model_copy(update={"train": settings}),
        train=parts[0],
        valid=parts[1],
        target=target,
        classes=len(source.classes),
        segments=() if prepared is None else prepared.segments("train"),
    )
    chosen: dict[str, Tensor] = {}

    def keep(trainer: Trainer, is_best: bool) -> None:
        if is_best:
            chosen.update(_weights(trainer.network))

    progress = trainer.fit(keep)
    return chosen, progress.history


def _weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


def _measured(model: Checkpoint, target: Prepared, device: torch.device) -> PredictionSummary:
    return measure(part_reader(model, target, device)(TARGET_ADAPT))


def _calibration(
    adapted: Checkpoint, target: Prepared, prepared: Prepared | None, device: torch.device
) -> Json:
    """Return the calibration: the novelty detection knows the target's windows from here on."""
    calibration = dict(adapted.calibration)
    if prepared is not None:
        fitted = calibrate(prepared, part_reader(adapted, prepared, device)("valid"))
        calibration |= {"temperature": fitted.value, "fitted_on": fitted.basis}
    if adapted.novelty is not None:
        calibration["novelty"] = to_stored(with_target(adapted.novelty, target))
    return calibration


def adapted_metrics(
    adapted: Checkpoint,
    config: Config,
    target: Prepared,
    prepared: Prepared | None,
    verdict: Verdict,
    *,
    device: torch.device,
) -> Json:
    """Return the content of ``metrics.json`` of an adapted run, without scores of the target."""
    transfer = config.transfer or TransferConfig()
    metrics: Json = {"test": None}
    if prepared is not None:
        read = part_reader(adapted, prepared, device)
        options = {"classes": adapted.classes, "healthy": adapted.healthy}
        for name, part in (("valid", "valid"), ("source_test", "test")):
            logits = read(part).labelled()
            if logits is not None:
                scores = score_part(logits, prepared, temperature=adapted.temperature, **options)
                metrics[name] = scores
        metrics["split"] = describe_split(prepared)
    note = adapted.transfer or {}
    metrics["transfer"] = {
        "method": transfer.method,
        "guard": transfer.guard,
        "target": {
            "recordings": [row.name for row in target.recordings],
            "windows": note["windows"],
        },
        **verdict.to_dict(),
    }
    metrics["selection"] = {
        "best_epoch": adapted.epoch,
        "last_epoch": adapted.epoch,
        "chosen_by": chosen_by(transfer, verdict),
    }
    return metrics


def write_adapted(
    folder: Path,
    before: Checkpoint,
    run: AdaptedRun,
    *,
    config: Config,
    split: Document | None,
    device: torch.device,
) -> None:
    """Write the run folder of an adapted run.

    Parameters
    ----------
    before
        The model that was adapted, kept as ``source.pt``.
    split
        ``split.json`` of the run that it is of, if there is one.

    Raises
    ------
    FaultdiagError
        If it can't be written.
    """
    begin(folder, config, split, device, option="--out")
    write_history(folder, run.history)
    save(folder / SOURCE, replace(before, training=None))
    for name in (ADAPTED, "last.pt", "best.pt"):
        save(folder / name, run.model)
    write_json(folder / "metrics.json", run.metrics)
