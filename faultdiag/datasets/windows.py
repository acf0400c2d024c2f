"""Windows that somebody else cut: arrays ``X (n, length)`` with a label for each row.

Nothing says which rows come from one recording, so no split of them can be shown to be free of
leaks: only ``random_windows`` deals them, with a warning; or a split across groups, where an
array names the group (the recording, the bearing) of each window.
"""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from math import prod
from pathlib import Path
from typing import Annotated, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from faultdiag.datasets.base import (
    Entry,
    Flag,
    OwnRecordings,
    Positive,
    Selection,
    select_entries,
    some,
    values_of,
)
from faultdiag.errors import FaultdiagError, counted
from faultdiag.readers.hdf5 import Hdf5Array, dataset_at, hdf5_damage, members, open_file
from faultdiag.readers.layouts import LABELS, SHORTEST_WINDOW
from faultdiag.readers.leaves import leaves
from faultdiag.readers.mat import Array, open_arrays
from faultdiag.readers.numpy import read_header
from faultdiag.readers.source import (
    Allowance,
    DamageError,
    format_of,
    open_archive,
    reading,
    require_plausible,
)
from faultdiag.signal.recording import Recording

_FORMATS = (".npz", ".mat", ".npy", ".h5")
# A name of windows as programs write it; without one, any name will do that has labels.
_MOST_PAIRS = 100
# File and name of an array.
_Key: TypeAlias = tuple[Path, str]


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
        Number of windows, and samples of each.
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


def pairs_of(root: Path, windows: str | None = None, labels: str | None = None) -> list[WindowPair]:
    """Return the windows with labels in a file, or in the files of a folder.

    Parameters
    ----------
    root
        The file or folder.
    windows, labels
        Names that are stated. In HDF5 each goes before other links to the same dataset.

    Raises
    ------
    FaultdiagError
        If there is no such file.
    """
    if not root.exists():
        raise FaultdiagError(f"{root} does not exist; name the file of the windows, or its folder")
    paths = sorted(root.iterdir()) if root.is_dir() else _beside(root)
    stated = list(filter(None, (windows, labels)))
    shapes: dict[_Key, tuple[int, ...]] = {}
    for path in paths:
        if path.is_file() and path.suffix.lower() in _FORMATS:
            shapes.update({(path, name): shape for name, shape in _shapes(path, stated).items()})
    pairs = list(_pairs(shapes, labels))
    return pairs if root.is_dir() else [pair for pair in pairs if root in _files(pair)]


def _files(pair: WindowPair) -> tuple[Path, Path]:
    return pair.path, pair.labels_path


def _beside(path: Path) -> list[Path]:
    """Return a file, and of a ``.npy`` those beside it, which may hold its labels."""
    if path.suffix.lower() != ".npy":
        return [path]
    return sorted(path.parent.glob("*.npy"))


def _pairs(shapes: Mapping[_Key, tuple[int, ...]], stated: str | None) -> Iterator[WindowPair]:
    """Yield arrays of windows with the labels that go by the same ending, else the only ones."""
    labels = {
        key: shape
        for key, shape in shapes.items()
        if (key[1] == stated or _is_label(key)) and prod(shape) > 1
    }
    for key, shape in shapes.items():
        sides = _sides(shape)
        if key in labels or len(sides) not in {2, 3}:
            continue
        best = _labels_for(key, sides, labels)
        if best is None:
            continue
        other, count = best
        length = max(sides, key=lambda n: (n != count, n))
        if length >= SHORTEST_WINDOW:
            yield WindowPair(*key, *other, count, length)


def _sides(shape: tuple[int, ...]) -> list[int]:
    return [n for n in shape if n > 1]


def _labels_for(
    key: _Key, sides: list[int], labels: Mapping[_Key, tuple[int, ...]]
) -> tuple[_Key, int] | None:
    """Return the labels whose size fits windows, and their number.

    They are those of the same ending, else the only ones that fit.
    """
    fitting = [
        (other, count)
        for other, shape in labels.items()
        if _go_together(key[0], other[0]) and (count := _count(shape, sides)) is not None
    ]
    ending = _ending(_own(*key))
    same = [pair for pair in fitting if _ending(_own(*pair[0])) == ending]
    if same:
        return same[0]
    return fitting[0] if len(fitting) == 1 else None


def _go_together(windows: Path, labels: Path) -> bool:
    """Return whether two arrays are in one file, or each is a ``.npy`` of its own."""
    return windows == labels or windows.suffix == labels.suffix == ".npy"


def _own(path: Path, name: str) -> str:
    """Return the name that tells an array: that of its file where it has no other."""
    return path.stem if path.suffix.lower() == ".npy" else name.replace(".", "_")


def _is_label(key: _Key) -> bool:
    words = _own(*key).lower().replace("-", "_").split("_")
    return bool(LABELS & set(words))


def _ending(name: str) -> str:
    """Return a name without its words for windows or labels: ``train``."""
    words = name.lower().replace("-", "_").split("_")
    plain = LABELS | {"x", "data", "signal", "signals", "windows", "samples"}
    return "_".join(word for word in words if word not in plain)


def _count(labels: tuple[int, ...], sides: list[int]) -> int | None:
    """Return the number of windows that labels are for: one for each, or a row of 0 and 1."""
    own = _sides(labels)
    return next((n for n in sides if n in own), None) if len(own) in {1, 2} else None


def _shapes(path: Path, stated: Sequence[str]) -> dict[str, tuple[int, ...]]:
    try:
        with reading(path, "file of windows"), hdf5_damage():
            return _read_shapes(path, stated)
    except FaultdiagError:
        return {}


def _read_shapes(path: Path, stated: Sequence[str]) -> dict[str, tuple[int, ...]]:
    kind = format_of(path)
    if kind == ".h5":
        return _hdf5_shapes(path, stated)
    return {".npy": _npy_shapes, ".npz": _npz_shapes}.get(kind or ".mat", _mat_shapes)(path)


def _npy_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    with path.open("rb") as file:
        return {path.name: read_header(file).shape}


def _npz_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    with open_archive(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".npy")]
        return {name[:-4]: _header_shape(archive, name) for name in names[:_MOST_PAIRS]}


def _hdf5_shapes(path: Path, stated: Sequence[str]) -> dict[str, tuple[int, ...]]:
    import h5py

    with open_file(path) as file:
        named = {name: dataset_at(file, name) for name in stated}
        items = {name: item for name, item in named.items() if item is not None}
        seen = {h5py.h5o.get_info(item.id).addr for item in items.values()}
        items |= dict(islice(members(file, seen), _MOST_PAIRS))
        # A dataset without values has the shape None.
        return {n: item.shape or () for n, item in items.items() if isinstance(item, h5py.Dataset)}


def _mat_arrays(path: Path) -> dict[str, Array]:
    """Return the variables of a MATLAB file, and the fields of its structs by path."""
    return {n: array for n, array in leaves(open_arrays(path)).items() if isinstance(array, Array)}


def _mat_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in _mat_arrays(path).items()}


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
    kind = format_of(path)
    if kind == ".npy":
        return np.asarray(np.load(path, allow_pickle=False))
    if kind == ".npz":
        with open_archive(path) as archive:
            member = archive.getinfo(f"{name}.npy")
            require_plausible(name, member.compress_size, member.file_size)
        with np.load(path, allow_pickle=False) as arrays:
            return np.asarray(arrays[name])
    if kind == ".h5":
        with open_file(path) as file:
            dataset = dataset_at(file, name)
            if dataset is None:
                raise KeyError(name)
            Hdf5Array(name, dataset, path, Allowance(path.stat().st_size)).require_there()
            values = np.asarray(dataset)
            return np.char.decode(values.astype("S")) if values.dtype.kind in "OS" else values
    array = _mat_arrays(path)[name]
    if array.real:
        return array.values()
    cells = [inside.text() for row in array.elements() for inside in row.values()]
    if not any(cells):
        raise DamageError(f"{name} is {array.kind}, neither numbers nor texts")
    return np.array(cells)


ArrayName = Annotated[str, Field(strict=True, min_length=1)]

LEAK = (
    "the windows were cut before: nothing says which of them come from one recording, so windows "
    "that overlap, or are neighbours, may be in training and in test; the figures say nothing "
    "about new recordings"
)
_DEALT = "random_windows"


@dataclass(frozen=True, slots=True)
class WindowRows:
    """The windows of one class, one after the other, as the dataset keeps them in memory."""

    name: str
    places: NDArray[np.int64]
    dataset: "Windows" = field(repr=False, compare=False)

    @property
    def channels(self) -> Sequence[str]:
        """Names of their channels."""
        return self.dataset.channels

    def recording(self, entry: Entry, channels: Sequence[str]) -> Recording:
        """Return the windows joined to one signal, ``(channels, windows * length)``.

        Raises
        ------
        FaultdiagError
            If a channel is not one of theirs.
        """
        windows = self.dataset.windows
        joined = windows[self.places].transpose(1, 0, 2).reshape(windows.shape[1], -1)
        every = Recording(joined, entry.path, self.dataset.channels)
        return every.select(channels)


class Windows(OwnRecordings):
    """Windows with a label each, in one ``.npz`` or ``.mat`` or in ``.npy`` files.

    Each class, or each class of a group, becomes one recording of joined windows: train with
    ``window.length`` and ``window.stride`` of one window.

    Parameters
    ----------
    root
        The file with the windows, or its folder.
    windows, labels
        Names of the arrays (of the files for ``.npy``), where several could be meant.
    groups
        Name of an array with the group of each window, such as its recording.
    recorded_at
        Sampling rate in Hz.
    rpm
        Shaft speed.
    override_rate
        Accepted as by other datasets; nothing else states a rate of windows.
    """

    citation = "windows cut from the user's own recordings"

    def __init__(
        self,
        root: Path,
        *,
        windows: ArrayName | None = None,
        labels: ArrayName | None = None,
        groups: ArrayName | None = None,
        recorded_at: Positive | None = None,
        rpm: Positive | None = None,
        override_rate: Flag = False,
    ) -> None:
        super().__init__(root, recorded_at, rpm, override_rate)
        self._named = (windows, labels)
        self._groups = groups

    @property
    def facts(self) -> Mapping[str, Sequence[object]]:
        """The facts that windows can be selected by, with the values each one takes."""
        return values_of([entry.facts for entry in self._entries])

    def entries(self, select: Mapping[str, Sequence[object]]) -> Selection:
        """Return the selected windows, each class (of a group) as one recording.

        Raises
        ------
        FaultdiagError
            If there are no such arrays, or `select` names what is not there or leaves nothing.
        """
        return Selection(select_entries(self._entries, select), notes=[LEAK])

    def require_fit(self, *, strategy: str, length: int, strides: set[int | None]) -> None:
        """Check that a config takes the windows as they are.

        Parameters
        ----------
        strides
            ``window.stride`` and ``window.test_stride``; None where ``per_class`` is given.

        Raises
        ------
        FaultdiagError
            If windows would be cut in another way, or split as whole recordings could be.
        """
        own = self.windows.shape[2]
        if length != own or strides - {own}:
            raise FaultdiagError(
                f"{self.pair.path} holds windows of {own} samples, which can't be cut in another "
                f"way; write window: {{length: {own}, stride: {own}}}"
            )
        grouped = self._groups is not None and strategy.startswith("across")
        if strategy != _DEALT and not grouped:
            raise FaultdiagError(
                f"split.strategy {strategy} can't split {self.pair.path}: {LEAK}; name an array "
                "with the recording of each window in data.groups and split across it, or accept "
                f"the leak with split.strategy: {_DEALT}"
            )

    @cached_property
    def pair(self) -> WindowPair:
        """The arrays of windows and labels.

        Raises
        ------
        FaultdiagError
            If there are none, or several could be meant.
        """
        return chosen_pair(self.root, *self._named)

    @cached_property
    def windows(self) -> NDArray[np.float32]:
        """All windows, ``(windows, channels, length)``."""
        values = read_array(self.pair.path, self.pair.windows)
        count = self.pair.count
        along = values.shape.index(count)
        values = np.moveaxis(values.reshape(values.shape), along, 0)
        values = values.reshape(count, *[n for n in values.shape[1:] if n != 1])
        if values.ndim == 2:
            values = values[:, np.newaxis]
        if values.shape[1] > values.shape[2]:
            values = values.transpose(0, 2, 1)
        return np.ascontiguousarray(values, np.float32)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of their channels: ``ch1`` and so on."""
        return tuple(f"ch{i + 1}" for i in range(self.windows.shape[1]))

    @cached_property
    def _entries(self) -> list[Entry]:
        labels = class_names(read_array(self.pair.labels_path, self.pair.labels), self.pair.count)
        groups = [""] * len(labels)
        if self._groups is not None:
            given = read_array(self.pair.labels_path, self._groups)
            groups = class_names(given, self.pair.count)
        rows: dict[tuple[str, str], list[int]] = {}
        for place, key in enumerate(zip(labels, groups, strict=True)):
            rows.setdefault(key, []).append(place)
        return [self._entry(*key, places) for key, places in sorted(rows.items())]

    def _entry(self, label: str, group: str, places: Sequence[int]) -> Entry:
        name = f"{label}/{group}" if group else label
        facts = {"label": label, "windows": len(places), **({"group": group} if group else {})}
        return Entry(
            path=self.pair.path,
            facts=facts,
            sampling_rate=self._recorded_at,
            rpm=self._rpm,
            name=name,
            rate_place="data.recorded_at",
            rpm_place="data.rpm",
            override_rate=self._override_rate,
            rows=WindowRows(name, np.array(places, np.int64), self),
        )


def chosen_pair(root: Path, windows: str | None = None, labels: str | None = None) -> WindowPair:
    """Return the one pair of windows and labels in a file or a folder.

    Raises
    ------
    FaultdiagError
        If there is none, or several could be meant.
    """
    every = pairs_of(root, windows, labels)
    pairs = [
        pair
        for pair in every
        if windows in {None, pair.windows, pair.path.name}
        and labels in {None, pair.labels, pair.labels_path.name}
    ]
    if len(pairs) == 1:
        return pairs[0]
    if pairs:
        raise FaultdiagError(
            f"{root} holds {len(pairs)} sets of windows: {some(map(str, pairs))}; name one with "
            "data.windows and data.labels"
        )
    held = f"it holds: {some(map(str, every))}" if every else "none is there"
    raise FaultdiagError(
        f"{root} holds no windows (n, length) with a label for each of the n as asked for; {held}; "
        "name the arrays with data.windows and data.labels"
    )


def class_names(values: NDArray[np.generic], count: int) -> list[str]:
    """Return the class of each window as text; a table with one 1 a row names its columns.

    Raises
    ------
    FaultdiagError
        If the numbers of labels and windows differ, or a class is not a whole number.

    Examples
    --------
    >>> class_names(np.array([[0, 1], [1, 0]]), 2), class_names(np.array([3.0, 4.0]), 2)
    (['1', '0'], ['3', '4'])
    """
    flat = _column_numbers(values, count).reshape(-1)
    if flat.size != count:
        raise FaultdiagError(
            f"{counted(flat.size, 'label')} are there for {counted(count, 'window')}; give one "
            "for each"
        )
    if flat.dtype.kind == "f":
        if not (flat == np.rint(flat)).all():
            raise FaultdiagError("the labels of the windows are broken numbers; classes are wanted")
        flat = flat.astype(np.int64)
    return [str(value).strip() for value in flat.tolist()]


def _column_numbers(values: NDArray[np.generic], count: int) -> NDArray[np.generic]:
    """Return the column of the 1 in each row of a table; other labels as they are."""
    sides = [n for n in values.shape if n != 1]
    if len(sides) != 2 or values.dtype.kind not in "biuf":
        return values
    table = values.reshape(sides)
    return np.asarray((table if sides[0] == count else table.T).argmax(axis=1))
