"""The outputs of a front end, computed once for a whole training.

A front end has no parameters. Where no random change is made to the windows themselves, it shows
the same in every epoch, and a step needs to run the network behind it only. What networks change
at random (noise on combs, bands and units left out) comes after the front end.
"""

from typing import Any

import torch
from torch import nn

from faultdiag.inference import WindowBatches, arguments_of
from faultdiag.models.front import Fronted, seen_through

# Outputs are kept where they take at most this share of the signals' bytes, or so few bytes.
SHARE, FEW = 0.5, 8 << 20
# Windows at once: more of several seconds each would take much memory.
CHUNK = 64


def without_front(
    network: nn.Module, train: WindowBatches, valid: WindowBatches | None
) -> tuple[nn.Module, WindowBatches, WindowBatches | None]:
    """Return the network behind a front end, and both parts with the outputs of the front end.

    All three stay as they are where there is no front end, or its outputs for all windows would
    take too much memory. Parts that hold outputs already keep them.
    """
    if isinstance(network, Fronted) and train.outputs is not None:
        return network.network, train, valid
    windows = len(train) + (0 if valid is None else len(valid))
    if not isinstance(network, Fronted) or not _few(network.front, windows, train.signal_bytes):
        return network, train, valid
    shown = None if valid is None else _shown(network, valid)
    return network.network, _shown(network, train), shown


def _few(front: Any, windows: int, signal_bytes: int) -> bool:
    channels, length = seen_through(front)
    return 4 * channels * length * windows <= max(SHARE * signal_bytes, FEW)


@torch.no_grad()
def _shown(network: Fronted, part: WindowBatches) -> WindowBatches:
    outputs = torch.empty((len(part), *seen_through(network.front)), device=part.device)
    for first in range(0, len(part), CHUNK):
        rows = torch.arange(first, min(first + CHUNK, len(part)), device=part.device)
        outputs[rows] = network.front(*arguments_of(network, part, rows))
    return part.showing(outputs)
