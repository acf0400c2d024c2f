"""The recordings below a folder."""

import re
import sys
from pathlib import Path

from faultdiag.errors import FaultdiagError
from faultdiag.readers import SUFFIXES, is_prose


def recordings_in(folder: Path) -> list[Path]:
    """Give the files below a folder that a reader knows by their suffix, 97 before 105.

    Hidden files are left out: macOS leaves a ``._97.mat`` beside 97.mat. So is text that holds no
    table of numbers, such as a list of labels or an earlier result, and that is said on stderr.
    """
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and not path.is_dir()
    ]
    prose = {path for path in found if is_prose(path)}
    if prose:
        named = [path.name for path in sorted(prose)[:5]]
        more = ", …" if len(prose) > len(named) else ""
        names = ", ".join(named) + more
        sys.stderr.write(f"left out of {folder}, as text without a table of numbers: {names}\n")
    return sorted((path for path in found if path not in prose), key=_natural)


def nothing_in(folder: Path) -> FaultdiagError:
    """Give the error for a folder without recordings."""
    return FaultdiagError(
        f"{folder} holds no recording; looked for files that end in: {', '.join(SUFFIXES)}"
    )


def _natural(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
