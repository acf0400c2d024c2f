"""A small network on spectra: attention over frequency bands, then dense layers."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from faultdiag.models.layers import Slots, dropout_of
from faultdiag.models.spec import Slot
from faultdiag.option_types import Count, Counts, Share


class BandNet(nn.Module):
    """Spectra in bands, attention over the bands, dense layers: no convolution.

    Where a resonance lies says what is damaged, and the same shape elsewhere says something else: a
    convolution, which shares its weights over all frequencies, learns features that do not hold at
    another load. Each channel ``(B, C, L)`` is cut into `bands` equal stretches, padded by zeros at
    the end where needed; they become the channels that attention sees: ``(B, C * bands, lines)``.
    Then: flatten, and for each hidden width dense, ReLU, dropout; last the classes. Weights start
    as those of PyTorch's dense layers, uniform within ``1 / sqrt(inputs)``.

    Parameters
    ----------
    channels, classes, length
        Shape of what the front end gives and number of logits.
    slots
        Attention over the bands, position 1.
    bands
        How many stretches a channel is cut into.
    hidden
        Widths of the hidden dense layers.
    norm
        Whether every position is normalised over the batch first: for inputs on different scales.
    dropout
        Share of the units of each hidden layer dropped in training.

    References
    ----------
    .. [1] P. D. Welch, "The use of fast Fourier transform for the estimation of power spectra",
       IEEE Trans. Audio Electroacoust. 15 (1967) 70-73, doi:10.1109/TAU.1967.1161901 (its input)
    """

    reference: ClassVar[str] = "Welch 1967, doi:10.1109/TAU.1967.1161901"
    representation: ClassVar[str] = "log_psd"

    def __init__(
        self,
        channels: int,
        classes: int,
        length: int,
        slots: Sequence[Slot] = (),
        *,
        bands: Count = 16,
        hidden: Counts = (128,),
        norm: bool = False,
        dropout: Share = 0.3,
    ) -> None:
        super().__init__()
        self.groups = channels * bands
        self.padding = -length % bands
        inputs = channels * (length + self.padding)
        self.norm = nn.BatchNorm1d(inputs) if norm else nn.Identity()
        self.attention = Slots(slots, [self.groups])
        widths = [inputs, *hidden]
        self.hidden = nn.ModuleList(map(nn.Linear, widths, hidden))
        self.dropout = dropout_of(dropout)
        self.classify = nn.Linear(widths[-1], classes)

    @staticmethod
    def positions(**_: object) -> int:
        """Return the number of positions attention can have."""
        return 1

    @staticmethod
    def minimum_length(*, bands: int = 16, **_: object) -> int:
        """Return the shortest input: one line in each band."""
        return bands

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits ``(B, classes)`` of ``(B, C, L)``."""
        x = functional.pad(x, (0, self.padding))
        x = self.norm(x.flatten(1))
        x = x.unflatten(1, (self.groups, -1))  # (B, C * bands, lines)
        x = self.attention(1, x, []).flatten(1)
        for layer in self.hidden:
            x = self.dropout(functional.relu(layer(x)))
        logits: Tensor = self.classify(x)
        return logits
