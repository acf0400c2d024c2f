"""HDF5 and MATLAB 7.3 files.

MATLAB writes its arrays with their sides in reverse, marks what they are by the attribute
``MATLAB_class``, keeps structs as groups and text as 16-bit numbers [1]_. Where that attribute
stands, sides and names are given as MATLAB shows them. A cell array, and each field of a struct
array, is a dataset of references to arrays in the group ``#refs#``.

References
----------
.. [1] The MathWorks, "MAT-File Versions",
   https://www.mathworks.com/help/matlab/import_export/mat-file-versions.html
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError
from faultdiag.readers.base import Reader, is_increment, is_rate, is_speed
from faultdiag.readers.layouts import NamedArrays
from faultdiag.readers.source import (
    ALWAYS_UNPACKED,
    HDF5_PLACES,
    HDF5_SIGNATURE,
    MOST_ARRAYS,
    Allowance,
    DamageError,
    StoredArray,
    is_hdf5,
    reading,
    require_plausible,
    table,
)

if TYPE_CHECKING:
    import h5py


# Dimensions of an array, or numbers of a fact.
_MOST_SIDES = 32
# Of a name.
_MOST_LETTERS = 1000
# Of a path with the links that it leads over, which can lead in circles.
_MOST_PARTS = 100
# Of one cell array. More are references to words, such as a column of a table.
_MOST_REFERENCES = 10 * MOST_ARRAYS


@contextmanager
def hdf5_damage() -> Iterator[None]:
    """Turn what h5py raises for broken files into damage.

    Its library says most as OSError, RuntimeError and KeyError; where a damaged type or
    attribute makes no sense to NumPy, that says it as ValueError, TypeError and others.
    """
    try:
        yield
    except (
        *(OSError, RuntimeError, LookupError, ValueError, TypeError),
        *(AttributeError, ArithmeticError, NotImplementedError),
    ) as error:
        reason = str(error.args[0] if error.args else error) or type(error).__name__
        raise DamageError(reason.splitlines()[0]) from error


def text_of(value: object) -> str:
    """Return an attribute as text."""
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


@dataclass(frozen=True, slots=True, eq=False)
class Struct:
    """A group that MATLAB wrote for a struct, or for something that is no array of numbers."""

    name: str
    kind: str
    inside: Mapping[str, StoredArray]

    real = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Dimensions: those of its fields in a struct array."""
        columns = self._columns()
        return next(iter(columns.values())).shape[::-1] if columns else (1, 1)

    def require_there(self) -> None:
        """Do nothing: it holds no samples."""

    def fields(self) -> Mapping[str, StoredArray]:
        """Return the fields of a struct of one element; nothing for anything else."""
        rows = self.elements()
        return rows[0] if len(rows) == 1 else {}

    def elements(self) -> Sequence[Mapping[str, StoredArray]]:
        """Return the fields of each element of a struct; nothing for anything else.

        Raises
        ------
        DamageError
            If a reference leads nowhere.
        """
        if self.kind != "struct":
            return ()
        columns = {name: array.targets() for name, array in self._columns().items()}
        if not columns:
            return [self.inside]
        count = max((max(column, default=0) for column in columns.values()), default=0)
        return [
            {name: column[number] for name, column in columns.items() if number in column}
            for number in range(1, count + 1)
        ]

    def _columns(self) -> "Mapping[str, References]":
        """Return the fields of a struct array; nothing for a struct of one element."""
        columns = {n: a for n, a in self.inside.items() if isinstance(a, References)}
        is_array = len(columns) == len(self.inside)
        return columns if is_array and all(a.kind != "cell" for a in columns.values()) else {}

    def scalar(self) -> float:
        """Refuse: it is not a number."""
        raise TypeError(f"{self.name} is {self.kind}, not real numbers")

    def block(self, columns: Sequence[int], start: int, stop: int) -> NDArray[np.generic]:
        """Refuse: it is not a table."""
        wanted = f"samples {start} to {stop} of its columns {list(columns)}"
        raise TypeError(f"{self.name} is {self.kind}: there are no {wanted}")


@dataclass(frozen=True, slots=True, eq=False)
class Attribute:
    """A number in an attribute."""

    name: str
    value: Any

    shape = (1,)
    kind = "attribute"

    @property
    def real(self) -> bool:
        """Whether it is one real number."""
        return isinstance(self.value, np.ndarray | np.generic) and (
            self.value.dtype.kind in "fiu" and self.value.size == 1
        )

    def require_there(self) -> None:
        """Do nothing: it holds no samples."""

    def fields(self) -> Mapping[str, StoredArray]:
        """Return nothing: it is no struct."""
        return {}

    def scalar(self) -> float:
        """Return the number."""
        return float(np.ravel(self.value)[0])

    def block(self, columns: Sequence[int], start: int, stop: int) -> NDArray[np.generic]:
        """Refuse: it is not a table."""
        wanted = f"samples {start} to {stop} of its columns {list(columns)}"
        raise TypeError(f"{self.name} is an attribute: there are no {wanted}")


class Hdf5Array:
    """A dataset of an HDF5 file, which stays open as long as this is.

    Parameters
    ----------
    name
        Its path in the file.
    dataset
        The dataset.
    path
        The file.
    allowance
        What the datasets of the file may unpack to, all together.
    """

    def __init__(
        self, name: str, dataset: "h5py.Dataset", path: Path, allowance: Allowance
    ) -> None:
        self.name = name
        self._allowance = allowance
        self.attributes = dataset.attrs
        self._dataset = dataset
        self._path = path
        self._matlab = text_of(self.attributes.get("MATLAB_class", b""))
        self._empty = "MATLAB_empty" in self.attributes
        self.shape = self._sides()
        self.kind = self._matlab or _name_of(dataset.dtype)
        if dataset.dtype.names == ("real", "imag"):
            self.kind = f"complex {self.kind}"

    @property
    def real(self) -> bool:
        """Whether it holds real numbers."""
        numbers = self._dataset.dtype.kind in "fiu" and not self._empty
        return numbers and self._matlab not in ("char", "logical", "cell", "function_handle")

    def require_there(self) -> None:
        """Refuse an array whose header states more values than the file can hold.

        Raises
        ------
        DamageError
            If it can't, or would unpack to more than a recording could.
        """
        with hdf5_damage():
            self._require_there()

    def fields(self) -> Mapping[str, StoredArray]:
        """Return nothing: it is no struct."""
        return {}

    def text(self) -> str:
        """Return the text of a char array; ``""`` for anything else, and for a long text.

        Raises
        ------
        DamageError
            If it can't be read.
        """
        if self.kind != "char" or not self._is_short_text():
            return ""
        with hdf5_damage():
            self._require_there()
            letters = np.ravel(self._dataset[()]).astype("<u2").tobytes()
        return letters.decode("utf-16-le", errors="replace").strip("\0 ")

    def _is_short_text(self) -> bool:
        data = self._dataset
        return not self._empty and data.dtype.kind in "iu" and 0 < (data.size or 0) <= _MOST_LETTERS

    def scalar(self) -> float:
        """Return its first value.

        Raises
        ------
        DamageError
            If it can't be read.
        """
        with hdf5_damage():
            # A fact of one number may be in a chunk of any size, or in another file.
            self._require_there()
            return float(np.ravel(self._dataset[(0,) * len(self._dataset.shape)])[0])

    def block(self, columns: Sequence[int], start: int, stop: int) -> NDArray[np.generic]:
        """Return samples of a table, ``(len(columns), stop - start)``.

        Raises
        ------
        DamageError
            If it can't be read, or unpacks to more than a recording could.
        TypeError
            If it is not a table.
        """
        shape = tuple(self._dataset.shape)
        size = table(shape)
        if size is None:
            raise TypeError(f"{self.name} of the shape {shape} is no table")
        sides = [axis for axis, n in enumerate(shape) if n != 1] or [0]
        along = sides[0] if size.upright else sides[-1]
        where = tuple(
            slice(start, stop) if axis == along else slice(None) for axis in range(len(shape))
        )
        if self._dataset.chunks is not None:
            self._allowance.take(id(self), self._dataset.nbytes)
        with hdf5_damage():
            values = self._dataset[where]
        if size.upright:
            values = values.reshape(stop - start, -1).T
        part: NDArray[np.generic] = values.reshape(size.columns, -1)[list(columns)]
        return part

    def _sides(self) -> tuple[int, ...]:
        if self._empty:
            # An empty array holds its own dimensions.
            if self._dataset.size > _MOST_SIDES:
                raise DamageError(f"{self.name} is said to be empty and holds many values")
            self._require_there()
            return tuple(int(n) for n in np.ravel(self._dataset[()])[:8])
        sides = tuple(int(n) for n in self._dataset.shape or ())
        return sides[::-1] if self._matlab else sides

    def _require_there(self) -> None:
        data = self._dataset
        stored = data.id.get_storage_size()
        if data.external or data.is_virtual:
            raise DamageError(f"the samples of {self.name} lie in another file")
        if data.chunks is None:
            there = self._path.stat().st_size
            if data.nbytes > max(stored, 0) or stored > there:
                raise DamageError(
                    f"{self.name} states {data.nbytes} bytes of samples, {min(stored, there)} "
                    "are there"
                )
            return
        chunk = int(np.prod(data.chunks, dtype=object)) * data.dtype.itemsize
        if chunk > max(ALWAYS_UNPACKED, 2 * data.nbytes):
            raise DamageError(f"{self.name} is packed in pieces of {chunk} bytes")
        require_plausible(self.name, stored, data.nbytes)


class References(Hdf5Array):
    """A cell array, or a field of a struct array: references to arrays of the file.

    Parameters
    ----------
    name, dataset
        As for `Hdf5Array`.
    depth
        How many groups and references lead to it.
    visit
        The visit of the file. References can lead in circles: a struct or a cell array belongs
        to the first reference that leads to it.
    """

    def __init__(self, name: str, dataset: "h5py.Dataset", depth: int, visit: "_Visit") -> None:
        super().__init__(name, dataset, visit.path, visit.allowance)
        self._depth = depth
        self._visit = visit
        self._targets: dict[int, StoredArray] | None = None

    def elements(self) -> Sequence[Mapping[str, StoredArray]]:
        """Return the cells as the fields ``{1}``, ``{2}`` and so on of one element.

        Raises
        ------
        DamageError
            If a reference leads nowhere.
        """
        if self.kind != "cell":
            return ()
        return [{f"{{{number}}}": array for number, array in self.targets().items()}]

    def targets(self) -> Mapping[int, StoredArray]:
        """Return the arrays that are referred to, by their number from 1 in MATLAB's order.

        Raises
        ------
        DamageError
            If a reference leads nowhere.
        """
        if self._targets is None:
            with hdf5_damage():
                self._targets = dict(self._follow())
        return self._targets

    def _follow(self) -> Iterator[tuple[int, StoredArray]]:
        count = 0 if self._empty else self._dataset.size or 0
        if self._depth >= _DEEPEST or not 0 < count <= _MOST_REFERENCES:
            return
        self._require_there()
        references = enumerate(np.ravel(self._dataset[()]), 1)
        for (number, reference), _ in zip(references, self._visit.left, strict=False):
            item = self._dataset.file[reference] if reference else None
            if _is_new(item, self._visit.seen):
                yield number, _array(self.name, item, self._depth + 1, self._visit)


def _is_new(item: object, seen: set[int]) -> bool:
    """Return whether an object is an array of numbers, or a struct or cell array not yet seen."""
    import h5py

    if isinstance(item, h5py.Dataset) and not _holds_references(item):
        return True
    if not isinstance(item, h5py.Dataset) and not (isinstance(item, h5py.Group) and _kind_of(item)):
        return False
    place = h5py.h5o.get_info(item.id).addr
    is_new = place not in seen
    seen.add(place)
    return is_new


def _holds_references(dataset: "h5py.Dataset") -> bool:
    import h5py

    return h5py.check_ref_dtype(dataset.dtype) is h5py.Reference


def _kind_of(group: "h5py.Group") -> str:
    """Return the MATLAB class of a group; empty for a plain group."""
    kind = text_of(group.attrs.get("MATLAB_class", b""))
    return "sparse" if "MATLAB_sparse" in group.attrs else kind


def _name_of(dtype: np.dtype[np.generic]) -> str:
    if dtype.kind == "O":
        return "object"
    return "compound" if dtype.names else dtype.name


_KIND = "HDF5 file"
# A recording lies a few groups deep; a damaged file can lead in circles.
_DEEPEST = 6
_MOST_ATTRIBUTES = 200


def open_hdf5(path: Path) -> Reader:
    """Return the reader of an HDF5 file.

    Raises
    ------
    FaultdiagError
        If it is no HDF5 file, or damaged.
    """
    if not is_hdf5(path):
        with path.open("rb") as file:
            head = file.read(24)
        raise FaultdiagError(
            f"{path} is no HDF5 file: it begins with {head!r}; an HDF5 file begins with "
            r"b'\x89HDF\r\n\x1a\n'"
        )
    with reading(path, _KIND), hdf5_damage():
        file = open_file(path)
        arrays = dict(_arrays(file, "", 0, _Visit(path, Allowance(path.stat().st_size))))
        for name, value in _facts(file, arrays):
            arrays.setdefault(name, value)
    return NamedArrays(path, arrays, _KIND)


def open_file(path: Path) -> "h5py.File":
    """Open an HDF5 file for reading, unless its superblock names a driver.

    Only files in several parts have one, and the library would allocate whatever size the
    driver's block states.

    Raises
    ------
    DamageError
        If it does.
    OSError
        If the file can't be read.
    """
    import h5py

    with path.open("rb") as file:
        head = file.read(max(HDF5_PLACES) + 128)
    place = next((p for p in HDF5_PLACES if head.startswith(HDF5_SIGNATURE, p)), 0)
    version, size = head[place + 8], head[place + 13]
    at = place + 24 + 4 * version + 3 * size
    if version < 2 and head[at : at + size].strip(b"\xff"):
        raise DamageError("it is one of the parts of a file in several parts")
    # Without the lock a folder that may not be written can be read.
    return h5py.File(path, "r", locking=False)


@dataclass(frozen=True, slots=True)
class _Visit:
    """One visit of a file: what it may unpack to, and where those lie that were visited.

    Links can lead in circles.
    """

    path: Path
    allowance: Allowance
    seen: set[int] = field(default_factory=set)
    # One number for each reference that may still be followed.
    left: Iterator[int] = field(default_factory=lambda: iter(range(MOST_ARRAYS)))


def _arrays(
    group: "h5py.Group", prefix: str, depth: int, visit: _Visit
) -> Iterator[tuple[str, StoredArray]]:
    """Yield the arrays of a group and of the groups in it, each once; a struct is one of them."""
    import h5py

    for name, item in members(group, visit.seen):
        full = f"{prefix}{name}"
        if isinstance(item, h5py.Dataset) or _kind_of(item):
            yield full, _array(full, item, depth, visit)
        elif depth < _DEEPEST:
            yield from _arrays(item, f"{full}/", depth + 1, visit)


def _array(name: str, item: Any, depth: int, visit: _Visit) -> StoredArray:
    """Return a dataset, or the struct that a group is."""
    import h5py

    if isinstance(item, h5py.Dataset):
        if _holds_references(item):
            return References(name, item, depth, visit)
        return Hdf5Array(name, item, visit.path, visit.allowance)
    kind = _kind_of(item)
    closed = kind == "sparse" or depth >= _DEEPEST
    return Struct(name, kind, {} if closed else dict(_arrays(item, "", depth + 1, visit)))


def members(group: "h5py.Group", seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Yield the datasets and groups of a group that no earlier link led to."""
    import h5py

    seen.add(h5py.h5o.get_info(group.id).addr)
    for number, name in enumerate(group):
        if max(number, len(seen)) > MOST_ARRAYS:
            raise DamageError(f"it holds more than {MOST_ARRAYS} arrays")
        # MATLAB's own groups; and links into other files are never followed.
        if name.startswith("#") or not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        item = group[name]
        place = h5py.h5o.get_info(item.id).addr
        if place in seen or not isinstance(item, h5py.Dataset | h5py.Group):
            continue
        seen.add(place)
        yield name, item


def dataset_at(file: "h5py.File", path: str) -> "h5py.Dataset | None":
    """Return the dataset that a path leads to, over links inside the file only; None if none."""
    import h5py

    item: Any = file
    parts = path.split("/")
    for _ in range(_MOST_PARTS):
        if not parts:
            return item if isinstance(item, h5py.Dataset) else None
        name = parts.pop(0)
        if name in {"", "."}:
            continue
        link = item.get(name, getlink=True) if isinstance(item, h5py.Group) else None
        if isinstance(link, h5py.SoftLink):
            item = file if link.path.startswith("/") else item
            parts = link.path.split("/") + parts
        elif isinstance(link, h5py.HardLink):
            item = item[name]
        else:
            return None
    return None


def _facts(
    file: "h5py.File", arrays: Mapping[str, StoredArray]
) -> Iterator[tuple[str, StoredArray]]:
    """Yield rates, steps and speeds among the attributes of the file, its groups and arrays."""
    for holder, attributes in _holders(file, arrays)[:100]:
        for name in islice(attributes, _MOST_ATTRIBUTES):
            small = np.prod(attributes.get_id(name).shape, dtype=object) <= _MOST_SIDES
            if small and (is_rate(name) or is_speed(name) or is_increment(name)):
                yield f"{holder}@{name}", Attribute(name, attributes[name])


def _holders(file: "h5py.File", arrays: Mapping[str, StoredArray]) -> list[tuple[str, Any]]:
    """Return the attributes of the file, of the groups above arrays, and of the arrays."""
    groups = {name[:i] for name in arrays for i, c in enumerate(name) if c == "/" and i}
    return [
        ("", file.attrs),
        *((name, file[name].attrs) for name in sorted(groups)),
        *((n, a.attributes) for n, a in arrays.items() if isinstance(a, Hdf5Array)),
    ]
