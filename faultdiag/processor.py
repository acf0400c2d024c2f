"""Settings of the process that training and inference on a processor run faster with."""

from collections.abc import MutableMapping

# Environment of OpenMP. A thread that waits for work spins this often, for about half a
# millisecond, then sleeps. By default it spins for many milliseconds, which makes a step ten times
# slower on a machine that is busy with something else; where it sleeps at once, every one of the
# hundred and more pieces of a step begins with waking it, a tenth of the step on an idle machine.
OPENMP = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "10000"}

# glibc's <malloc.h>.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
# The largest that glibc takes on 64 bits, and none.
_LARGEST_MMAP, _NEVER = 32 * 2**20, 2**31 - 1


def tune_openmp(environment: MutableMapping[str, str]) -> None:
    """Set `OPENMP`, unless the user has set any of it; torch reads it when it is imported."""
    if not OPENMP.keys() & environment.keys():
        environment.update(OPENMP)


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory for the next step; say whether it could be told.

    A training step frees its activations, and the next one asks for as much again. By default
    glibc hands most of it back to the system in between, which then clears every page anew.
    """
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False  # not glibc
    kept = [mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP), mallopt(_TRIM_THRESHOLD, _NEVER)]
    return all(kept)
