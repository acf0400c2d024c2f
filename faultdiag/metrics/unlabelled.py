"""Measures of predictions that need no label."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from faultdiag.arrays import Floats, Ints
from faultdiag.documents import Json

# Temperature of the class confusion; that of `faultdiag.transfer.mcc`.
TEMPERATURE = 2.5

# Agreement from which a recording is decided: its windows give no reason to move it to another
# class.
DECIDED = 0.9


@dataclass(frozen=True, eq=False)
class PredictionSummary:
    """Summary of the predictions for unlabelled windows.

    Parameters
    ----------
    agreement
        Mean over recordings of the share of windows in the recording's commonest class, 0 to 1.
    shares
        Share of all windows that each class gets, ``(classes,)``.
    confusion
        Mean class confusion, see `class_confusion`.
    information
        See `information`, in nats.
    recordings
        Indices of the recordings, ascending.
    classes
        Commonest class of each recording, ``(recordings,)``.
    agreements
        Its share of the recording's windows, ``(recordings,)``.
    """

    agreement: float
    shares: Floats
    confusion: float
    information: float
    recordings: Ints
    classes: Ints
    agreements: Floats


def describe_unlabelled(logits: ArrayLike, recordings: ArrayLike) -> PredictionSummary:
    """Return the measures of the logits ``(windows, classes)`` of unlabelled windows.

    Parameters
    ----------
    recordings
        Index of the recording of each window, ``(windows,)``.

    Raises
    ------
    ValueError
        If there is no window, or the shapes don't match.
    """
    z, own = np.asarray(logits, dtype=np.float64), np.asarray(recordings)
    if z.ndim != 2 or not len(z) or own.shape != (len(z),):
        raise ValueError(
            f"logits must be (windows, classes) and recordings (windows,), with a window at "
            f"least; found {z.shape} and {own.shape}"
        )
    numbers, group = np.unique(own, return_inverse=True)
    counts = np.zeros((len(numbers), z.shape[1]), dtype=np.int64)
    np.add.at(counts, (group, z.argmax(axis=1)), 1)
    agreements = counts.max(axis=1) / counts.sum(axis=1)
    return PredictionSummary(
        agreement=float(agreements.mean()),
        shares=counts.sum(axis=0) / len(z),
        confusion=class_confusion(z),
        information=information(z),
        recordings=numbers.astype(np.int64),
        classes=counts.argmax(axis=1),
        agreements=agreements,
    )


def information(logits: ArrayLike) -> float:
    """Return ``H(mean p) - mean H(p)``: the information of a window about its class, in nats.

    It is large where windows are sure of their class and all classes are used, which is what a
    good adaptation looks like where the target has all classes, and a bad one where it has few.

    Examples
    --------
    >>> sure = [[9.0, 0.0], [0.0, 9.0]]
    >>> round(information(sure), 2), round(information([[9.0, 0.0], [9.0, 0.0]]), 2)
    (0.69, 0.0)
    """
    p = _softmax(np.asarray(logits, dtype=np.float64))
    return float(_entropy(p.mean(axis=0)) - _entropy(p).mean())


def class_confusion(logits: ArrayLike, temperature: float = TEMPERATURE) -> float:
    """Return how much predictions hesitate between pairs of classes, 0 where all are sure.

    The formula is that of `faultdiag.transfer.mcc`, over all windows at once.

    Examples
    --------
    >>> class_confusion([[0.0, 0.0], [0.0, 0.0]])
    0.5
    """
    y = _softmax(np.asarray(logits, dtype=np.float64) / temperature)
    weights = 1 + np.exp(-_entropy(y))
    weights /= weights.mean()
    correlation = (weights[:, None] * y).T @ y
    confusion = correlation / np.maximum(correlation.sum(axis=1, keepdims=True), 1e-300)
    return float((confusion.sum() - np.trace(confusion)) / len(confusion))


@dataclass(frozen=True, slots=True)
class MovedRecordings:
    """Recordings that adaptation has moved to another class.

    Parameters
    ----------
    recordings, moved
        Numbers of all recordings, and of those whose commonest class has changed.
    unsupported
        Number of moved recordings that had been decided before: at least 90 % of their windows
        agreed. Adaptation is meant to decide undecided recordings, not to move a recording from
        one decided class to another.
    """

    recordings: int
    moved: int
    unsupported: int

    def to_dict(self) -> Json:
        """Return the counts as plain JSON types."""
        return asdict(self)


def moved_recordings(before: PredictionSummary, after: PredictionSummary) -> MovedRecordings:
    """Compare the classes of the same recordings before and after adaptation."""
    moved = before.classes != after.classes
    decided = before.agreements >= DECIDED
    return MovedRecordings(len(moved), int(moved.sum()), int((moved & decided).sum()))


def reverse_accuracy(
    target_features: Floats, predicted: Ints, source_features: Floats, labels: Ints
) -> float:
    """Return the accuracy on the source of a classifier trained on the target's predictions.

    Reverse validation [1]_: if the predictions of the target are right and its features lie
    where the source's do, a classifier that learns from them works on the source. Here the
    classifier is a logistic regression on the features, so that no network is trained.

    Parameters
    ----------
    target_features, predicted
        ``(n, d)`` and the class that is predicted of each, ``(n,)``.
    source_features, labels
        ``(m, d)`` and their true classes, ``(m,)``.

    References
    ----------
    .. [1] E. Zhong et al., "Cross Validation Framework to Choose Amongst Models and Datasets for
       Transfer Learning", ECML PKDD 2010, doi:10.1007/978-3-642-15939-8_35
    """
    if len(np.unique(predicted)) == 1:
        return float((labels == predicted[0]).mean())
    from sklearn.linear_model import LogisticRegression

    mean, sd = target_features.mean(axis=0), target_features.std(axis=0)
    scale = np.where(sd > 0, sd, 1.0)
    model = LogisticRegression(max_iter=200, tol=1e-3)
    model.fit((target_features - mean) / scale, predicted)
    return float((model.predict((source_features - mean) / scale) == labels).mean())


def _softmax(z: Floats) -> Floats:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def _entropy(p: Floats) -> Floats:
    """Return the entropy along the last axis, in nats."""
    return np.asarray(-(p * np.log(np.maximum(p, 1e-300))).sum(axis=-1))
