"""The prepared folder: signals on disk, an index of windows, and what they are.

``signals.npy``   float32, one-dimensional, memory-mapped: recording after recording, channel
                  after channel.
``windows.npz``   one entry per window: recording, start, part, label
                  (`faultdiag.preparing.window_index`).
``prepared.json`` everything else; a folder without it is not whole.
"""

import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError
from faultdiag.preparing.window_index import WindowIndex, open_windows
from faultdiag.signal.recording import Recording, Segment
from faultdiag.splits.duplicates import Duplicate
from faultdiag.splits.sharing import Audit, Sharing, audit_windows, origins, share
from faultdiag.splits.within import PARTS, Split

FORMAT = 2


@dataclass(frozen=True, slots=True)
class PreparedRecording:
    """One recording in the folder.

    ``offset`` is where its first channel starts, ``recorded_at`` the rate in Hz before it was
    resampled.
    """

    name: str
    source: str
    sha256: str
    label: str
    samples: int
    offset: int
    rpm: float | None
    recorded_at: float
    facts: Mapping[str, Any]


class SignalLayout:
    """Where each channel of each recording starts in the signals.

    Parameters
    ----------
    recordings
        The recordings in their order.
    channels
        How many channels each one has.
    """

    def __init__(self, recordings: Sequence[PreparedRecording], channels: int) -> None:
        self._offsets = np.array([r.offset for r in recordings], dtype=np.int64)
        self._samples = np.array([r.samples for r in recordings], dtype=np.int64)
        self._channels = np.arange(channels, dtype=np.int64)

    def positions(self, windows: WindowIndex) -> NDArray[np.int64]:
        """Give where each window of each channel starts: ``(windows, channels)``."""
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
        If it is no prepared folder, of another format, or not as it was written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.document = _read_document(folder)
        try:
            self.recordings = [PreparedRecording(**row) for row in self.document["recordings"]]
            self.classes: tuple[str, ...] = tuple(self.document["classes"])
            self.channels: tuple[str, ...] = tuple(self.document["channels"])
            self.sampling_rate: float = self.document["sampling_rate"]
            self.length: int = self.document["window"]["length"]
            self.normalize: dict[str, Any] = self.document["normalize"]
            self.notes: list[str] = self.document["notes"]
            self.duplicates = [Duplicate.from_dict(row) for row in self.document["duplicates"]]
            self.signals: NDArray[np.float32] = open_signals(folder)
            self.windows: WindowIndex = open_windows(folder / "windows.npz")
        except (OSError, ValueError, TypeError, KeyError, BadZipFile) as error:
            raise FaultdiagError(
                f"{folder} is a damaged prepared folder ({error}); delete it, and it is made anew"
            ) from error
        self._layout = SignalLayout(self.recordings, len(self.channels))

    def positions(self, windows: WindowIndex) -> NDArray[np.int64]:
        """Give where each window of each channel starts in ``signals``: (windows, channels)."""
        return self._layout.positions(windows)

    def relocate(self, paths: Sequence[Path]) -> None:
        """Note where the recordings lie now; the folder knows them by their bytes."""
        self.recordings = [
            replace(recording, source=str(path))
            for recording, path in zip(self.recordings, paths, strict=True)
        ]

    def segments(self, part: str) -> list[Segment]:
        """Give the segments of one part."""
        return [Segment(*row) for row in self.document["split"]["parts"][part]]

    @cached_property
    def audit(self) -> Audit:
        """What the parts share, computed from the windows themselves."""
        return audit_windows(self._starts(), self.length)

    @cached_property
    def sharing(self) -> Sharing:
        """What each two parts share: samples, recordings, bearings, conditions."""
        copies = [duplicate.recordings for duplicate in self.duplicates]
        known = origins(self.recordings, self.sampling_rate, copies)
        return share(self._starts(), self.length, known, self.duplicates, self.channels)

    def _starts(self) -> dict[str, dict[int, NDArray[np.int64]]]:
        return {part: self.windows.of(part).by_recording() for part in PARTS}


def _read_document(folder: Path) -> dict[str, Any]:
    path = folder / "prepared.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FaultdiagError(
            f"{folder} is no prepared folder, or a damaged one: cannot read {path}; delete it, and "
            "it is made anew"
        ) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        found = document.get("format") if isinstance(document, dict) else None
        raise FaultdiagError(
            f"{folder} has the format {found}, this version of faultdiag reads {FORMAT}; "
            "delete it, and it is made anew"
        )
    return document


def open_signals(folder: Path) -> NDArray[np.float32]:
    """Map the signals of a prepared folder into memory; nothing written to them reaches the disk.

    Copy-on-write instead of read-only, because torch warns of arrays that it can't write to.
    """
    signals: NDArray[np.float32] = np.load(folder / "signals.npy", mmap_mode="c")
    return signals


def gather(
    signals: NDArray[np.float32], positions: NDArray[np.int64], length: int
) -> NDArray[np.float32]:
    """Copy windows out of the signals: ``(windows, channels, length)``.

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
        """Write all channels of a recording and give the offset of the first."""
        offset = self._samples
        np.ascontiguousarray(recording.signal, dtype="<f4").tofile(self._file)
        self._samples += recording.signal.size
        return offset

    def finish(self) -> None:
        """Write the final length into the header."""
        self._file.seek(0)
        self._header()


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder that becomes `folder` when the block ends, or vanishes.

    A whole prepared folder that another process put there in the meantime stays.

    Raises
    ------
    FaultdiagError
        If it can't be written; nothing is left behind.
    """
    temporary = folder.parent / f".{folder.name}-{secrets.token_hex(4)}"
    try:
        temporary.mkdir(parents=True)
        yield temporary
        _take_place(temporary, folder)
    except OSError as error:
        # numpy reports a full disk without an error number.
        reason = os.strerror(error.errno or errno.ENOSPC)
        raise FaultdiagError(
            f"cannot write the prepared folder {folder}: {reason}; free some space or choose "
            "another place with data.prepared"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _take_place(temporary: Path, folder: Path) -> None:
    if not (folder / "prepared.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
    try:
        temporary.replace(folder)
    except OSError:
        # Another process was faster: what it made of the same inputs is the same.
        if not (folder / "prepared.json").exists():
            raise


def write_document(
    folder: Path,
    recordings: Sequence[PreparedRecording],
    split: Split,
    description: Mapping[str, Any],
) -> None:
    """Write, last of all, ``prepared.json`` into a folder that has its signals and windows."""
    parts = {part: [[s.recording, s.start, s.stop] for s in split.parts[part]] for part in PARTS}
    document = {
        "format": FORMAT,
        **description,
        "split": {**description["split"], "parts": parts},
        "recordings": [asdict(recording) for recording in recordings],
    }
    text = json.dumps(document, allow_nan=False, ensure_ascii=False)
    (folder / "prepared.json").write_text(text + "\n", encoding="utf-8")
