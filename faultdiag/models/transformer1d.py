"""A transformer encoder over patches of the window."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from faultdiag.errors import FaultdiagError
from faultdiag.models.layers import Slots, dropout_of, initialise
from faultdiag.models.spec import Slot
from faultdiag.option_types import Count, Share


class EncoderBlock(nn.Module):
    """Self-attention and a two-layer perceptron, each normalised before and added to its input.

    Parameters
    ----------
    width
        Features of a token.
    heads
        Attention heads; they share the features out.
    hidden
        Width between the perceptron's layers.
    dropout
        Share of each sublayer's output dropped in training.
    """

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width)
        self.dropout = dropout_of(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens ``(B, T, width)`` of the same shape."""
        x = x + self.dropout(self.project(self._attend(self.norm1(x))))
        hidden = functional.gelu(self.expand(self.norm2(x)))  # (B, T, hidden)
        y: Tensor = x + self.dropout(self.contract(hidden))
        return y

    def _attend(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        parts = self.query_key_value(x).view(batch, tokens, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # (B, heads, T, width / heads) each
        y = functional.scaled_dot_product_attention(query, key, value)
        return y.transpose(1, 2).reshape(batch, tokens, width)


class Transformer1d(nn.Module):
    """A pre-norm transformer on patches: ``(batch, channels, length) -> (batch, classes)`` logits.

    For one channel and 2048 samples, with the default options:

    ====== ============================================ ========== ==========
    blocks layers                                       output     parameters
    ====== ============================================ ========== ==========
    ..     64 patches of 32 samples, dense 64           64 x 64    2112
    ..     plus one learned term per position           64 x 64    4096
    1-4    x + attention(norm(x)), 4 heads;             64 x 64    4 x 33472
           x + dense 64(gelu(dense 128(norm(x))))
    ..     norm, mean over the tokens, dense 10         10         778
    ====== ============================================ ========== ==========

    140,874 parameters. The window is padded with zeros at its end to whole patches; a patch
    takes in all channels. The positional term is part of the parameters, so a network is for
    one number of patches. Kernels start Glorot uniform, the positional term normal with standard
    deviation 0.02.

    Parameters
    ----------
    channels, classes, length
        Shape of a window and number of logits.
    slots
        Attention after any encoder block, on maps ``(batch, width, patches)``.
    patch
        Samples of a patch.
    width
        Features of a token.
    depth
        Encoder blocks.
    heads
        Attention heads; a divisor of `width`.
    expansion
        Hidden width of the perceptrons as a multiple of `width`.
    dropout
        Share dropped in training of the embedded patches and of each sublayer's output.

    References
    ----------
    .. [1] A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017, arXiv:1706.03762.
    .. [2] A. Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, arXiv:2010.11929:
       patches and the learned positional term. The mean replaces its class token.
    .. [3] R. Xiong et al., "On Layer Normalization in the Transformer Architecture", ICML 2020,
       arXiv:2002.04745: normalisation before each sublayer.
    """

    reference: ClassVar[str] = "Vaswani et al. 2017, arXiv:1706.03762"

    def __init__(
        self,
        channels: int,
        classes: int,
        length: int,
        slots: Sequence[Slot] = (),
        *,
        patch: Count = 32,
        width: Count = 64,
        depth: Count = 4,
        heads: Count = 4,
        expansion: Count = 2,
        dropout: Share = 0.0,
    ) -> None:
        super().__init__()
        if width % heads:
            raise FaultdiagError(
                f"model.heads is {heads}, which does not divide model.width {width}; "
                f"use one of {', '.join(str(h) for h in range(1, width + 1) if width % h == 0)}"
            )
        self.patch = patch
        self.embed = nn.Linear(channels * patch, width)
        self.position = nn.Parameter(torch.empty(-(-length // patch), width).normal_(std=0.02))
        self.dropout = dropout_of(dropout)
        self.blocks = nn.ModuleList(
            EncoderBlock(width, heads, expansion * width, dropout) for _ in range(depth)
        )
        self.attention = Slots(slots, [width] * depth)
        self.norm = nn.LayerNorm(width)
        self.classify = nn.Linear(width, classes)
        initialise(self)

    @staticmethod
    def positions(*, depth: int, **_: object) -> int:
        """Return the number of encoder blocks that attention can follow."""
        return depth

    @staticmethod
    def minimum_length(*, patch: int, **_: object) -> int:
        """Return the shortest window in samples: two patches, the second one begun."""
        return patch + 1

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits ``(B, classes)`` of windows ``(B, channels, length)``."""
        x = self.dropout(self.embed(self._patches(x)) + self.position)  # (B, T, width)
        previous: list[Tensor] = []
        for position, block in enumerate(self.blocks, start=1):
            y = self.attention(position, block(x).transpose(1, 2), previous)  # (B, width, T)
            previous = self.attention.remember(previous, y)
            x = y.transpose(1, 2)
        logits: Tensor = self.classify(self.norm(x).mean(1))  # (B, width) -> (B, classes)
        return logits

    def _patches(self, x: Tensor) -> Tensor:
        """Cut ``(B, C, L)`` into ``(B, T, C * patch)``."""
        x = functional.pad(x, (0, -x.shape[-1] % self.patch))
        batch, channels, length = x.shape
        patches = x.reshape(batch, channels, length // self.patch, self.patch)
        return patches.transpose(1, 2).flatten(2)
