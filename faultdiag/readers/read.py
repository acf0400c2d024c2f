"""Read a recording from a file of any known format, and find the recordings below a folder."""

import os
import re
import shlex
import stat
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from faultdiag.documents import parse_json
from faultdiag.errors import FaultdiagError, about, did_you_mean, printable
from faultdiag.readers.base import Reader, Variable, rate_and_speed
from faultdiag.readers.dialect import is_text
from faultdiag.readers.packed import recordings_in_zip
from faultdiag.readers.source import (
    RecordingSource,
    format_of,
    head_of,
    open_archive,
    too_large,
    unreadable,
)
from faultdiag.readers.text import holds_numbers
from faultdiag.registry import Registry
from faultdiag.signal.recording import Recording
from faultdiag.system.crashes import crash
from faultdiag.system.deadline import StalledError, time_limit
from faultdiag.system.terminal import keep_in_one_line, note

_MOST_BYTES = 2**20


def side_file(path: Path) -> Path | None:
    """Return the JSON file beside a recording, or None."""
    places = (path.with_name(f"{path.name}.json"), path.with_suffix(".json"))
    return next((place for place in places if place != path and place.is_file()), None)


@dataclass(frozen=True, slots=True)
class WithSideFile:
    """A reader whose file leaves rate or speed to a JSON file beside it."""

    reader: Reader
    side: Path

    def variables(self) -> list[Variable]:
        """Return the variables of the file."""
        return self.reader.variables()

    def source(self, channels: Sequence[str] | None) -> RecordingSource:
        """Return these channels (all for None); what the recording itself states wins.

        Raises
        ------
        FaultdiagError
            As the reader, or if the JSON file can't be read.
        """
        source = self.reader.source(channels)
        if source.sampling_rate is not None and source.rpm is not None:
            return source
        rate, rpm = rate_and_speed(_numbers("", self._document()))
        return replace(source, sampling_rate=source.sampling_rate or rate, rpm=source.rpm or rpm)

    def _document(self) -> object:
        try:
            if self.side.stat().st_size > _MOST_BYTES:
                return {}
            return parse_json(self.side.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError) as error:
            raise FaultdiagError(
                f"{self.side}, which lies beside a recording, is no JSON ({error}); fix it, or "
                "give it another name"
            ) from error


# Facts lie a few levels deep; numbers beyond this are no rate and no speed.
_MOST_LEVELS = 30
_MOST_NUMBER = 1e300


def _numbers(name: str, value: object, level: int = 0) -> Iterator[tuple[str, float]]:
    """Yield the numbers of a document, each with its own name, from the upper levels."""
    if level > _MOST_LEVELS:
        return
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from _numbers(str(key), inside, level + 1)
    elif isinstance(value, list):
        for inside in value[:100]:
            yield from _numbers(name, inside, level + 1)
    elif _is_number(value):
        yield name, float(value)


def _is_number(value: object) -> TypeGuard[int | float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < _MOST_NUMBER


READERS: Registry[Reader] = Registry(
    "file format",
    {
        ".mat": "faultdiag.readers.mat:open_mat",
        ".h5": "faultdiag.readers.hdf5:open_hdf5",
        ".hdf5": "faultdiag.readers.hdf5:open_hdf5",
        ".csv": "faultdiag.readers.text:open_text",
        ".tsv": "faultdiag.readers.text:open_text",
        ".txt": "faultdiag.readers.text:open_text",
        ".wav": "faultdiag.readers.wav:open_wav",
        ".npy": "faultdiag.readers.numpy:open_npy",
        ".npz": "faultdiag.readers.numpy:open_npz",
        ".tdms": "faultdiag.readers.tdms:open_tdms",
        ".lvm": "faultdiag.readers.lvm:open_lvm",
        ".uff": "faultdiag.readers.columns:open_uff",
        ".unv": "faultdiag.readers.columns:open_uff",
        ".parquet": "faultdiag.readers.columns:open_parquet",
        ".xlsx": "faultdiag.readers.packed:open_excel",
        ".gz": "faultdiag.readers.packed:open_gzip",
        ".zip": "faultdiag.readers.packed:open_zip",
    },
    group="faultdiag.readers",
)
# These hold all sorts of things: in a folder, what is in them decides.
_ANYTHING = (".xlsx", ".gz", ".zip")
SUFFIXES = tuple(suffix for suffix in READERS if suffix not in _ANYTHING)
"""Suffixes, in lower case, of the files that are recordings wherever they lie."""
_TEXT = (".csv", ".tsv", ".txt")


def read_recording(
    path: str | os.PathLike[str],
    *,
    channel: str | Sequence[str] | None = None,
    sampling_rate: float | None = None,
) -> Recording:
    """Return the recording in a file.

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
    source = open_recording(path, channel=channel, sampling_rate=sampling_rate)
    with reader_errors(source.path):
        described = (source.path, source.channels, source.sampling_rate, source.rpm)
        return Recording(source.read(), *described)


def open_recording(
    path: str | os.PathLike[str],
    *,
    channel: str | Sequence[str] | None = None,
    sampling_rate: float | None = None,
) -> RecordingSource:
    """Return the recording in a file with its samples left there: see `RecordingSource.read`.

    Parameters
    ----------
    path, channel, sampling_rate
        As in `read_recording`.

    Raises
    ------
    FaultdiagError
        As in `read_recording`; what only the samples show, when they are read.
    """
    path = Path(path)
    channels = [channel] if isinstance(channel, str) else channel
    if channels is not None and (not channels or len(set(channels)) < len(channels)):
        raise FaultdiagError(
            f"{path}: the channels asked for are [{', '.join(channels)}]; "
            "name at least one, and each one once"
        )
    if sampling_rate is not None and not 0 < sampling_rate < np.inf:
        raise FaultdiagError(
            f"{path}: sampling rate must be a positive number; found {sampling_rate}"
        )
    with reader_errors(path):
        source = _reader(path).source(channels)
    return source if sampling_rate is None else replace(source, sampling_rate=sampling_rate)


def open_reader(path: str | os.PathLike[str]) -> Reader:
    """Return the reader of a file, for both its variables and its channels.

    Raises
    ------
    FaultdiagError
        If the file is missing, damaged or of an unknown format.
    OSError
        If the system does not let it be read.
    """
    return _reader(Path(path))


def read_range(
    path: str | os.PathLike[str], channel: str | Sequence[str] | None, start: int, stop: int
) -> NDArray[np.float32]:
    """Return the samples from `start` to `stop` of a file, ``(channels, stop - start)``.

    For many ranges of one file open it once with `open_recording`.

    Raises
    ------
    FaultdiagError
        As in `open_recording`.
    ValueError
        If the range is not within the recording.
    """
    return open_recording(path, channel=channel).read(start, stop)


def list_variables(path: str | os.PathLike[str]) -> list[Variable]:
    """Return the variables of a file from its header, without reading their values.

    Raises
    ------
    FaultdiagError
        If the file is missing, unreadable, damaged or of an unknown format.
    """
    path = Path(path)
    with reader_errors(path):
        return _reader(path).variables()


def is_prose(path: Path) -> bool:
    """Return whether a file is named like text and is text, but holds no table of numbers.

    What is empty, unreadable or not text after all is no prose: it is a damaged recording.
    """
    if path.suffix.lower() not in _TEXT or not path.is_file():
        return False
    try:
        head = head_of(path)
        return bool(head) and is_text(head) and not holds_numbers(path)
    except OSError:
        return False


# Suffixes of what lies beside recordings; any other unknown one is judged by the content.
_BESIDE = frozenset(
    {
        *(".md", ".rst", ".json", ".jsonl", ".yaml", ".yml", ".xml", ".html", ".toml", ".ini"),
        *(".cfg", ".log", ".py", ".m", ".ipynb", ".sh", ".bat", ".pdf", ".png", ".jpg", ".jpeg"),
        *(".docx", ".pptx", ".onnx", ".pt", ".part", ".lock", ".sha256"),
    }
)


def is_recording(path: Path) -> bool:
    """Return whether a file is a recording, by its suffix or else by its content.

    A file without a known suffix is one where its first bytes are those of a known format, or
    text that clearly holds a table of numbers (NASA's IMS names its files by date and time).
    """
    suffix = path.suffix.lower()
    if is_package(path):
        return _is_packed(path)
    if suffix in READERS:
        return True
    if suffix in _BESIDE or not path.is_file():
        return False
    try:
        return _is_known_inside(path)
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False


def _is_known_inside(path: Path) -> bool:
    kind = format_of(path)
    if kind == ".npz":
        with open_archive(path) as archive:
            return any(name.endswith(".npy") for name in archive.namelist())
    if kind is None:
        return path.stat().st_size > 0 and holds_numbers(path)
    return kind not in _ANYTHING


# A list or a note in Excel is shorter than any recording.
_FEWEST_ROWS = 100


def is_package(path: Path) -> bool:
    """Return whether a file is an archive or a sheet by its name, with any content."""
    return path.suffix.lower() in _ANYTHING


def _is_packed(path: Path) -> bool:
    """Return whether an archive or a sheet is one recording."""
    if path.suffix.lower() == ".gz":
        return Path(path.stem).suffix.lower() in SUFFIXES
    try:
        if path.suffix.lower() == ".xlsx":
            variables = READERS.get(".xlsx")(path).variables()
            return max((v.shape[0] for v in variables if v.channel), default=0) >= _FEWEST_ROWS
        return count_in_zip(path) == 1
    except (OSError, FaultdiagError):
        return False


def count_in_zip(path: Path) -> int:
    """Return the number of recordings in a zip archive; 0 for any other file."""
    try:
        with open_archive(path) as archive:
            return len(recordings_in_zip(archive, SUFFIXES))
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return 0


# Seconds without progress after which commands that read many files give one up.
FILE_TIMEOUT = 60.0


@contextmanager
def reader_errors(path: Path, limit: float | None = None) -> Iterator[None]:
    """Turn every exception of the block into an error that names the file.

    What no reader expects is a bug: the message asks for a report, and the traceback is logged.

    Parameters
    ----------
    path
        The file that is read in the block.
    limit
        Seconds that may pass without anything read; None is no limit.

    Raises
    ------
    FaultdiagError
        In place of any `Exception`, or if nothing is read for too long.
    """
    try:
        with time_limit(limit):
            yield
    except FaultdiagError as error:
        raise about(error, path) from error
    except OSError as error:
        raise about(unreadable(path, error), path) from error
    except MemoryError as error:
        raise about(too_large(path), path) from error
    except StalledError as error:
        raise too_slow(path, limit) from error
    except Exception as error:
        raise crash(path, error) from error


def too_slow(path: Path, limit: float | None) -> FaultdiagError:
    """Return the error for a file that nothing was read from within the time limit."""
    return FaultdiagError(
        f"{printable(str(path))} took longer than {limit:g} s without anything read; copy it to a "
        "faster disk, or allow more time with predict --file-timeout"
    )


def _reader(path: Path) -> Reader:
    _require_file(path)
    suffix = path.suffix.lower()
    kind = format_of(path)
    if kind is None and suffix not in _TEXT and holds_numbers(path):
        # MATLAB's save -ascii writes text under .mat; recorders leave the suffix out.
        kind = ".txt"
    if kind is None and suffix not in READERS:
        shown = f"the suffix '{path.suffix}'" if suffix else "no suffix"
        raise FaultdiagError(
            f"{path} has {shown}; files that can be read end in: {', '.join(READERS)}"
        )
    reader = READERS.get(kind or suffix)(path)
    side = side_file(path)
    return reader if side is None else WithSideFile(reader, side)


def _require_file(path: Path) -> None:
    with suppress(OSError):
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and status.st_size > 0:
            return
    if is_closed(path):
        raise FaultdiagError(f"{path} cannot be searched: check the permissions of this folder")
    if path.is_dir():
        raise FaultdiagError(f"{path} is a folder; name one recording in it")
    if path.is_symlink() and not path.exists():
        raise FaultdiagError(
            f"{path} is a symbolic link that leads nowhere; name the recording itself"
        )
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


_MOST_NAMES = 5


def recordings_in(folder: Path, pattern: str | None = None) -> list[Path]:
    """Return the files below a folder that are recordings, 97 before 105.

    A known suffix is enough; files of other names, or without a suffix, are judged by content.

    Hidden files are left out: macOS leaves a ``._97.mat`` beside 97.mat. So is text that holds no
    table of numbers, such as a list of labels or an earlier result, and so are archives and sheets
    that are not one recording each; notes name them: see `packages_left_out`. A folder that may not
    be searched is listed itself: reading it says so.

    Parameters
    ----------
    pattern
        Give the files of this pattern instead, whatever their suffix: ``*_DE.*`` for files of
        such names in any folder, ``run1/*.csv`` for those in folders of that name.

    Raises
    ------
    FaultdiagError
        If the pattern is none.
    """
    files = _visible_files(folder, pattern)
    if pattern is not None:
        return sorted(files, key=_natural)
    recordings = {path for path in files if is_recording(path) or is_closed(path)}
    prose = set(filter(is_prose, recordings))
    _note_left_out(folder, prose, "text without a table of numbers")
    if recordings:
        # Where there are none, the error says it: see `nothing_in`.
        for text in packages_left_out(folder, set(files) - recordings):
            note(text)
    return sorted(recordings - prose, key=_natural)


def _visible_files(folder: Path, pattern: str | None) -> list[Path]:
    below = _below(folder, pattern)
    seen = (path for path in below if not path.name.startswith("."))
    return [path for path in seen if not path.is_dir() or is_closed(path)]


def is_closed(path: Path) -> bool:
    """Return whether a path is a folder that may not be searched."""
    return path.is_dir() and not os.access(path, os.R_OK | os.X_OK)


def _note_left_out(folder: Path, paths: Iterable[Path], reason: str) -> None:
    names = [path.name for path in sorted(paths)]
    if names:
        note(_left_out(folder, names, reason))


def _left_out(folder: Path, names: Sequence[str], reason: str) -> str:
    more = ", …" if len(names) > _MOST_NAMES else ""
    return f"left out of {folder}, as {reason}: {', '.join(names[:_MOST_NAMES])}{more}"


def packages_left_out(folder: Path, paths: Iterable[Path]) -> list[str]:
    """Return notes that name the archives and sheets among files that are no recordings.

    A zip archive of several recordings comes with the command that unpacks it: each of them needs
    a path of its own, which labels, splits and rows of predictions go by.
    """
    counts = {path: count_in_zip(path) for path in sorted(paths) if is_package(path)}
    several = [path for path, count in counts.items() if count > 1]
    others = [path.name for path, count in counts.items() if count <= 1]
    notes = []
    if several:
        names = [f"{path.name} ({counts[path]})" for path in several]
        listed = _left_out(folder, names, "zip archives of several recordings")
        notes.append(f"{listed}; {_how_to_unpack(several)}")
    if others:
        reason = "archives or sheets that are damaged or without a readable recording"
        notes.append(_left_out(folder, others, reason))
    return notes


def several_in_zip(path: Path) -> str:
    """Return advice for a zip archive of several recordings; empty for any other file."""
    count = count_in_zip(path)
    return f"it holds {count} recordings; {_how_to_unpack([path])}" if count > 1 else ""


def _how_to_unpack(archives: Sequence[Path]) -> str:
    first = archives[0]
    command = shlex.join(["python", "-m", "zipfile", "-e", str(first), str(first.with_suffix(""))])
    each = "it" if len(archives) == 1 else "each"
    return f"unpack {each} into a folder beside it: {command}"


def nothing_in(folder: Path, pattern: str | None = None) -> FaultdiagError:
    """Return the error for a folder without recordings, or without any of a pattern."""
    if pattern is None:
        packages = packages_left_out(folder, _visible_files(folder, None))
        suffixes = f"looked for files that end in: {', '.join(SUFFIXES)}"
        return FaultdiagError("; ".join([f"{folder} holds no recording", suffixes, *packages]))
    names = sorted({path.name for path in folder.rglob("*") if path.is_file()}, key=len)
    held = f"files such as {', '.join(names[:3])}" if names else "no file at all"
    return FaultdiagError(
        f"{folder} holds no file that matches --glob '{pattern}'; it holds {held}"
    )


def _below(folder: Path, pattern: str | None) -> list[Path]:
    try:
        paths = list(folder.rglob("*" if pattern is None else pattern))
    except (ValueError, NotImplementedError) as error:
        raise FaultdiagError(
            f"--glob '{pattern}' is no pattern of names below a folder; write one such as "
            "'*_DE.mat' or 'run1/*.csv'"
        ) from error
    keep_in_one_line(map(str, paths))
    return paths


def _natural(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
