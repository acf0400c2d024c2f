"""Arithmetic on a GPU: what may be rounded more coarsely, and what must repeat bit for bit."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from faultdiag.errors import FaultdiagError
from faultdiag.inference import REPEATABLE_CUBLAS, set_tf32

_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


def set_precision(device: torch.device, precision: str, *, deterministic: bool) -> None:
    """Set what torch may do on a device; a processor always computes alike and in full.

    Parameters
    ----------
    precision
        ``tf32`` lets matrix products and convolutions round their factors to 10 bits; for
        ``float32`` both are in full. ``bfloat16`` is autocast's.
    deterministic
        Only algorithms that give the same bits each time; they are slower.

    Raises
    ------
    FaultdiagError
        If the environment keeps cuBLAS from giving the same bits each time.
    """
    if device.type != "cuda":
        return
    set_tf32(precision == "tf32")
    if deterministic and os.environ.setdefault(_CUBLAS, REPEATABLE_CUBLAS[0]) not in (
        REPEATABLE_CUBLAS
    ):
        raise FaultdiagError(
            f"train.deterministic is true, but {_CUBLAS} is {os.environ[_CUBLAS]!r} in the "
            f"environment; unset it, or set it to {' or '.join(REPEATABLE_CUBLAS)}"
        )
    # The same as use_deterministic_algorithms, which imports torch's compiler for a second.
    torch.set_deterministic_debug_mode("error" if deterministic else "default")
    torch.backends.cudnn.deterministic = deterministic
    # A search for the fastest algorithm takes longer than a short training, and two runs may
    # find different ones.
    torch.backends.cudnn.benchmark = False


@contextmanager
def repeatable(deterministic: bool) -> Iterator[None]:
    """Say what can be done where an operation has no form that repeats bit for bit.

    Raises
    ------
    FaultdiagError
        If there was one in the block.
    """
    try:
        yield
    except RuntimeError as error:
        reason = str(error).partition(", but you set")[0]
        if not deterministic or "deterministic" not in reason:
            raise
        raise FaultdiagError(
            f"train.deterministic is true, but {reason.partition('. ')[0]}; set "
            "train.deterministic: false, or use --device cpu, another network or attention block"
        ) from error
