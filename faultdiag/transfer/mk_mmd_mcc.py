"""Multi-kernel maximum mean discrepancy with minimum class confusion."""

from typing import TYPE_CHECKING, ClassVar

from faultdiag.option_types import Count, Positive
from faultdiag.transfer.domains import Domain, JointMethod
from faultdiag.transfer.mcc import MCC
from faultdiag.transfer.mk_mmd import MKMMD, Bandwidth

if TYPE_CHECKING:
    from torch import Tensor


class MKMMDWithMCC(JointMethod):
    """The sum of `MKMMD` and `MCC`.

    The discrepancy aligns the domains as a whole, the confusion keeps their classes apart. Both
    domains go through the network in one pass, so that the source keeps its accuracy.

    Parameters
    ----------
    features, classes
        Width of the features and number of classes.
    kernels, factor, bandwidth, unbiased
        As for `MKMMD`.
    temperature
        As for `MCC`.
    confusion
        What the class confusion is multiplied by before it is added.

    References
    ----------
    .. [1] M. Long et al., ICML 2015, arXiv:1502.02791
    .. [2] Y. Jin et al., ECCV 2020, arXiv:1912.03699
    """

    reference: ClassVar[str] = "Long et al., arXiv:1502.02791, and Jin et al., arXiv:1912.03699"

    def __init__(
        self,
        features: int,
        classes: int,
        *,
        kernels: Count = 5,
        factor: Positive = 2.0,
        bandwidth: Bandwidth = "mean",
        unbiased: bool = False,
        temperature: Positive = 2.5,
        confusion: Positive = 1.0,
    ) -> None:
        super().__init__(features, classes)
        self.discrepancy = MKMMD(
            features,
            classes,
            kernels=kernels,
            factor=factor,
            bandwidth=bandwidth,
            unbiased=unbiased,
        )
        self.confusion = MCC(features, classes, temperature=temperature)
        self.weight = confusion

    def forward(self, source: Domain, target: Domain, ramp: "Tensor") -> "Tensor":
        """Return discrepancy and confusion of a batch, times the ramp."""
        confusion = self.confusion(source, target, ramp)
        loss: Tensor = self.discrepancy(source, target, ramp) + self.weight * confusion
        return loss
