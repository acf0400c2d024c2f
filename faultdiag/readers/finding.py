"""The recordings below a folder."""

import re
from collections.abc import Iterable
from pathlib import Path

from faultdiag.errors import FaultdiagError
from faultdiag.readers.read import SUFFIXES, is_package, is_prose, is_recording
from faultdiag.system.terminal import note

_MOST_NAMES = 5


def recordings_in(folder: Path, pattern: str | None = None) -> list[Path]:
    """Return the files below a folder that are recordings, 97 before 105.

    A known suffix is enough; files of other names, or without a suffix, are judged by content.

    Hidden files are left out: macOS leaves a ``._97.mat`` beside 97.mat. So is text that holds no
    table of numbers, such as a list of labels or an earlier result, and so are archives and sheets
    that are damaged or not one recording each; a note names them.

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
    packages = (path for path in files if path not in recordings and is_package(path))
    _note_left_out(
        folder, packages, "archives or sheets that are damaged or not one recording each"
    )
    return sorted(recordings - prose, key=_natural)


def _visible_files(folder: Path, pattern: str | None) -> list[Path]:
    below = _below(folder, pattern)
    return [path for path in below if not path.name.startswith(".") and not path.is_dir()]


def _note_left_out(folder: Path, paths: Iterable[Path], reason: str) -> None:
    names = [path.name for path in sorted(paths)]
    if names:
        more = ", …" if len(names) > _MOST_NAMES else ""
        note(f"left out of {folder}, as {reason}: {', '.join(names[:_MOST_NAMES])}{more}")


def nothing_in(folder: Path, pattern: str | None = None) -> FaultdiagError:
    """Return the error for a folder without recordings, or without any of a pattern."""
    if pattern is None:
        return FaultdiagError(
            f"{folder} holds no recording; looked for files that end in: {', '.join(SUFFIXES)}"
        )
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
