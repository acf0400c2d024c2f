"""ResNet with 18 layers in 1-D, with attention inside the residual branch."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise, starmap
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from faultdiag.models.layers import Convolution, Slots, Stem, as_image
from faultdiag.models.spec import Slot
from faultdiag.option_types import Count, Counts, Share


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut: ``relu(shortcut(x) + attend(branch(x)))`` of images.

    Parameters
    ----------
    inputs, outputs
        Channels in and out.
    stride
        Stride of the first convolution. Where the block changes the shape, the shortcut is a
        normalised convolution with kernel 1, otherwise `x` itself.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _convolution(inputs, outputs, 3, stride)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = _convolution(outputs, outputs, 3, 1)
        self.norm2 = nn.BatchNorm2d(outputs)
        changes = inputs != outputs or stride > 1
        self.shortcut = (
            nn.Sequential(_convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))
            if changes
            else nn.Identity()
        )

    def forward(self, x: Tensor, attend: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the image ``(B, outputs, 1, L / stride)``; `attend` works on ``(B, C, L)``."""
        y = functional.relu(self.norm1(self.conv1(x)))
        y = as_image(attend(self.norm2(self.conv2(y)).squeeze(2)))
        return functional.relu(self.shortcut(x) + y)


def _block(before: int, after: int) -> ResidualBlock:
    """Return a block that halves the length where the channels change."""
    return ResidualBlock(before, after, 1 if before == after else 2)


class ResNet1d(Stem):
    """The 18-layer ResNet in 1-D: ``(batch, channels, length) -> (batch, classes)`` logits.

    For one channel and 2048 samples, with the default options:

    ====== ============================================== ========== ==========
    blocks layers                                         output     parameters
    ====== ============================================== ========== ==========
    ..     convolution 32 @ 15, stride 4, norm, max 3 / 2 32 x 256   544
    1, 2   2 x (32 @ 3, 32 @ 3)                           32 x 256   12544
    3, 4   2 x (64 @ 3, 64 @ 3), stride 2                 64 x 128   45696
    5, 6   2 x (128 @ 3, 128 @ 3), stride 2               128 x 64   181504
    7, 8   2 x (256 @ 3, 256 @ 3), stride 2               256 x 32   723456
    ..     mean over the positions, dense 10              10         2570
    ====== ============================================== ========== ==========

    966,314 parameters. Convolutions have no bias and are followed by a batch normalisation; the
    kernels start as in the paper (normal, variance ``2 / (outputs * kernel)``). Against the
    paper the stem is longer and strides by 4, since a vibration window is long, and the width
    is half, for training on a CPU; ``width: 64`` gives the paper's widths.

    Attention gates the residual branch before the addition, where SE-ResNet puts it [2]_. Blocks
    that use earlier stages see the stem and the last block of each earlier stage.

    Parameters
    ----------
    channels, classes, length
        Shape of a window and number of logits.
    slots
        Attention in any of the residual blocks.
    width
        Channels of the stem and the first stage; every later stage has twice as many.
    depths
        Residual blocks in each stage.
    stem_kernel
        Kernel size of the stem.
    dropout
        Share of the means dropped in training.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition",
       CVPR 2016, arXiv:1512.03385.
    .. [2] J. Hu, L. Shen, G. Sun, "Squeeze-and-Excitation Networks", CVPR 2018, arXiv:1709.01507.
    """

    reference: ClassVar[str] = "He et al. 2016, arXiv:1512.03385"

    def __init__(
        self,
        channels: int,
        classes: int,
        length: int,
        slots: Sequence[Slot] = (),
        *,
        width: Count = 32,
        depths: Counts = (2, 2, 2, 2),
        stem_kernel: Count = 15,
        dropout: Share = 0.0,
    ) -> None:
        super().__init__(channels, width, stem_kernel)
        widths = [width * 2**stage for stage, depth in enumerate(depths) for _ in range(depth)]
        self.blocks = nn.ModuleList(starmap(_block, pairwise([width, *widths])))
        self.stage_ends = [sum(depths[: stage + 1]) for stage in range(len(depths))]
        seen = [tuple(width * 2**s for s in (0, *range(_stage(w, width)))) for w in widths]
        self.attention = Slots(slots, widths, previous=seen)
        self.length = length  # for inspection only: the network works for any length
        self.add_classifier(widths[-1], classes, dropout=dropout)

    @staticmethod
    def positions(*, depths: tuple[int, ...], **_: object) -> int:
        """Return the number of residual blocks."""
        return sum(depths)

    @staticmethod
    def minimum_length(*, depths: tuple[int, ...], **_: object) -> int:
        """Return the shortest window in samples, which leaves 2 positions: see `Stem`."""
        return int(2 ** (len(depths) + 2) + 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits ``(B, classes)`` of windows ``(B, channels, length)``."""
        x = self.stemmed(x)
        previous = self.attention.remember([], x.squeeze(2))
        for position, block in enumerate(self.blocks, start=1):
            x = block(x, partial(self.attention, position, previous=previous))
            if position in self.stage_ends:
                previous = self.attention.remember(previous, x.squeeze(2))
        logits: Tensor = self.classify(self.dropout(x.mean((2, 3))))  # (B, C) -> (B, classes)
        return logits


def _convolution(inputs: int, outputs: int, kernel: int, stride: int) -> Convolution:
    return Convolution(inputs, outputs, kernel, stride=stride, bias=False, padding="centred")


def _stage(width: int, first: int) -> int:
    """Return the index of the stage whose blocks have `width` channels."""
    return (width // first).bit_length() - 1
