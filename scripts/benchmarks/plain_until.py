"""The plain PyTorch side until an accuracy is reached.

python -m benchmarks.plain_until FOLDER LEVEL SEED MOMENTUM
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.plain_side import PlainSide, normalised
from benchmarks.until import until


def main() -> None:
    folder, level, seed, momentum = Path(sys.argv[1]), *map(float, sys.argv[2:5])
    torch.manual_seed(int(seed))
    side = PlainSide(folder)
    for module in side.network.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.momentum = momentum
    windows = normalised(torch.from_numpy(np.load(folder / "valid_windows.npy")))
    labels = torch.from_numpy(np.load(folder / "valid_labels.npy"))
    until(level, side.training, lambda: _accuracy(side.network, windows, labels))


@torch.inference_mode()
def _accuracy(network: nn.Module, windows: Tensor, labels: Tensor) -> float:
    network.eval()
    named = torch.cat([network(batch).argmax(1) for batch in windows.split(512)])
    return float((named == labels).float().mean())


if __name__ == "__main__":
    main()
