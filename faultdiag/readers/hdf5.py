"""Recordings from HDF5 files: MATLAB 7.3 and any other.

MATLAB writes its arrays with their sides in reverse, marks what they are by the attribute
``MATLAB_class``, keeps structs as groups and text as 16-bit numbers [1]_. Where that attribute
stands, sides and names are given as MATLAB shows them.

References
----------
.. [1] The MathWorks, "MAT-File Versions",
   https://www.mathworks.com/help/matlab/import_export/mat-file-versions.html
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faultdiag.errors import FaultdiagError
from faultdiag.readers.arrays import NamedArrays
from faultdiag.readers.content import is_hdf5
from faultdiag.readers.damage import DamageError, reading
from faultdiag.readers.facts import is_rate, is_speed
from faultdiag.readers.hdf5_array import Attribute, Hdf5Array, Struct, hdf5_damage, text_of
from faultdiag.readers.reader import Reader
from faultdiag.readers.stored import Stored

if TYPE_CHECKING:
    import h5py

_KIND = "HDF5 file"
# A recording lies a few groups deep; a damaged file can lead in circles.
_DEEPEST = 6
_MOST_ARRAYS = 10_000


def open_hdf5(path: Path) -> Reader:
    """Give the reader of an HDF5 file.

    Raises
    ------
    FaultdiagError
        If it is no HDF5 file, or damaged.
    """
    import h5py

    if not is_hdf5(path):
        with path.open("rb") as file:
            head = file.read(24)
        raise FaultdiagError(
            f"{path} is no HDF5 file: it begins with {head!r}; an HDF5 file begins with "
            r"b'\x89HDF\r\n\x1a\n'"
        )
    with reading(path, _KIND), hdf5_damage():
        # Without the lock a folder that may not be written can be read.
        file = h5py.File(path, "r", locking=False)
        arrays = dict(islice(_arrays(file, "", 0, path), _MOST_ARRAYS + 1))
        if len(arrays) > _MOST_ARRAYS:
            raise DamageError(f"it holds more than {_MOST_ARRAYS} arrays")
        for name, value in _facts(file, arrays):
            arrays.setdefault(name, value)
    return NamedArrays(path, arrays, _KIND)


def _arrays(
    group: "h5py.Group", prefix: str, depth: int, path: Path
) -> Iterator[tuple[str, Stored]]:
    """Give the arrays of a group and of the groups in it; a struct is one of them."""
    import h5py

    for name in group:
        # MATLAB's own groups; and links into other files are never followed.
        if name.startswith("#") or not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        item, full = group[name], f"{prefix}{name}"
        if isinstance(item, h5py.Dataset):
            yield full, Hdf5Array(full, item, path)
        elif isinstance(item, h5py.Group):
            kind = text_of(item.attrs.get("MATLAB_class", b""))
            if "MATLAB_sparse" in item.attrs:
                yield full, Struct(full, "sparse", {})
            elif kind:
                inside = _arrays(item, "", depth + 1, path) if depth < _DEEPEST else ()
                yield full, Struct(full, kind, dict(inside))
            elif depth < _DEEPEST:
                yield from _arrays(item, f"{full}/", depth + 1, path)


def _facts(file: "h5py.File", arrays: Mapping[str, Stored]) -> Iterator[tuple[str, Stored]]:
    """Give sampling rates and speeds among the attributes of the file and of its arrays."""
    holders: list[tuple[str, Mapping[str, Any]]] = [("", file.attrs)]
    holders += [(n, a.attributes) for n, a in arrays.items() if isinstance(a, Hdf5Array)]
    for holder, attributes in holders[:100]:
        for name in attributes:
            if is_rate(name) or is_speed(name):
                yield f"{holder}@{name}", Attribute(name, attributes[name])
