"""Digests of files: what tells a recording whatever its name is."""

import hashlib
from pathlib import Path

from faultdiag.errors import FaultdiagError


def sha256(path: Path) -> str:
    """Give the SHA-256 of a file's bytes in hexadecimal.

    Raises
    ------
    FaultdiagError
        If the file can't be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def git_blob_sha1(path: Path) -> str:
    r"""Give the name that git gives a file's bytes: SHA-1 of ``blob <length>\0`` and the bytes.

    Raises
    ------
    FaultdiagError
        If the file can't be read.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
            return hashlib.file_digest(file, lambda: digest).hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> FaultdiagError:
    return FaultdiagError(
        f"{path} cannot be read: {error.strerror or error}; check its permissions and its disk"
    )
