"""The weights of a model as a safetensors file, which model hubs read."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from faultdiag.errors import FaultdiagError
from faultdiag.system.files import write_bytes

SAFETENSORS = ".safetensors"


def require_safetensors() -> None:
    """Refuse to write weights without the package for it.

    Raises
    ------
    FaultdiagError
        Naming the extra that installs it.
    """
    try:
        import safetensors.torch  # noqa: F401  # only whether it is there
    except ImportError as error:
        raise FaultdiagError(
            "weights are written as safetensors by a package that is not installed; install it "
            "with: pip install 'faultdiag[hub]'"
        ) from error


def save_weights(path: Path, weights: Mapping[str, Tensor], texts: Mapping[str, str]) -> None:
    """Write weights and buffers by name, and texts about the model by key.

    Raises
    ------
    FaultdiagError
        If safetensors is missing, or the file can't be written.
    """
    require_safetensors()
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    write_bytes(path, save(tensors, {**texts, "format": "pt"}))
