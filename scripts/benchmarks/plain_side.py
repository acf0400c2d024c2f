"""The plain PyTorch side: Conv1d, BatchNorm1d, MaxPool1d, a DataLoader and Adam.

    python -m benchmarks.plain_side FOLDER [THREADS]

The windows are normalised ahead of the training, which is a favour to this side.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.serve import serve
from faultdiag.attention import build as build_block

BATCH = 128


class PlainWDCNN(nn.Module):
    """The baseline network as one would write it down."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.first = nn.Sequential(*_block(1, 16, 64, 16, 24), *_block(16, 32, 3, 1, 1))
        self.attention = build_block("eca", 32)
        self.second = nn.Sequential(
            *_block(32, 64, 3, 1, 1), *_block(64, 64, 3, 1, 1), *_block(64, 64, 3, 1, 1)
        )
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(256, 100), nn.ReLU(), nn.Linear(100, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits of windows."""
        x = self.first(x)
        x = x + self.attention(x)
        return self.head(self.second(x))  # type: ignore[no-any-return]  # Sequential is untyped


def _block(inside: int, out: int, kernel: int, stride: int, padding: int) -> list[nn.Module]:
    return [
        nn.Conv1d(inside, out, kernel, stride, padding),
        nn.BatchNorm1d(out, eps=1e-3, momentum=0.01),
        nn.ReLU(),
        nn.MaxPool1d(2),
    ]


class PlainSide:
    """The network, its optimizer and its windows."""

    def __init__(self, folder: Path) -> None:
        self.raw = torch.from_numpy(np.load(folder / "windows.npy"))
        labels = torch.from_numpy(np.load(folder / "labels.npy"))
        data = TensorDataset(normalised(self.raw), labels)
        self.loader = DataLoader(data, batch_size=BATCH, shuffle=True)
        self.network = PlainWDCNN(int(labels.max()) + 1)
        # 1e-4 times the sum of squares has the gradient 2e-4 w.
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3, weight_decay=2e-4)
        self.criterion = nn.CrossEntropyLoss()

    def training(self) -> None:
        """One epoch."""
        self.network.train()
        for windows, labels in self.loader:
            self.optimizer.zero_grad()
            self.criterion(self.network(windows), labels).backward()
            self.optimizer.step()

    @torch.inference_mode()
    def inference(self) -> None:
        """All windows once, normalised and classified in batches of 512."""
        self.network.eval()
        for batch in self.raw.split(512):
            self.network(normalised(batch))


def normalised(x: Tensor) -> Tensor:
    """Windows of mean 0 and deviation 1."""
    return (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        torch.set_num_threads(int(sys.argv[2]))
    side = PlainSide(Path(sys.argv[1]))
    serve({"training": side.training, "inference": side.inference})
