"""The index of windows: one entry per window, on disk, never whole in memory.

``windows.npz`` has four columns: recording, start, part, label. Part after part, within a part
recording after recording. The columns are written piece by piece and read as memory maps, so
that overlapping windows cost disk, not memory.

The pages of a memory map are read one after another when they are touched, and the system reads
ahead because it expects the file to be read in order. With shuffled windows of a file that
doesn't fit into memory, the pages read ahead are dropped before they are needed. With the advice of
`ReadAhead` about the windows of a batch, the system reads only those, and all of them at once.
"""

import mmap
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import groupby, pairwise, repeat
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from faultdiag.signal.recording import Segment
from faultdiag.signal.windows import WindowPlan, spread_starts, strided_starts
from faultdiag.splits.within import ALL_PARTS, PARTS, TARGET_ADAPT, Split, even_shares, part_sizes

DTYPES = {"recording": "<i4", "start": "<i8", "part": "<i1", "label": "<i2"}
# Bytes of signals from which on this is worth a few hundred microseconds a batch: smaller signals
# stay in memory once they have been read.
LEAST_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class WindowIndex:
    """Windows as parallel arrays: recording, start in it, part and label (as indices)."""

    recording: NDArray[np.int32]
    start: NDArray[np.int64]
    part: NDArray[np.int8]
    label: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.start)

    def take(self, rows: object) -> "WindowIndex":
        """Return the windows of these rows: a slice gives views, an array of rows copies."""
        return WindowIndex(*(getattr(self, column.name)[rows] for column in fields(self)))

    def of(self, part: str) -> "WindowIndex":
        """Return the windows of one part, as views."""
        number = ALL_PARTS.index(part)
        first, last = np.searchsorted(self.part, np.array([number, number + 1], self.part.dtype))
        return self.take(slice(int(first), int(last)))

    def without_labels(self) -> "WindowIndex":
        """Return the same windows with -1 for every label, as training sees a target."""
        return replace(self, label=np.full(len(self), -1, dtype=self.label.dtype))

    def by_recording(self) -> dict[int, NDArray[np.int64]]:
        """Return the starts of the windows of each recording that has any."""
        if len(self) == 0:
            return {}
        numbers = np.arange(int(self.recording[-1]) + 2, dtype=self.recording.dtype)
        edges = np.searchsorted(self.recording, numbers).tolist()
        return {
            number: self.start[first:last]
            for number, (first, last) in enumerate(pairwise(edges))
            if last > first
        }


@dataclass(frozen=True, slots=True)
class _Cut:
    """The cut of one segment: windows `stride` apart, or `count` evenly spread ones."""

    segment: Segment
    stride: int | None
    count: int

    def starts(self, length: int) -> NDArray[np.int64]:
        segment = self.segment
        # Strategies that deal single windows give each a segment of its own.
        if segment.samples == length:
            return np.array([segment.start])
        if self.stride is None:
            return spread_starts(segment.start, segment.stop, length, self.count)
        return strided_starts(segment.start, segment.stop, length, self.stride)


@dataclass(frozen=True, slots=True)
class _Group:
    """The cuts of one part of one recording, whose windows share all but their start."""

    recording: int
    part: int
    label: int
    cuts: list[_Cut]

    def starts(self, length: int) -> NDArray[np.int64]:
        return np.concatenate([cut.starts(length) for cut in self.cuts])


def write_windows(path: Path, split: Split, plan: WindowPlan, labels: Sequence[int]) -> None:
    """Cut the segments of a split into windows and write their index.

    Parameters
    ----------
    labels
        Class index of each recording.

    Raises
    ------
    FaultdiagError
        If ``window.per_class`` asks for more windows than a segment has.
    """
    groups = list(_groups(split, plan, labels))
    counts = [len(group.starts(plan.length)) for group in groups]
    with zipfile.ZipFile(path, "w") as archive:
        for name, dtype in DTYPES.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                header = {"descr": dtype, "fortran_order": False, "shape": (sum(counts),)}
                np.lib.format.write_array_header_1_0(file, header)
                for group, count in zip(groups, counts, strict=True):
                    values = (
                        group.starts(plan.length)
                        if name == "start"
                        else np.full(count, getattr(group, name))
                    )
                    file.write(values.astype(dtype).tobytes())


def open_windows(path: Path) -> WindowIndex:
    """Map the index that `write_windows` wrote into memory.

    Raises
    ------
    OSError, ValueError, KeyError, zipfile.BadZipFile
        If the file is missing or not as it was written.
    """
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        columns = {name: _map(file, archive.getinfo(f"{name}.npy")) for name in DTYPES}
    if len({len(column) for column in columns.values()}) > 1:
        raise ValueError("its columns differ in length")
    return WindowIndex(**columns)


def _map(file: BinaryIO, member: zipfile.ZipInfo) -> NDArray[Any]:
    """Map one uncompressed member; a local header is 30 bytes, a name and an extra field."""
    file.seek(member.header_offset + 26)
    lengths = np.frombuffer(file.read(4), dtype="<u2")
    file.seek(int(lengths.sum()), 1)
    np.lib.format.read_magic(file)
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    return np.memmap(file, dtype=dtype, mode="r", offset=file.tell(), shape=shape)


def _groups(split: Split, plan: WindowPlan, labels: Sequence[int]) -> Iterator[_Group]:
    for number, part in enumerate(ALL_PARTS):
        segments = sorted(split.parts.get(part, ()), key=lambda segment: segment.recording)
        # Of the windows that a network adapts to, the number must not depend on the class.
        own = range(len(labels)) if part == TARGET_ADAPT else labels
        counts = _counts(segments, own, _per_class(split, plan, part))
        cuts = map(_Cut, segments, repeat(plan.stride_of(part)), counts)
        for recording, group in groupby(cuts, key=lambda cut: cut.segment.recording):
            yield _Group(recording, number, labels[recording], list(group))


def _per_class(split: Split, plan: WindowPlan, part: str) -> int:
    total = plan.per_class or 0
    if part not in PARTS:
        return round(total * split.shares.get(part, 0))
    return part_sizes(total, [split.shares[name] for name in PARTS])[PARTS.index(part)]


def _counts(segments: Sequence[Segment], labels: Sequence[int], per_class: int) -> list[int]:
    members: dict[int, list[int]] = {}
    for i, segment in enumerate(segments):
        members.setdefault(labels[segment.recording], []).append(i)
    counts = [0] * len(segments)
    for indices in members.values():
        for i, size in zip(indices, even_shares(per_class, len(indices)), strict=True):
            counts[i] = size
    return counts


class ReadAhead:
    """Tells the system which windows of a memory map are read next.

    Parameters
    ----------
    signals
        One-dimensional. Nothing is done if they are not a memory map of a file, are too small,
        or the system takes no advice.
    least
        Bytes from which on advice is given.
    """

    def __init__(self, signals: NDArray[np.float32], *, least: int = LEAST_BYTES) -> None:
        mapping: object = signals.base
        self._mapping: mmap.mmap | None = None
        self._header = 0  # bytes before the first sample
        if isinstance(mapping, mmap.mmap) and signals.nbytes >= least and _advisable():
            self._mapping = mapping
            self._header = len(mapping) - signals.nbytes
            mapping.madvise(mmap.MADV_RANDOM)

    @property
    def active(self) -> bool:
        """Whether advice is given."""
        return self._mapping is not None

    def fetch(self, positions: NDArray[np.int64], length: int) -> None:
        """Start to read windows from the disk, without waiting for them.

        Parameters
        ----------
        positions
            First sample of each in the signals, of any shape.
        length
            Samples of each.
        """
        if self._mapping is None:
            return
        first = self._header + 4 * positions.ravel()
        pages = first // mmap.PAGESIZE * mmap.PAGESIZE
        sizes = first + 4 * length - pages
        for page, size in zip(pages.tolist(), sizes.tolist(), strict=True):
            self._mapping.madvise(mmap.MADV_WILLNEED, page, size)


def _advisable() -> bool:
    return hasattr(mmap, "MADV_RANDOM") and hasattr(mmap, "MADV_WILLNEED")
