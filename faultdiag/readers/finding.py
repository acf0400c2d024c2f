"""The recordings below a folder."""

import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from faultdiag.errors import FaultdiagError
from faultdiag.readers.read import SUFFIXES, count_in_zip, is_package, is_prose, is_recording
from faultdiag.system.terminal import note

_MOST_NAMES = 5


def recordings_in(folder: Path, pattern: str | None = None) -> list[Path]:
    """Return the files below a folder that are recordings, 97 before 105.

    A known suffix is enough; files of other names, or without a suffix, are judged by content.

    Hidden files are left out: macOS leaves a ``._97.mat`` beside 97.mat. So is text that holds no
    table of numbers, such as a list of labels or an earlier result, and so are archives and sheets
    that are not one recording each; notes name them: see `packages_left_out`.

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
    recordings = set(filter(is_recording, files))
    prose = set(filter(is_prose, recordings))
    _note_left_out(folder, prose, "text without a table of numbers")
    if recordings:
        # Where there are none, the error says it: see `nothing_in`.
        for text in packages_left_out(folder, set(files) - recordings):
            note(text)
    return sorted(recordings - prose, key=_natural)


def _visible_files(folder: Path, pattern: str | None) -> list[Path]:
    below = _below(folder, pattern)
    return [path for path in below if not path.name.startswith(".") and not path.is_dir()]


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
    """Return what to do with a zip archive of several recordings; empty for any other file."""
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
        return list(folder.rglob("*" if pattern is None else pattern))
    except (ValueError, NotImplementedError) as error:
        raise FaultdiagError(
            f"--glob '{pattern}' is no pattern of names below a folder; write one such as "
            "'*_DE.mat' or 'run1/*.csv'"
        ) from error


def _natural(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
