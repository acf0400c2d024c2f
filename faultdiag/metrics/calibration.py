"""Calibration: whether a confidence of 90 % is right nine times of ten, and how to correct it.

References
----------
.. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger (2017). On calibration of modern neural
   networks. arXiv:1706.04599
.. [2] J. Platt (1999). Probabilistic outputs for support vector machines and comparisons to
   regularized likelihood methods. Advances in Large Margin Classifiers, section 2.2: targets of
   (N + 1) / (N + 2) in place of 1.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faultdiag.arrays import Integers
from faultdiag.metrics.scores import require_classes

Floats = NDArray[np.floating]

LOWEST, HIGHEST = 1 / 20, 20.0  # of the temperature
HALVINGS = 36  # of the interval of log T: from 6 down to 9e-11


class Reliability(NamedTuple):
    """Windows binned by their confidence, the data of a reliability diagram; each ``(bins,)``.

    `confidence` and `accuracy` are means over the windows of a bin, NaN in an empty bin.
    """

    windows: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]


def reliability(labels: Integers, probabilities: Floats, *, bins: int = 15) -> Reliability:
    """Compute mean confidence and accuracy of the windows in bins of equal width.

    The confidence of a window is its largest probability; bin m takes the confidences in
    ``((m - 1) / bins, m / bins]`` [1]_.

    Parameters
    ----------
    labels
        Class of each window, ``(windows,)``.
    probabilities
        ``(windows, classes)``.
    bins
        Number of bins.

    Examples
    --------
    >>> result = reliability(np.array([0, 1]), np.array([[0.75, 0.25], [0.75, 0.25]]), bins=2)
    >>> result.windows.tolist(), result.accuracy.tolist(), result.confidence.tolist()
    ([0, 2], [nan, 0.5], [nan, 0.75])
    """
    confidence, right = _confidence_and_hits(labels, probabilities)
    number = _bin_numbers(confidence, bins)
    windows = np.bincount(number, minlength=bins)
    some = np.where(windows > 0, windows, np.nan)
    sums = [np.bincount(number, weights=x, minlength=bins) for x in (confidence, right)]
    return Reliability(windows, sums[0] / some, sums[1] / some)


def expected_calibration_error(
    labels: Integers, probabilities: Floats, *, bins: int = 15
) -> float | None:
    """Compute the expected calibration error, eq. (3) of [1]_; None without windows.

    ``ECE = sum_m |B_m| / n * |accuracy(B_m) - mean confidence(B_m)|`` with the bins ``B_m`` and
    the parameters of `reliability`.

    Examples
    --------
    >>> expected_calibration_error(np.array([0, 1]), np.array([[0.75, 0.25], [0.75, 0.25]]))
    0.25
    """
    if not labels.size:
        return None
    confidence, right = _confidence_and_hits(labels, probabilities)
    number = _bin_numbers(confidence, bins)
    gaps = np.bincount(number, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / labels.size)


def _confidence_and_hits(
    labels: Integers, probabilities: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == labels


def _bin_numbers(confidence: Floats, bins: int) -> NDArray[np.intp]:
    edges = np.linspace(0, 1, bins + 1)
    # A softmax in float32 can exceed 1 by a rounding error: that belongs to the last bin.
    return np.searchsorted(edges[1:-1], confidence, side="left")


def nll(logits: Floats, labels: Integers, *, temperature: float = 1.0) -> float:
    """Compute the mean negative log-likelihood of the true classes, in nats.

    ``-mean_i log softmax(logits_i / temperature)[labels_i]``; log-probabilities are logits too.

    Raises
    ------
    ValueError
        If there are no windows, or shapes, labels or logits are not as in `fit_temperature`.

    Examples
    --------
    >>> round(nll(np.log([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 1])), 4)
    0.4904
    """
    below, true = _below_largest(logits, labels)
    if not labels.size:
        raise ValueError("the likelihood of no windows has no mean")
    log_sum = np.log(np.exp(below / temperature).sum(axis=1))
    return float(np.mean(log_sum - true / temperature))


def fit_temperature(logits: Floats, labels: Integers, *, independent: int = 0) -> float:
    """Fit the temperature T that makes ``softmax(logits / T)`` calibrated: least `nll` [1]_.

    The likelihood is convex in ``1 / T``, so its slope changes sign at most once and bisection
    of log T over 1/20 to 20 finds the minimum, or the bound nearest to it.

    If every window is classified correctly there is no minimum: the likelihood improves all the
    way to ``T = 0``, confidences of 1. Without `independent` nothing is changed then, T is 1, as
    it is without any window. With it, the target of a window is not 1 for its class but

        ``p = (n + 1) / (n + 2)``,  and the rest spread over the other classes,

    the probability of success after n successes of n [2]_, so that T stays above 0 and the mean
    confidence below p.

    Parameters
    ----------
    logits
        ``(windows, classes)``, of windows that the model was not trained on.
    labels
        Class of each window, ``(windows,)``.
    independent
        n, the number of independent windows among them; 0: the targets are 1.

    Raises
    ------
    ValueError
        If the shapes don't match, a label is no class or a logit is not finite.

    Examples
    --------
    Four windows get the odds 16 : 1 and one of them is wrong; 3 : 1 would be right.

    >>> temperature = fit_temperature(np.log([[16, 1]] * 4), np.array([0, 0, 0, 1]))
    >>> round(16 ** (1 / temperature), 6)
    3.0

    Four of four are right at the odds 2 : 1; after four successes of four, 5 : 1 would be.

    >>> temperature = fit_temperature(np.log([[2, 1]] * 4), np.zeros(4, int), independent=4)
    >>> round(2 ** (1 / temperature), 6)
    5.0
    """
    below, true = _below_largest(logits, labels)
    if not labels.size or (not independent and (true == 0).all()):
        return 1.0
    if independent:
        share = (independent + 1) / (independent + 2)
        others = (below.sum(axis=1) - true) / max(below.shape[1] - 1, 1)
        true = share * true + (1 - share) * others
    low, high = np.log(LOWEST), np.log(HIGHEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _slope(below, true, 1 / np.exp(middle)) > 0:
            low = middle
        else:
            high = middle
    return float(np.exp((low + high) / 2))


def _below_largest(logits: Floats, labels: Integers) -> tuple[Floats, Floats]:
    """Return logits less the largest of their window, ``(windows, classes)``, and the true ones."""
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(
            "logits must be (windows, classes) and labels (windows,); "
            f"found {logits.shape} and {labels.shape}"
        )
    require_classes("labels", labels, logits.shape[1])
    if not np.isfinite(logits).all():
        raise ValueError("logits must be finite")
    below = logits.astype(np.float64)
    below -= below.max(axis=1, keepdims=True)
    return below, np.take_along_axis(below, labels[:, np.newaxis], axis=1)[:, 0]


def _slope(below: Floats, target: Floats, sharpness: float) -> float:
    """Return the slope of the likelihood in ``1 / T``: mean logit of the model less the target."""
    weights = np.exp(below * sharpness)
    mean = np.einsum("ij,ij->i", weights, below) / weights.sum(axis=1)
    return float(np.mean(mean - target))
