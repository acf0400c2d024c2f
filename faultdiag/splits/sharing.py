"""Samples, recordings, bearings and conditions that the parts of a split share.

Four distances between train and test matter: the window, the recording, the condition and the
selection. This module measures the first, sample by sample.

How near the test part is to what a model was made with, the training and validation parts and the
part that it was adapted to, decides what a figure means. The worst that they share has one word:

``samples``    samples, in place or as a copy under another name
``recording``  other samples of the same recording
``bearing``    other recordings of the same physical bearing
``unknown``    no recording, but nothing says which physical bearings they were
``none``       no recording and no bearing

Operating conditions are counted, but are no level of their own: another bearing under the same
load is an honest test, the same bearing under another load is not.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError
from faultdiag.signal.bearings import get_bearing
from faultdiag.signal.windows import best_overlap, count_disjoint, count_shared, covered_intervals
from faultdiag.splits.duplicates import Duplicate
from faultdiag.splits.within import ALL_PARTS, MADE_WITH, TARGET_ADAPT

# Starts of the windows of one part, by recording.
Starts = Mapping[int, NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Audit:
    """What the parts of a split share.

    Parameters
    ----------
    shared_samples
        Samples that lie under windows of two or more parts; 0 for an honest split.
    leaking_test_windows
        Share of the test windows that overlap a training window, or one that was adapted to.
    valid_test_overlap
        Mean over the test windows of the largest share of samples that one validation window
        holds too.
    disjoint_windows
        Per part, how many windows remain if no two may share a sample.
    """

    shared_samples: int
    leaking_test_windows: float
    valid_test_overlap: float
    disjoint_windows: Mapping[str, int]

    def to_dict(self) -> Json:
        """Return the audit as plain JSON types."""
        return asdict(self)


def audit_windows(starts: Mapping[str, Starts], length: int) -> Audit:
    """Audit the windows of all parts.

    Parameters
    ----------
    starts
        ``part -> recording -> starts`` of windows of `length` samples.
    """
    overlaps = {
        part: _best_overlaps(starts["test"], starts.get(part, {}), length) for part in MADE_WITH
    }
    return Audit(
        shared_samples=_shared_samples(starts, length),
        leaking_test_windows=_mean((overlaps["train"] > 0) | (overlaps[TARGET_ADAPT] > 0)),
        valid_test_overlap=_mean(overlaps["valid"]),
        disjoint_windows={
            part: sum(count_disjoint(s, length) for s in rows.values())
            for part, rows in starts.items()
        },
    )


def _best_overlaps(test: Starts, others: Starts, length: int) -> NDArray[np.float64]:
    nothing = np.empty(0, dtype=np.int64)
    rows = [best_overlap(s, others.get(r, nothing), length) for r, s in test.items()]
    return np.concatenate(rows) if rows else np.empty(0)


def _shared_samples(starts: Mapping[str, Starts], length: int) -> int:
    total = 0
    for recording in set().union(*starts.values()):
        rows = [own[recording] for own in starts.values() if recording in own]
        total += count_shared([covered_intervals(row, length) for row in rows])
    return total


def _mean(values: NDArray[np.generic]) -> float:
    return float(values.mean()) if len(values) else 0.0


# Two speeds are one operating condition within this share: measured and nominal speed differ by
# less, those of neighbouring loads of one motor by more.
SPEED_TOLERANCE = 0.01


class Source(Protocol):
    """Facts of a recording for an audit."""

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
    def facts(self) -> Document:
        """Its other facts."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of one recording.

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
    """Return the origin of each recording.

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


def specimen(facts: Document, key: str) -> Hashable | None:
    """Return the physical bearing that a fact names, or None.

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


def _canonical(value: object) -> Hashable:
    """Return one form to what a split takes for one group: 1 and 1.0, but not 1 and "1"."""
    return float(value) if isinstance(value, int | float) else str(value)


def _is_type(name: str) -> bool:
    try:
        get_bearing(name)
    except FaultdiagError:
        return False
    return True


def _condition(facts: Document, speed: float | None) -> Hashable | None:
    load_hp, load = facts.get("load_hp"), facts.get("load")
    if load_hp is not None:
        return ("load_hp", str(load_hp))
    if load is not None:
        return ("load", str(load), speed)
    return None if speed is None else ("speed", speed)


def _speeds(speeds: Sequence[float | None]) -> list[float | None]:
    """Return, for each speed, the lowest of the speeds that it counts as equal to."""
    known = sorted({speed for speed in speeds if speed is not None})
    lowest: dict[float, float] = {}
    for speed in known:
        group = next(reversed(lowest.values()), speed)
        lowest[speed] = group if speed <= group * (1 + SPEED_TOLERANCE) else speed
    return [None if speed is None else lowest[speed] for speed in speeds]


def _runs(count: int, copies: Iterable[tuple[int, int]]) -> list[int]:
    """Return each recording the lowest index of those that it is a copy of, over any steps."""
    parent = list(range(count))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for first, second in copies:
        low, high = sorted((root(first), root(second)))
        parent[high] = low
    return [root(index) for index in range(count)]


# From worst to best.
LEVELS = ("samples", "recording", "bearing", "unknown", "none")

# Starts of the windows of one part, by recording; and the samples under them, ``[start, stop)``.
Intervals = NDArray[np.int64]
Covered = Mapping[str, Mapping[int, Intervals]]
PartPair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sharing:
    """The facts that the parts of a split have in common.

    Parameters
    ----------
    pairs
        Per pair of parts, such as ``"train-test"``, the number of common ``samples`` (in place or
        through copies), ``recordings`` (copies of one counted once), ``bearings`` and
        ``conditions``. The last two are None where none is known to be common, but of some
        recordings it is not known.
    leak
        The worst that the test part shares with what the model is made with, one of `LEVELS`.
    leak_by_class
        The same for the test recordings of each class.
    duplicates
        The copies, each with its ``parts``: those parts of either recording that contain it; and
        ``leak``: whether it carries samples of those parts into test.
    """

    pairs: Mapping[str, Mapping[str, int | None]]
    leak: str
    leak_by_class: Mapping[str, str]
    duplicates: Sequence[Document]

    def to_dict(self) -> Json:
        """Return it as plain JSON types."""
        return asdict(self)


def share(
    starts: Mapping[str, Starts],
    length: int,
    origins: Sequence[Origin],
    duplicates: Sequence[Duplicate] = (),
    channels: Sequence[str] = (),
) -> Sharing:
    """Return what the parts share.

    Parameters
    ----------
    starts
        ``part -> recording -> starts`` of windows of `length` samples.
    origins
        Origin of every recording.
    duplicates
        The duplicate samples of recordings with these `channels`.
    """
    covered = {
        part: {r: covered_intervals(row, length) for r, row in starts[part].items()}
        for part in ALL_PARTS
        if part in starts
    }
    common = [common_samples(duplicate, covered, origins) for duplicate in duplicates]
    levels = _levels(covered, origins, duplicates, common)
    by_class: dict[str, str] = {}
    for recording, level in levels.items():
        label = origins[recording].label
        by_class[label] = min(level, by_class.get(label, level), key=LEVELS.index)
    return Sharing(
        pairs={
            f"{first}-{second}": {
                "samples": _in_place(covered, first, second)
                + _in_copies(duplicates, common, first, second),
                **_counted(origins, covered[first], covered[second]),
            }
            for first, second in combinations(covered, 2)
        },
        leak=min(by_class.values(), key=LEVELS.index, default="none"),
        leak_by_class=dict(sorted(by_class.items())),
        duplicates=[
            _described(duplicate, counts, covered, origins, channels)
            for duplicate, counts in zip(duplicates, common, strict=True)
        ],
    )


def common_samples(
    duplicate: Duplicate, covered: Covered, origins: Sequence[Origin]
) -> dict[PartPair, int]:
    """Count the samples under windows of one part in the first recording, of another in the second.

    Returns
    -------
    Prepared samples of the first, per part of the first and part of the second; none where both
    are two channels of one recording at one time.
    """
    if is_second_channel(duplicate):
        return {}
    first, second = (
        {part: _within(duplicate, side, covered[part], origins) for part in covered}
        for side in (0, 1)
    )
    factor = origins[duplicate.recordings[0]].factor
    return {
        (one, other): round(count_shared([first[one], second[other]]) * factor)
        for one in covered
        for other in covered
    }


def is_second_channel(duplicate: Duplicate) -> bool:
    """Return whether two channels of one recording agree at the same time: one measurement."""
    return (
        duplicate.recordings[0] == duplicate.recordings[1]
        and duplicate.start[0] == duplicate.start[1]
    )


def _within(
    duplicate: Duplicate,
    side: int,
    covered: Mapping[int, Intervals],
    origins: Sequence[Origin],
) -> Intervals:
    """Return the covered samples of one side, counted from the first common one as recorded."""
    recording = duplicate.recordings[side]
    intervals = covered.get(recording, np.empty((0, 2), dtype=np.int64))
    places = np.rint(intervals / origins[recording].factor) - duplicate.start[side]
    return np.asarray(places.clip(0, duplicate.samples), dtype=np.int64)


def _in_place(covered: Covered, one: str, other: str) -> int:
    both = covered[one].keys() & covered[other].keys()
    return sum(count_shared([covered[one][r], covered[other][r]]) for r in both)


def _in_copies(
    duplicates: Sequence[Duplicate],
    common: Sequence[Mapping[PartPair, int]],
    one: str,
    other: str,
) -> int:
    """Count the samples that two parts have in common through copies, each place once."""
    # The channels of a copied recording are as many rows with one lag.
    places = {
        (row.recordings, row.start[0] - row.start[1], row.start[0]): counts
        for row, counts in zip(duplicates, common, strict=True)
    }
    pairs = [(one, other), (other, one)]
    return sum(counts.get(pair, 0) for counts in places.values() for pair in pairs)


def _counted(
    origins: Sequence[Origin], one: Mapping[int, Intervals], other: Mapping[int, Intervals]
) -> dict[str, int | None]:
    sides = [[origins[recording] for recording in side] for side in (one, other)]
    return {
        "recordings": _common([[o.run for o in side] for side in sides]),
        "bearings": _common([[o.bearing for o in side] for side in sides]),
        "conditions": _common([[o.condition for o in side] for side in sides]),
    }


def _common(sides: Sequence[Sequence[Hashable | None]]) -> int | None:
    """Count the values on both sides; None where none is, but some are unknown."""
    one, other = map(set, sides)
    count = len((one & other) - {None})
    return None if count == 0 and None in one | other else count


def _levels(
    covered: Covered,
    origins: Sequence[Origin],
    duplicates: Sequence[Duplicate],
    common: Sequence[Mapping[PartPair, int]],
) -> dict[int, str]:
    """Return the worst that each test recording shares with what the model is made with."""
    known = [covered[part] for part in MADE_WITH if part in covered]
    made_with = [origins[recording] for rows in known for recording in rows]
    runs = {origin.run for origin in made_with}
    bearings = {origin.bearing for origin in made_with}
    shared = _sharing_samples(covered["test"], known) | _sharing_copies(duplicates, common)
    return {
        recording: "samples" if recording in shared else _level(origins[recording], runs, bearings)
        for recording in covered["test"]
    }


def _sharing_samples(
    test: Mapping[int, Intervals], known: Sequence[Mapping[int, Intervals]]
) -> set[int]:
    """Return the test recordings with samples that other parts cover, too."""
    return {
        recording
        for recording, intervals in test.items()
        for rows in known
        if recording in rows and count_shared([rows[recording], intervals])
    }


def _sharing_copies(
    duplicates: Sequence[Duplicate], common: Sequence[Mapping[PartPair, int]]
) -> set[int]:
    """Return the test recordings that share copied samples with what the model is made with."""
    pairs = zip(duplicates, common, strict=True)
    return {recording for pair in pairs for recording in _reached(*pair)}


def _reached(duplicate: Duplicate, counts: Mapping[PartPair, int]) -> Iterator[int]:
    """Yield the test recordings that share copied samples with what the model is made with."""
    for pair, count in counts.items():
        for side in (0, 1):
            if count and pair[side] == "test" and pair[1 - side] in MADE_WITH:
                yield duplicate.recordings[side]


def _level(origin: Origin, runs: set[int], bearings: set[Hashable | None]) -> str:
    if origin.run in runs:
        return "recording"
    if origin.bearing is not None and origin.bearing in bearings:
        return "bearing"
    return "unknown" if origin.bearing is None or None in bearings else "none"


def _described(
    duplicate: Duplicate,
    counts: Mapping[PartPair, int],
    covered: Covered,
    origins: Sequence[Origin],
    channels: Sequence[str],
) -> Json:
    parts = [
        [part for part in covered if _width(_within(duplicate, side, covered[part], origins))]
        for side in (0, 1)
    ]
    return {
        **asdict(duplicate),
        "recordings": [origins[r].name for r in duplicate.recordings],
        "channels": [channels[channel] for channel in duplicate.channels],
        "parts": parts,
        "leak": any(
            n and "test" in pair and (pair[0] in MADE_WITH or pair[1] in MADE_WITH)
            for pair, n in counts.items()
        ),
    }


def _width(intervals: Intervals) -> int:
    return int(np.diff(intervals).sum())
