"""The verdict of bearing physics, which needs no training, and whether a diagnosis agrees with it.

The scores are those of `faultdiag.features.orders` on the whitened signal: how far the comb of
lines that a faulty race or ball must cause stands out, in standard deviations of what noise gives.
They are averaged over stretches of a second. A recording has a signature where the largest mean
reaches 4: of 12,300 stretches of Gaussian noise none did.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from faultdiag.features.orders import Bands, Comb, scores, whiten
from faultdiag.signal.bearings import KnownBearing
from faultdiag.signal.dsp import fast_length

Part: TypeAlias = Literal["inner", "outer", "ball", "cage", "healthy"]
Agreement: TypeAlias = Literal["agrees", "disagrees", "no signature", "unknown"]
PARTS: tuple[Part, ...] = get_args(Part)
AGREEMENTS: tuple[Agreement, ...] = get_args(Agreement)

THRESHOLD = 4.0
STRETCH_SECONDS = 1.0
# More stretches than these move the mean by less than its scatter.
MOST_STRETCHES = 30

FAULT_LINES: Mapping[Part, str] = {"inner": "BPFI", "outer": "BPFO", "ball": "BSF", "cage": "FTF"}
_SCORED: Mapping[Part, str] = {"inner": "bpfi", "outer": "bpfo", "ball": "bsf"}
_WORDS: Mapping[Part, tuple[frozenset[str], tuple[str, ...]]] = {
    "inner": (frozenset({"i", "ir", "irf", "ib", "if"}), ("inner",)),
    "outer": (frozenset({"o", "or", "orf", "ob", "of"}), ("outer",)),
    "ball": (frozenset({"b", "bf", "tb", "re", "be"}), ("ball", "roll")),
    "cage": (frozenset({"c", "ca", "cf"}), ("cage",)),
    "healthy": (frozenset({"n", "h", "ok"}), ("normal", "health", "baseline")),
}


@dataclass(frozen=True, slots=True)
class PhysicsVerdict:
    """Which part of the bearing the envelope spectra name.

    Parameters
    ----------
    scores
        For the inner race, the outer race and the ball: mean over the stretches of the largest
        score over the bands, in standard deviations of noise.
    part
        The part with the largest score, or None where that is below the threshold.
    stretches
        How many stretches were scored.
    seconds
        Length of a stretch.
    """

    scores: Mapping[Part, float]
    part: Part | None
    stretches: int
    seconds: float
    threshold: float = THRESHOLD

    @property
    def score(self) -> float:
        """The largest of the scores."""
        return max(self.scores.values())


def physics_verdict(
    x: NDArray[np.floating], fs: float, rpm: float, bearing: KnownBearing
) -> PhysicsVerdict:
    """Score the fault orders of a bearing in one channel.

    Parameters
    ----------
    x
        ``(samples,)``, of 16 revolutions or more.
    fs
        Hz.
    rpm
        Shaft speed.
    bearing
        Its fault orders.

    References
    ----------
    .. [1] R. B. Randall and J. Antoni, "Rolling element bearing diagnostics - a tutorial", Mech.
       Syst. Signal Process. 25 (2011) 485-520, doi:10.1016/j.ymssp.2010.07.017
    """
    stretches = _stretches(np.asarray(x), round(STRETCH_SECONDS * fs))
    count, length = stretches.shape
    # Exact zeros, as a constant signal has, can't be whitened.
    stretches = stretches[stretches.any(axis=1)]
    plan = Bands(length)
    comb = Comb(bearing, rpm / 60 * length / fs, plan.reach)
    sums = dict.fromkeys(_SCORED, 0.0)
    for stretch in stretches:
        levels = plan.levels(plan.envelopes(whiten(np.fft.rfft(stretch[None]))))
        for part, name in _SCORED.items():
            sums[part] += float(scores(levels, comb.parts[name]).max())
    means = {part: total / count for part, total in sums.items()}
    best = max(means, key=lambda part: means[part])
    named = best if means[best] >= THRESHOLD else None
    return PhysicsVerdict(means, named, count, length / fs)


def _stretches(x: NDArray[np.floating], length: int) -> NDArray[np.float64]:
    """Cut evenly spread stretches ``(stretches, length)`` of zero mean and unit variance."""
    length = fast_length(min(length, x.size))
    count = min(x.size // length, MOST_STRETCHES)
    starts = np.linspace(0, x.size - length, count).astype(np.intp)
    cut = np.stack([x[start : start + length] for start in starts]).astype(np.float64)
    cut -= cut.mean(axis=1, keepdims=True)
    deviation = cut.std(axis=1, keepdims=True)
    return np.asarray(cut / np.where(deviation > 0, deviation, 1.0))


def part_of(label: str, healthy: Collection[str] = ()) -> Part | None:
    """Return the part of the bearing that a class name means, or None where it names none.

    Parameters
    ----------
    label
        A class of a model.
    healthy
        The classes that the model's config calls healthy.

    Examples
    --------
    >>> [part_of(name) for name in ("IR007", "outer_race", "B", "N", "unbalance")]
    ['inner', 'outer', 'ball', 'healthy', None]
    >>> part_of("good", healthy=["good"])
    'healthy'
    """
    if label in healthy:
        return "healthy"
    word = _first_word(label)
    for part, (whole, beginnings) in _WORDS.items():
        if word in whole or word.startswith(beginnings):
            return part
    return None


def _first_word(label: str) -> str:
    end = next((i for i, letter in enumerate(label) if not letter.isalpha()), len(label))
    return label[:end].lower()


def compare(diagnosed: Part | None, verdict: PhysicsVerdict | None) -> Agreement:
    """Compare a diagnosis with the verdict of physics.

    ``agrees`` and ``disagrees`` need a signature and a class that names a part, or healthy;
    without a signature physics neither confirms nor contradicts. ``unknown`` is what can't be
    compared: no speed or geometry, or a class that names no part.

    Examples
    --------
    >>> verdict = PhysicsVerdict({"inner": 7.3, "outer": 2.8, "ball": 2.0}, "inner", 10, 1.0)
    >>> compare("inner", verdict), compare("healthy", verdict), compare("ball", None)
    ('agrees', 'disagrees', 'unknown')
    """
    if verdict is None:
        return "unknown"
    if verdict.part is None:
        return "no signature"
    if diagnosed is None:
        return "unknown"
    return "agrees" if diagnosed == verdict.part else "disagrees"
