"""MAT-files of version 4: the arrays of a file from their headers.

Each array is five 32-bit numbers (format, rows, columns, imaginary part or not, length of the
name), the name and the values.

References
----------
.. [1] The MathWorks, "MAT-File Format", chapter on level 4,
   https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf
"""

import struct
from pathlib import Path

import numpy as np

from faultdiag.readers.damage import DamageError
from faultdiag.readers.mat_array import Array, Plain

_STORED = ("f8", "f4", "i4", "i2", "u2", "u1")
_KINDS = ("double", "single", "int32", "int16", "uint16", "uint8")
_TEXT, _SPARSE = 1, 2


def byte_order(head: bytes) -> str | None:
    """Give the byte order of a file that begins like version 4, or None.

    The first number has the decimal digits MOPT: M is 0 for little endian and 1 for big, O
    is 0, P the precision (0 to 5), T the type (0 full, 1 text, 2 sparse).
    """
    for order, machine in (("<", 0), (">", 1)):
        if len(head) >= 4:
            (number,) = struct.unpack(f"{order}I", head[:4])
            if number // 100 == 10 * machine and number // 10 % 10 < 6 and number % 10 < 3:
                return order
    return None


def arrays(path: Path, order: str) -> list[Array]:
    """Give all arrays of a file, without their values.

    Raises
    ------
    DamageError
        If the file contradicts its format.
    """
    size = path.stat().st_size
    position = 0
    found = []
    with path.open("rb") as file:
        while position < size:
            file.seek(position)
            head = file.read(20)
            if len(head) < 20 or byte_order(head) != order:
                raise DamageError(f"there is no array at byte {position}")
            numbers = struct.unpack(f"{order}5i", head)
            name = file.read(min(max(numbers[4], 0), 1000))
            found.append(_array(path, position, numbers, name, order))
            position = found[-1].stop
            if position > size:
                raise DamageError(f"the values of {found[-1].name} don't fit into the file")
    return found


def _array(path: Path, position: int, numbers: tuple[int, ...], name: bytes, order: str) -> Array:
    mopt, rows, columns, imaginary, letters = numbers
    text = name.rstrip(b"\0").decode("ascii", errors="replace")
    if min(rows, columns) < 0 or imaginary not in (0, 1) or len(name) != letters:
        raise DamageError(f"the header at byte {position} states sizes that cannot be")
    if not text or not text.isprintable() or "\ufffd" in text:
        raise DamageError(f"an array has the name {name!r}")
    precision, kind = mopt // 10 % 10, mopt % 10
    dtype = np.dtype(order + _STORED[precision])
    start = position + 20 + letters
    stop = start + rows * columns * dtype.itemsize * (1 + imaginary)
    names = {_TEXT: "char", _SPARSE: "sparse"}
    label = names.get(kind, f"complex {_KINDS[precision]}" if imaginary else _KINDS[precision])
    stored = dtype if label in _KINDS else None
    return Array(text, (rows, columns), label, Plain(path), start, stop, order, stored)
