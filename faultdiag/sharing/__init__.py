"""What two parts of a split have in common: samples, recordings, bearings, operating conditions.

How near the test part is to what a model was made with, the training and validation parts, decides
what a figure means. The worst that they share has one word:

``samples``    samples, in place or as a copy under another name
``recording``  other samples of the same recording
``bearing``    other recordings of the same physical bearing
``unknown``    no recording, but nothing says which physical bearings they were
``none``       no recording and no bearing

Operating conditions are counted, but are no level of their own: another bearing under the same
load is an honest test, the same bearing under another load is not.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faultdiag.sharing.duplicates import Duplicate
from faultdiag.sharing.origins import Origin
from faultdiag.splits import PARTS
from faultdiag.windows import count_shared, covered_intervals

# From worst to best.
LEVELS = ("samples", "recording", "bearing", "unknown", "none")

# Starts of the windows of one part, by recording; and the samples under them, ``[start, stop)``.
Starts = Mapping[int, NDArray[np.int64]]
Intervals = NDArray[np.int64]
Covered = Mapping[str, Mapping[int, Intervals]]
PartPair = tuple[str, str]
PAIRS: tuple[PartPair, ...] = tuple(combinations(PARTS, 2))


@dataclass(frozen=True, slots=True)
class Sharing:
    """What the parts of a split have in common.

    Parameters
    ----------
    pairs
        Per pair of parts, such as ``"train-test"``, the number of common ``samples`` (in place or
        through copies), ``recordings`` (copies of one counted once), ``bearings`` and
        ``conditions``. The last two are None where none is known to be common, but of some
        recordings it is not known.
    leak
        The worst that the test part shares with training or validation, one of `LEVELS`.
    leak_by_class
        The same for the test recordings of each class.
    duplicates
        The copies, each with its ``parts``: those of either recording that stand in it; and
        ``leak``: whether it carries samples of train or valid into test.
    """

    pairs: Mapping[str, Mapping[str, int | None]]
    leak: str
    leak_by_class: Mapping[str, str]
    duplicates: Sequence[Mapping[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain JSON types."""
        return asdict(self)


def share(
    starts: Mapping[str, Starts],
    length: int,
    origins: Sequence[Origin],
    duplicates: Sequence[Duplicate] = (),
    channels: Sequence[str] = (),
) -> Sharing:
    """Give what the parts share.

    Parameters
    ----------
    starts
        ``part -> recording -> starts`` of windows of `length` samples.
    origins
        Of every recording.
    duplicates
        The samples that stand twice, of recordings with these `channels`.
    """
    covered = {
        part: {r: covered_intervals(row, length) for r, row in starts[part].items()}
        for part in PARTS
    }
    common = [common_samples(duplicate, covered, origins) for duplicate in duplicates]
    levels = _levels(covered, origins, duplicates, common)
    by_class: dict[str, str] = {}
    for recording, level in levels.items():
        label = origins[recording].label
        by_class[label] = min(level, by_class.get(label, level), key=LEVELS.index)
    return Sharing(
        pairs={
            f"{one}-{other}": {
                "samples": _in_place(covered, one, other)
                + _in_copies(duplicates, common, one, other),
                **_counted(origins, covered[one], covered[other]),
            }
            for one, other in PAIRS
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
    """Count the samples that stand under windows of a part in the first, and of one in the second.

    Returns
    -------
    Prepared samples of the first, per part of the first and part of the second; none where both
    are two channels of one recording at one time.
    """
    if is_second_channel(duplicate):
        return {}
    first, second = (
        {part: _within(duplicate, side, covered[part], origins) for part in PARTS}
        for side in (0, 1)
    )
    factor = origins[duplicate.recordings[0]].factor
    return {
        (one, other): round(count_shared([first[one], second[other]]) * factor)
        for one in PARTS
        for other in PARTS
    }


def is_second_channel(duplicate: Duplicate) -> bool:
    """Tell whether two channels of one recording agree at the same time: one measurement."""
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
    """Give the covered samples of one side, counted from the first common one as recorded."""
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
    """Give the worst that each test recording shares with training and validation."""
    made_with = [origins[r] for part in PARTS[:2] for r in covered[part]]
    runs = {origin.run for origin in made_with}
    bearings = {origin.bearing for origin in made_with}
    reached = {
        duplicate.recordings[side]
        for duplicate, counts in zip(duplicates, common, strict=True)
        for pair, count in counts.items()
        for side in (0, 1)
        if count and pair[side] == "test" and pair[1 - side] != "test"
    }
    levels = {}
    for recording, intervals in covered["test"].items():
        seen = [covered[part].get(recording) for part in PARTS[:2]]
        if recording in reached or any(
            row is not None and count_shared([row, intervals]) for row in seen
        ):
            levels[recording] = "samples"
        else:
            levels[recording] = _level(origins[recording], runs, bearings)
    return levels


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
) -> dict[str, Any]:
    parts = [
        [part for part in PARTS if _width(_within(duplicate, side, covered[part], origins))]
        for side in (0, 1)
    ]
    return {
        **asdict(duplicate),
        "recordings": [origins[r].name for r in duplicate.recordings],
        "channels": [channels[channel] for channel in duplicate.channels],
        "parts": parts,
        "leak": any(
            n and (one == "test") != (other == "test") for (one, other), n in counts.items()
        ),
    }


def _width(intervals: Intervals) -> int:
    return int(np.diff(intervals).sum())
