"""What must hold within a checkpoint, beyond the kinds of its parts."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faultdiag.errors import FaultdiagError
from faultdiag.novelty.stored import require_sound


def require_consistent(path: Path, document: Mapping[str, Any]) -> None:
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
    _require_temperature(path, document.get("calibration", {"temperature": 1.0}))
    require_sound(path, document)


def _require_temperature(path: Path, calibration: object) -> None:
    found = calibration.get("temperature") if isinstance(calibration, dict) else calibration
    if not isinstance(found, (int, float)) or not 0 < found < math.inf:
        raise FaultdiagError(
            f"{path} has the calibration temperature {found!r}, which must be a number above 0; "
            "take another copy, or train again"
        )
