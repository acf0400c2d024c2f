"""Whether a recording shows the signature of a bearing fault, by the evidence of a tied network.

The head of such a network (`faultdiag.models.tied.TiedHead`) turns the evidence for each part of
the bearing into logits, with few weights. So the evidence follows from the logits, and whatever
computes the logits needs to return nothing more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from faultdiag.arrays import Floats, Ints
from faultdiag.documents import Document, Json

ERROR = 0.05
"""Largest share of the windows with a signature whose part may be wrong, where it is fitted."""

NOISE_QUANTILE = 0.99
"""Share of the windows of noise that the threshold leaves without a signature, at least."""

LEAST_BALL = 0.1
"""Least weight of the ball's own evidence, as a share of a race's; below it is as good as none."""

NORMAL, INNER, OUTER, BALL = "normal", "inner", "outer", "ball"


@dataclass(frozen=True)
class Head:
    """The weights of a tied head.

    Parameters
    ----------
    parts
        What each class means: normal, inner, outer or ball.
    race, ball
        Weights of a race's own evidence and of the other's; of the ball's and of the races'.
    bias
        The bias of each class.
    """

    parts: tuple[str, ...]
    race: tuple[float, float]
    ball: tuple[float, float] | None
    bias: tuple[float, ...]

    @property
    def invertible(self) -> bool:
        """Whether the evidence for the races follows from the logits."""
        races = {INNER, OUTER} <= set(self.parts)
        return races and abs(self.race[0] ** 2 - self.race[1] ** 2) > 1e-6

    @property
    def sees_balls(self) -> bool:
        """Whether that for the ball does: a head that leaves it out names balls by elimination."""
        if BALL not in self.parts or self.ball is None:
            return False
        return bool(self.ball[0] * np.sign(self.race[0]) > LEAST_BALL * abs(self.race[0]))

    @property
    def faulty(self) -> list[str]:
        """The damaged parts for which there is evidence."""
        return [INNER, OUTER, *([BALL] if self.sees_balls else [])]

    def evidence(self, logits: Floats) -> Floats:
        """Return the evidence for each of `faulty`, ``(windows, parts)``, from the logits.

        With `race` ``(a, b)`` it solves ``inner = a e_I + b e_O``, ``outer = a e_O + b e_I``; with
        `ball` ``(c, d)`` then ``ball = c e_B + d max(e_I, e_O)``. It is positive where the part's
        class gains.
        """
        own = logits - np.array(self.bias)
        inner, outer = (own[:, self.parts.index(part)] for part in (INNER, OUTER))
        a, b = self.race
        columns = [(a * inner - b * outer), (a * outer - b * inner)]
        columns = [column / (a * a - b * b) for column in columns]
        if self.sees_balls and self.ball is not None:
            ball = own[:, self.parts.index(BALL)] - self.ball[1] * np.maximum(*columns)
            columns.append(ball / self.ball[0])
        evidence: Floats = np.stack(columns, axis=1) * np.sign(a)
        return evidence


@dataclass(frozen=True)
class Signature:
    """From which evidence on a recording shows the signature of a bearing fault.

    Parameters
    ----------
    head
        The head that made the logits.
    threshold
        Threshold of the mean over windows of the largest evidence.
    error
        The share of windows with a signature whose part may have been wrong.
    basis
        What it was fitted on, in words.
    """

    head: Head
    threshold: float
    error: float
    basis: str

    def strength(self, logits: Floats) -> Floats:
        """Return the largest evidence of each window, ``(windows,)``."""
        strongest: Floats = self.head.evidence(logits).max(axis=1)
        return strongest

    def verdict(self, strength: float) -> str:
        """Return ``yes`` or ``no`` for the mean strength of a recording."""
        return "yes" if strength >= self.threshold else "no"


def fit_signature(
    head: Head, logits: Floats, labels: Ints, noise: Floats, *, basis: str
) -> Signature:
    """Fit the threshold on windows that the network was not trained on.

    It is the lowest evidence such that of the windows that reach it, at most `ERROR` are of
    another part than the one with the largest evidence, a healthy window being of another one in
    any case; and not lower than the `NOISE_QUANTILE` of windows of noise. If no threshold has so
    few errors, no window has a signature.

    Parameters
    ----------
    head
        An invertible head.
    logits
        ``(windows, classes)`` of validation windows.
    labels
        The class of each.
    noise
        ``(windows, classes)``: logits of windows of noise.
    basis
        What the validation windows are, in words.
    """
    evidence = head.evidence(logits)
    best = evidence.max(axis=1)
    named = np.array(head.faulty)[evidence.argmax(axis=1)]
    wrong = named != np.array(head.parts)[labels]
    order = np.argsort(-best, kind="stable")
    shares = np.cumsum(wrong[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(shares <= ERROR)
    fitted = best[order][enough[-1]] if len(enough) else np.nextafter(best.max(), np.inf)
    floor = np.quantile(head.evidence(noise).max(axis=1), NOISE_QUANTILE)
    return Signature(head, float(max(fitted, floor)), ERROR, basis)


def to_stored(signature: Signature) -> Json:
    """Return a signature as plain data."""
    plain = asdict(signature)
    head = plain["head"]
    plain["head"] = {k: list(v) if isinstance(v, tuple) else v for k, v in head.items()}
    return plain


def from_stored(stored: object, classes: int) -> Signature | None:
    """Return a signature from plain data; None where there is none.

    Parameters
    ----------
    stored
        What `to_stored` returned, or None.
    classes
        How many the model has.

    Raises
    ------
    ValueError
        If the data is no signature of such a model; the message completes "its signature …".
    """
    if stored is None:
        return None
    try:
        head = _mapping(_mapping(stored)["head"])
        ball = head["ball"]
        parsed = Head(
            tuple(str(part) for part in head["parts"]),
            _pair(head["race"]),
            None if ball is None else _pair(ball),
            _numbers(head["bias"]),
        )
        fitted = _mapping(stored)
        threshold, error = _numbers([fitted["threshold"], fitted["error"]])
        known = Signature(parsed, threshold, error, str(fitted["basis"]))
    except (KeyError, TypeError) as error_:
        raise ValueError(f"lacks {error_}") from error_
    _require_sound(parsed, classes)
    return known


def _require_sound(head: Head, classes: int) -> None:
    if {len(head.bias), len(head.parts), len(set(head.parts))} != {classes}:
        raise ValueError(f"does not have {classes} parts and as many biases")
    if not set(head.parts) <= {NORMAL, INNER, OUTER, BALL} or not head.invertible:
        raise ValueError("has a head whose evidence can't be computed")


def _mapping(value: object) -> Document:
    if not isinstance(value, Mapping):
        raise ValueError(f"is {type(value).__name__}, no mapping")
    return value


def _pair(values: Sequence[float]) -> tuple[float, float]:
    first, second = _numbers(values)[:2]
    return first, second


def _numbers(values: Sequence[float]) -> tuple[float, ...]:
    if not all(isinstance(v, int | float) and np.isfinite(v) for v in values):
        raise ValueError("holds what is no finite number")
    return tuple(float(value) for value in values)
