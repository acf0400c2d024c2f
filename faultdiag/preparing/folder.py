"""The prepared folder: signals on disk, an index of windows, and what they are.

``signals.npy``   float32, one-dimensional, memory-mapped: recording after recording, channel
                  after channel.
``windows.npz``   one entry per window: recording, start, part, label
                  (`faultdiag.preparing.window_index`).
``prepared.json`` everything else; a folder without it is incomplete.

``prepared.json`` also holds the size, the time of change and the SHA-256 of the other files, and a
digest of its own. Sizes and times are compared whenever a folder is opened; a file whose time
differs, as that of a copy does, is read through and its digest compared.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import BinaryIO
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from faultdiag.documents import Document, Json, parse_json
from faultdiag.errors import FaultdiagError, printable
from faultdiag.preparing.window_index import WindowIndex, open_windows
from faultdiag.signal.bearings import FaultOrders, KnownBearing, StatedBearing, get_bearing
from faultdiag.signal.recording import Recording, Segment
from faultdiag.splits.duplicates import Duplicate
from faultdiag.splits.sharing import Audit, Sharing, audit_windows, origins, share
from faultdiag.splits.within import ALL_PARTS, Split
from faultdiag.system.files import sync, write_text

FILES = ("signals.npy", "windows.npz")
# Windows that are checked at a time.
_CHUNK = 2**20


class DamagedError(FaultdiagError):
    """A prepared folder is not as it was written."""

    def __init__(self, folder: Path, problem: object) -> None:
        super().__init__(
            f"{folder} is a damaged prepared folder ({printable(str(problem))}); delete it, and it "
            "is prepared again"
        )


def describe_files(folder: Path) -> dict[str, Json]:
    """Return size, time of change and digest of each file of a folder that is being written."""
    return {name: {**_state(folder / name), "sha256": sha256_of(folder / name)} for name in FILES}


def document_digest(document: Document) -> str:
    """Return the digest of what ``prepared.json`` holds, without the digest itself."""
    content = {name: value for name, value in document.items() if name != "digest"}
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def check_document(document: Document) -> None:
    """Check that ``prepared.json`` is as it was written.

    Raises
    ------
    ValueError
        If it was changed.
    """
    if document.get("digest") != document_digest(document):
        raise ValueError("prepared.json was changed: its digest differs")


def check_files(folder: Path, files: Document, *, full: bool) -> bool:
    """Check that the files of a folder are as they were written; return whether all times are.

    Parameters
    ----------
    folder
        The folder.
    files
        What `describe_files` returned.
    full
        Compare all digests; else only those of files whose time of change differs.

    Raises
    ------
    ValueError
        If a file was changed; the message names it.
    OSError
        If a file can't be read.
    """
    same = True
    for name in FILES:
        path, known = folder / name, files[name]
        state = _state(path)
        if state["bytes"] != known["bytes"]:
            raise ValueError(f"{name} has {state['bytes']} bytes, {known['bytes']} were written")
        same = same and state == {key: known[key] for key in state}
        if (full or state["modified"] != known["modified"]) and sha256_of(path) != known["sha256"]:
            raise ValueError(f"{name} was changed: its digest differs")
    return same


def refreshed(folder: Path, files: Document) -> dict[str, Json]:
    """Return what `describe_files` returned, with the files' present times of change."""
    return {name: {**files[name], **_state(folder / name)} for name in FILES}


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _state(path: Path) -> dict[str, int]:
    status = path.stat()
    return {"bytes": status.st_size, "modified": status.st_mtime_ns}


def check_recordings(signals: NDArray[np.generic], offsets: Sequence[tuple[int, int]]) -> None:
    """Check that the recordings lie in the signals, one after the other.

    Parameters
    ----------
    signals
        The signals of the folder.
    offsets
        Where each recording starts, and how many numbers it has.

    Raises
    ------
    ValueError
        If one doesn't, or the signals are not one row of float32.
    """
    if signals.ndim != 1 or signals.dtype != np.float32:
        raise ValueError(f"signals.npy holds {signals.dtype} numbers of shape {signals.shape}")
    expected = 0
    for number, (offset, size) in enumerate(offsets):
        if offset != expected or size < 1:
            raise ValueError(f"recording {number} starts at {offset}, not at {expected}")
        expected += size
    if expected != signals.size:
        raise ValueError(f"the recordings have {expected} samples, signals.npy has {signals.size}")


def check_windows(
    windows: WindowIndex, samples: Sequence[int], labels: Sequence[int], length: int
) -> None:
    """Check every index of the windows against the recordings.

    Parameters
    ----------
    windows
        All windows of the folder.
    samples, labels
        Samples of each recording, and the index of its class; -1 where it has none.
    length
        Samples of a window.

    Raises
    ------
    ValueError
        If a window lies outside its recording, has another class than it, or the parts are not
        in order.
    """
    sizes, classes = np.array(samples, np.int64), np.array(labels, np.int64)
    last = 0
    for chunk in _chunks(windows):
        if not _within(chunk.recording, len(sizes)):
            raise ValueError(f"a window is of a recording beyond the {len(sizes)} there are")
        if not _within(chunk.start, sizes[chunk.recording] - length + 1):
            raise ValueError("a window lies outside its recording")
        if bool((chunk.label != classes[chunk.recording]).any()):
            raise ValueError("a window has another class than its recording")
        if not _within(chunk.part, len(ALL_PARTS)) or bool((np.diff(chunk.part) < 0).any()):
            raise ValueError("the windows are not part after part")
        if chunk.part[0] < last:
            raise ValueError("the windows are not part after part")
        last = int(chunk.part[-1])


def _within(values: NDArray[np.integer], limit: int | NDArray[np.integer]) -> bool:
    return bool(((values >= 0) & (values < limit)).all())


def _chunks(windows: WindowIndex) -> Iterator[WindowIndex]:
    for first in range(0, len(windows), _CHUNK):
        yield windows.take(slice(first, first + _CHUNK))


FORMAT = 3
# What damaged files raise when they are opened.
_DAMAGE = (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, BadZipFile)


@dataclass(frozen=True, slots=True)
class PreparedRecording:
    """One recording in the folder.

    ``offset`` is the index of its first sample in the signals, ``recorded_at`` the rate in Hz
    before it was resampled.
    """

    name: str
    source: str
    sha256: str
    label: str
    samples: int
    offset: int
    rpm: float | None
    recorded_at: float
    facts: Document

    @property
    def bearing(self) -> KnownBearing | None:
        """The bearing, if the recording's fact of that name is a known one or a geometry.

        A fact ``fault_orders`` has its orders, such as those that a file states.
        """
        name = str(self.facts.get("bearing") or "")
        if orders := self.facts.get("fault_orders"):
            return StatedBearing(name, FaultOrders(*orders))
        try:
            return get_bearing(name)
        except FaultdiagError:
            return None


class SignalLayout:
    """The index in the signals at which each channel of each recording starts.

    Parameters
    ----------
    recordings
        The recordings in their order.
    channels
        Number of channels of each recording.
    """

    def __init__(self, recordings: Sequence[PreparedRecording], channels: int) -> None:
        self._offsets = np.array([r.offset for r in recordings], dtype=np.int64)
        self._samples = np.array([r.samples for r in recordings], dtype=np.int64)
        self._channels = np.arange(channels, dtype=np.int64)

    def positions(self, windows: WindowIndex) -> NDArray[np.int64]:
        """Return the start of each window of each channel, ``(windows, channels)``."""
        first = self._offsets[windows.recording] + windows.start
        steps = self._samples[windows.recording, None] * self._channels
        return np.asarray(first[:, None] + steps)


class Prepared:
    """A prepared folder, opened: signals and the index of windows as memory maps.

    Parameters
    ----------
    folder
        A folder that `faultdiag.preparing.prepare.prepare` made.

    Raises
    ------
    FaultdiagError
        If it is not a prepared folder or has another format; a `DamagedError` if it is not as
        it was written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.document = _read_document(folder)
        try:
            check_document(self.document)
            self.recordings = [PreparedRecording(**row) for row in self.document["recordings"]]
            self.classes: tuple[str, ...] = tuple(self.document["classes"])
            self.channels: tuple[str, ...] = tuple(self.document["channels"])
            self.sampling_rate: float = self.document["sampling_rate"]
            self.length: int = self.document["window"]["length"]
            self.normalize: Json = self.document["normalize"]
            self.notes: list[str] = self.document["notes"]
            self.duplicates = [Duplicate.from_dict(row) for row in self.document["duplicates"]]
            untouched = check_files(folder, self.document["files"], full=False)
            self.signals: NDArray[np.float32] = open_signals(folder)
            self.windows: WindowIndex = open_windows(folder / "windows.npz")
            self._check_indices()
        except _DAMAGE as error:
            raise DamagedError(folder, error) from error
        if not untouched:
            self._note_times()
        self._layout = SignalLayout(self.recordings, len(self.channels))

    def _check_indices(self) -> None:
        channels = len(self.channels)
        sizes = [(row.offset, channels * row.samples) for row in self.recordings]
        check_recordings(self.signals, sizes)
        number = {name: i for i, name in enumerate(self.classes)}
        labels = [number.get(row.label, -1) for row in self.recordings]
        check_windows(self.windows, [row.samples for row in self.recordings], labels, self.length)

    def _note_times(self) -> None:
        """Store the times of a copy's files, whose digests have been compared."""
        self.document["files"] = refreshed(self.folder, self.document["files"])
        self.document["digest"] = document_digest(self.document)
        with suppress(FaultdiagError):  # a folder that can't be written is compared each time
            write_text(self.folder / "prepared.json", _as_text(self.document))

    def verify(self) -> None:
        """Compare the digests of all files, however long that takes.

        Raises
        ------
        DamagedError
            If a file is not as it was written.
        """
        try:
            check_files(self.folder, self.document["files"], full=True)
        except _DAMAGE as error:
            raise DamagedError(self.folder, error) from error

    def positions(self, windows: WindowIndex) -> NDArray[np.int64]:
        """Return the start in ``signals`` of each window of each channel, (windows, channels)."""
        return self._layout.positions(windows)

    def relocate(self, paths: Sequence[Path]) -> None:
        """Set the present paths of the recordings; the folder knows them by their bytes."""
        self.recordings = [
            replace(recording, source=str(path))
            for recording, path in zip(self.recordings, paths, strict=True)
        ]

    def segments(self, part: str) -> list[Segment]:
        """Return the segments of one part."""
        return [Segment(*row) for row in self.document["split"]["parts"][part]]

    @cached_property
    def audit(self) -> Audit:
        """Samples and the like that the parts share, computed from the windows."""
        return audit_windows(self._starts(), self.length)

    @cached_property
    def sharing(self) -> Sharing:
        """Samples, recordings, bearings and conditions that each pair of parts shares."""
        copies = [duplicate.recordings for duplicate in self.duplicates]
        known = origins(self.recordings, self.sampling_rate, copies)
        return share(self._starts(), self.length, known, self.duplicates, self.channels)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the split: train, valid and test, with transfer two more."""
        return tuple(part for part in ALL_PARTS if part in self.document["split"]["parts"])

    def _starts(self) -> dict[str, dict[int, NDArray[np.int64]]]:
        return {part: self.windows.of(part).by_recording() for part in self.parts}


def _read_document(folder: Path) -> Json:
    path = folder / "prepared.json"
    try:
        document = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DamagedError(folder, f"cannot read {path.name}: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        version = document.get("format") if isinstance(document, dict) else None
        raise DamagedError(folder, f"its format is {version}, not {FORMAT}")
    return document


def open_signals(folder: Path) -> NDArray[np.float32]:
    """Map the signals of a prepared folder into memory; nothing written to them reaches the disk.

    Copy-on-write and not read-only, because torch warns of arrays that it can't write to.
    """
    signals: NDArray[np.float32] = np.load(folder / "signals.npy", mmap_mode="c")
    return signals


def gather(
    signals: NDArray[np.float32], positions: NDArray[np.int64], length: int
) -> NDArray[np.float32]:
    """Return copies of windows of the signals, ``(windows, channels, length)``.

    Parameters
    ----------
    signals
        One-dimensional samples.
    positions
        Starts in `signals`, ``(windows, channels)``.
    """
    views = np.lib.stride_tricks.sliding_window_view(signals, length)
    return np.asarray(views[positions])


class Writer:
    """Appends recordings to ``signals.npy``; one recording is in memory at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._samples = 0
        self._header()

    def _header(self) -> None:
        # numpy pads the header of a 1-D array, so that a longer shape fits into the same bytes.
        header = {"descr": "<f4", "fortran_order": False, "shape": (self._samples,)}
        np.lib.format.write_array_header_1_0(self._file, header)

    def append(self, recording: Recording) -> int:
        """Write all channels of a recording and return the offset of the first."""
        offset = self._samples
        np.ascontiguousarray(recording.signal, dtype="<f4").tofile(self._file)
        self._samples += recording.signal.size
        return offset

    def finish(self) -> None:
        """Write the final length into the header."""
        self._file.seek(0)
        self._header()


def unfinished(folder: Path) -> Path:
    """Return where a folder is written before it gets its name."""
    return folder.parent / f".{folder.name}.writing"


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `folder` when the block ends, or is removed.

    Its name is that of `folder`, so only the owner of that name may call this; what a killed
    process left there is removed first. All files are on the disk before the folder gets its
    name.

    Raises
    ------
    FaultdiagError
        If it can't be written; nothing is left behind.
    """
    temporary = unfinished(folder)
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        yield temporary
        for path in (*temporary.iterdir(), temporary):
            sync(path)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)
        sync(folder.parent)
    except OSError as error:
        # numpy reports a full disk without an error number.
        reason = os.strerror(error.errno or errno.ENOSPC)
        raise FaultdiagError(
            f"cannot write the prepared folder {folder}: {reason}; free some space or choose "
            "another place with data.prepared"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_document(
    folder: Path,
    recordings: Sequence[PreparedRecording],
    split: Split,
    description: Document,
) -> None:
    """Write ``prepared.json`` into a folder that has its signals and windows."""
    parts = {
        part: [[s.recording, s.start, s.stop] for s in segments]
        for part, segments in split.parts.items()
    }
    document = {
        "format": FORMAT,
        "files": describe_files(folder),
        **description,
        "split": {**description["split"], "parts": parts},
        "recordings": [asdict(recording) for recording in recordings],
    }
    # What is read back has lists for tuples, and text for keys.
    stored = parse_json(json.dumps(document, allow_nan=False))
    stored["digest"] = document_digest(stored)
    (folder / "prepared.json").write_bytes(_as_text(stored).encode("utf-8", "backslashreplace"))


def _as_text(document: Document) -> str:
    return json.dumps(document, allow_nan=False) + "\n"
