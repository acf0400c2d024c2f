"""Find arrays of windows with a label each, and read them whole."""

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError
from faultdiag.readers.content import format_of
from faultdiag.readers.hdf5 import hdf5_damage
from faultdiag.readers.layouts import LABELS, SHORTEST_WINDOW
from faultdiag.readers.mat import open_arrays
from faultdiag.readers.numpy import read_header
from faultdiag.readers.source import DamageError, reading

_FORMATS = (".npz", ".mat", ".npy", ".h5")
# A name of windows as programs write it; without one, any name will do that has labels.
_MOST_PAIRS = 100


@dataclass(frozen=True, slots=True)
class WindowPair:
    """An array of windows and one of labels.

    Parameters
    ----------
    path, windows
        File and name of the windows.
    labels_path, labels
        File and name of the labels.
    count, length
        How many windows there are, and samples of each.
    """

    path: Path
    windows: str
    labels_path: Path
    labels: str
    count: int
    length: int

    def __str__(self) -> str:
        """Return the names and sizes."""
        return f"{self.windows} ({self.count} × {self.length}) with {self.labels}"


def pairs_of(root: Path) -> list[WindowPair]:
    """Return the windows with labels in a file, or in the files of a folder.

    Raises
    ------
    FaultdiagError
        If there is no such file.
    """
    if not root.exists():
        raise FaultdiagError(f"{root} does not exist; name the file of the windows, or its folder")
    paths = sorted(root.iterdir()) if root.is_dir() else _beside(root)
    shapes: dict[tuple[Path, str], tuple[int, ...]] = {}
    for path in paths:
        if path.is_file() and path.suffix.lower() in _FORMATS:
            shapes.update({(path, name): shape for name, shape in _shapes(path).items()})
    found = list(_pairs(shapes))
    return found if root.is_dir() else [pair for pair in found if root in _files(pair)]


def _files(pair: WindowPair) -> tuple[Path, Path]:
    return pair.path, pair.labels_path


def _beside(path: Path) -> list[Path]:
    """Return a file, and of a ``.npy`` those beside it, which may hold its labels."""
    if path.suffix.lower() != ".npy":
        return [path]
    return sorted(path.parent.glob("*.npy"))


def _pairs(shapes: Mapping[tuple[Path, str], tuple[int, ...]]) -> Iterator[WindowPair]:
    """Yield arrays of windows with the labels that go by the same ending, else the only ones."""
    labels = [key for key, shape in shapes.items() if _is_label(key) and prod(shape) > 1]
    for (path, name), shape in shapes.items():
        sides = [n for n in shape if n > 1]
        if (path, name) in labels or len(sides) not in {2, 3}:
            continue
        fitting = [
            key
            for key in labels
            if (key[0] == path or path.suffix == key[0].suffix == ".npy")
            and _count(shapes[key], sides) is not None
        ]
        same = [key for key in fitting if _ending(_own(*key)) == _ending(_own(path, name))]
        best = same or (fitting if len(fitting) == 1 else [])
        for key in best[:1]:
            count = _count(shapes[key], sides) or 0
            length = max(sides[:1] + sides[1:], key=lambda n: (n != count, n))
            if length >= SHORTEST_WINDOW:
                yield WindowPair(path, name, *key, count, length)


def _own(path: Path, name: str) -> str:
    """Return the name that tells an array: that of its file where it has no other."""
    return path.stem if path.suffix.lower() == ".npy" else name


def _is_label(key: tuple[Path, str]) -> bool:
    words = _own(*key).lower().replace("-", "_").split("_")
    return bool(LABELS & set(words))


def _ending(name: str) -> str:
    """Return what is left of a name without its words for windows or labels: ``train``."""
    words = name.lower().replace("-", "_").split("_")
    plain = LABELS | {"x", "data", "signal", "signals", "windows", "samples"}
    return "_".join(word for word in words if word not in plain)


def _count(labels: tuple[int, ...], sides: list[int]) -> int | None:
    """Return the number of windows that labels are for: one for each, or a row of 0 and 1."""
    own = [n for n in labels if n > 1]
    wanted = own[:1] if len(own) == 1 else own
    return next((n for n in sides if n in wanted), None) if len(own) in {1, 2} else None


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    try:
        with reading(path, "file of windows"), hdf5_damage():
            return _read_shapes(path)
    except FaultdiagError:
        return {}


def _read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    found = format_of(path)
    if found == ".npy":
        with path.open("rb") as file:
            return {path.name: read_header(file).shape}
    if found == ".npz":
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            return {name[:-4]: _header_shape(archive, name) for name in names[:_MOST_PAIRS]}
    if found == ".h5":
        import h5py

        with h5py.File(path, "r", locking=False) as file:
            items = [(name, file[name]) for name in list(file)[:_MOST_PAIRS]]
            return {name: item.shape for name, item in items if isinstance(item, h5py.Dataset)}
    return {name: array.shape for name, array in open_arrays(path).items()}


def _header_shape(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    with archive.open(name) as file:
        return read_header(file).shape


def read_array(path: Path, name: str) -> NDArray[np.generic]:
    """Return an array of numbers or texts; nothing is unpickled.

    Raises
    ------
    FaultdiagError
        If it is not there, damaged, or neither numbers nor text.
    """
    try:
        with reading(path, "file of windows"), hdf5_damage():
            return _read(path, name)
    except KeyError as error:
        raise FaultdiagError(f"{path} holds no array '{name}'") from error


def _read(path: Path, name: str) -> NDArray[np.generic]:
    found = format_of(path)
    if found == ".npy":
        return np.asarray(np.load(path, allow_pickle=False))
    if found == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            return np.asarray(archive[name])
    if found == ".h5":
        import h5py

        with h5py.File(path, "r", locking=False) as file:
            values = np.asarray(file[name])
            return np.char.decode(values.astype("S")) if values.dtype.kind in "OS" else values
    array = open_arrays(path)[name]
    if array.real:
        return array.values()
    cells = [inside.text() for row in array.elements() for inside in row.values()]
    if not any(cells):
        raise DamageError(f"{name} is {array.kind}, neither numbers nor texts")
    return np.array(cells)
