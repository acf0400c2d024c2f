"""Exceptions that are no mistake of the user: bugs, and too little memory.

The log is ``faultdiag.log`` in the user's folder for logs, ``~/.local/state/faultdiag/log`` on
Linux, or the file that the environment variable ``FAULTDIAG_LOG`` names.
"""

import os
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faultdiag.errors import FaultdiagError, printable, printable_lines

# Bytes from which on the log starts again.
_LARGEST = 2**20


class CrashError(FaultdiagError):
    """A bug of faultdiag, or of a package it uses."""


def crash(subject: Path, error: BaseException) -> CrashError:
    """Return the error for an exception that nobody expected, its traceback logged.

    Parameters
    ----------
    subject
        The file that was worked on.
    """
    what = printable(f"{type(error).__name__}: {error}".splitlines()[0][:200]).removesuffix(": ")
    log = _write(subject, error)
    where = f" and {log}, which has the traceback" if log else ""
    return CrashError(
        f"{printable(str(subject))} could not be read: {what}; that is a bug in faultdiag: please "
        f"report it with this file{where}"
    )


def log_path() -> Path:
    """Return where tracebacks are logged."""
    named = os.environ.get("FAULTDIAG_LOG")
    if named:
        return Path(named)
    from platformdirs import user_log_path

    return user_log_path("faultdiag", appauthor=False) / "faultdiag.log"


def _write(subject: Path, error: BaseException) -> Path | None:
    lines = traceback.format_exception(error, limit=50)
    text = f"{printable(str(subject))}\n{''.join(lines)[:20_000]}\n"
    try:
        path = log_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        full = path.is_file() and path.stat().st_size > _LARGEST
        with path.open("w" if full else "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(printable_lines(text))
    except (OSError, RuntimeError):
        return None
    return path


# torch and BLAS raise a RuntimeError whose text alone says what it is.
_MEMORY = re.compile(
    r"out of memory|not enough memory|can't allocate memory|unable to allocate|"
    r"cannot allocate memory|Invalid buffer size|Storage size calculation overflowed",
    re.IGNORECASE,
)


def is_memory_error(error: BaseException) -> bool:
    """Return whether an exception says that there is too little memory.

    Examples
    --------
    >>> is_memory_error(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    True
    >>> is_memory_error(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    False
    """
    return isinstance(error, MemoryError) or bool(_MEMORY.search(str(error)))


@contextmanager
def memory_errors(action: str, remedy: str) -> Iterator[None]:
    """Turn an error of too little memory into one that says which settings help.

    Parameters
    ----------
    action
        What was done: ``"train"``.
    remedy
        What needs less memory: ``"use a smaller train.batch_size"``.

    Raises
    ------
    FaultdiagError
        In place of an error of too little memory; any other passes.
    """
    try:
        yield
    except FaultdiagError:
        raise
    except (MemoryError, RuntimeError) as error:
        if not is_memory_error(error):
            raise
        lines = str(error).splitlines()
        reason = f" ({lines[0][:200]})" if lines else ""
        raise FaultdiagError(f"not enough memory to {action}{reason}; {remedy}") from error
