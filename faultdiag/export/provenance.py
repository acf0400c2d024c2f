"""What a model was trained on and how it did in its tests, as plain data that travels with it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from faultdiag.checkpoint import Checkpoint
from faultdiag.documents import Document, Json

# The scores of a part that travel with a model.
SCORES = (
    "accuracy",
    "accuracy_interval",
    "macro_f1",
    "recording_accuracy",
    "false_alarm_rate",
    "missed_alarm_rate",
    "ece",
    "windows",
    "recordings",
)
# What a split says about itself, beside its strategy.
_SPLIT = ("leak", "shared_samples", "leaking_test_windows")


@dataclass(frozen=True)
class RunRecord:
    """A checkpoint, and the documents beside it: ``metrics.json`` and ``split.json``.

    A document that is missing or can't be read is empty.
    """

    source: Checkpoint
    metrics: Document
    split: Document


def read_record(run: Path, source: Checkpoint) -> RunRecord:
    """Read the documents beside a checkpoint.

    Parameters
    ----------
    run
        The run folder, or the checkpoint file.
    """
    folder = run if run.is_dir() else run.parent
    return RunRecord(source, _read(folder / "metrics.json"), _read(folder / "split.json"))


def provenance(record: RunRecord) -> Json:
    """Return the provenance of a model; what is unknown is None."""
    source, metrics = record.source, record.metrics
    return {
        "model": source.model_spec.document(),
        "normalize": source.normalize["name"],
        "config_sha256": config_digest(source.config),
        "dataset": source.config["data"]["dataset"],
        "bearing": bearings_of(record.split),
        "epoch": source.epoch,
        "versions": dict(source.versions),
        "split": _split(source, metrics),
        "test": _scores(metrics, "test"),
        "valid": _scores(metrics, "valid"),
        "novelty_false_positive_rate": metrics.get("novelty", {}).get("false_positive_rate"),
    }


def config_digest(config: Document) -> str:
    """Return the SHA-256 of a config, as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def _read(path: Path) -> Json:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def bearings_of(split: Document) -> list[str]:
    """Return the bearings of the recordings that the parts were made of."""
    facts = (row.get("facts") or {} for row in split.get("recordings", ()))
    return sorted({str(known["bearing"]) for known in facts if known.get("bearing")})


def _split(source: Checkpoint, metrics: Document) -> Json:
    measured = metrics.get("split", {})
    strategy = source.config["split"]["strategy"]
    return {"strategy": strategy, **{key: measured.get(key) for key in _SPLIT}}


def _scores(metrics: Document, part: str) -> Json | None:
    scores = metrics.get(part)
    return None if scores is None else {key: scores.get(key) for key in SCORES}
