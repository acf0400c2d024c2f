"""The run folder: its checkpoints and history, the machine it was made on, and resuming from it."""

import csv
import io
import json
import os
import platform
import secrets
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from faultdiag.checkpoint import Checkpoint, load, package_versions, save
from faultdiag.config.schedules import SHAPED
from faultdiag.config.schema import Config, TrainConfig, schedule_of
from faultdiag.documents import Document, Json, parse_json
from faultdiag.errors import FaultdiagError, counted, first_names
from faultdiag.evaluation import read_split, same_recordings
from faultdiag.preparing.folder import Prepared
from faultdiag.system.files import sweep, write_json, write_text
from faultdiag.system.locks import LOCK, own_folder
from faultdiag.system.terminal import warn

Rows = Sequence[Document]


def write_history(folder: Path, rows: Rows) -> None:
    """Write ``history.jsonl`` and, for spreadsheets, ``history.csv``.

    Raises
    ------
    FaultdiagError
        If they can't be written.
    """
    write_text(folder / "history.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    text = io.StringIO()
    columns = dict.fromkeys(name for row in rows for name in row)
    table = csv.DictWriter(text, list(columns), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(folder / "history.csv", text.getvalue())


LAST, PREVIOUS = "last.pt", "previous.pt"

# With transfer: the model before and after the adaptation; best.pt is the one that is kept.
SOURCE, ADAPTED = "source.pt", "adapted.pt"
# With ``train.refit``: the model that validation chose; best.pt is then trained on both parts.
CHOSEN = "chosen.pt"

# Settings that may differ when a run is resumed: the place of the same data, the number of epochs,
# and what has no effect on the result.
_FREE = {
    "data.root",
    "data.prepared",
    "train.epochs",
    "train.graphs",
    "train.mlflow",
    "train.tensorboard",
    "transfer.guard",
}


def save_last(folder: Path, checkpoint: Checkpoint) -> None:
    """Write ``last.pt``; its previous content becomes ``previous.pt``.

    Raises
    ------
    FaultdiagError
        If it can't be written; ``last.pt`` is unchanged.
    """
    last = folder / LAST
    if last.exists():
        spare = folder / f".{PREVIOUS}.{secrets.token_hex(4)}"
        with suppress(OSError):  # without hard links there is no previous.pt
            os.link(last, spare)
            spare.replace(folder / PREVIOUS)
        spare.unlink(missing_ok=True)
    save(last, checkpoint)


def drop_previous(folder: Path) -> None:
    """Remove ``previous.pt``, which a finished training doesn't need."""
    (folder / PREVIOUS).unlink(missing_ok=True)


def last_state(folder: Path, config: Config, prepared: Prepared) -> Checkpoint | None:
    """Return the state of an interrupted run, or None if nothing was trained yet.

    If ``last.pt`` is damaged, ``previous.pt`` is used, and a warning says so.

    Raises
    ------
    FaultdiagError
        If it was trained with another config or on other data, naming the differences.
    """
    path, last = _newest(folder)
    if last is None:
        return None
    if last.training is None:
        raise FaultdiagError(
            f"{path} holds no training state (a copy of best.pt?); start again with --overwrite"
        )
    _require_same_config(path, last, config)
    if last.epoch and not (folder / "best.pt").is_file():
        raise FaultdiagError(
            f"{folder} can't be resumed: it has a {path.name} but no best.pt; start again with "
            "--overwrite, or give another with --run"
        )
    same_recordings(read_split(folder), prepared, "or start again with --overwrite")
    return last


def _newest(folder: Path) -> tuple[Path, Checkpoint | None]:
    path, previous = folder / LAST, folder / PREVIOUS
    if not path.is_file():
        return path, None
    try:
        return path, load(path)
    except FaultdiagError as error:
        if not previous.is_file():
            raise
        last = load(previous)
        warn(f"{error}\nresuming from {previous}, after epoch {last.epoch}")
        return previous, last


def _require_same_config(path: Path, last: Checkpoint, config: Config) -> None:
    differing = _differences(last.config, config.model_dump(mode="json"))
    if differing:
        raise FaultdiagError(
            f"{path} was trained with another config: {'; '.join(differing)}; give "
            f"{path.parent / 'config.yaml'} and --set for what that does not state, or start again "
            "with --overwrite"
        )
    if config.train.steps is None:  # or they are those of before
        _require_epochs(path, last, config)


def _require_epochs(path: Path, last: Checkpoint, config: Config) -> None:
    """Refuse another number of epochs where it would not continue the same training."""
    epochs, before = config.train.epochs, last.config["train"]["epochs"]
    if last.epoch > epochs and config.transfer is None:
        raise FaultdiagError(
            f"{path} was trained for {counted(last.epoch, 'epoch')} and train.epochs is {epochs}; "
            f"set {last.epoch} or more, or start again with --overwrite"
        )
    if config.transfer is not None and before != epochs:
        raise FaultdiagError(
            f"{path} was trained for train.epochs {before} and now it is {epochs}; transfer adapts "
            f"in the last of them, so this would be another training: give {before}, or start "
            "again with --overwrite"
        )
    schedule, _ = schedule_of(config.train.schedule)
    if schedule in SHAPED and before != epochs:
        raise FaultdiagError(
            f"{path} was trained for train.epochs {before} and now it is {epochs}; the schedule "
            f"'{schedule}' ends with the last epoch, so this would be another training: give "
            f"{before}, or start again with --overwrite"
        )


# What a setting was before there was one, where that is not its default.
_BEFORE = {"train.running_statistics": "published"}


def _differences(there: Document, here: Document) -> list[str]:
    defaults = flat(TrainConfig().model_dump(mode="json"), "train.")
    before, now = {**defaults, **_BEFORE, **flat(there)}, flat(here)
    return [
        f"{path} is {now.get(path)}, there {before.get(path)}"
        for path in sorted((before.keys() | now.keys()) - _FREE)
        if before.get(path) != now.get(path)
    ]


def flat(tree: Document, place: str = "") -> Json:
    """Return the leaves of nested mappings by their dotted paths."""
    leaves: Json = {}
    for key, value in tree.items():
        leaves |= flat(value, f"{place}{key}.") if isinstance(value, dict) else {place + key: value}
    return leaves


def warn_unfinished(run: Path) -> None:
    """Warn if the training of a run folder is unfinished."""
    if (run / "best.pt").is_file() and (note := unfinished_note(run, load(run))):
        warn(note)


def unfinished_note(folder: Path, best: Checkpoint) -> str | None:
    """Return a note if a run was not trained to its end or not scored, else None.

    Parameters
    ----------
    folder
        The run folder; without ``environment.json`` it is not a run folder.
    best
        Its ``best.pt``.
    """
    if not (folder / "environment.json").is_file():
        return None
    # The history of an epoch is written after its checkpoint.
    trained = max(_lines(folder / "history.jsonl"), best.epoch)
    if _scored_epochs(folder / "metrics.json", trained) >= trained:
        return None

    command = train_command(folder / "config.yaml", [], folder, "--resume")
    calibrated = " and its confidences are not yet calibrated" if best.temperature == 1 else ""
    return (
        f"{folder} is not finished: {_trained(trained, best.config['train'])}, best.pt is from "
        f"epoch {best.epoch}{calibrated}; resume with: {command}"
    )


def _trained(epochs: int, train: Document) -> str:
    steps = train.get("steps")
    if steps is not None:
        return f"{counted(epochs, 'epoch')} are trained and train.steps is {steps}"
    return f"{epochs} of {train['epochs']} epochs are trained"


def _lines(path: Path) -> int:
    try:
        return len(path.read_text(encoding="utf-8").splitlines())
    except OSError:
        return 0


def _scored_epochs(path: Path, trained: int) -> int:
    """Return after how many epochs ``metrics.json`` was written; 0 without it."""
    try:
        document = parse_json(path.read_text(encoding="utf-8"))
        # Older runs have no selection; their metrics were written at the end.
        return int(document.get("selection", {}).get("last_epoch", trained))
    except (OSError, ValueError, AttributeError, TypeError):
        return 0


ARTEFACTS = (
    "config.yaml",
    "environment.json",
    "split.json",
    "history.jsonl",
    "history.csv",
    "best.pt",
    "last.pt",
    "previous.pt",
    "source.pt",
    "adapted.pt",
    "chosen.pt",
    "metrics.json",
    "calibration.png",
    "curves.png",
    "confusion.png",
    "MODEL_CARD.md",
)


OTHER = "give another folder with --run"


@contextmanager
def claim(folder: Path, *, overwrite: bool, resume: bool) -> Iterator[None]:
    """Own a run folder while the block runs; see `require_free` and `own_folder`.

    Raises
    ------
    FaultdiagError
        If it may not be written, or another command is writing it.
    """
    if not folder.is_dir():
        require_free(folder, overwrite=overwrite, resume=resume)
    with own_folder(folder, OTHER):
        require_free(folder, overwrite=overwrite, resume=resume)
        sweep(folder)
        yield


@contextmanager
def claim_new(folder: Path, option: str) -> Iterator[None]:
    """Own a folder that is new or empty while the block runs; see `own_folder`.

    Parameters
    ----------
    option
        Where the folder comes from, for a message.

    Raises
    ------
    FaultdiagError
        If it is a file or holds files, or another command is writing it.
    """
    _require_new(folder, option)
    with own_folder(folder, f"give another folder with {option}"):
        _require_new(folder, option)
        yield


def _require_new(folder: Path, option: str) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise FaultdiagError(f"{option} {folder} is a file; give a folder")
    present = names_in(folder)
    if present:
        names = ", ".join(present[:3])
        raise FaultdiagError(f"{option} {folder} exists and holds {names}; give a new folder")


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder in order, without that of the lock."""
    return sorted(path.name for path in folder.iterdir() if path.name != LOCK)


def require_free(folder: Path, *, overwrite: bool, resume: bool) -> None:
    """Refuse a run folder that must not be written to; nothing is changed.

    Raises
    ------
    FaultdiagError
        If it is a file, a folder of other files, or a run that should neither be resumed nor
        replaced.
    """
    if overwrite and resume:
        raise FaultdiagError(
            "--resume continues a run and --overwrite replaces it; give one of the two"
        )
    if not folder.exists():
        return
    if not folder.is_dir():
        raise FaultdiagError(f"--run {folder} is a file; give a folder")
    present = names_in(folder)
    if not present:
        return
    if not _is_run(folder):
        raise FaultdiagError(
            f"--run {folder} is a folder of other files ({first_names(present)}); give a new folder"
        )
    if resume:
        _require_whole(folder, present)
    elif not overwrite:
        raise FaultdiagError(
            f"the run folder {folder} exists; continue it with --resume, replace it with "
            "--overwrite, or give another with --run"
        )


def _is_run(folder: Path) -> bool:
    """Return whether a training began in this folder: it writes environment.json first."""
    versions = _environment(folder).get("versions")
    return isinstance(versions, dict) and "faultdiag" in versions


def _require_whole(folder: Path, present: Sequence[str]) -> None:
    """Refuse to resume a run that lacks files."""
    if "metrics.json" in present and "last.pt" not in present:
        raise FaultdiagError(
            f"{folder} can't be resumed: it has a metrics.json but no last.pt; start again with "
            "--overwrite, or give another with --run"
        )


def split_document(prepared: Prepared) -> Json:
    """Return the content of ``split.json`` of a run folder."""
    document = prepared.document
    return {
        **document["split"],
        "recordings": [asdict(recording) for recording in prepared.recordings],
        "window": document["window"],
    }


def begin(
    folder: Path,
    config: Config,
    split: Document | None,
    device: torch.device,
    *,
    option: str = "--run",
) -> None:
    """Write config, environment and split into a folder that `require_free` accepted.

    Parameters
    ----------
    split
        As `split_document` returns it; None where nothing says it.
    option
        Where the folder comes from, for a message.

    Raises
    ------
    FaultdiagError
        If it can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FaultdiagError(
            f"cannot make {option} {folder}: {error.strerror}; give another folder"
        ) from error
    write_json(folder / "environment.json", environment(device))
    write_text(folder / "config.yaml", config.to_yaml())
    if split is not None:
        write_json(folder / "split.json", split)


def clear(folder: Path) -> None:
    """Remove an earlier run's files and no others; environment.json stays and marks the run."""
    for name in ARTEFACTS:
        if name != "environment.json":
            (folder / name).unlink(missing_ok=True)


def discard_untrained(folder: Path) -> None:
    """Remove the files of a run without a checkpoint, and the folder if it is then empty."""
    if any((folder / name).exists() for name in ("best.pt", "last.pt")) or not folder.is_dir():
        return
    for name in ARTEFACTS:
        (folder / name).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def environment(device: torch.device) -> Json:
    """Return the environment that a result can depend on: versions, device, threads."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name()
    return {
        "versions": package_versions(),
        "commit": commit(),
        "extras": installed_extras(),
        "platform": platform.platform(),
        "device": str(device),
        "device_name": name,
        "processor": processor_name(),
        "threads": torch.get_num_threads(),
    }


# What the last bits of weights depend on: the keys in ``environment.json`` and their names.
_LAST_BITS = {
    "torch": "torch",
    "device": "device",
    "device_name": "device",
    "processor": "processor",
    "threads": "threads",
}


def resume_notes(folder: Path, device: torch.device) -> list[str]:
    """Return a note if the environment of a resumed run has changed.

    Parameters
    ----------
    folder
        The run folder, with the ``environment.json`` of the training before.
    """
    before, now = (_last_bits(e) for e in (_environment(folder), environment(device)))
    other = {
        _LAST_BITS[key]: f"{_LAST_BITS[key]} {now[key]} (before {before[key]})"
        for key in reversed(_LAST_BITS)
        if before[key] is not None and before[key] != now[key]
    }
    if not other:
        return []
    return [
        f"{folder} is resumed with {', '.join(reversed(other.values()))}: its weights may differ "
        "in their last bits from those of a training that was never interrupted"
    ]


def _environment(folder: Path) -> Document:
    """Return the ``environment.json`` of a run; nothing where it is missing or damaged."""
    try:
        document = parse_json((folder / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _last_bits(document: Document) -> Json:
    versions = document.get("versions")
    torch_version = versions.get("torch") if isinstance(versions, dict) else None
    return {key: document.get(key) for key in _LAST_BITS} | {"torch": torch_version}


def train_command(config: Path, settings: Sequence[str], run: Path, *flags: str) -> str:
    """Return the command line that trains this config in this run folder."""
    overrides = [word for setting in settings for word in ("--set", setting)]
    command = ["faultdiag", "train", "--config", str(config), *overrides, "--run", str(run)]
    return shlex.join([*command, *flags])


# A package of each extra that tells whether it is installed.
EXTRAS = {
    "onnx": "onnxruntime",
    "hub": "safetensors",
    "dask": "distributed",
    "explain": "captum",
    "tensorboard": "tensorboard",
    "mlflow": "mlflow-skinny",
    "tdms": "nptdms",
    "uff": "pyuff",
    "tables": "pyarrow",
}


def processor_name() -> str:
    """Return the name of the processor, or its architecture where the system doesn't tell it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def installed_extras() -> dict[str, str]:
    """Return the extras that are installed, each with the version of its package."""
    versions = {}
    for extra, package in EXTRAS.items():
        try:
            versions[extra] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def commit() -> str | None:
    """Return the commit of the source tree that runs, with ``+`` if it was changed, or None."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    words = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty=+"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
