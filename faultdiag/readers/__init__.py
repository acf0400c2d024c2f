"""Recordings from files: one reader per format, found by the file's suffix.

Another format is one module with a class that fulfils `Reader`, and one row in `READERS`.
"""

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from faultdiag.errors import FaultdiagError, did_you_mean
from faultdiag.readers.reader import Reader, Variable
from faultdiag.recording import Recording
from faultdiag.registry import Registry

__all__ = ["READERS", "SUFFIXES", "Reader", "Variable", "list_variables", "read_recording"]

READERS: Registry[Reader] = Registry("file format", {".mat": "faultdiag.readers.mat:MatReader"})
SUFFIXES = tuple(READERS)
"""Suffixes, in lower case, of the files that can be read."""


def read_recording(
    path: str | os.PathLike[str],
    *,
    channel: str | Sequence[str] | None = None,
    sampling_rate: float | None = None,
) -> Recording:
    """Give the recording in a file.

    Parameters
    ----------
    path
        The file; its suffix says which reader takes it.
    channel
        One channel, several in the order wanted, or None for all. A variable's own name does
        too, and settles which one is meant where a file holds several signals.
    sampling_rate
        Hz. It wins over the rate that the file states; None leaves the file's own, which is
        None for a format that states none (CWRU).

    Raises
    ------
    FaultdiagError
        If the file is missing, unreadable, damaged, of an unknown format, or holds no such
        channel.
    """
    path = Path(path)
    channels = [channel] if isinstance(channel, str) else channel
    if channels is not None and (not channels or len(set(channels)) < len(channels)):
        raise FaultdiagError(
            f"{path}: the channels asked for are [{', '.join(channels)}]; "
            "name at least one, and each one once"
        )
    try:
        return _reader(path).read(channels, sampling_rate)
    except OSError as error:
        raise _unreadable(path, error) from error


def list_variables(path: str | os.PathLike[str]) -> list[Variable]:
    """Give the variables of a file from its header, without reading their values.

    Raises
    ------
    FaultdiagError
        If the file is missing, unreadable, damaged or of an unknown format.
    """
    path = Path(path)
    try:
        return _reader(path).variables()
    except OSError as error:
        raise _unreadable(path, error) from error


def _reader(path: Path) -> Reader:
    suffix = path.suffix.lower()
    _require_file(path)
    if suffix not in READERS:
        found = f"the suffix '{path.suffix}'" if suffix else "no suffix"
        raise FaultdiagError(
            f"{path} has {found}; files that can be read end in: {', '.join(SUFFIXES)}"
        )
    return READERS.get(suffix)(path)


def _require_file(path: Path) -> None:
    if path.is_dir():
        raise FaultdiagError(f"{path} is a folder; name one recording in it")
    if not path.exists():
        near = did_you_mean(path.name, _names(path.parent))
        raise FaultdiagError(f"{path} does not exist{near}")
    if not path.is_file():
        raise FaultdiagError(f"{path} is a device or a pipe; copy the recording to a file first")
    if path.stat().st_size == 0:
        raise FaultdiagError(f"{path} is empty (0 bytes); copy or download it again")


def _names(folder: Path) -> list[str]:
    # Enough for a hint; folders of recordings can hold a hundred thousand files.
    inside = islice(folder.iterdir(), 1000) if folder.is_dir() else ()
    return [path.name for path in inside if path.suffix.lower() in SUFFIXES]


def _unreadable(path: Path, error: OSError) -> FaultdiagError:
    return FaultdiagError(
        f"{path} cannot be read: {error.strerror or error}; check its permissions and its disk"
    )
