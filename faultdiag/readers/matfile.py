"""Opening a MAT-file of any version, and the one place where its damage becomes an error."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faultdiag.errors import FaultdiagError
from faultdiag.readers import mat4, mat5
from faultdiag.readers.mat_array import Array, MatDamageError

_HDF5 = b"\x89HDF\r\n\x1a\n"


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a broken MAT-file raises into an error that names it.

    Raises
    ------
    FaultdiagError
        If the block finds the file damaged or too big for the memory.
    """
    try:
        yield
    except (MatDamageError, zlib.error, struct.error, EOFError) as error:
        raise FaultdiagError(
            f"{path} is a damaged or incomplete MATLAB file: {error}; copy or download it again"
        ) from error
    except MemoryError as error:
        raise FaultdiagError(
            f"{path} does not fit into memory ({path.stat().st_size} bytes in the file); "
            "cut it into shorter recordings"
        ) from error


def open_arrays(path: Path) -> dict[str, Array]:
    """Give the arrays of a MAT-file by name, from their headers.

    Raises
    ------
    FaultdiagError
        If it is no MAT-file, one of version 7.3, or damaged.
    """
    with path.open("rb") as file:
        head = file.read(520)
    if _HDF5 in (head[:8], head[512:]):
        raise FaultdiagError(
            f"{path} is a MATLAB v7.3 file, which needs the HDF5 reader: not supported yet; "
            "save it again in MATLAB with the option '-v7'"
        )
    with reading(path):
        found = _arrays(path, head)
        by_name = {array.name: array for array in found}
        if len(by_name) < len(found):
            raise MatDamageError("two of its variables have the same name")
        return by_name


def _arrays(path: Path, head: bytes) -> list[Array]:
    order = mat5.ORDERS.get(head[126:128])
    if order and head[124:126] in (b"\0\1", b"\1\0"):
        return mat5.arrays(path, order)
    order = mat4.byte_order(head)
    if order:
        return mat4.arrays(path, order)
    if head.startswith(b"MATLAB"):
        raise MatDamageError("its first 128 bytes are no header")
    raise FaultdiagError(
        f"{path} is no MATLAB file: it begins with {head[:24]!r}; "
        "a MATLAB file begins with 'MATLAB 5.0 MAT-file'"
    )
