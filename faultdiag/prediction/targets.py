"""Read and prepare the recordings of a target (one part, no labels), to adapt a model to them."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from faultdiag.checkpoint import Checkpoint
from faultdiag.datasets.base import sha256
from faultdiag.datasets.manifest import is_manifest
from faultdiag.documents import Document
from faultdiag.errors import FaultdiagError
from faultdiag.prediction.events import Header, Windows
from faultdiag.prediction.inputs import find
from faultdiag.prediction.reading import (
    ModelInput,
    ReadRequest,
    assumed_rate_note,
    file_events,
    one_line,
)
from faultdiag.preparing.folder import Prepared, PreparedRecording, Writer, write_document
from faultdiag.preparing.prepare import rate_notes
from faultdiag.preparing.window_index import write_windows
from faultdiag.signal.bearings import KnownBearing
from faultdiag.signal.recording import Recording, Segment
from faultdiag.signal.windows import WindowPlan
from faultdiag.splits.within import PARTS, TARGET_ADAPT, Split
from faultdiag.system.terminal import note, warn

# More files that can't be read are counted, not named.
MOST_NAMED = 3


@dataclass(frozen=True)
class TargetRecording:
    """A recording of the target at the model's rate.

    Parameters
    ----------
    recording, recorded_at
        Its samples at the model's rate, and its own rate in Hz.
    sha256
        Digest of its file.
    bearing
        Its bearing, if the model needs it.
    """

    recording: Recording
    recorded_at: float
    sha256: str
    bearing: KnownBearing | None = None


@dataclass
class TargetReader:
    """Reads recordings at a model's rate, and collects those with problems.

    Attributes
    ----------
    failures
        Messages about the files that were left out.
    same
        Files that the model was trained on.
    assumed
        Number of files without a sampling rate, for which the model's was assumed.
    """

    model: ModelInput
    known: frozenset[str]
    failures: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    assumed: int = 0

    def read(self, requests: Sequence[ReadRequest]) -> Iterator[TargetRecording]:
        """Yield the recordings that the model takes."""
        for request in tqdm(requests, "reading", unit="recording", disable=None):
            try:
                row = self._read(request)
            except FaultdiagError as error:
                self.failures.append(one_line(error))
                continue
            if row.sha256 in self.known:
                self.same.append(str(request.path))
            yield row

    def _read(self, request: ReadRequest) -> TargetRecording:
        header: Header | None = None
        pieces = []
        for event in file_events(request, self.model):
            if isinstance(event, Header):
                header = event
            elif isinstance(event, Windows):
                pieces.append(event.values)
        if header is None:
            raise FaultdiagError(f"{request.path} holds no windows; give another recording")
        self.assumed += header.sampling_rate_source == "assumed"
        signal = np.concatenate(pieces, axis=1)
        rate = self.model.sampling_rate
        recording = Recording(signal, request.path, header.channels, rate, header.rpm)
        digest = sha256(request.path)
        return TargetRecording(recording, header.sampling_rate, digest, header.bearing)


def read_target(
    paths: Sequence[Path],
    options: ReadRequest,
    source: Checkpoint,
    model: ModelInput,
    *,
    folder: Path,
    known: frozenset[str] = frozenset(),
    pattern: str | None = None,
) -> Prepared:
    """Prepare the recordings below some paths for a model to adapt to.

    Files that can't be read are left out, with a warning; labels of a manifest are not
    read.

    Parameters
    ----------
    paths, options, pattern
        As for `faultdiag.prediction.inputs.find`.
    source, model
        The checkpoint, and what its model takes.
    folder
        An empty folder to write to.
    known
        Digests of the recordings that the model was trained on.

    Raises
    ------
    FaultdiagError
        If there are no recordings, none can be read, or all were trained on.
    """
    for path in paths:
        if path.is_file() and is_manifest(path):
            note(f"note: labels in {path} are not read: a target is adapted to without")
    requests = find(paths, options, pattern=pattern)
    reader = TargetReader(model, known)
    prepared = (
        write_target(
            folder,
            reader.read(requests),
            classes=source.classes,
            channels=source.channels,
            sampling_rate=source.sampling_rate,
            window=source.window,
            normalize=source.normalize,
        )
        if requests
        else None
    )
    _require_target(requests, reader)
    if prepared is None:
        raise FaultdiagError("the target has no recording; give recordings or folders of them")
    for message in reader.failures[:MOST_NAMED]:
        warn(f"left out: {message}")
    if len(reader.failures) > MOST_NAMED:
        warn(f"left out {len(reader.failures) - MOST_NAMED} more")
    if reader.assumed:
        warn(assumed_rate_note(reader.assumed, source.sampling_rate, result="adaptation"))
    for text in rate_notes(prepared.recordings, (), source.sampling_rate):
        note(text)
    return prepared


def _require_target(requests: Sequence[ReadRequest], reader: TargetReader) -> None:
    failed = len(reader.failures)
    if requests and failed == len(requests):
        more = "" if failed == 1 else f" (and {failed - 1} more recordings can't be read)"
        raise FaultdiagError(
            f"the target has no recording that the model takes: {reader.failures[0]}{more}"
        )
    if reader.same:
        raise FaultdiagError(
            f"the target is the source: the model was trained on {', '.join(reader.same[:3])} (the "
            "same bytes); give recordings of another machine or condition"
        )


# Of a model whose windows were a number per class, a window overlaps the next by three quarters.
_OVERLAP = 4


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
    recording, bearing = row.recording, row.bearing
    facts: Document = {}
    if bearing is not None:
        facts = {"bearing": bearing.name, "fault_orders": list(astuple(bearing.orders))}
    return PreparedRecording(
        name=recording.source.name,
        source=str(recording.source),
        sha256=row.sha256,
        label="",
        samples=recording.samples,
        offset=writer.append(recording),
        rpm=recording.rpm,
        recorded_at=row.recorded_at,
        facts=facts,
    )
