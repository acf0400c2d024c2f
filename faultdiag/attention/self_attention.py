"""Multi-head self-attention over positions."""

import math
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import nn
from torch.nn import functional

from faultdiag.attention.base import check_channels, check_divides

if TYPE_CHECKING:
    from torch import Tensor


class MultiHead(nn.Module):
    """Multi-head attention of tokens ``(batch, tokens, channels)`` over each other.

    ``softmax(Q K^T / sqrt(C / h)) V`` in each of ``h`` heads, then one linear map.

    Parameters
    ----------
    channels, heads
        Features ``C`` of a token, and the number of heads ``h``, which divides ``C``.
    qkv_bias
        Whether queries, keys and values have a bias; the last linear map always has one.
    causal
        Whether a token sees only itself and earlier tokens.
    """

    def __init__(self, channels: int, heads: int, *, qkv_bias: bool, causal: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.qkv = nn.Linear(channels, 3 * channels, bias=qkv_bias)
        self.out = nn.Linear(channels, channels)
        nn.init.xavier_uniform_(self.qkv.weight)
        nn.init.zeros_(self.out.bias)
        if qkv_bias:
            nn.init.zeros_(self.qkv.bias)

    def forward(self, tokens: "Tensor") -> "Tensor":
        """Attend; the shape stays ``(batch, tokens, channels)``."""
        # unbind rather than indexing: its gradient is one stack, not three zero-filled copies.
        split = self.qkv(tokens).unflatten(-1, (3, self.heads, -1)).unbind(-3)
        q, k, v = (part.transpose(-2, -3) for part in split)  # (B, h, T, C / h)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        attended: Tensor = self.out(mixed.transpose(-2, -3).flatten(-2))  # (B, T, C)
        return attended


def sinusoids(x: "Tensor") -> "Tensor":
    """Sinusoidal positions ``(length, channels)`` for a map ``(batch, channels, length)``.

    ``p[t, 2i] = sin(t / 10000^(2i / C))``, ``p[t, 2i + 1] = cos(t / 10000^(2i / C))``.

    Examples
    --------
    >>> sinusoids(torch.zeros(1, 2, 3))[0].tolist()
    [0.0, 1.0]
    """
    channels, length = x.shape[1:]
    dtype = torch.promote_types(x.dtype, torch.float32)  # half precision cannot count to 2049
    time = torch.arange(length, device=x.device, dtype=dtype)
    even = torch.arange(0, channels, 2, device=x.device, dtype=dtype)
    angles = time.unsqueeze(1) * torch.exp(even * (-math.log(10000.0) / channels))
    pairs = torch.stack((angles.sin(), angles.cos()), -1).flatten(1)  # (L, C or C + 1)
    return pairs[:, :channels].to(x.dtype)


class SelfAttention(nn.Module):
    """Every position attends to every other, or to those before it, by content.

    Tokens are the ``L`` positions, features the ``C`` channels:
    ``y = O(softmax(Q K^T / sqrt(C / h)) V)`` with ``Q, K, V`` linear in ``x + position``.

    Parameters
    ----------
    channels
        Channels ``C`` of the map, a multiple of `heads`.
    heads
        Number of heads ``h``.
    qkv_bias
        Whether queries, keys and values have a bias.
    position
        ``"none"``: the block is permutation-equivariant along the length. ``"sinusoidal"``: fixed
        sines and cosines are added before the attention; they fit any length.
    mask
        ``"none"``, or ``"causal"``: no position sees a later one. A classifier of whole windows
        gains nothing from that.

    Raises
    ------
    FaultdiagError
        If `heads` does not divide `channels`.

    Notes
    -----
    ``4 C^2 + 4 C`` parameters, ``4 C^2 + C`` without `qkv_bias`, whatever the heads; initialised as
    `torch.nn.MultiheadAttention`. In one dimension nothing is lost. There is neither a residual
    (the slot has one), nor a LayerNorm, nor dropout. The cost grows with ``L^2``: it belongs where
    maps are short.

    References
    ----------
    .. [1] Vaswani et al., "Attention Is All You Need", NeurIPS 2017, arXiv:1706.03762
    """

    reference: ClassVar[str] = "Vaswani et al., NeurIPS 2017, arXiv:1706.03762"

    def __init__(
        self,
        channels: int,
        *,
        heads: int = 4,
        qkv_bias: bool = True,
        position: Literal["none", "sinusoidal"] = "none",
        mask: Literal["none", "causal"] = "none",
    ) -> None:
        super().__init__()
        check_channels("self_attention", channels)
        check_divides("self_attention", "heads", heads, channels)
        self.position = position
        self.attention = MultiHead(channels, heads, qkv_bias=qkv_bias, causal=mask == "causal")

    def forward(self, x: "Tensor") -> "Tensor":
        """Attend over the positions of `x`, ``(batch, channels, length)``."""
        tokens = x.transpose(1, 2)  # (B, L, C)
        if self.position == "sinusoidal":
            tokens = tokens + sinusoids(x)
        attended: Tensor = self.attention(tokens).transpose(1, 2)  # (B, C, L)
        return attended
