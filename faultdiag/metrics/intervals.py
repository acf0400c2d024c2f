"""Intervals for a score: over recordings, and over seeds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer]


class MeanInterval(NamedTuple):
    """Mean and standard deviation of some runs, and the ends of the mean's 95 % interval."""

    mean: float
    sd: float | None
    low: float | None
    high: float | None


def bootstrap_interval(
    right: Ints, windows: Ints, *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of accuracy over recordings, or None with fewer than two.

    Windows of one recording are alike, so whole recordings are drawn with replacement, as many
    as there are, and the accuracy of a draw is ``sum(right) / sum(windows)`` over it. The
    interval is the central `level` of `resamples` draws [1]_.

    Where all recordings do equally well the interval is a point. That is the method's limit and
    no certainty: it can't imagine a kind of recording that it hasn't seen. `wilson_interval`
    over recordings doesn't have that fault.

    Parameters
    ----------
    right
        Windows called by their own class, of each recording, ``(recordings,)``.
    windows
        Windows of each recording, at least 1, ``(recordings,)``.
    level
        Share of the draws inside the interval.
    resamples
        Number of draws.
    seed
        Of the draws; equal input and seed give an equal interval.

    References
    ----------
    .. [1] B. Efron, R. Tibshirani (1993). An Introduction to the Bootstrap, ch. 13.
       doi:10.1201/9780429246593

    Examples
    --------
    >>> bootstrap_interval(np.array([5, 5, 0, 5]), np.array([5, 5, 5, 5]))
    (0.25, 1.0)
    """
    if right.size < 2:
        return None
    # Recordings of equal counts are interchangeable: drawing how often each kind comes up is
    # the same law, and there are far fewer kinds than recordings.
    kinds, times = np.unique(np.stack([right, windows]), axis=1, return_counts=True)
    generator = np.random.default_rng(seed)
    draws = generator.multinomial(right.size, times / right.size, size=resamples)
    accuracies = (draws @ kinds[0]) / (draws @ kinds[1])
    tail = (1 - level) / 2
    low, high = np.quantile(accuracies, [tail, 1 - tail])
    return float(low), float(high)


def wilson_interval(right: int, trials: int) -> tuple[float, float] | None:
    """Wilson's 95 % interval of a share of independent trials, or None without trials.

    The shares s that lie within z standard errors of what was seen, ``|right / n - s| <=
    z sqrt(s (1 - s) / n)`` with z = 1.96: of 20 right in 20 trials it says 0.84 to 1 [1]_.

    References
    ----------
    .. [1] E. B. Wilson (1927). doi:10.1080/01621459.1927.10502953

    Examples
    --------
    >>> [round(end, 3) for end in wilson_interval(20, 20)]
    [0.839, 1.0]
    """
    if not trials:
        return None
    z = 1.959963984540054
    share, weight = right / trials, z * z / trials
    middle = share + weight / 2
    half = z * np.sqrt(share * (1 - share) / trials + weight / (4 * trials))
    low, high = (middle - half) / (1 + weight), (middle + half) / (1 + weight)
    # All or none right: the end is exactly there, which rounding misses by a last digit.
    return 0.0 if right == 0 else float(low), 1.0 if right == trials else float(high)


def mean_interval(values: Sequence[float]) -> MeanInterval:
    """Mean, standard deviation and 95 % t interval of the mean over runs of several seeds.

    ``mean ± t sd / sqrt(n)`` with the sample standard deviation (n - 1) and t the 97.5 %
    quantile of Student's law of n - 1 degrees of freedom. It is not cut at 0 and 1. All but
    the mean are None for a single run.

    Raises
    ------
    ValueError
        If there is no value or one is not finite.

    Examples
    --------
    >>> mean, sd, low, high = mean_interval([0.90, 0.92, 0.94])
    >>> f"{mean:.2f} ± {sd:.2f}, {low:.3f} to {high:.3f}"
    '0.92 ± 0.02, 0.870 to 0.970'
    """
    from scipy.special import stdtrit

    x = np.asarray(values, dtype=np.float64)
    if x.size == 0 or not np.isfinite(x).all():
        raise ValueError(f"a mean needs finite numbers; found {list(values)}")
    mean = float(x.mean())
    if x.size == 1:
        return MeanInterval(mean, None, None, None)
    sd = float(x.std(ddof=1))
    half = float(stdtrit(x.size - 1, 0.975)) * sd / float(np.sqrt(x.size))
    return MeanInterval(mean, sd, mean - half, mean + half)
