"""A plain 1-D CNN with a given number of blocks, with global average pooling."""

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from faultdiag.errors import FaultdiagError
from faultdiag.models.layers import Convolution, Stack, dropout_of, initialise
from faultdiag.models.spec import Slot
from faultdiag.option_types import Count, Counts, Share


class CNN1d(Stack):
    """A plain 1-D CNN: ``(batch, channels, length) -> (batch, classes)`` logits.

    For one channel and 2048 samples, with the default options:

    ===== ================================ ========== ==========
    block layers                           output     parameters
    ===== ================================ ========== ==========
    1     convolution 16 @ 7, norm, pool 4 16 x 512   160
    2     convolution 32 @ 7, norm, pool 4 32 x 128   3680
    3     convolution 64 @ 7, norm, pool 4 64 x 32    14528
    4     convolution 128 @ 7, norm, pool 4 128 x 8   57728
    ..    mean over the positions          128        0
    ..    dense 10                         10         1290
    ===== ================================ ========== ==========

    Every block ends in a ReLU; paddings are Keras' ``same``; initialisation as for the baseline
    network. The mean makes the number of parameters independent of the length.

    Parameters
    ----------
    channels, classes, length
        Shape of a window and number of logits.
    slots
        Attention after any block.
    widths
        Output channels of each block; their count is the number of blocks.
    kernels
        Kernel size of each block, or one for all.
    pool
        Samples of each maximum in the blocks' pooling.
    dropout
        Share of the means dropped in training.

    References
    ----------
    .. [1] T. Ince, S. Kiranyaz, L. Eren, M. Askar, M. Gabbouj, "Real-Time Motor Fault Detection
       by 1-D Convolutional Neural Networks", IEEE Trans. Industrial Electronics 63(11), 2016,
       doi:10.1109/TIE.2016.2582729. The idea of a compact 1-D CNN on raw samples; the layers
       and sizes here are ours.
    """

    reference: ClassVar[str] = "after Ince et al. 2016, doi:10.1109/TIE.2016.2582729"

    def __init__(
        self,
        channels: int,
        classes: int,
        length: int,
        slots: Sequence[Slot] = (),
        *,
        widths: Counts = (16, 32, 64, 128),
        kernels: Counts = (7,),
        pool: Count = 4,
        dropout: Share = 0.0,
    ) -> None:
        sizes = _one_for_each(kernels, widths)
        convolutions = [
            Convolution(inputs, outputs, size)
            for (inputs, outputs), size in zip(pairwise((channels, *widths)), sizes, strict=True)
        ]
        super().__init__(convolutions, slots, pool=pool)
        self.dropout = dropout_of(dropout)
        self.classify = nn.Linear(widths[-1], classes)
        self.length = length  # for inspection only: the network works for any length
        initialise(self)

    @staticmethod
    def positions(*, widths: tuple[int, ...], **_: object) -> int:
        """Return the number of blocks that attention can follow."""
        return len(widths)

    @staticmethod
    def minimum_length(*, widths: tuple[int, ...], pool: int, **_: object) -> int:
        """Return the shortest window in samples: every pooling must be full.

        2 at least, so that a batch of one window has a variance to normalise by.
        """
        return max(2, int(pool ** len(widths)))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits ``(B, classes)`` of windows ``(B, channels, length)``."""
        means = self.features(x).mean(-1)  # (B, C)
        logits: Tensor = self.classify(self.dropout(means))
        return logits


def _one_for_each(kernels: tuple[int, ...], widths: tuple[int, ...]) -> tuple[int, ...]:
    """Return the kernel sizes, one for each width."""
    if len(kernels) not in {1, len(widths)}:
        raise FaultdiagError(
            f"model.kernels has {len(kernels)} numbers and model.widths {len(widths)}; "
            "give one kernel size for each width, or one for all"
        )
    return kernels * len(widths) if len(kernels) == 1 else kernels
