"""Checkpoints: what `predict` needs, in one file of plain types and tensors.

A checkpoint is a dict of plain types and tensors, loaded with ``weights_only=True``, so that
opening a file from elsewhere runs no code of it.
"""

import io
import math
import platform
import struct
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import nn

from faultdiag import novelty, signature
from faultdiag.bundled.catalogue import MODELS, bundled_model
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError, did_you_mean
from faultdiag.features.extract import HealthyReference, healthy_from_stored
from faultdiag.models.spec import ModelSpec, spec_of
from faultdiag.novelty import Novelty
from faultdiag.signal.normalize import NORMALIZERS
from faultdiag.signal.windows import LONGEST_WINDOW
from faultdiag.signature import Signature
from faultdiag.system.files import read_bytes, write_bytes


def to_stored(fitted: Novelty) -> Json:
    """Return the novelty detection as it is stored under ``calibration.novelty``."""
    return {field.name: getattr(fitted, field.name) for field in fields(fitted)} | {
        "reference": torch.from_numpy(fitted.reference)
    }


def from_stored(calibration: Document) -> Novelty | None:
    """Return the novelty detection stored under ``calibration.novelty``, or None."""
    stored = calibration.get("novelty")
    return None if stored is None else Novelty(**_found(stored))


def require_sound(path: Path, document: Document) -> None:
    """Refuse a checkpoint whose ``calibration.novelty`` can't be used.

    Parameters
    ----------
    document
        The whole checkpoint; that it has a window, channels and a calibration is known.

    Raises
    ------
    FaultdiagError
        Naming what is wrong with it.
    """
    stored = document.get("calibration", {}).get("novelty")
    if stored is None:
        return
    problem = _problem(stored, document["window"]["length"], len(document["channels"]))
    if problem is not None:
        raise FaultdiagError(
            f"{path} is damaged: its calibration.novelty {problem}; take another copy, or train "
            "again"
        )


def _problem(stored: object, length: object, channels: int) -> str | None:
    if not isinstance(length, int) or length < 1:
        return f"cannot be read for windows of {length!r} samples"
    detection = _found(stored) if isinstance(stored, dict) else stored
    return novelty.check(detection, channels * novelty.bands_of(length))


def _found(stored: Document) -> Json:
    """Return the fields of a novelty, its reference as an array; others are passed over."""
    values = {field.name: stored.get(field.name) for field in fields(Novelty)}
    values["basis"] = stored.get("basis", "")  # earlier checkpoints have none
    reference = values["reference"]
    if isinstance(reference, torch.Tensor):
        # Sparse or quantised tensors, and those of no memory at all, have no array.
        plain = (reference.layout, reference.device.type) == (torch.strided, "cpu")
        usable = plain and reference.dtype == torch.float32
        values["reference"] = reference.detach().numpy() if usable else None
    return values


def require_consistent(path: Path, document: Document) -> None:
    """Refuse a checkpoint that lacks something within its parts, or contradicts itself.

    Parameters
    ----------
    document
        What is in the file; that its parts are there and of the right kind is known.

    Raises
    ------
    FaultdiagError
        Naming what is wrong with it.
    """
    nested: dict[str, set[str]] = {
        "model_spec": {
            *("name", "channels", "classes", "length", "attention"),
            *("representation", "sampling_rate", "options"),
        },
        "window": {"length"},
        "normalize": {"name", "state"},
    }
    lacking = [f"{part}.{k}" for part, keys in nested.items() for k in keys - document[part].keys()]
    if lacking:
        raise FaultdiagError(
            f"{path} is an incomplete checkpoint: it lacks {', '.join(sorted(lacking))}"
        )
    spec = document["model_spec"]
    for name, there in (("classes", document["classes"]), ("channels", document["channels"])):
        if spec[name] != len(there):
            raise FaultdiagError(
                f"{path} contradicts itself: its network has {spec[name]} {name}, but "
                f"{len(there)} are named; take another copy, or train again"
            )
    calibration = document.get("calibration", {"temperature": 1.0})
    _require_temperature(path, calibration)
    require_sound(path, document)
    try:
        signature.from_stored(calibration.get("signature"), len(document["classes"]))
    except ValueError as error:
        raise FaultdiagError(
            f"{path} is damaged: its calibration.signature {error}; take another copy, or train "
            "again"
        ) from error


def _require_temperature(path: Path, calibration: object) -> None:
    temperature = calibration.get("temperature") if isinstance(calibration, dict) else calibration
    if not isinstance(temperature, (int, float)) or not 0 < temperature < math.inf:
        raise FaultdiagError(
            f"{path} has the calibration temperature {temperature!r}, which must be a number above "
            "0; take another copy, or train again"
        )


FORMAT = 1

# What torch raises on a file that is damaged, cut off or made to mislead it.
_DAMAGE = (
    RuntimeError,
    UnpicklingError,
    EOFError,
    OSError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    MemoryError,
    struct.error,
    zipfile.BadZipFile,
)


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that a result can depend on."""
    names = ("faultdiag", "torch", "numpy", "scipy", "scikit-learn")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


@dataclass(frozen=True)
class Checkpoint:
    """A trained model and what it was trained for.

    Parameters
    ----------
    model
        Weights and buffers by name.
    model_spec
        The network or baseline, parsed; the file holds its `ModelSpec.document`.
    classes
        Class names in the order of the logits.
    healthy
        Those of them that count as healthy.
    sampling_rate
        Hz.
    channels
        Channel names in the order of the input.
    window
        Length and strides in samples.
    normalize
        Name of the normaliser and its fitted state.
    config
        The whole config as plain data.
    epoch
        The epoch the weights are from, counted from 1.
    metrics
        What was measured on the validation part in that epoch.
    calibration
        What makes confidences of logits: ``temperature`` divides them before the softmax. It is
        1 until the training is finished, and in checkpoints of before there was calibration.
        Then also ``novelty``, what recordings are held against (`faultdiag.novelty`), ``healthy``,
        the statistics of healthy training windows (`faultdiag.features.extract`), and of a tied
        network ``signature`` (`faultdiag.signature`).
    transfer
        What the model was adapted to: method, target recordings, agreement before and after; None
        of a model that was not adapted.
    training
        In ``last.pt``: what resuming needs.
    """

    model: Mapping[str, torch.Tensor]
    model_spec: ModelSpec
    classes: tuple[str, ...]
    healthy: tuple[str, ...]
    sampling_rate: float
    channels: tuple[str, ...]
    window: Document
    normalize: Document
    config: Document
    epoch: int
    metrics: Document
    calibration: Document = field(default_factory=lambda: {"temperature": 1.0})
    transfer: Document | None = None
    training: Document | None = None
    versions: Mapping[str, str] = field(default_factory=package_versions)

    @property
    def length(self) -> int:
        """Samples of one window."""
        return int(self.window["length"])

    @property
    def recorded_at(self) -> float | None:
        """Hz that the training's config stated for recordings without a rate, or None."""
        data = self.config.get("data")
        rate = data.get("recorded_at") if isinstance(data, Mapping) else None
        if not isinstance(rate, int | float) or isinstance(rate, bool):
            return None
        return float(rate) if 0 < rate < math.inf else None

    @property
    def temperature(self) -> float:
        """Divisor of the logits before the softmax."""
        return float(self.calibration["temperature"])

    @property
    def novelty(self) -> Novelty | None:
        """The novelty detector; None if none was fitted."""
        return from_stored(self.calibration)

    @property
    def signature(self) -> Signature | None:
        """From which evidence on a recording has a bearing signature; None if unknown."""
        return signature.from_stored(self.calibration.get("signature"), len(self.classes))

    @property
    def healthy_reference(self) -> HealthyReference | None:
        """Statistics of the healthy training windows; None where there were none."""
        return healthy_from_stored(self.calibration.get("healthy"))

    @property
    def precision(self) -> str:
        """The precision it was trained in, which evaluation and prediction share."""
        return str(self.config["train"]["precision"])

    def build(self, device: torch.device) -> nn.Module:
        """Build the network with its weights, in evaluation mode.

        Raises
        ------
        FaultdiagError
            If the weights don't fit the network that the checkpoint describes.
        """
        try:
            network = self.model_spec.build()
        except (MemoryError, RuntimeError) as error:
            raise FaultdiagError(
                f"the network '{self.model_spec.name}' of the checkpoint can't be built: "
                f"{str(error).splitlines()[0] if str(error) else 'too little memory'}; take "
                "another copy, or train again"
            ) from error
        try:
            network.load_state_dict(dict(self.model))
        except RuntimeError as error:
            raise FaultdiagError(
                f"the weights don't fit the network '{self.model_spec.name}' they were saved "
                "for; the checkpoint is of another version of faultdiag: "
                + " ".join(str(error).split())
            ) from error
        return network.to(device).eval()


# Whatever else a file holds is of a later version and passed over.
_REQUIRED: dict[str, type | tuple[type, ...]] = {
    "model": dict,
    "model_spec": dict,
    "classes": list,
    "healthy": list,
    "sampling_rate": (int, float),
    "channels": list,
    "window": dict,
    "normalize": dict,
    "config": dict,
    "epoch": int,
    "metrics": dict,
}


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all.

    Raises
    ------
    FaultdiagError
        If it can't be written; what was there before is still there.
    """
    document = {
        "format": FORMAT,
        **{name: _plain(value) for name, value in vars(checkpoint).items()},
        "model": {name: tensor.detach().cpu() for name, tensor in checkpoint.model.items()},
        "model_spec": _plain(checkpoint.model_spec.document()),
    }
    for name in ("training", "transfer"):
        if document[name] is None:
            del document[name]
    buffer = io.BytesIO()
    torch.save(document, buffer)
    write_bytes(path, buffer.getvalue())


def load(path: Path) -> Checkpoint:
    """Read a checkpoint file, ``best.pt`` of a run folder, or a model in the box.

    Raises
    ------
    FaultdiagError
        If there is none, or the file is no checkpoint of this format.
    """
    path = resolve(path)
    document = _of_this_format(path, _read(path))
    require_consistent(path, document)
    if (problem := _unsound(document)) is not None:
        raise FaultdiagError(
            f"{path} is not a sound checkpoint: {problem}; take another copy, or train again"
        )
    known = {f.name: document[f.name] for f in fields(Checkpoint) if f.name in document}
    tuples = {name: tuple(document[name]) for name in ("classes", "healthy", "channels")}
    spec = _parse(path, document["model_spec"])
    return Checkpoint(**{**known, **tuples, "model_spec": spec})


def _of_this_format(path: Path, document: object) -> Document:
    """Return the content of a file if it is a complete checkpoint of this format."""
    if not isinstance(document, dict) or "format" not in document:
        raise FaultdiagError(
            f"{path} is a torch file but no faultdiag checkpoint; give a run folder, or best.pt "
            "or last.pt of one"
        )
    stated = document["format"]
    if not isinstance(stated, int) or stated != FORMAT:
        raise FaultdiagError(
            f"{path} has the checkpoint format {stated}, this version of faultdiag reads {FORMAT}; "
            "take the faultdiag it was written with, or train again"
        )
    lacking = [k for k, kind in _REQUIRED.items() if not isinstance(document.get(k), kind)]
    if lacking:
        raise FaultdiagError(f"{path} is an incomplete checkpoint: it lacks {', '.join(lacking)}")
    return document


# More than any model has; what is read must cost what the size of its file justifies.
_PRECISIONS = {"float32", "tf32", "bfloat16"}
_MOST_CHANNELS, _MOST_CLASSES = 1024, 10_000
_MOST_ITEMS, _DEEPEST, _LARGEST_OPTION = 1_000_000, 32, 2**20
# Bytes of everything but weights; the history of 10,000 epochs takes half of it.
_MOST_PICKLED = 2**21


def _unsound(document: Document) -> str | None:
    """Return an impossible value in a trained model whose parts are all there, or None."""
    checks = (_odd_data, _odd_names, _odd_numbers, _odd_parts, _odd_normaliser, _odd_weights)
    return next((problem for check in checks if (problem := check(document))), None)


def _odd_data(document: Document) -> str | None:
    """Return a value that is not plain data, is nested too deeply or in itself, or is too large."""
    waiting: list[tuple[object, int]] = [(document, 0)]
    count = 0
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, int) and not isinstance(item, bool) and abs(item) >= 2**128:
            return "a number in it has too many digits"
        if not isinstance(item, dict | list | tuple):
            continue
        count += len(item)
        if count > _MOST_ITEMS or depth > _DEEPEST:
            return "its data are nested without end, or too many"
        waiting += [(v, depth + 1) for v in (item.values() if isinstance(item, dict) else item)]
    return None


def _odd_names(document: Document) -> str | None:
    limits = {"classes": _MOST_CLASSES, "channels": _MOST_CHANNELS, "healthy": _MOST_CLASSES}
    for key, most in limits.items():
        names = document[key]
        if len(names) > most:
            return f"it has {len(names)} {key}, at most {most} are possible"
        if not all(isinstance(name, str) and name for name in names):
            return f"its {key} are not all names"
        if len(set(names)) < len(names) or (key != "healthy" and not names):
            return f"its {key} are not distinct names"
    return None


def _odd_numbers(document: Document) -> str | None:
    rate, length = document["sampling_rate"], document["window"].get("length")
    if isinstance(rate, bool) or not 0 < rate <= 1e9:
        return "its sampling_rate is not between 0 and 1e9 Hz"
    if isinstance(length, bool) or not isinstance(length, int | None):
        return "its window.length is no whole number"
    if length is not None and not 1 <= length <= LONGEST_WINDOW:
        return f"its window.length is {length} samples; 1 to {LONGEST_WINDOW} are possible"
    spec = document["model_spec"]
    if length is not None and spec.get("length") != length:
        return f"its windows have {length} samples, its network takes {spec.get('length')!r}"
    return None


def _odd_parts(document: Document) -> str | None:
    spec, config = document["model_spec"], document["config"]
    if not isinstance(spec.get("name"), str) or not isinstance(spec.get("options", {}), dict):
        return "its model_spec has no name and options"
    options = spec.get("options", {})
    if any(isinstance(v, int) and abs(v) > _LARGEST_OPTION for v in options.values()):
        return f"an option of its network is larger than {_LARGEST_OPTION}"
    train = config.get("train")
    if not isinstance(train, dict) or train.get("precision") not in _PRECISIONS:
        return "its config states no train.precision that is known"
    return None


def _odd_normaliser(document: Document) -> str | None:
    scale = document["normalize"]
    name, state = scale.get("name"), scale.get("state", {})
    if not isinstance(name, str) or name not in NORMALIZERS or not isinstance(state, dict):
        return "its normalize is not a known normaliser"
    return next(filter(None, map(_odd_statistic, state, state.values())), None)


def _odd_statistic(key: str, values: object) -> str | None:
    numbers = np.asarray(values, dtype=object).ravel().tolist()
    if not all(isinstance(v, int | float) and math.isfinite(v) for v in numbers):
        return f"its normalize.state.{key} has values that are not finite numbers"
    if key == "std" and not all(v > 0 for v in numbers):
        return "its normalize.state.std is not above 0"
    return None


def _odd_weights(document: Document) -> str | None:
    return next(filter(None, (_odd_tensor(*item) for item in document["model"].items())), None)


def _odd_tensor(name: object, values: object) -> str | None:
    if not isinstance(name, str) or not isinstance(values, torch.Tensor):
        return "its weights are not tensors by name"
    if values.layout != torch.strided or values.device.type != "cpu":
        return f"its weights '{name}' are not plain numbers"
    if values.numel() * values.element_size() > values.untyped_storage().nbytes():
        return f"its weights '{name}' state more numbers than are stored"
    if values.is_floating_point() and not bool(values.isfinite().all()):
        return f"its weights '{name}' are not all finite"
    if name.endswith("running_var") and bool((values < 0).any()):
        return f"its variances '{name}' are not all positive"
    return None


def _parse(path: Path, document: Document) -> ModelSpec:
    try:
        return spec_of(document)
    except FaultdiagError as error:
        raise FaultdiagError(f"{path} holds a model that cannot be built: {error}") from error


def _read(path: Path) -> Any:
    try:
        content = read_bytes(path)
    except OSError as error:
        raise FaultdiagError(
            f"{path} cannot be read: {error.strerror or error}; check its permissions and its disk"
        ) from error
    try:
        _require_small(content)
        with warnings.catch_warnings():
            # torch warns of odd files before it fails on them; the error says it all.
            warnings.simplefilter("ignore")
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except _DAMAGE as error:
        raise FaultdiagError(
            f"{path} is no faultdiag checkpoint: it is damaged, cut off or another kind of file, "
            "or holds more than tensors and plain data (nothing of that kind is loaded, for it "
            "could run code); give a run folder, or best.pt or last.pt of one"
        ) from error


def _require_small(content: bytes) -> None:
    """Check that what unpacking a checkpoint costs is justified by its size.

    Raises
    ------
    ValueError
        If its parts are packed, or what is no weights is more than any training writes; or as
        `zipfile.BadZipFile`, if it is no archive of torch.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
    if sum(member.file_size for member in members) > len(content):
        raise ValueError("its parts are packed")
    if any(m.filename.endswith(".pkl") and m.file_size > _MOST_PICKLED for m in members):
        raise ValueError("its plain data are too large")


def resolve(path: Path) -> Path:
    """Return the checkpoint file that a run folder, a file or a model in the box names.

    Raises
    ------
    FaultdiagError
        If neither exists.
    """
    if (bundled := bundled_model(path)) is not None:
        return bundled.path
    if path.is_dir():
        best = path / "best.pt"
        if not best.is_file():
            raise FaultdiagError(
                f"{path} is no run folder: it has no best.pt; give the folder that "
                "`faultdiag train` printed, or a checkpoint file"
            )
        return best
    if not path.is_file():
        near = did_you_mean(str(path), MODELS)
        raise FaultdiagError(
            f"{path} does not exist{near}; give a run folder or a checkpoint file, or the name of "
            f"a model in the box ({', '.join(MODELS)})"
        )
    return path


def _plain(value: object) -> object:
    """Turn mappings and tuples into dicts and lists, which ``weights_only`` loading accepts."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
