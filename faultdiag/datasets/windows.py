"""Windows that somebody else cut: arrays ``X (n, length)`` with a label for each row.

Nothing says which rows come from one recording, so no split of them can be shown to be free of
leaks: only ``random_windows`` deals them, with a warning; or a split across groups, where an
array names the group (the recording, the bearing) of each window.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from faultdiag.datasets.base import Entry, Flag, Positive, Selection, some
from faultdiag.datasets.selection import select_entries, values_of
from faultdiag.datasets.window_arrays import WindowPair, pairs_of, read_array
from faultdiag.errors import FaultdiagError
from faultdiag.signal.recording import Recording

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
        raise FaultdiagError(f"{flat.size} labels are there for {count} windows; give one for each")
    if flat.dtype.kind == "f" and not (flat == np.rint(flat)).all():
        raise FaultdiagError("the labels of the windows are broken numbers; classes are wanted")
    if flat.dtype.kind == "f":
        flat = flat.astype(np.int64)
    return [str(value).strip() for value in flat.tolist()]
