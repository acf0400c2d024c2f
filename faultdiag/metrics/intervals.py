"""Intervals of scores (Wilson, bootstrap over recordings, stratified), and paired comparisons.

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
from numpy.typing import NDArray

from faultdiag.arrays import Floats, Integers


class MeanInterval(NamedTuple):
    """Mean and standard deviation of some runs, and the ends of the mean's 95 % interval."""

    mean: float
    sd: float | None
    low: float | None
    high: float | None


def bootstrap_interval(
    right: Integers, windows: Integers, *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of accuracy over recordings, or None with fewer than two.

    Windows of one recording are alike, so whole recordings are drawn with replacement, as many
    as there are, and the accuracy of a draw is ``sum(right) / sum(windows)`` over it. The
    interval is the central `level` of `resamples` draws [1]_.

    If all recordings have the same accuracy, the interval is a point. That is a limit of the method
    and no certainty: a resample holds no kind of recording that is not in the sample. `widened`
    corrects it.

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
        Seed of the draws; equal input and seed give an equal interval.

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


def widened(
    interval: tuple[float, float] | None, score: float | None, recordings: int
) -> tuple[float, float] | None:
    """Widen a bootstrap interval of a score to Wilson's with one trial for each recording.

    Windows of one recording are worth one trial at the least, so that 47 of 47 windows of ten
    recordings are no more certain than ten of ten.

    Parameters
    ----------
    interval
        Ends of the bootstrap interval; None stays None.
    score
        The score, from 0 to 1, that the interval is of.
    recordings
        How many recordings the score is over.

    Examples
    --------
    >>> low, high = widened((1.0, 1.0), 1.0, 10)
    >>> round(low, 3), high
    (0.722, 1.0)
    """
    if interval is None or score is None:
        return interval
    low, high = wilson_interval(min(score, 1.0) * recordings, recordings) or interval
    return min(low, interval[0]), max(high, interval[1])


def wilson_interval(right: float, trials: int) -> tuple[float, float] | None:
    """Wilson's 95 % interval of a share of independent trials, or None without trials.

    The shares s that lie within z standard errors of what was seen, ``|right / n - s| <=
    z sqrt(s (1 - s) / n)`` with z = 1.96: of 20 right in 20 trials it says 0.84 to 1 [1]_.
    `right` may be a fraction, where trials are right in part.

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


StratifiedInts = NDArray[np.int64]

CHUNK = 4_000_000  # numbers drawn at once


class ClassIntervals(NamedTuple):
    """Ends of the intervals of two scores; None where there are too few recordings."""

    balanced_accuracy: tuple[float, float] | None
    macro_f1: tuple[float, float] | None


def stratified_intervals(
    labels: StratifiedInts,
    calls: StratifiedInts,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> ClassIntervals:
    """Bootstrap intervals of balanced accuracy and macro-F1 over recordings.

    Whole recordings are drawn, because windows of one recording are alike, and they are drawn
    within their class: how many recordings a class has was decided by whoever chose them, and
    drawing from all alike would leave classes out, so that a draw would average over fewer of
    them and estimate something else. Of the n recordings of a class, n - 1 are drawn with
    replacement and count ``n / (n - 1)`` each. Drawing n understates the variance by
    ``(n - 1) / n``, a half at n = 2; this is right for every n [1]_ [2]_. The interval is
    the central `level` of the draws.

    The classes themselves are taken as given; `bootstrap_interval` of accuracy, which draws from
    all recordings alike, lets their mix vary too and is the wider where some classes are hard.

    A class with a single recording says nothing of how recordings differ, so there is no
    interval unless every class that occurs has two. With so few it is still too short: where
    four classes had 2, 3, 5 or 10 recordings each, simulated intervals of 95 % held the truth
    in 78, 90, 93 and 91 % of cases.

    Parameters
    ----------
    labels
        Class of each recording, ``(recordings,)``.
    calls
        How many windows of a recording were called each class, ``(recordings, classes)``.
    level, resamples, seed
        As for `bootstrap_interval`.

    References
    ----------
    .. [1] J. N. K. Rao, C. F. J. Wu (1988). Resampling inference with complex survey data.
       doi:10.1080/01621459.1988.10478591
    .. [2] A. C. Davison, D. V. Hinkley (1997). Bootstrap Methods and their Application,
       section 3.2. doi:10.1017/CBO9780511802843

    Examples
    --------
    >>> result = stratified_intervals(np.array([0, 0, 1, 1]), np.array([[4, 0], [0, 4]] * 2))
    >>> result.balanced_accuracy
    (0.0, 1.0)
    """
    of_class = np.bincount(labels)
    if not labels.size or of_class[of_class > 0].min() < 2:
        return ClassIntervals(None, None)
    # Alike recordings are interchangeable: drawing how often each kind comes up is the same law.
    kinds, times = np.unique(np.column_stack([labels, calls]), axis=0, return_counts=True)
    generator = np.random.default_rng(seed)
    step = max(CHUNK // (len(kinds) + 3 * calls.shape[1]), 1)
    sizes = [min(step, resamples - first) for first in range(0, resamples, step)]
    draws = [_draw(generator, kinds, times, size) for size in sizes]
    tail = (1 - level) / 2
    ends = np.quantile(np.concatenate(draws), [tail, 1 - tail], axis=0).T.tolist()
    return ClassIntervals((ends[0][0], ends[0][1]), (ends[1][0], ends[1][1]))


def _draw(
    generator: np.random.Generator, kinds: StratifiedInts, times: StratifiedInts, resamples: int
) -> Floats:
    """Draw recordings and return the two scores of each draw, ``(resamples, 2)``."""
    labels, calls = kinds[:, 0], kinds[:, 1:]
    weights = np.empty((resamples, len(kinds)))
    for label in np.unique(labels):
        mine = labels == label
        n = int(times[mine].sum())
        drawn = generator.multinomial(n - 1, times[mine] / n, size=resamples)
        weights[:, mine] = drawn * (n / (n - 1))
    own = np.eye(calls.shape[1])[labels]
    windows = calls.sum(axis=1, keepdims=True)
    right, true, called = (weights @ x for x in (own * calls, own * windows, calls))
    occurs = true > 0  # the same classes in every draw
    recall = np.divide(right, true, out=np.zeros_like(right), where=occurs)
    total = true + called
    f1 = np.divide(2 * right, total, out=np.zeros_like(right), where=total > 0)
    return np.column_stack([recall.sum(1) / occurs.sum(1), f1.sum(1) / (total > 0).sum(1)])


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
    >>> result = paired_difference([0.02, 0.03, 0.01, 0.02, 0.02], 0.25)
    >>> f"{result.mean:.3f}, {result.low:.4f} to {result.high:.4f}, p = {result.p:.4f}"
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
