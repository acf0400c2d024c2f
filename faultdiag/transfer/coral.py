"""Correlation alignment."""

from typing import TYPE_CHECKING, ClassVar

from faultdiag.transfer.domains import Domain, JointMethod

if TYPE_CHECKING:
    from torch import Tensor


class CORAL(JointMethod):
    """Distance between the feature covariances of both domains.

    ``|C_s - C_t|_F^2 / (4 d^2)`` with the covariances ``C`` (divisor ``n - 1``) of the ``d``
    features before the classifier. A shift of the mean alone has no effect.

    References
    ----------
    .. [1] B. Sun, K. Saenko, "Deep CORAL: Correlation Alignment for Deep Domain Adaptation",
       ECCV 2016 workshops, arXiv:1607.01719
    """

    reference: ClassVar[str] = "Sun and Saenko, ECCV 2016 workshops, arXiv:1607.01719"

    def forward(self, source: Domain, target: Domain, ramp: "Tensor") -> "Tensor":
        """Return the distance of the covariances of a batch, times the ramp."""
        difference = covariance(source.features) - covariance(target.features)
        return ramp * (difference * difference).mean() / 4


def covariance(rows: "Tensor") -> "Tensor":
    """Return the covariance of rows, ``(n, d) -> (d, d)``, in float64."""
    x = rows.double()
    x = x - x.mean(0)
    return x.T @ x / (len(x) - 1)
