"""DenseNet in 1-D, with attention after each dense block."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from faultdiag.models.layers import Convolution, Slots, Stem, as_image
from faultdiag.models.spec import Slot
from faultdiag.option_types import Count, Counts, Fraction, Share


class DenseLayer(nn.Module):
    """Norm, ReLU, convolution @ 1, norm, ReLU, convolution @ 3; the result joins its input.

    ``(B, C, 1, L) -> (B, C + growth, 1, L)``; the first convolution gives ``4 * growth``.
    """

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = Convolution(inputs, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = Convolution(4 * growth, growth, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` and the `growth` channels computed from it."""
        y = self.conv1(functional.relu(self.norm1(x)))
        y = self.conv2(functional.relu(self.norm2(y)))
        return torch.cat([x, y], 1)


class Transition(nn.Module):
    """Norm, ReLU, convolution @ 1 and mean pooling by 2: fewer channels, half the positions."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)
        self.conv = Convolution(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(B, outputs, 1, L / 2)``."""
        return functional.avg_pool2d(self.conv(functional.relu(self.norm(x))), (1, 2))


class DenseNet1d(Stem):
    """DenseNet-BC in 1-D: ``(batch, channels, length) -> (batch, classes)`` logits.

    For one channel and 2048 samples, with the default options:

    ===== ============================================== ========== ==========
    block layers                                         output     parameters
    ===== ============================================== ========== ==========
    ..    convolution 32 @ 15, stride 4, norm, max 3 / 2 32 x 256   544
    1     4 x (64 @ 1, 16 @ 3)                           96 x 256   27584
    ..    transition                                     48 x 128   4800
    2     4 x (64 @ 1, 16 @ 3)                           112 x 128  31808
    ..    transition                                     56 x 64    6496
    3     4 x (64 @ 1, 16 @ 3)                           120 x 64   33920
    ..    transition                                     60 x 32    7440
    4     4 x (64 @ 1, 16 @ 3)                           124 x 32   34976
    ..    norm, mean over the positions, dense 10        10         1498
    ===== ============================================== ========== ==========

    149,066 parameters. Kernels start as in the residual network. Against the paper the stem is
    longer and strides by 4, since a vibration window is long.

    Attention follows each dense block, before its transition: channel attention there is the
    "improved DenseNet" of the bearing literature, which applies it to the modes of a variational
    mode decomposition given as channels.

    Parameters
    ----------
    channels, classes, length
        Shape of a window and number of logits.
    slots
        Attention after any dense block.
    growth
        Channels that each layer adds.
    depths
        Layers in each dense block.
    width
        Channels of the stem.
    compression
        Share of the channels that a transition keeps.
    stem_kernel
        Kernel size of the stem.
    dropout
        Share of the means dropped in training.

    References
    ----------
    .. [1] G. Huang, Z. Liu, L. van der Maaten, K. Q. Weinberger, "Densely Connected Convolutional
       Networks", CVPR 2017, arXiv:1608.06993.
    """

    reference: ClassVar[str] = "Huang et al. 2017, arXiv:1608.06993"

    def __init__(
        self,
        channels: int,
        classes: int,
        length: int,
        slots: Sequence[Slot] = (),
        *,
        growth: Count = 16,
        depths: Counts = (4, 4, 4, 4),
        width: Count = 32,
        compression: Fraction = 0.5,
        stem_kernel: Count = 15,
        dropout: Share = 0.0,
    ) -> None:
        super().__init__(channels, width, stem_kernel)
        widths: list[int] = []
        self.blocks, self.transitions = nn.ModuleList(), nn.ModuleList()
        for depth in depths:
            if widths:
                width = max(1, int(widths[-1] * compression))
                self.transitions.append(Transition(widths[-1], width))
            self.blocks.append(
                nn.Sequential(*(DenseLayer(width + i * growth, growth) for i in range(depth)))
            )
            widths.append(width + depth * growth)
        self.attention = Slots(slots, widths)
        self.norm = nn.BatchNorm2d(widths[-1])
        self.length = length  # for inspection only: the network works for any length
        self.add_classifier(widths[-1], classes, dropout=dropout)

    @staticmethod
    def positions(*, depths: tuple[int, ...], **_: object) -> int:
        """Return the number of dense blocks."""
        return len(depths)

    @staticmethod
    def minimum_length(*, depths: tuple[int, ...], **_: object) -> int:
        """Return the shortest window in samples, which leaves 2 positions: see `Stem`."""
        return int(8 * (2 ** len(depths) - 1) + 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits ``(B, classes)`` of windows ``(B, channels, length)``."""
        x = self.stemmed(x)
        previous: list[Tensor] = []
        for position, block in enumerate(self.blocks, start=1):
            if position > 1:
                x = self.transitions[position - 2](x)
            y = self.attention(position, block(x).squeeze(2), previous)  # (B, C, L)
            previous = self.attention.remember(previous, y)
            x = as_image(y)
        x = functional.relu(self.norm(x)).mean((2, 3))  # (B, C)
        logits: Tensor = self.classify(self.dropout(x))
        return logits
