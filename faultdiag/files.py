"""Files that are written whole or not at all."""

import errno
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from faultdiag.errors import FaultdiagError

_FULL = "free some space or choose another folder"
_FORBIDDEN = "choose a folder you may write to"
_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: _FORBIDDEN,
    errno.ENOENT: "make its folder first or choose one that exists",
    errno.ENOTDIR: "choose a folder that exists",
    errno.EISDIR: "that is a folder; name a file",
    errno.ENAMETOOLONG: "choose a shorter name",
}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    r"""Give a temporary path beside `path`; what is written there takes its place at the end.

    The temporary path has the suffix of `path`, because some writers choose the format by it.
    When the block ends, the file is forced to the disk and moved onto `path` in one step: a
    reader sees the old file or the new one, never a part. When the block raises, Ctrl-C
    included, the temporary file is removed and `path` is as it was. A link is followed; a
    device or pipe, such as ``/dev/stdout``, can't be replaced and is written to as it is.

    Raises
    ------
    FaultdiagError
        If the file can't be written: the disk is full, the folder is missing or read-only.
        An error of another file or of the network inside the block is passed on unchanged.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "numbers.csv")
    ...     with replacing(path) as temporary:
    ...         _ = temporary.write_text("1,2\n")
    ...     path.read_text()
    '1,2\n'
    """
    target = Path(os.path.realpath(path))
    written = target.parent / f".writing-{secrets.token_hex(8)}{target.suffix}"
    try:
        with telling(path, target, written):
            if _is_special(path):
                yield path
                return
            yield written
            _force_to_disk(written)
            written.replace(target)
    finally:
        # The error that brought us here matters more than one from cleaning up.
        with suppress(OSError):
            written.unlink(missing_ok=True)


@contextmanager
def telling(path: Path, *others: Path) -> Iterator[None]:
    """Tell that `path` can't be written where the block fails to write it or one of `others`.

    Raises
    ------
    FaultdiagError
        Instead of an error of the system about one of these files.
    """
    try:
        yield
    except OSError as error:
        if not _is_about(error, {str(path), *map(str, others)}):
            raise
        raise FaultdiagError(f"cannot write {path}: {_reason(error)}") from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes to a file, whole or not at all.

    Raises
    ------
    FaultdiagError
        If the file can't be written; the old one is then still there.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    r"""Write text as UTF-8 with its line ends as they are, whole or not at all.

    Half a surrogate pair, as in file names that are not UTF-8, becomes its ``\udc..`` escape.

    Raises
    ------
    FaultdiagError
        If the file can't be written; the old one is then still there.
    """
    write_bytes(path, text.encode("utf-8", errors="backslashreplace"))


def write_json(path: Path, document: object) -> None:
    """Write a document as indented JSON, keys in their own order, whole or not at all.

    Raises
    ------
    FaultdiagError
        If the file can't be written; the old one is then still there.
    ValueError
        If the document holds a NaN or an infinity, which JSON lacks.
    TypeError
        If the document holds something other than JSON's types.
    """
    text = json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")


def _is_special(path: Path) -> bool:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return path.exists() and not path.is_file()


def _force_to_disk(path: Path) -> None:
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _is_short_write(error: OSError) -> bool:
    # numpy reports a full disk without an error number: "131072 requested and 0 written".
    return error.errno is None and "requested and" in str(error)


def _is_about(error: OSError, paths: set[str]) -> bool:
    if error.errno is None or isinstance(error, ConnectionError | TimeoutError):
        return _is_short_write(error)
    return error.filename is None or os.fspath(error.filename) in paths


def _reason(error: OSError) -> str:
    number = error.errno or errno.ENOSPC
    remedy = _REMEDIES.get(number, "choose another folder")
    return f"{os.strerror(number)}; {remedy}; nothing was changed"
