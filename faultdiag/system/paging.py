"""Read the windows of a batch from the disk at once, for signals larger than the memory.

The pages of a memory map are read one after another when they are touched, and the system reads
ahead because it expects the file to be read in order. With shuffled windows of a file that
doesn't fit into memory, the pages read ahead are dropped before they are needed. With advice about
the windows of a batch, the system reads only those, and all of them at once.
"""

import mmap

import numpy as np
from numpy.typing import NDArray

# Bytes of signals from which on this is worth a few hundred microseconds a batch: smaller signals
# stay in memory once they have been read.
LEAST = 256 * 2**20


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

    def __init__(self, signals: NDArray[np.float32], *, least: int = LEAST) -> None:
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
            Where they start in the signals, of any shape.
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
