"""Recordings from MATLAB files, versions 4 to 7."""

from pathlib import Path

from faultdiag.readers.arrays import NamedArrays
from faultdiag.readers.matfile import open_arrays
from faultdiag.readers.reader import Reader


def open_mat(path: Path) -> Reader:
    """Give the reader of a MATLAB file of version 4 to 7.

    Raises
    ------
    FaultdiagError
        If it is no MATLAB file, or damaged.
    """
    return NamedArrays(path, open_arrays(path), "MATLAB file")
