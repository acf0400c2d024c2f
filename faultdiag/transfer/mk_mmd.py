"""Multi-kernel maximum mean discrepancy."""

from typing import TYPE_CHECKING, ClassVar

from torch import nn

from faultdiag.transfer.domains import Domain
from faultdiag.transfer.kernels import Bandwidth, KernelCount, MultiKernel, Positive

if TYPE_CHECKING:
    from torch import Tensor


class MKMMD(nn.Module):
    """Distance between the feature distributions of both domains under several kernels.

    ``MMD^2 = mean k(s, s') + mean k(t, t') - 2 mean k(s, t)`` with
    ``k(x, y) = sum_i exp(-|x - y|^2 / (factor^i s0))`` on the features before the classifier.
    The kernels share equal weights; the paper optimises them.

    Parameters
    ----------
    features, classes
        Width of the features and number of classes; any work.
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
    kind: ClassVar[str] = "joint"
    minimum_batch: ClassVar[int] = 2

    def __init__(
        self,
        features: int,
        classes: int,
        *,
        kernels: KernelCount = 5,
        factor: Positive = 2.0,
        bandwidth: Bandwidth = "mean",
        unbiased: bool = False,
    ) -> None:
        super().__init__()
        del features, classes
        self.kernel = MultiKernel(kernels, factor, bandwidth, unbiased)

    def forward(self, source: Domain, target: Domain, ramp: "Tensor") -> "Tensor":
        """Return the discrepancy of a batch, times the ramp."""
        return ramp * self.distance(source.features, target.features)

    def distance(self, source: "Tensor", target: "Tensor") -> "Tensor":
        """Return the squared discrepancy of two sets of rows, ``(n, d)`` and ``(m, d)``."""
        return self.kernel.discrepancy(self.kernel.between(source, target), len(source))
