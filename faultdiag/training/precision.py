"""Arithmetic on a GPU: what may be rounded more coarsely, and what must repeat bit for bit."""

import os

import torch


def set_precision(device: torch.device, precision: str, *, deterministic: bool) -> None:
    """Set what torch may do on a device; a processor always computes alike and in full.

    Parameters
    ----------
    precision
        ``tf32`` lets matrix products and convolutions round their factors to 10 bits; for
        ``float32`` both are in full. ``bfloat16`` is autocast's.
    deterministic
        Only algorithms that give the same bits each time; they are slower.
    """
    if device.type != "cuda":
        return
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    # torch lets convolutions use it unless told otherwise.
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    if deterministic:
        # Read by cuBLAS when it starts.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.deterministic = deterministic
    torch.backends.cudnn.benchmark = not deterministic
