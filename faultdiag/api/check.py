"""Check or prepare a config before training."""

from typing import TYPE_CHECKING

from faultdiag.config.schema import Config
from faultdiag.errors import printable
from faultdiag.evidence.rate_check import survey_rates
from faultdiag.guess.states import ONE_NAME, alike
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.folds import expand, has_folds, prepare_folds
from faultdiag.preparing.prepare import own_preparation, prepare
from faultdiag.preparing.recordings import select_recordings
from faultdiag.report.data import class_line, describe_prepared, describe_recordings, fold_table
from faultdiag.report.inspection import rate_lines
from faultdiag.system.crashes import memory_errors

if TYPE_CHECKING:
    from faultdiag.models.spec import ModelSpec


def check_config(config: Config) -> str:
    """Check a config against its data and model, one batch included, and say what was found.

    Of several folds the first is checked in full, and of each one the parts.

    Raises
    ------
    FaultdiagError
        For anything that would stop training later; of folds, the message names the fold.
    """
    from faultdiag.training.specs import less_memory

    with memory_errors("check this config", less_memory(config)):
        if not has_folds(config):
            return _check_one(config)
        folds = expand(config)
        first = f"{folds[0].title}, the first of {len(folds)}:"
        text = _check_one(folds[0].config)
        return "\n".join([first, text, "", fold_table(folds, prepare_folds(folds))])


def prepare_config(config: Config) -> str:
    """Prepare a config, or each of its folds, and return the content of the parts as text.

    Raises
    ------
    FaultdiagError
        As `faultdiag.preparing.prepare.prepare`, or if another command prepares the same; the
        message names the fold.
    """
    with own_preparation(config):
        if has_folds(config):
            folds = expand(config)
            made = prepare_folds(folds)
            return f"{fold_table(folds, made)}\nprepared in {made[0].folder.parent}"
        prepared = prepare(config)
        described = describe_prepared(prepared, config.data.healthy)
        return f"{described}\nprepared in {prepared.folder}"


def _check_one(config: Config) -> str:
    from faultdiag.training.specs import resolve_spec

    spec = resolve_spec(config)
    prepared = prepare(config)
    prepared.verify()
    return "\n".join(
        [
            describe_recordings(prepared),
            *(f"not in the folder: {name}" for name in prepared.document["missing"]),
            "",
            describe_prepared(prepared, config.data.healthy),
            class_line(prepared),
            *(f"warning: {printable(text)}; {ONE_NAME}" for text in alike(prepared.classes)),
            f"sampling rate {prepared.sampling_rate:g} Hz, channels {', '.join(prepared.channels)},"
            f" windows of {prepared.length} samples ({prepared.length / prepared.sampling_rate:.3g}"
            " s)",
            *rate_lines(survey_rates(select_recordings(config).entries, config.data.channels)),
            _try_network(config, spec, prepared),
            "ready to train",
        ]
    )


def _try_network(config: Config, spec: "ModelSpec", prepared: Prepared) -> str:
    import torch

    from faultdiag.inference import WindowBatches, forward
    from faultdiag.models.baseline import BaselineModel
    from faultdiag.training.fitting import try_baseline
    from faultdiag.training.specs import complete_spec

    complete, notes = complete_spec(spec, prepared)
    network = complete.build().eval()
    batches = WindowBatches(prepared, prepared.windows.of("train"), torch.device("cpu"))
    with torch.inference_mode():
        rows = torch.arange(min(len(batches), config.train.batch_size))
        if isinstance(network, BaselineModel):
            return "\n".join([try_baseline(network, batches, rows), *(f"note: {n}" for n in notes)])
        logits = forward(network, batches, rows)
    trainable = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return (
        f"network {config.model.name}: {trainable} parameters; one batch of {len(logits)} "
        f"windows gave logits {tuple(logits.shape)}"
    )
