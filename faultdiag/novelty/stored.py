"""A fitted novelty as it stands in a checkpoint: plain numbers and one tensor."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from faultdiag import novelty
from faultdiag.errors import FaultdiagError
from faultdiag.novelty import Novelty


def to_stored(fitted: Novelty) -> dict[str, Any]:
    """Give what stands under ``calibration.novelty``."""
    return {field.name: getattr(fitted, field.name) for field in fields(fitted)} | {
        "reference": torch.from_numpy(fitted.reference)
    }


def from_stored(calibration: Mapping[str, Any]) -> Novelty | None:
    """Give what stands under ``calibration.novelty``, or None where nothing does."""
    stored = calibration.get("novelty")
    return None if stored is None else Novelty(**_found(stored))


def require_sound(path: Path, document: Mapping[str, Any]) -> None:
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


def _problem(stored: Any, length: Any, channels: int) -> str | None:
    if not isinstance(length, int) or length < 1:
        return f"cannot be read for windows of {length!r} samples"
    found = _found(stored) if isinstance(stored, dict) else stored
    return novelty.check(found, channels * novelty.bands_of(length))


def _found(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Give the fields of a novelty, its reference as an array; others are passed over."""
    found = {field.name: stored.get(field.name) for field in fields(Novelty)}
    reference = found["reference"]
    if isinstance(reference, torch.Tensor):
        # Sparse or quantised tensors, and those of no memory at all, have no array.
        plain = (reference.layout, reference.device.type) == (torch.strided, "cpu")
        usable = plain and reference.dtype == torch.float32
        found["reference"] = reference.detach().numpy() if usable else None
    return found
