"""WDCNN: a wide first kernel, then four narrow ones; the baseline network."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from faultdiag.models.layers import Convolution, FlattenedStack
from faultdiag.models.spec import Slot
from faultdiag.option_types import Share

WIDTHS = (16, 32, 64, 64, 64)


class WDCNN(FlattenedStack):
    """The baseline 1-D CNN: ``(batch, channels, length) -> (batch, classes)`` logits.

    For one channel and 2048 samples:

    ===== ============================================ ========== ==========
    block layers                                       output     parameters
    ===== ============================================ ========== ==========
    1     convolution 16 @ 64, stride 16, norm, pool 2 16 x 64    1072
    2     convolution 32 @ 3, norm, pool 2             32 x 32    1632
    3     convolution 64 @ 3, norm, pool 2             64 x 16    6336
    4     convolution 64 @ 3, norm, pool 2             64 x 8     12480
    5     convolution 64 @ 3, norm, pool 2             64 x 4     12480
    ..    flatten, dense 100, ReLU                     100        25700
    ..    dense 10                                     10         1010
    ===== ============================================ ========== ==========

    60,710 parameters and 480 running statistics. Every block ends in a ReLU. Paddings are Keras'
    ``same``. The flattening runs over the positions and within each over the channels, as Keras'
    does, so that dense kernels carry over by a plain transposition. Kernels start Glorot uniform,
    biases at zero. Against the paper, the fifth convolution is padded by default; ``padding5:
    valid`` gives the paper's.

    Parameters
    ----------
    channels, classes, length
        Shape of a window and number of logits.
    slots
        Attention after any of the blocks 1 to 5.
    dropout
        Share of the 100 hidden units dropped in training.
    padding5
        Padding of the fifth convolution.

    References
    ----------
    .. [1] W. Zhang, G. Peng, C. Li, Y. Chen, Z. Zhang, "A New Deep Learning Model for Fault
       Diagnosis with Good Anti-Noise and Domain Adaptation Ability on Raw Vibration Signals",
       Sensors 17(2):425, 2017, doi:10.3390/s17020425.
    """

    reference: ClassVar[str] = "Zhang et al. 2017, doi:10.3390/s17020425"

    def __init__(
        self,
        channels: int,
        classes: int,
        length: int,
        slots: Sequence[Slot] = (),
        *,
        dropout: Share = 0.0,
        padding5: Literal["same", "valid"] = "same",
    ) -> None:
        super().__init__(
            _convolutions(channels, padding5),
            slots,
            classes=classes,
            positions=_positions(length, padding5),
            dropout=dropout,
        )

    @staticmethod
    def positions(**_: object) -> int:
        """Return the number of blocks that attention can follow."""
        return 5

    @staticmethod
    def minimum_length(*, padding5: str = "same", **_: object) -> int:
        """Return the shortest window in samples: the last pooling must have 2 positions left."""
        return 1009 if padding5 == "valid" else 497


def _convolutions(channels: int, padding5: Literal["same", "valid"]) -> list[Convolution]:
    first = Convolution(channels, WIDTHS[0], 64, stride=16)
    middle = [Convolution(WIDTHS[i - 1], WIDTHS[i], 3) for i in (1, 2, 3)]
    return [first, *middle, Convolution(WIDTHS[3], WIDTHS[4], 3, padding=padding5)]


def _positions(length: int, padding5: str) -> int:
    """Return the number of positions in the output of the five blocks."""
    positions = -(-length // 16) // 16
    return (positions - (padding5 == "valid") * 2) // 2
