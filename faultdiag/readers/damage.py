"""The one place where what a broken file raises becomes an error that names it."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from faultdiag.errors import FaultdiagError

# No recording of anything that moves packs to a hundredth. Small files may be anything.
MOST_UNPACKED_PER_BYTE = 100
ALWAYS_UNPACKED = 64 * 2**20


class DamageError(Exception):
    """A file that contradicts its own format; `reading` turns it into the user's error."""


def unpacked_dtype(dtype: np.dtype[Any], size: int) -> np.dtype[Any]:
    """Give what `size` bytes of unpacked values are held as: float32 where they are many.

    Times lose too much by that; a vector of them is 64 MiB only after 8 million samples.
    """
    return dtype if size <= ALWAYS_UNPACKED else np.dtype(np.float32)


@contextmanager
def reading(path: Path, kind: str = "MATLAB file") -> Iterator[None]:
    """Turn whatever a broken file raises into an error that names it.

    Parameters
    ----------
    path
        The file.
    kind
        What it should be, in words.

    Raises
    ------
    FaultdiagError
        If the block finds the file damaged, too big for the memory, or can't read it.
    """
    try:
        yield
    except (DamageError, zlib.error, struct.error, EOFError) as error:
        raise FaultdiagError(
            f"{path} is a damaged or incomplete {kind}: {error}; copy or download it again"
        ) from error
    except MemoryError as error:
        raise FaultdiagError(
            f"{path} does not fit into memory ({path.stat().st_size} bytes in the file); "
            "cut it into shorter recordings"
        ) from error
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> FaultdiagError:
    """Give the error for a file that the system does not let us read."""
    return FaultdiagError(
        f"{path} cannot be read: {error.strerror or error}; check its permissions and its disk"
    )


def require_plausible(name: str, packed: int, unpacked: int) -> None:
    """Refuse to unpack what no recording could have been.

    Parameters
    ----------
    packed, unpacked
        Bytes in the file, and what they are said to unpack to.

    Raises
    ------
    DamageError
        If these are more than 64 MiB and more than a hundred times the packed ones.
    """
    if unpacked > max(ALWAYS_UNPACKED, MOST_UNPACKED_PER_BYTE * packed):
        raise DamageError(
            f"{name} would unpack from {packed} bytes to {unpacked}, more than "
            f"{MOST_UNPACKED_PER_BYTE} times as many: no measurement packs like that"
        )
