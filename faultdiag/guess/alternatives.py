"""What a split within each recording can't tell, and the splits that could."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from faultdiag.splits import STRATEGIES

_WHOLE = "across_recordings"
# Facts that are the class itself or a counter.
_NO_GROUPS = frozenset(
    {"label", "fault", "code", "name", "file", "path", "bearing", "end", "group"}
)


def split_comment(labels: Sequence[str], facts: Sequence[Mapping[str, Any]]) -> str:
    """Give what a split within recordings leaves open, and what to write for another one.

    Parameters
    ----------
    labels, facts
        Of each recording.
    """
    fewest = min(labels.count(label) for label in set(labels))
    parts = ["train, valid and test are parts of the same recordings"]
    if fewest == 1:
        parts[0] += " (a class has one only)"
    parts[0] += ": the figures say nothing about other bearings or machines."
    other = []
    if fewest >= 3 and _WHOLE in STRATEGIES:
        other.append(f"{{strategy: {_WHOLE}}}")
    if held_out := _held_out(labels, facts):
        fact, value = held_out
        other.append(f"{{strategy: across, fact: {fact}, test: [{value}]}}")
    if other:
        parts.append(f"Harder, and nearer to new recordings: {' or '.join(other)}.")
    return " ".join(parts)


def _held_out(labels: Sequence[str], facts: Sequence[Mapping[str, Any]]) -> tuple[str, Any] | None:
    """Give a number that every class has two values of, and its largest to be tested on."""
    names = dict.fromkeys(name for row in facts for name in row)
    for name in names:
        values = [row.get(name) for row in facts]
        if name in _NO_GROUPS or not all(isinstance(v, int | float) for v in values):
            continue
        groups: dict[str, set[Any]] = defaultdict(set)
        for label, value in zip(labels, values, strict=True):
            groups[label].add(value)
        common = set.intersection(*groups.values())
        if common and all(len(found) > 1 for found in groups.values()):
            return name, max(common)
    return None
