"""Where recordings come from: which run, which physical bearing, which operating condition."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from faultdiag.bearings import get_bearing
from faultdiag.errors import FaultdiagError

# Two speeds are one operating condition within this share: measured and nominal speed differ by
# less, those of neighbouring loads of one motor by more.
SPEED_TOLERANCE = 0.01


class Source(Protocol):
    """What is asked of a recording."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def label(self) -> str:
        """Its class."""

    @property
    def rpm(self) -> float | None:
        """Its shaft speed."""

    @property
    def recorded_at(self) -> float:
        """The rate in Hz that it was recorded at."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What else is known of it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one recording comes from.

    Parameters
    ----------
    name, label
        Its name and its class.
    run
        The same number for recordings that are copies of one another.
    bearing
        The physical bearing, or None where nothing says which.
    condition
        The operating condition, or None where nothing says which.
    factor
        Prepared samples to a recorded one.
    """

    name: str
    label: str
    run: int
    bearing: Hashable | None
    condition: Hashable | None
    factor: float = 1.0


def origins(
    sources: Sequence[Source], sampling_rate: float, copies: Iterable[tuple[int, int]] = ()
) -> list[Origin]:
    """Give the origin of each recording.

    The physical bearing is the fact ``specimen``. Where no recording has that fact it is the fact
    ``bearing``, unless that names a type, such as 6205, of which there are many bearings.

    The operating condition is the load, ``load_hp``; where that is not known the fact ``load``
    with the shaft speed; and where no load is known the shaft speed.

    Parameters
    ----------
    sampling_rate
        Hz that all are prepared at.
    copies
        Pairs of recordings, by index, that hold the same signal.
    """
    runs = _runs(len(sources), copies)
    named = any(s.facts.get("specimen") is not None for s in sources)
    key = "specimen" if named else "bearing"
    speeds = _speeds([s.rpm for s in sources])
    return [
        Origin(
            name=s.name,
            label=s.label,
            run=run,
            bearing=specimen(s.facts, key),
            condition=_condition(s.facts, speed),
            factor=sampling_rate / s.recorded_at,
        )
        for s, run, speed in zip(sources, runs, speeds, strict=True)
    ]


def specimen(facts: Mapping[str, Any], key: str) -> Hashable | None:
    """Give the physical bearing that a fact names, or None.

    Examples
    --------
    >>> specimen({"bearing": "rig 2, no. 5"}, "bearing")
    'rig 2, no. 5'
    >>> specimen({"bearing": "6205-2RS"}, "bearing") is None
    True
    """
    value = facts.get(key)
    if value is None or value == "" or (key == "bearing" and _is_type(str(value))):
        return None
    return _canonical(value)


def _canonical(value: Any) -> Hashable:
    """Give one form to what a split takes for one group: 1 and 1.0, but not 1 and "1"."""
    return float(value) if isinstance(value, int | float) else str(value)


def _is_type(name: str) -> bool:
    try:
        get_bearing(name)
    except FaultdiagError:
        return False
    return True


def _condition(facts: Mapping[str, Any], speed: float | None) -> Hashable | None:
    load_hp, load = facts.get("load_hp"), facts.get("load")
    if load_hp is not None:
        return ("load_hp", str(load_hp))
    if load is not None:
        return ("load", str(load), speed)
    return None if speed is None else ("speed", speed)


def _speeds(speeds: Sequence[float | None]) -> list[float | None]:
    """Give, for each speed, the lowest of the speeds that it counts as equal to."""
    known = sorted({speed for speed in speeds if speed is not None})
    lowest: dict[float, float] = {}
    for speed in known:
        group = next(reversed(lowest.values()), speed)
        lowest[speed] = group if speed <= group * (1 + SPEED_TOLERANCE) else speed
    return [None if speed is None else lowest[speed] for speed in speeds]


def _runs(count: int, copies: Iterable[tuple[int, int]]) -> list[int]:
    """Give each recording the lowest index of those that it is a copy of, over any steps."""
    parent = list(range(count))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for one, other in copies:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return [root(index) for index in range(count)]
