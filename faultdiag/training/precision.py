"""Arithmetic on a GPU: precision and repeatability."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from faultdiag.errors import FaultdiagError
from faultdiag.inference import REPEATABLE_CUBLAS, set_tf32

_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


def set_precision(device: torch.device, precision: str, *, deterministic: bool) -> None:
    """Set torch's precision and repeatability on a device; on a CPU nothing needs to be set.

    Parameters
    ----------
    precision
        ``tf32`` lets matrix products and convolutions round their factors to 10 bits;
        ``float32`` keeps full precision. ``bfloat16`` is left to autocast.
    deterministic
        Use only algorithms with identical results each time; they are slower.

    Raises
    ------
    FaultdiagError
        If an environment variable prevents identical results of cuBLAS.
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
    # Equals use_deterministic_algorithms, which takes a second to import torch's compiler.
    torch.set_deterministic_debug_mode("error" if deterministic else "default")
    torch.backends.cudnn.deterministic = deterministic
    # Searching for the fastest algorithm takes longer than a short training, and two runs may
    # choose different ones.
    torch.backends.cudnn.benchmark = False


@contextmanager
def repeatable(deterministic: bool) -> Iterator[None]:
    """Turn torch's error about an operation without a deterministic form into ours.

    Raises
    ------
    FaultdiagError
        If the block used such an operation.
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
