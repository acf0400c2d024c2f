"""Opening a MAT-file of versions 4 to 7."""

from pathlib import Path

from faultdiag.errors import FaultdiagError
from faultdiag.readers import mat4, mat5
from faultdiag.readers.damage import DamageError, reading
from faultdiag.readers.mat_array import Array


def open_arrays(path: Path) -> dict[str, Array]:
    """Give the arrays of a MAT-file by name, from their headers.

    Raises
    ------
    FaultdiagError
        If it is no MAT-file, or damaged.
    """
    with path.open("rb") as file:
        head = file.read(128)
    with reading(path):
        found = _arrays(path, head)
        by_name = {array.name: array for array in found}
        if len(by_name) < len(found):
            raise DamageError("two of its variables have the same name")
        return by_name


def _arrays(path: Path, head: bytes) -> list[Array]:
    order = mat5.ORDERS.get(head[126:128])
    if order and head[124:126] in (b"\0\1", b"\1\0"):
        return mat5.arrays(path, order)
    order = mat4.byte_order(head)
    if order:
        return mat4.arrays(path, order)
    if head.startswith(b"MATLAB"):
        raise DamageError("its first 128 bytes are no header")
    raise FaultdiagError(
        f"{path} is no MATLAB file: it begins with {head[:24]!r}; "
        "a MATLAB file begins with 'MATLAB 5.0 MAT-file'"
    )
