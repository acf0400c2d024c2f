"""Settings of the process that training and inference on a processor run faster with."""

# Environment of OpenMP, to be set before torch is imported. Waiting threads sleep instead of
# spinning: on a machine that is busy with something else, spinning makes a step ten times slower.
OPENMP = {"OMP_WAIT_POLICY": "passive"}

# glibc's <malloc.h>.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
# The largest that glibc takes on 64 bits, and none.
_LARGEST_MMAP, _NEVER = 32 * 2**20, 2**31 - 1


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
