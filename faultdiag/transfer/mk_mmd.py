"""Multi-kernel maximum mean discrepancy, and the Gaussian kernels that other methods use too."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import torch

from faultdiag.option_types import Count, Positive
from faultdiag.transfer.domains import Domain, JointMethod

if TYPE_CHECKING:
    from torch import Tensor

Bandwidth = Literal["mean", "median"]

# Below any squared distance; prevents a division by zero for equal windows.
_TINY = 1e-30


def squared_distances(rows: "Tensor") -> "Tensor":
    """Return the squared Euclidean distances between all rows, ``(m, d) -> (m, m)``, in float64."""
    x = rows.double()
    x = x - x.mean(0)  # the same distances with less cancellation
    norms = (x * x).sum(1)
    distances = norms[:, None] + norms - 2 * (x @ x.T)
    return distances.clamp_min(0).fill_diagonal_(0)


def bandwidth(distances: "Tensor", rule: Bandwidth) -> "Tensor":
    """Return the mean or median squared distance of two different rows, without gradient.

    ``mean`` is ``sum d^2 / (m^2 - m)``. Both follow the scale of the features, so that the
    discrepancy doesn't depend on it.
    """
    distances = distances.detach()
    rows = len(distances)
    if rule == "mean":
        return (distances.sum() / (rows * rows - rows)).clamp_min(_TINY)
    upper = torch.triu_indices(rows, rows, 1, device=distances.device)
    return distances[upper[0], upper[1]].median().clamp_min(_TINY)


def gaussian_kernels(
    distances: "Tensor", *, kernels: int, factor: float, rule: Bandwidth
) -> "Tensor":
    """Return a sum of Gaussian kernels, ``(m, m)``.

    ``k = sum_i exp(-d^2 / (factor^i s))`` with ``kernels`` terms around ``i = 0`` and the
    bandwidth ``s`` of `bandwidth`.
    """
    width = bandwidth(distances, rule)
    exponents = range(-(kernels // 2), kernels - kernels // 2)
    return torch.stack([torch.exp(-distances / (factor**i * width)) for i in exponents]).sum(0)


@dataclass(frozen=True, slots=True)
class MultiKernel:
    """A sum of Gaussian kernels, and the discrepancy that is estimated with it.

    Parameters
    ----------
    kernels, factor, rule
        As for `gaussian_kernels`.
    unbiased
        As for `discrepancy`.
    """

    kernels: int
    factor: float
    rule: Bandwidth
    unbiased: bool

    def between(self, source: "Tensor", target: "Tensor") -> "Tensor":
        """Return the kernel of all rows, ``(n, d)`` and ``(m, d)`` to ``(n + m, n + m)``."""
        distances = squared_distances(torch.cat([source, target]))
        return gaussian_kernels(distances, kernels=self.kernels, factor=self.factor, rule=self.rule)

    def discrepancy(self, kernel: "Tensor", rows: int) -> "Tensor":
        """Return the squared discrepancy of a kernel; the first `rows` rows are the source."""
        return discrepancy(kernel, rows, unbiased=self.unbiased)


def discrepancy(kernel: "Tensor", rows: int, *, unbiased: bool) -> "Tensor":
    """Return the squared maximum mean discrepancy of a kernel matrix.

    ``mean K_ss + mean K_tt - 2 mean K_st``.

    Parameters
    ----------
    kernel
        Kernel of all rows of both domains, ``(m, m)``, the source first.
    rows
        How many rows are of the source.
    unbiased
        Leave the diagonals of ``K_ss`` and ``K_tt`` out of their means: the estimate is then 0 on
        average, and may be negative, where both domains are equal [1]_.

    References
    ----------
    .. [1] A. Gretton et al., "A Kernel Two-Sample Test", JMLR 13, 2012, lemma 6
    """
    source, target, between = kernel[:rows, :rows], kernel[rows:, rows:], kernel[:rows, rows:]
    return _mean(source, unbiased) + _mean(target, unbiased) - 2 * between.mean()


def _mean(kernel: "Tensor", unbiased: bool) -> "Tensor":
    if not unbiased:
        return kernel.mean()
    rows = len(kernel)
    return (kernel.sum() - kernel.diagonal().sum()) / (rows * rows - rows)


class MKMMD(JointMethod):
    """Distance between the feature distributions of both domains under several kernels.

    ``MMD^2 = mean k(s, s') + mean k(t, t') - 2 mean k(s, t)`` with
    ``k(x, y) = sum_i exp(-|x - y|^2 / (factor^i s0))`` on the features before the classifier.
    The kernels share equal weights; the paper optimises them.

    Parameters
    ----------
    features, classes
        Width of the features and number of classes; neither matters.
    kernels
        How many bandwidths, around the base bandwidth ``s0``.
    factor
        Ratio of one bandwidth to the next.
    bandwidth
        The rule for ``s0``: the ``mean`` or ``median`` squared distance within the joint batch.
    unbiased
        Leave the distance of a window from itself out of the estimate.

    References
    ----------
    .. [1] M. Long, Y. Cao, J. Wang, M. I. Jordan, "Learning Transferable Features with Deep
       Adaptation Networks", ICML 2015, arXiv:1502.02791
    .. [2] A. Gretton et al., "Optimal kernel choice for large-scale two-sample tests", NIPS 2012
    """

    reference: ClassVar[str] = "Long et al., ICML 2015, arXiv:1502.02791"

    def __init__(
        self,
        features: int,
        classes: int,
        *,
        kernels: Count = 5,
        factor: Positive = 2.0,
        bandwidth: Bandwidth = "mean",
        unbiased: bool = False,
    ) -> None:
        super().__init__(features, classes)
        self.kernel = MultiKernel(kernels, factor, bandwidth, unbiased)

    def forward(self, source: Domain, target: Domain, ramp: "Tensor") -> "Tensor":
        """Return the discrepancy of a batch, times the ramp."""
        return ramp * self.distance(source.features, target.features)

    def distance(self, source: "Tensor", target: "Tensor") -> "Tensor":
        """Return the squared discrepancy of two sets of rows, ``(n, d)`` and ``(m, d)``."""
        return self.kernel.discrepancy(self.kernel.between(source, target), len(source))
