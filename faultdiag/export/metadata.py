"""The facts that travel in an exported file beside its graph, as texts under plain keys.

Every value is JSON. `FORMAT` counts changes that an older reader would misunderstand.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from faultdiag import novelty, signature
from faultdiag.documents import Document, Json, parse_json
from faultdiag.errors import FaultdiagError
from faultdiag.features.extract import healthy_from_stored, healthy_to_stored
from faultdiag.novelty import Novelty
from faultdiag.scoring import FeatureInput, ModelFacts
from faultdiag.signature import Signature

if TYPE_CHECKING:
    # It imports torch, which reading these facts must not.
    from faultdiag.checkpoint import Checkpoint

FORMAT = 1
PREFIX = "faultdiag."

Positive = Field(gt=0, allow_inf_nan=False)


class _Features(BaseModel):
    """The stored computation of a baseline's features from windows."""

    model_config = ConfigDict(strict=True, frozen=True)

    names: list[str] = Field(min_length=1)
    normalize: str
    state: dict[str, Any]
    bearing: str | None = None


class _MetadataFields(BaseModel):
    """The keys of a file that a diagnosis depends on."""

    model_config = ConfigDict(strict=True, frozen=True)

    classes: list[str] = Field(min_length=1)
    healthy: list[str]
    channels: list[str] = Field(min_length=1)
    sampling_rate: float = Positive
    length: int = Field(gt=0)
    needs_speed: bool
    needs_bearing: bool = False
    temperature: float = Positive
    recorded_at: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    features: _Features | None = None


def to_texts(facts: ModelFacts) -> dict[str, str]:
    """Return the facts of a model as texts by key."""
    document: Json = {name: getattr(facts, name) for name in _MetadataFields.model_fields}
    document["features"] = None if facts.features is None else asdict(facts.features)
    document |= {"format": FORMAT, "novelty": _novelty_to_plain(facts.novelty)}
    if facts.healthy_reference is not None:
        document["healthy_reference"] = healthy_to_stored(facts.healthy_reference)
    if facts.signature is not None:
        document["signature"] = signature.to_stored(facts.signature)
    document |= {name: value for name, value in facts.provenance.items() if name not in document}
    return {f"{PREFIX}{name}": json.dumps(value) for name, value in document.items()}


def from_texts(path: Path, texts: Mapping[str, str]) -> ModelFacts:
    """Read the facts of a model from the texts of its file.

    Raises
    ------
    FaultdiagError
        If they are not those of a faultdiag model, of another format, or damaged.
    """
    document = _document(path, texts)
    if document["format"] != FORMAT:
        raise FaultdiagError(
            f"{path} has the format {document['format']!r}, this version of faultdiag reads "
            f"{FORMAT}; use the faultdiag it was exported with, or export again"
        )
    try:
        stored = _MetadataFields.model_validate(document)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        raise _damaged(path, f"{PREFIX}{place}: {problem['msg']}") from error
    known = {*_MetadataFields.model_fields, "format", "novelty", "healthy_reference", "signature"}
    return ModelFacts(
        classes=tuple(stored.classes),
        healthy=tuple(stored.healthy),
        channels=tuple(stored.channels),
        sampling_rate=stored.sampling_rate,
        length=stored.length,
        needs_speed=stored.needs_speed,
        needs_bearing=stored.needs_bearing,
        temperature=stored.temperature,
        recorded_at=stored.recorded_at,
        features=_features(stored.features),
        novelty=_novelty_from_plain(path, document.get("novelty"), stored),
        healthy_reference=healthy_from_stored(document.get("healthy_reference")),
        signature=_signature(path, document.get("signature"), len(stored.classes)),
        provenance={name: value for name, value in document.items() if name not in known},
    )


def _features(stored: _Features | None) -> FeatureInput | None:
    if stored is None:
        return None
    return FeatureInput(tuple(stored.names), stored.normalize, stored.state, stored.bearing)


def _signature(path: Path, stored: object, classes: int) -> Signature | None:
    try:
        return signature.from_stored(stored, classes)
    except ValueError as error:
        raise _damaged(path, f"{PREFIX}signature {error}") from error


def _document(path: Path, texts: Mapping[str, str]) -> Json:
    if f"{PREFIX}format" not in texts:
        raise FaultdiagError(
            f"{path} is an ONNX file, but not one that `faultdiag export` wrote: it has no "
            f"{PREFIX}format; export a run with `faultdiag export RUN --out model.onnx`"
        )
    own = {name: text for name, text in texts.items() if name.startswith(PREFIX)}
    document = {}
    for name, text in own.items():
        try:
            document[name.removeprefix(PREFIX)] = parse_json(text)
        except ValueError as error:
            raise _damaged(path, f"{name} is not JSON") from error
    return document


def _novelty_to_plain(fitted: Novelty | None) -> Json | None:
    if fitted is None:
        return None
    reference = np.ascontiguousarray(fitted.reference, dtype="<f4")
    return {
        "reference": base64.b64encode(reference.tobytes()).decode("ascii"),
        "columns": reference.shape[1],
        "threshold": fitted.threshold,
        "false_positive_rate": fitted.false_positive_rate,
        "neighbours": fitted.neighbours,
        "basis": fitted.basis,
    }


def _novelty_from_plain(path: Path, plain: object, stored: _MetadataFields) -> Novelty | None:
    if plain is None:
        return None
    columns = len(stored.channels) * novelty.bands_of(stored.length)
    fields: Any = plain
    if isinstance(plain, dict):
        names = ("threshold", "false_positive_rate", "neighbours")
        fields = {name: plain.get(name) for name in names} | {"basis": plain.get("basis", "")}
        fields["reference"] = _reference(plain.get("reference"), columns)
    problem = novelty.check(fields, columns)
    if problem is not None:
        raise _damaged(path, f"{PREFIX}novelty {problem}")
    return Novelty(**fields)


def _reference(text: Any, columns: int) -> Any:
    """Return the reference as an array, or None where the text holds no such array."""
    try:
        content = base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        return None
    if len(content) % (4 * columns):
        return None
    return np.frombuffer(content, "<f4").reshape(-1, columns).astype(np.float32)


def _damaged(path: Path, problem: str) -> FaultdiagError:
    return FaultdiagError(f"{path} is damaged: {problem}; use another copy, or export again")


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

    source: "Checkpoint"
    metrics: Document
    split: Document


def read_record(run: Path, source: "Checkpoint") -> RunRecord:
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
        document = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def bearings_of(split: Document) -> list[str]:
    """Return the bearings of the recordings in the parts."""
    facts = (row.get("facts") or {} for row in split.get("recordings", ()))
    return sorted({str(known["bearing"]) for known in facts if known.get("bearing")})


def _split(source: "Checkpoint", metrics: Document) -> Json:
    measured = metrics.get("split", {})
    strategy = source.config["split"]["strategy"]
    return {"strategy": strategy, **{key: measured.get(key) for key in _SPLIT}}


def _scores(metrics: Document, part: str) -> Json | None:
    scores = metrics.get(part)
    return None if scores is None else {key: scores.get(key) for key in SCORES}
