"""What a file is by its first bytes, whatever its name says."""

import re
import zipfile
from pathlib import Path

# Enough for a long preamble of a text file.
_HEAD = 2**16
# A universal file begins with the mark of a dataset, -1, and its number.
_UFF = re.compile(rb"\s*-1\s*\r?\n\s*(?:58b?|151|164)\s")
_HDF5 = b"\x89HDF\r\n\x1a\n"


def format_of(path: Path) -> str | None:
    """Return the suffix of the format that a file's first bytes are proof of, or None.

    Text is no proof: see `faultdiag.readers.text`.

    Raises
    ------
    OSError
        If the file can't be read.
    """
    if is_hdf5(path):
        return ".h5"
    with path.open("rb") as file:
        head = file.read(128)
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return ".wav"
    if head[124:] in (b"\0\1IM", b"\1\0MI"):
        return ".mat"
    if _UFF.match(head):
        return ".uff"
    if head.startswith(b"PK\3\4"):
        return _kind_of_zip(path)
    signatures = {
        b"\x93NUMPY": ".npy",
        b"\x1f\x8b": ".gz",
        b"PAR1": ".parquet",
        b"TDSm": ".tdms",
        b"LabVIEW Measurement": ".lvm",
    }
    return next((s for mark, s in signatures.items() if head.startswith(mark)), None)


def _kind_of_zip(path: Path) -> str:
    """Return what a zip archive is by its members; NumPy's where it can't be opened."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return ".npz"
    if any(name.endswith(".npy") for name in names):
        return ".npz"
    return ".xlsx" if "xl/workbook.xml" in names else ".zip"


def is_hdf5(path: Path) -> bool:
    """Return whether a file is HDF5: its mark stands at byte 0, or after a user block.

    A user block has 512 bytes or a power of two above; MATLAB's has 512.

    Raises
    ------
    OSError
        If the file can't be read.
    """
    with path.open("rb") as file:
        for offset in (0, 512, 1024, 2048, 4096):
            file.seek(offset)
            if file.read(8) == _HDF5:
                return True
    return False


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file.

    Raises
    ------
    OSError
        If the file can't be read.
    """
    with path.open("rb") as file:
        return file.read(_HEAD)
