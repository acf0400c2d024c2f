"""TICNN: deeper than the baseline, with dropout in its first kernel."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from faultdiag.models.layers import Convolution, FlattenedStack
from faultdiag.models.spec import Slot
from faultdiag.option_types import Share, ShareRange

WIDTHS = (16, 32, 64, 64, 64, 64)


class InterferedConvolution(Convolution):
    """A convolution whose kernel loses a random share of its weights at each training step.

    The share is drawn uniformly from `rates` for every forward pass. What remains is scaled by
    ``1 / (1 - share)``, so that running statistics gathered in training fit the whole kernel.
    """

    def __init__(
        self, inputs: int, outputs: int, size: int, *, stride: int, rates: tuple[float, float]
    ) -> None:
        super().__init__(inputs, outputs, size, stride=stride)
        self.rates = rates

    def kernel(self) -> Tensor:
        """Return the kernel, in training with a random share of it set to zero."""
        low, high = self.rates
        if not self.training or high == 0:
            return self.weight
        share = low + (high - low) * torch.rand((), device=self.weight.device)
        mask = torch.rand(self.weight.shape, device=self.weight.device) >= share
        return self.weight * mask / (1 - share).to(self.weight.dtype)


class TICNN(FlattenedStack):
    """A CNN with training interference: ``(batch, channels, length) -> (batch, classes)`` logits.

    For one channel and 2048 samples:

    ===== =========================================== ========== ==========
    block layers                                      output     parameters
    ===== =========================================== ========== ==========
    1     convolution 16 @ 64, stride 8, norm, pool 2 16 x 128   1072
    2     convolution 32 @ 3, norm, pool 2            32 x 64    1632
    3     convolution 64 @ 3, norm, pool 2            64 x 32    6336
    4     convolution 64 @ 3, norm, pool 2            64 x 16    12480
    5     convolution 64 @ 3, norm, pool 2            64 x 8     12480
    6     convolution 64 @ 3, unpadded, norm, pool 2  64 x 3     12480
    ..    flatten, dense 100, ReLU                    100        19300
    ..    dense 10                                    10         1010
    ===== =========================================== ========== ==========

    66,790 parameters. Every block ends in a ReLU. In training the first kernel loses a share of
    its weights that is drawn again, between 0.1 and 0.9, for every batch; in evaluation it is
    whole. The authors pair this with batches of about 10 windows (``train.batch_size``) and
    average several networks trained so; both are settings of the training, not of the network.
    Padding, flattening and initialisation are those of the baseline network.

    Parameters
    ----------
    channels, classes, length
        Shape of a window and number of logits.
    slots
        Attention after any of the blocks 1 to 6.
    kernel_dropout
        Least and greatest share of the first kernel that a training step loses.
    dropout
        Share of the 100 hidden units dropped in training.

    References
    ----------
    .. [1] W. Zhang, C. Li, G. Peng, Y. Chen, Z. Zhang, "A deep convolutional neural network with
       new training methods for bearing fault diagnosis under noisy environment and different
       working load", Mechanical Systems and Signal Processing 100, 2018,
       doi:10.1016/j.ymssp.2017.06.022.
    """

    reference: ClassVar[str] = "Zhang et al. 2018, doi:10.1016/j.ymssp.2017.06.022"

    def __init__(
        self,
        channels: int,
        classes: int,
        length: int,
        slots: Sequence[Slot] = (),
        *,
        kernel_dropout: ShareRange = (0.1, 0.9),
        dropout: Share = 0.0,
    ) -> None:
        first = InterferedConvolution(channels, WIDTHS[0], 64, stride=8, rates=kernel_dropout)
        middle = [Convolution(WIDTHS[i - 1], WIDTHS[i], 3) for i in (1, 2, 3, 4)]
        last = Convolution(WIDTHS[4], WIDTHS[5], 3, padding="valid")
        super().__init__(
            [first, *middle, last],
            slots,
            classes=classes,
            positions=(-(-length // 8) // 32 - 2) // 2,
            dropout=dropout,
        )

    @staticmethod
    def positions(**_: object) -> int:
        """Return the number of blocks that attention can follow."""
        return 6

    @staticmethod
    def minimum_length(**_: object) -> int:
        """Return the shortest window in samples: the last pooling must have 2 positions left."""
        return 1017
