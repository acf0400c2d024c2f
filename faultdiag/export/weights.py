"""The weights of a model as a safetensors file, which model hubs read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from faultdiag.errors import FaultdiagError
from faultdiag.system.files import write_bytes


def save_weights(path: Path, weights: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write weights and buffers by name, and facts about the model as JSON texts by key.

    Raises
    ------
    FaultdiagError
        If safetensors is missing, or the file can't be written.
    """
    try:
        from safetensors.torch import save
    except ImportError as error:
        raise FaultdiagError(
            "weights are written as safetensors by a package that is not installed; install it "
            "with: pip install 'faultdiag[hub]'"
        ) from error
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    texts = {"format": "pt", **{name: json.dumps(value) for name, value in facts.items()}}
    write_bytes(path, save(tensors, texts))
