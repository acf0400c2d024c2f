"""Reading the windows of a batch from the disk at once, for signals larger than the memory.

A page that is touched in a memory map is read when it is touched, one after another, and the
system reads on behind it, in the belief that the file is read in order. Where shuffled windows of
a file that doesn't fit into memory are touched, what was read ahead is thrown out before it is
needed. Told what a batch needs, the system reads just that, and all of it at once.
"""

import mmap

import numpy as np
from numpy.typing import NDArray

# Signals in bytes from which on it is worth a few hundred microseconds a batch: smaller ones stay
# in memory once they were read.
LEAST = 256 * 2**20


class ReadAhead:
    """Tells the system which windows of a memory map are read next.

    Parameters
    ----------
    signals
        One-dimensional; where they are no memory map of a file, too small or the system takes no
        advice, nothing is done.
    least
        Bytes from which on it is.
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
        """Whether anything is done."""
        return self._mapping is not None

    def fetch(self, positions: NDArray[np.int64], length: int) -> None:
        """Have windows read from the disk, without waiting for it.

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
