"""Errors that mean too little memory: how to know one, and what to say about it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from faultdiag.errors import FaultdiagError

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
