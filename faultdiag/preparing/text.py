"""What is said of prepared data: its recordings, its parts, what they share."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from faultdiag.errors import did_you_mean
from faultdiag.metrics import format_table
from faultdiag.prepared import Prepared
from faultdiag.sharing.text import duplicate_lines, leak_lines, pairs_table
from faultdiag.splits import PARTS


def describe_prepared(prepared: Prepared, healthy: Sequence[str] = ()) -> str:
    """Give what stands in each part, and what the parts share, as text.

    Parameters
    ----------
    healthy
        The classes that count as healthy; a name that is none of the classes is told.
    """
    rows = []
    for part in PARTS:
        windows = prepared.windows.of(part)
        recordings = windows.by_recording()
        rows.append(
            {
                "part": part,
                "windows": len(windows),
                "disjoint": prepared.audit.disjoint_windows[part],
                "recordings": len(recordings),
                "classes": len({prepared.recordings[number].label for number in recordings}),
            }
        )
    split = {
        "strategy": prepared.document["split"]["strategy"],
        **prepared.audit.to_dict(),
        **prepared.sharing.to_dict(),
        "notes": [*prepared.notes, *_healthy_notes(prepared.classes, healthy)],
    }
    tables = [format_table(rows, {name: name for name in rows[0]}), "", pairs_table(split["pairs"])]
    return "\n".join([*tables, *split_lines(split)])


def split_lines(split: Mapping[str, Any]) -> list[str]:
    """Give what must be said beside every number: the strategy, what its parts share, notes."""
    lines = [f"split {split['strategy']}: {split['shared_samples']} samples in two or more parts"]
    if split["leaking_test_windows"]:
        lines.append(
            f"LEAK: {split['leaking_test_windows']:.1%} of the test windows overlap a "
            "training window"
        )
    if split["valid_test_overlap"]:
        lines.append(
            f"LEAK: a test window shares {split['valid_test_overlap']:.1%} of its samples "
            "with its nearest validation window, on average"
        )
    # Of other data than the model was made with, the training part says nothing.
    if "seen_windows" not in split:
        lines += [*duplicate_lines(split["duplicates"]), *leak_lines(split)]
    return lines + [f"note: {note}" for note in split["notes"]]


def _healthy_notes(classes: Sequence[str], healthy: Sequence[str]) -> list[str]:
    strange = [name for name in healthy if name not in classes]
    notes = [
        f"data.healthy names '{name}', which is no class{did_you_mean(name, classes)}; "
        f"there are: {', '.join(classes)}"
        for name in strange
    ]
    if strange and len(strange) == len(healthy):
        notes.append("no class is healthy, so false and missed alarms are undefined")
    return notes


def describe_recordings(prepared: Prepared) -> str:
    """Give the recordings of each class and what they were resampled from, as text."""
    rows: list[dict[str, object]] = []
    windows = {part: prepared.windows.of(part).by_recording() for part in PARTS}
    for number, recording in enumerate(prepared.recordings):
        rows.append(
            {
                "recording": recording.name,
                "class": recording.label,
                "samples": recording.samples,
                **{part: len(windows[part].get(number, ())) for part in PARTS},
                "rpm": "-" if recording.rpm is None else f"{recording.rpm:g}",
                "recorded at Hz": f"{recording.recorded_at:g}",
                "file": recording.source,
            }
        )
    return format_table(rows, {name: name for name in rows[0]})


def class_line(prepared: Prepared) -> str:
    """Give the classes, and of how many recordings each is."""
    labels = (recording.label for recording in prepared.recordings)
    count = Counter(label for label in labels if label in prepared.classes)
    named = ", ".join(f"{name} ({count[name]})" for name in prepared.classes)
    return f"{len(count)} classes (recordings): {named}"
