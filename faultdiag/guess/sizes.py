"""Window, stride and split that fit the lengths of recordings."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from faultdiag.errors import FaultdiagError
from faultdiag.splits.within import STRATEGIES, minimum_samples, part_sizes

_USUAL = 2048
_SHORTEST = 512
_LONGEST = 8192
# A window that long holds a dozen passes over a fault of either race.
_REVOLUTIONS = 4
_ENOUGH_WINDOWS = 4
_FRACTIONS = ((0.7, 0.2, 0.1), (0.6, 0.2, 0.2))
_WHOLE = "across_recordings"
# Training windows a class is given about, and all classes together at most.
_PER_CLASS = 1000
_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Sizes:
    """Window length and stride in samples, the split, and why."""

    length: int
    stride: int
    split: dict[str, Any]
    reasons: dict[str, str] = field(default_factory=dict)


def guess_sizes(
    lengths: Mapping[str, Sequence[float]],
    recordings: Mapping[str, int],
    rate: float,
    rpm: float | None,
) -> Sizes:
    """Return window, stride and split for recordings of these lengths.

    Parameters
    ----------
    lengths
        Samples at `rate` of the recordings that were read, by class.
    recordings
        How many recordings each class has.
    rate
        Hz.
    rpm
        The slowest shaft speed, or None.

    Raises
    ------
    FaultdiagError
        If a recording is too short for any window.
    """
    shortest = int(min(min(found) for found in lengths.values()))
    wanted, why = _wanted(rate, rpm)
    length, fractions, windows = _fitting(shortest, wanted)
    if length == 0:
        return _whole_recordings(lengths, recordings, shortest)
    sizes = {
        label: sum(found) / len(found) * recordings[label] * fractions[0]
        for label, found in lengths.items()
    }
    if length < wanted:
        why += f"; shorter, because the shortest recording has {shortest} samples"
    return Sizes(
        length,
        _stride(sizes, length),
        {"strategy": "within_recording", "fractions": list(fractions), "gap": length},
        {
            "length": why,
            "stride": _stride_reason(sizes, _stride(sizes, length)),
            "split": f"the shortest recording has {windows} test windows that don't overlap",
        },
    )


def _wanted(rate: float, rpm: float | None) -> tuple[int, str]:
    if rpm is None:
        return _USUAL, f"{_USUAL / rate:.2g} s; the shaft speed is not known"
    turn = rate * 60 / rpm
    length = 1 << round(math.log2(_REVOLUTIONS * turn))
    length = min(max(length, _SHORTEST * 2), _LONGEST)
    return length, f"at {rpm:g} rpm a shaft turn is {turn:.0f} samples; about {_REVOLUTIONS} turns"


def _fitting(shortest: int, wanted: int) -> tuple[int, tuple[float, ...], int]:
    """Return the longest window with enough test windows, else with any, and their number."""
    for enough in (_ENOUGH_WINDOWS, 1):
        length = wanted
        while length >= _SHORTEST:
            # Where there are few windows at all, the larger test part comes first.
            for fractions in _FRACTIONS if enough > 1 else reversed(_FRACTIONS):
                usable = shortest - 2 * length
                windows = min(part_sizes(usable, fractions)) // length if usable > 0 else 0
                if windows >= enough:
                    return length, fractions, windows
            length //= 2
    return 0, _FRACTIONS[0], 0


def _stride(sizes: Mapping[str, float], length: int) -> int:
    """Return a power of two that makes enough training windows of each class, and not too many."""
    smallest, total = min(sizes.values()), sum(sizes.values())
    stride = max(smallest / _PER_CLASS, total / _MOST, 16)
    return min(1 << math.ceil(math.log2(stride)), length)


def _stride_reason(sizes: Mapping[str, float], stride: int) -> str:
    fewest = min(sizes.values()) / stride
    return f"about {fewest:.0f} training windows of the smallest class, which overlap"


def _whole_recordings(
    lengths: Mapping[str, Sequence[float]], recordings: Mapping[str, int], shortest: int
) -> Sizes:
    few = [label for label, count in recordings.items() if count < 3]
    if _WHOLE not in STRATEGIES or few or shortest < _SHORTEST:
        needed = minimum_samples(_SHORTEST, _FRACTIONS[0], _SHORTEST)
        raise FaultdiagError(
            f"the shortest recording has {shortest} samples; {needed} are needed to cut each "
            f"recording into train, valid and test with windows of {_SHORTEST}; record longer, or "
            "join what was recorded on one machine into one file"
        )
    length = min(1 << int(math.log2(shortest)), _USUAL)
    sizes = {
        label: sum(found) / len(found) * recordings[label] * 0.6 for label, found in lengths.items()
    }
    return Sizes(
        length,
        _stride(sizes, length),
        {"strategy": _WHOLE},
        {
            "length": f"the shortest recording has {shortest} samples",
            "stride": _stride_reason(sizes, _stride(sizes, length)),
            "split": "too short to be cut into three: whole recordings in each part",
        },
    )
