"""The network that fits what is known of recordings, and why."""

from collections.abc import Collection, Sequence
from typing import Any

from faultdiag.datasets.base import Entry
from faultdiag.errors import FaultdiagError
from faultdiag.evidence.physics import part_of
from faultdiag.signal.bearings import get_bearing

# Seconds of a window in which fault orders are distinct, the best first.
TIED_SECONDS = (3.0, 2.0, 1.25)
# Samples of a segment of the spectra that band_net sees.
SEGMENT = 512

_TIED = (
    "the classes name parts of the bearing, and every recording's speed and bearing are known: 20 "
    "parameters that hold on other machines and bearings (predict needs --rpm and --bearing there)."
    " band_net tells the conditions of this machine apart, wdcnn is the field's baseline"
)
_BANDS = (
    "the classes are conditions of this machine: spectra in bands, which hold at other loads better"
    " than networks on raw windows. wdcnn is the field's baseline; for parts of bearings of other "
    "machines take tied_z, which needs classes that name the parts, speeds and bearings, or "
    "`faultdiag predict bearing-types`, which needs no training"
)
_SHORT = (
    f"the field's baseline: windows shorter than {SEGMENT} samples are too short for band_net, "
    "which holds better at other loads"
)

Choice = list[tuple[str, Any, str]]
"""Settings of the section ``model``: name, value, comment."""


def names_parts(
    classes: Collection[str], entries: Sequence[Entry], speeds: Sequence[float | None]
) -> bool:
    """Return whether the classes are parts of bearings whose speeds and geometries are known."""
    parts = [part_of(name) for name in classes]
    usable = {"inner", "outer", "ball", "healthy"}
    if not set(parts) <= usable or len(set(parts)) < len(parts):
        return False
    return None not in speeds and all(map(_knows_bearing, entries))


def _knows_bearing(entry: Entry) -> bool:
    try:
        get_bearing(str(entry.facts.get("bearing") or ""))
    except FaultdiagError:
        return False
    return True


def choose_network(*, parts: bool, length: int, rate: float) -> Choice:
    """Return the network for windows of some samples at a rate in Hz, and why.

    Parameters
    ----------
    parts
        What `names_parts` returned.
    """
    if parts and length >= min(TIED_SECONDS) * rate:
        return [("name", "tied_z", _TIED)]
    attention = {"name": "eca", "after": [1 if length >= SEGMENT else 2], "residual": True}
    name, reason = ("band_net", _BANDS) if length >= SEGMENT else ("wdcnn", _SHORT)
    return [("name", name, reason), ("attention", attention, "")]
