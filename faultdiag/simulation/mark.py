"""The file by which a folder of simulated recordings is known from one of measured ones."""

import re
from pathlib import Path

from faultdiag.documents import parse_json
from faultdiag.errors import FaultdiagError

MARK = "simulated.json"
_RECORDING = re.compile(r"\d+\.mat")


def may_be_simulated(path: Path) -> bool:
    """Return whether a file has a name that the simulation writes, beside its mark."""
    return bool(_RECORDING.fullmatch(path.name)) and (path.parent / MARK).exists()


def simulated_files(folder: Path) -> list[str] | None:
    """Read the names of a folder's simulated recordings; None if it has no mark.

    Raises
    ------
    FaultdiagError
        If the mark can't be read.
    """
    path = folder / MARK
    try:
        mark = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise FaultdiagError(
            f"{path} can't be read: {error}; simulate again into an empty folder"
        ) from error
    names = mark.get("recordings") if isinstance(mark, dict) else None
    # Files of these names are removed when simulating again: nothing outside the folder may be.
    if not isinstance(names, list) or not all(_RECORDING.fullmatch(str(n)) for n in names):
        raise FaultdiagError(
            f"{path} has no list 'recordings' of names such as 97.mat; "
            "simulate again into an empty folder"
        )
    return [str(name) for name in names]
