"""`faultdiag check` and what is said of prepared data: everything known before training."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from faultdiag.config import Config
from faultdiag.errors import did_you_mean
from faultdiag.metrics import format_table
from faultdiag.prepared import Prepared
from faultdiag.preparing import prepare
from faultdiag.rate_survey import rate_lines, survey_rates
from faultdiag.selecting import select_recordings
from faultdiag.sharing_text import duplicate_lines, leak_lines, pairs_table
from faultdiag.splits import PARTS


def describe_prepared(prepared: Prepared, healthy: Sequence[str] = ()) -> str:
    """Give what stands in each part, and what the parts share, as text.

    Parameters
    ----------
    healthy
        The classes that count as healthy; a name that is none of the classes is told.
    """
    rows = []
    for part in PARTS:
        windows = prepared.windows.of(part)
        recordings = windows.by_recording()
        rows.append(
            {
                "part": part,
                "windows": len(windows),
                "disjoint": prepared.audit.disjoint_windows[part],
                "recordings": len(recordings),
                "classes": len({prepared.recordings[number].label for number in recordings}),
            }
        )
    split = {
        "strategy": prepared.document["split"]["strategy"],
        **prepared.audit.to_dict(),
        **prepared.sharing.to_dict(),
        "notes": [*prepared.notes, *_healthy_notes(prepared.classes, healthy)],
    }
    tables = [format_table(rows, {name: name for name in rows[0]}), "", pairs_table(split["pairs"])]
    return "\n".join([*tables, *split_lines(split)])


def split_lines(split: Mapping[str, Any]) -> list[str]:
    """Give what must be said beside every number: the strategy, what its parts share, notes."""
    lines = [f"split {split['strategy']}: {split['shared_samples']} samples in two or more parts"]
    if split["leaking_test_windows"]:
        lines.append(
            f"LEAK: {split['leaking_test_windows']:.1%} of the test windows overlap a "
            "training window"
        )
    if split["valid_test_overlap"]:
        lines.append(
            f"LEAK: a test window shares {split['valid_test_overlap']:.1%} of its samples "
            "with its nearest validation window, on average"
        )
    # Of other data than the model was made with, the training part says nothing.
    if "seen_windows" not in split:
        lines += [*duplicate_lines(split["duplicates"]), *leak_lines(split)]
    return lines + [f"note: {note}" for note in split["notes"]]


def _healthy_notes(classes: Sequence[str], healthy: Sequence[str]) -> list[str]:
    strange = [name for name in healthy if name not in classes]
    notes = [
        f"data.healthy names '{name}', which is no class{did_you_mean(name, classes)}; "
        f"there are: {', '.join(classes)}"
        for name in strange
    ]
    if strange and len(strange) == len(healthy):
        notes.append("no class is healthy, so false and missed alarms are undefined")
    return notes


def describe_recordings(prepared: Prepared) -> str:
    """Give the recordings of each class and what they were resampled from, as text."""
    rows: list[dict[str, object]] = []
    windows = {part: prepared.windows.of(part).by_recording() for part in PARTS}
    for number, recording in enumerate(prepared.recordings):
        rows.append(
            {
                "recording": recording.name,
                "class": recording.label,
                "samples": recording.samples,
                **{part: len(windows[part].get(number, ())) for part in PARTS},
                "rpm": "-" if recording.rpm is None else f"{recording.rpm:g}",
                "recorded at Hz": f"{recording.recorded_at:g}",
                "file": recording.source,
            }
        )
    return format_table(rows, {name: name for name in rows[0]})


def check_config(config: Config) -> str:
    """Check a config against its data and model, one batch included, and say what was found.

    Raises
    ------
    FaultdiagError
        For anything that would stop training later.
    """
    from faultdiag.training.specs import check_model

    check_model(config)
    prepared = prepare(config)
    return "\n".join(
        [
            describe_recordings(prepared),
            *(f"not in the folder: {name}" for name in prepared.document["missing"]),
            "",
            describe_prepared(prepared, config.data.healthy),
            _classes(prepared),
            f"sampling rate {prepared.sampling_rate:g} Hz, channels {', '.join(prepared.channels)},"
            f" windows of {prepared.length} samples ({prepared.length / prepared.sampling_rate:.3g}"
            " s)",
            *rate_lines(survey_rates(select_recordings(config).entries, config.data.channels)),
            _try_network(config, prepared),
            "ready to train",
        ]
    )


def _classes(prepared: Prepared) -> str:
    labels = (recording.label for recording in prepared.recordings)
    count = Counter(label for label in labels if label in prepared.classes)
    named = ", ".join(f"{name} ({count[name]})" for name in prepared.classes)
    return f"{len(count)} classes (recordings): {named}"


def _try_network(config: Config, prepared: Prepared) -> str:
    import torch

    from faultdiag.checkpoint import build_network
    from faultdiag.inference import WindowBatches, forward
    from faultdiag.models.baseline import BaselineModel
    from faultdiag.training.fitting import try_baseline
    from faultdiag.training.specs import prepared_spec

    spec, notes = prepared_spec(config, prepared)
    network = build_network(spec).eval()
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
