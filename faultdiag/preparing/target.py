"""Prepare recordings of a target for a trained model: one part, no labels."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from faultdiag.documents import Document
from faultdiag.preparing.folder import Prepared, PreparedRecording, Writer, write_document
from faultdiag.preparing.window_index import write_windows
from faultdiag.signal.recording import Recording, Segment
from faultdiag.signal.windows import WindowPlan
from faultdiag.splits.within import PARTS, TARGET_ADAPT, Split

# Of a model whose windows were a number per class, a window overlaps the next by three quarters.
_OVERLAP = 4


@dataclass(frozen=True)
class TargetRecording:
    """A recording of the target at the model's rate, its own rate, and the digest of its file."""

    recording: Recording
    recorded_at: float
    sha256: str


def target_plan(window: Document) -> WindowPlan:
    """Return how a target is cut into windows: as the training recordings of a model were."""
    length = int(window["length"])
    stride = window.get("stride") or max(length // _OVERLAP, 1)
    return WindowPlan(length, int(stride), None, length)


def write_target(
    folder: Path,
    recordings: Iterable[TargetRecording],
    *,
    classes: Sequence[str],
    channels: Sequence[str],
    sampling_rate: float,
    window: Document,
    normalize: Document,
) -> Prepared:
    """Write a folder whose only windows are of the part ``target_adapt``, and open it.

    Parameters
    ----------
    folder
        An empty folder.
    recordings
        One after the other; a single one is in memory at a time.
    classes, channels, sampling_rate, window, normalize
        Those of the model.
    """
    rows: list[PreparedRecording] = []
    with (folder / "signals.npy").open("wb") as file:
        writer = Writer(file)
        for row in recordings:
            rows.append(_written(writer, row))
        writer.finish()
    plan = target_plan(window)
    segments = tuple(Segment(i, 0, row.samples) for i, row in enumerate(rows))
    nothing: dict[str, tuple[Segment, ...]] = dict.fromkeys(PARTS, ())
    split = Split({**nothing, TARGET_ADAPT: segments}, dict.fromkeys(PARTS, 1.0))
    write_windows(folder / "windows.npz", split, plan, [-1] * len(rows))
    identity = hashlib.sha256("".join(row.sha256 for row in rows).encode()).hexdigest()
    description = {
        "identity": identity,
        "classes": list(classes),
        "channels": list(channels),
        "sampling_rate": sampling_rate,
        "window": dict(window),
        "split": {"strategy": "target", "seed": None, "fact": "", "held_out": ""},
        "normalize": dict(normalize),
        "missing": [],
        "duplicates": [],
        "notes": [],
    }
    write_document(folder, rows, split, description)
    return Prepared(folder)


def _written(writer: Writer, row: TargetRecording) -> PreparedRecording:
    recording = row.recording
    return PreparedRecording(
        name=recording.source.name,
        source=str(recording.source),
        sha256=row.sha256,
        label="",
        samples=recording.samples,
        offset=writer.append(recording),
        rpm=recording.rpm,
        recorded_at=row.recorded_at,
        facts={},
    )
