"""The recordings below a folder."""

import re
from pathlib import Path

from faultdiag.errors import FaultdiagError
from faultdiag.readers.read import SUFFIXES, is_prose, is_recording
from faultdiag.system.terminal import note


def recordings_in(folder: Path, pattern: str | None = None) -> list[Path]:
    """Return the files below a folder that are recordings, 97 before 105.

    A known suffix is enough; files of other names, or without a suffix, are judged by content.

    Hidden files are left out: macOS leaves a ``._97.mat`` beside 97.mat. So is text that holds no
    table of numbers, such as a list of labels or an earlier result, and a note names it.

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
    found = [
        path
        for path in _below(folder, pattern)
        if not path.name.startswith(".")
        and not path.is_dir()
        and (pattern is not None or is_recording(path))
    ]
    prose = {path for path in found if pattern is None and is_prose(path)}
    if prose:
        named = [path.name for path in sorted(prose)[:5]]
        more = ", …" if len(prose) > len(named) else ""
        names = ", ".join(named) + more
        note(f"left out of {folder}, as text without a table of numbers: {names}")
    return sorted((path for path in found if path not in prose), key=_natural)


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
