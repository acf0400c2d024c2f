"""What two parts share, in words: a table, what the figure then means, and the copies."""

from collections.abc import Mapping, Sequence
from typing import Any

from faultdiag.metrics import format_table
from faultdiag.sharing import LEVELS

# More copies than these are counted, not named.
MOST_NAMED = 5
# A scale nearer to 1 is not worth a word.
SCALED = 1e-4
COLUMNS = ("samples", "recordings", "bearings", "conditions")
MEANING = {
    "samples": "test holds samples{of} that the model was made with: the figure says how well "
    "they are remembered",
    "recording": "train and test share recordings{of}: the figure says how well other seconds of "
    "the same recordings are told apart",
    "bearing": "train and test share bearings{of}: the figure says how well the same bearings are "
    "told apart{condition}",
    "unknown": "train and test share no recording{of}; nothing says whether they share bearings",
    "none": "train and test share no bearing{of}: the figure says how well faults of bearings "
    "never seen are told apart",
}


def pairs_table(pairs: Mapping[str, Mapping[str, int | None]]) -> str:
    """Give what each two parts share as a table."""
    rows = [{"parts": name, **counts} for name, counts in pairs.items()]
    return format_table(rows, {name: name for name in ("parts", *COLUMNS)})


def leak_lines(split: Mapping[str, Any]) -> list[str]:
    """Say what the parts share means for the figure, a line for each level that a class is at.

    Parameters
    ----------
    split
        That of ``metrics.json``, with ``pairs``, ``leak`` and ``leak_by_class``.
    """
    by_class: Mapping[str, str] = split["leak_by_class"]
    other = split["pairs"]["train-test"]["conditions"] == 0
    condition = " under another load or speed" if other else " in other recordings"
    lines: list[str] = []
    left = len(by_class)
    for level in LEVELS:
        classes = [name for name, found in by_class.items() if found == level]
        left -= len(classes)
        if classes:
            some = len(classes) < len(by_class)
            of = f" of {_classes(classes, last=left == 0)}" if some else ""
            lines.append(MEANING[level].format(of=of, condition=condition))
    return lines


def _classes(classes: Sequence[str], *, last: bool) -> str:
    if len(classes) <= MOST_NAMED:
        return ", ".join(classes)
    return f"{'the other ' if last else ''}{len(classes)} classes"


def duplicate_lines(duplicates: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name the samples that stand twice: leaks from training or validation into test first."""
    lines = []
    for leak, word in ((True, "LEAK"), (False, "note")):
        rows = _of_recordings([row for row in duplicates if row["leak"] == leak])
        lines += [f"{word}: {_said(row)}" for row in rows[:MOST_NAMED]]
        if len(rows) > MOST_NAMED:
            more = len(rows) - MOST_NAMED
            lines.append(f"{word}: {more} more such pairs; metrics.json names them all")
    return lines


def _of_recordings(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Give one row where several channels of two recordings agree at the same place."""
    places = {(tuple(row["recordings"]), tuple(row["start"])): row for row in reversed(rows)}
    second = [row for row in rows if _is_second_channel(row)]
    return second + [row for row in reversed(places.values()) if not _is_second_channel(row)]


def _is_second_channel(row: Mapping[str, Any]) -> bool:
    one, other = row["recordings"]
    return bool(one == other and row["start"][0] == row["start"][1])


def _said(row: Mapping[str, Any]) -> str:
    (one, other), (channel, another) = row["recordings"], row["channels"]
    if _is_second_channel(row):
        return (
            f"channel {another} of {one} is {row['scale']:.6f} times its channel {channel}: no "
            "second measurement"
        )
    scaled = abs(row["scale"] - 1) > SCALED
    times = f", the second {row['scale']:.6g} times the first" if scaled else ""
    sides = [f"({', '.join(parts) or 'in no part'})" for parts in row["parts"]]
    if one == other:
        first, again = (
            f"from {start:,} {side}" for start, side in zip(row["start"], sides, strict=True)
        )
        return f"{one} holds {row['samples']:,} samples twice, {first} and {again}{times}"
    names = [one, other] if channel == another else [f"{one} {channel}", f"{other} {another}"]
    first, second = (f"{name} {side}" for name, side in zip(names, sides, strict=True))
    return f"{first} and {second} hold the same {row['samples']:,} samples{times}"
