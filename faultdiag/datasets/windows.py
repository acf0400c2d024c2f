"""Windows that somebody else cut: arrays ``X (n, length)`` with a label for each row.

Nothing says which rows come from one recording, so no split of them can be shown to be free of
leaks: only ``random_windows`` deals them, with a warning; or a split across groups, where an
array names the group (the recording, the bearing) of each window.
"""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from faultdiag.datasets.base import Entry, Flag, Positive, Selection, some
from faultdiag.datasets.selection import select_entries, values_of
from faultdiag.errors import FaultdiagError, counted
from faultdiag.readers.hdf5 import hdf5_damage
from faultdiag.readers.layouts import LABELS, SHORTEST_WINDOW
from faultdiag.readers.mat import open_arrays
from faultdiag.readers.numpy import read_header
from faultdiag.readers.source import DamageError, format_of, reading
from faultdiag.signal.recording import Recording

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


class Windows:
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

    licence = "that of the recordings, which are the user's own"
    citation = "windows cut from the user's own recordings"
    label = "{label}"

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
        self.root = Path(root)
        self._named = (windows, labels)
        self._groups = groups
        self._recorded_at = recorded_at
        self._rpm = rpm
        self._override_rate = override_rate

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
    every = pairs_of(root)
    found = [
        pair
        for pair in every
        if windows in {None, pair.windows, pair.path.name}
        and labels in {None, pair.labels, pair.labels_path.name}
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise FaultdiagError(
            f"{root} holds {len(found)} sets of windows: {some(map(str, found))}; name one with "
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
        If they are not as many as the windows, or a class is no whole number.

    Examples
    --------
    >>> class_names(np.array([[0, 1], [1, 0]]), 2), class_names(np.array([3.0, 4.0]), 2)
    (['1', '0'], ['3', '4'])
    """
    sides = [n for n in values.shape if n != 1]
    if len(sides) == 2 and values.dtype.kind in "biuf":
        table = values.reshape(sides)
        table = table if sides[0] == count else table.T
        values = table.argmax(axis=1)
    flat = values.reshape(-1)
    if flat.size != count:
        raise FaultdiagError(
            f"{counted(flat.size, 'label')} are there for {counted(count, 'window')}; give one "
            "for each"
        )
    if flat.dtype.kind == "f" and not (flat == np.rint(flat)).all():
        raise FaultdiagError("the labels of the windows are broken numbers; classes are wanted")
    if flat.dtype.kind == "f":
        flat = flat.astype(np.int64)
    return [str(value).strip() for value in flat.tolist()]
