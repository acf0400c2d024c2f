"""Joint maximum mean discrepancy of features and predictions."""

from typing import TYPE_CHECKING, ClassVar

import torch

from faultdiag.option_types import Count, Positive
from faultdiag.transfer.domains import Domain, JointMethod, probabilities
from faultdiag.transfer.mk_mmd import Bandwidth, MultiKernel, squared_distances

if TYPE_CHECKING:
    from torch import Tensor


class JMMD(JointMethod):
    """Distance between the joint distributions of features and predicted classes.

    The kernel of two windows is the product of one on its features, as that of `MKMMD`, and one on
    its predicted probabilities ``p``: ``k(x, y) exp(-|p_x - p_y|^2 / width)``. So a target window
    is only drawn to source windows of the class that it resembles. The estimate uses all pairs, the
    paper's code a number of pairs linear in the batch.

    Parameters
    ----------
    features, classes
        Width of the features and number of classes; neither matters.
    kernels, factor, bandwidth, unbiased
        As for `MKMMD`, on the features.
    width
        Bandwidth of the kernel on the probabilities; 1.68 is that of the paper's code.

    References
    ----------
    .. [1] M. Long, H. Zhu, J. Wang, M. I. Jordan, "Deep Transfer Learning with Joint Adaptation
       Networks", ICML 2017, arXiv:1605.06636
    """

    reference: ClassVar[str] = "Long et al., ICML 2017, arXiv:1605.06636"

    def __init__(
        self,
        features: int,
        classes: int,
        *,
        kernels: Count = 5,
        factor: Positive = 2.0,
        bandwidth: Bandwidth = "mean",
        unbiased: bool = False,
        width: Positive = 1.68,
    ) -> None:
        super().__init__(features, classes)
        self.kernel = MultiKernel(kernels, factor, bandwidth, unbiased)
        self.width = width

    def forward(self, source: Domain, target: Domain, ramp: "Tensor") -> "Tensor":
        """Return the joint discrepancy of a batch, times the ramp."""
        kernel = self.kernel.between(source.features, target.features)
        predicted = probabilities(torch.cat([source.logits, target.logits]))
        kernel = kernel * torch.exp(-squared_distances(predicted) / self.width)
        return ramp * self.kernel.discrepancy(kernel, len(source.features))
