"""Axial attention on a folded length."""

import math
from typing import TYPE_CHECKING, ClassVar

from torch import nn

from faultdiag.attention.base import at_least, check_channels, check_divides
from faultdiag.attention.self_attention import MultiHead
from faultdiag.errors import FaultdiagError

if TYPE_CHECKING:
    from torch import Tensor


def nearest_fold(length: int) -> int:
    """Divisor of `length` nearest to its square root, the smaller on ties.

    Examples
    --------
    >>> [nearest_fold(n) for n in (32, 64, 7)]
    [4, 8, 1]
    """
    divisors = (d for d in range(1, length + 1) if length % d == 0)
    return min(divisors, key=lambda d: abs(d - math.sqrt(length)))


class AxialAttention(nn.Module):
    """Self-attention along the rows and along the columns of the folded length, summed.

    On a single axis axial attention is plain self-attention; folding the length into rows adds the
    second axis.

    Position ``p Q + q`` is in row ``p``, column ``q``; with `MultiHead` attention ``A``
    within rows and ``A'`` within columns, ``y[p, q] = A(x[p, :])[q] + A'(x[:, q])[p]``.

    Parameters
    ----------
    channels
        Channels ``C`` of the map, a multiple of `heads`.
    heads
        Number of heads of either attention.
    fold
        Row length ``Q``, a divisor of the map's length; ideally one revolution of the shaft at that
        stride, so that a column holds one shaft angle. None is the divisor nearest to the square
        root of the length; at a prime length that is 1.

    Raises
    ------
    FaultdiagError
        If `heads` does not divide `channels` or `fold` is below 1; in `forward`, if `fold` does not
        divide the length.

    Notes
    -----
    ``2 (4 C^2 + C)`` parameters: no bias on queries, keys and values. ``L (P + Q)`` scores instead
    of ``L^2``. No positional term, as the sum of the axes needs none to tell row from column; a
    permutation of whole rows or of whole columns permutes the output alike.

    References
    ----------
    .. [1] Ho et al., "Axial Attention in Multidimensional Transformers", 2019, arXiv:1912.12180
    """

    reference: ClassVar[str] = "Ho et al., 2019, arXiv:1912.12180"

    def __init__(self, channels: int, *, heads: int = 4, fold: int | None = None) -> None:
        super().__init__()
        check_channels("axial", channels)
        check_divides("axial", "heads", heads, channels)
        if fold is not None:
            at_least("fold", fold, "axial")
        self.fold = fold
        self.rows = MultiHead(channels, heads, qkv_bias=False)
        self.columns = MultiHead(channels, heads, qkv_bias=False)

    def forward(self, x: "Tensor") -> "Tensor":
        """Attend along rows and columns of `x`, ``(batch, channels, length)``."""
        folded = x.unflatten(-1, (-1, self._row_length(x.shape[-1])))  # (B, C, P, Q)
        by_row = folded.permute(0, 2, 3, 1)  # (B, P, Q, C)
        by_column = folded.permute(0, 3, 2, 1)  # (B, Q, P, C)
        rows = self.rows(by_row.flatten(0, 1)).unflatten(0, by_row.shape[:2])
        columns = self.columns(by_column.flatten(0, 1)).unflatten(0, by_column.shape[:2])
        summed: Tensor = rows.permute(0, 3, 1, 2) + columns.permute(0, 3, 2, 1)  # (B, C, P, Q)
        return summed.flatten(-2)

    def _row_length(self, length: int) -> int:
        if self.fold is None:
            return nearest_fold(length)
        if length % self.fold:
            divisors = ", ".join(str(d) for d in range(1, length + 1) if length % d == 0)
            raise FaultdiagError(
                f"attention block 'axial': fold is {self.fold}, which does not divide a map of "
                f"length {length}; use one of {divisors}"
            )
        return self.fold
