"""Whether a prepared folder is what was prepared: digests of its files, bounds of its indices.

``prepared.json`` holds the size, the time of change and the SHA-256 of the other files, and a
digest of its own. Sizes and times are compared whenever a folder is opened; a file whose time
differs, as that of a copy does, is read through and its digest compared.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError, printable
from faultdiag.preparing.window_index import WindowIndex
from faultdiag.splits.within import ALL_PARTS

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
