"""The run folder: which one may be written to, what stands in it, what can be resumed."""

import json
import platform
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from faultdiag.checkpoint import package_versions
from faultdiag.config import Config
from faultdiag.errors import FaultdiagError
from faultdiag.files import write_json, write_text
from faultdiag.prepared import Prepared

ARTEFACTS = (
    "config.yaml",
    "environment.json",
    "split.json",
    "history.jsonl",
    "history.csv",
    "best.pt",
    "last.pt",
    "previous.pt",
    "metrics.json",
    "calibration.png",
    "curves.png",
    "confusion.png",
)


def require_free(folder: Path, *, overwrite: bool, resume: bool) -> None:
    """Refuse a run folder that may not be written to; nothing is changed.

    Raises
    ------
    FaultdiagError
        If it is a file, a folder of something else, or a run that is neither to be resumed nor
        to be replaced.
    """
    if overwrite and resume:
        raise FaultdiagError(
            "--resume goes on with a run and --overwrite replaces it; give one of the two"
        )
    if not folder.exists():
        return
    if not folder.is_dir():
        raise FaultdiagError(f"--run {folder} is a file; give a folder")
    present = sorted(path.name for path in folder.iterdir())
    if present and not _is_run(folder):
        more = ", …" if len(present) > 3 else ""
        raise FaultdiagError(
            f"--run {folder} is a folder of something else ({', '.join(present[:3])}{more}); "
            "give a new folder"
        )
    if present and not (overwrite or resume):
        raise FaultdiagError(
            f"the run folder {folder} exists; go on with it by --resume, replace it by "
            "--overwrite, or give another with --run"
        )
    if resume:
        _require_whole(folder, present)


def _is_run(folder: Path) -> bool:
    """Whether a training has begun in this folder; environment.json is what it writes first."""
    try:
        document = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    versions = document.get("versions") if isinstance(document, dict) else None
    return isinstance(versions, dict) and "faultdiag" in versions


def _require_whole(folder: Path, present: Sequence[str]) -> None:
    """Refuse to resume a run of which files were taken away."""
    if "metrics.json" in present and "last.pt" not in present:
        raise FaultdiagError(
            f"{folder} can't be resumed: it has a metrics.json but no last.pt; start anew with "
            "--overwrite, or give another with --run"
        )


def begin(folder: Path, config: Config, prepared: Prepared, device: torch.device) -> None:
    """Write what a training starts from, into a folder that `require_free` let pass.

    Raises
    ------
    FaultdiagError
        If it can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FaultdiagError(
            f"cannot make --run {folder}: {error.strerror}; give another folder"
        ) from error
    write_json(folder / "environment.json", environment(device))
    write_text(folder / "config.yaml", config.to_yaml())
    document = prepared.document
    split = {
        **document["split"],
        "recordings": [asdict(recording) for recording in prepared.recordings],
        "window": document["window"],
    }
    write_json(folder / "split.json", split)


def clear(folder: Path) -> None:
    """Remove an earlier run's files and no others; what marks it as a run goes last."""
    for name in ARTEFACTS:
        if name != "environment.json":
            (folder / name).unlink(missing_ok=True)


def discard_untrained(folder: Path) -> None:
    """Remove the files of a run that ended before its first checkpoint, and the folder if empty."""
    if any((folder / name).exists() for name in ("best.pt", "last.pt")) or not folder.is_dir():
        return
    for name in ARTEFACTS:
        (folder / name).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def environment(device: torch.device) -> dict[str, Any]:
    """Give what a result can depend on beside config and data: versions, device, threads."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    return {
        "versions": package_versions(),
        "platform": platform.platform(),
        "device": str(device),
        "device_name": name or platform.machine(),
        "threads": torch.get_num_threads(),
    }


def train_command(config: Path, settings: Sequence[str], run: Path, *flags: str) -> str:
    """Give the command line that trains this config in this run folder."""
    overrides = [word for setting in settings for word in ("--set", setting)]
    command = ["faultdiag", "train", "--config", str(config), *overrides, "--run", str(run)]
    return shlex.join([*command, *flags])
