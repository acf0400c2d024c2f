"""Paired comparison of two models over the same folds and seeds.

Results of several folds and seeds are not independent: their training parts overlap, so a plain t
test finds differences that are not there. The corrected resampled t test adds the share of the
test part to the variance of the mean [1]_; several comparisons with one reference are corrected by
Holm's method [2]_.

References
----------
.. [1] C. Nadeau, Y. Bengio (2003). Inference for the generalization error. Machine Learning 52,
   239-281. doi:10.1023/A:1024068626366
.. [2] S. Holm (1979). A simple sequentially rejective multiple test procedure. Scandinavian
   Journal of Statistics 6, 65-70. https://www.jstor.org/stable/4615733
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class PairedDifference(NamedTuple):
    """Mean difference of two models, its 95 % interval, and the p value of no difference.

    Interval and p value are None for a single pair; the p value is None, too, where all
    differences are equal and not 0.
    """

    mean: float
    low: float | None
    high: float | None
    p: float | None


def paired_difference(differences: Sequence[float], test_to_train: float) -> PairedDifference:
    """Compute the corrected resampled t test of paired differences [1]_.

    With J differences of mean d and sample variance s², and the ratio r of test to training
    samples,

        ``t = d / sqrt((1 / J + r) s²)``,  J - 1 degrees of freedom,

    and the interval is ``d ± t_0.975 sqrt((1 / J + r) s²)``.

    Raises
    ------
    ValueError
        If there is no difference, or the ratio is not positive.

    Examples
    --------
    >>> found = paired_difference([0.02, 0.03, 0.01, 0.02, 0.02], 0.25)
    >>> f"{found.mean:.3f}, {found.low:.4f} to {found.high:.4f}, p = {found.p:.4f}"
    '0.020, 0.0068 to 0.0332, p = 0.0135'
    """
    from scipy.special import stdtr, stdtrit

    x = np.asarray(differences, dtype=np.float64)
    if not x.size or not np.isfinite(x).all() or not test_to_train > 0:
        raise ValueError(f"found differences {list(differences)} and ratio {test_to_train}")
    mean = float(x.mean())
    if x.size == 1:
        return PairedDifference(mean, None, None, None)
    error = float(np.sqrt((1 / x.size + test_to_train) * x.var(ddof=1)))
    half = float(stdtrit(x.size - 1, 0.975)) * error
    if error == 0:
        return PairedDifference(mean, mean, mean, 1.0 if mean == 0 else None)
    p = 2 * float(stdtr(x.size - 1, -abs(mean) / error))
    return PairedDifference(mean, mean - half, mean + half, p)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust p values for their number by Holm's method [2]_; None stays None.

    The i-th smallest of m is multiplied by ``m - i + 1``, never below the one before it, at most 1.

    Examples
    --------
    >>> holm([0.01, 0.04, None, 0.03])
    [0.03, 0.06, None, 0.06]
    """
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    least = 0.0
    for rank, (p, i) in enumerate(known):
        least = max(least, min(1.0, (len(known) - rank) * p))
        adjusted[i] = least
    return adjusted
