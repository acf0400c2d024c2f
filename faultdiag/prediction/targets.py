"""Read the recordings of a target, to adapt a model to them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from faultdiag.checkpoint import Checkpoint
from faultdiag.datasets.base import sha256
from faultdiag.datasets.manifest import is_manifest
from faultdiag.errors import FaultdiagError
from faultdiag.prediction.events import Header, Windows
from faultdiag.prediction.inputs import find
from faultdiag.prediction.reading import ModelInput, ReadRequest, file_events, one_line
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.prepare import rate_notes
from faultdiag.preparing.target import TargetRecording, write_target
from faultdiag.signal.recording import Recording
from faultdiag.system.terminal import note, warn

# More files that can't be read are counted, not named.
MOST_NAMED = 3


@dataclass
class TargetReader:
    """Reads recordings at a model's rate, and keeps why some can't be read.

    Attributes
    ----------
    failures
        The messages of the files that were left out.
    """

    model: ModelInput
    known: frozenset[str]
    failures: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)

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
        signal = np.concatenate(pieces, axis=1)
        rate = self.model.sampling_rate
        recording = Recording(signal, request.path, header.channels, rate, header.rpm)
        return TargetRecording(recording, header.sampling_rate, sha256(request.path))


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
        If there is no recording, none can be read, or all were trained on.
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
