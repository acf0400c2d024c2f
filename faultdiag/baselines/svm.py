"""A support vector machine with a Gaussian kernel."""

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from faultdiag.baselines.baseline import Arrays, Baseline, Floats, Ints
from faultdiag.baselines.scaling import FITTED, scaled, scaling_of, scaling_problem
from faultdiag.baselines.stored import floats, layout_problem
from faultdiag.errors import FaultdiagError

if TYPE_CHECKING:
    from sklearn.svm import SVC


FOLDS = 3
CHUNK_CELLS = 1 << 22  # of the kernel matrix, at a time


class SupportVectors(Baseline):
    """Support vector machine, one against one, on standardised features.

    The kernel is ``exp(-gamma |a - b|**2)`` with gamma one over the number of features. Every
    class weighs the same. Probabilities are by a sigmoid per class, fitted to the decisions for
    windows held out in three rounds; those windows come from recordings that also stand in the
    other folds, so they make it too sure of itself: recalibrate on a validation part.

    Parameters
    ----------
    features, classes, use
        See `Baseline`.
    c
        Penalty of a window on the wrong side of the margin.

    References
    ----------
    .. [1] C. Cortes and V. Vapnik, "Support-vector networks", Machine Learning 20 (1995)
       273-297, doi:10.1007/BF00994018
    .. [2] J. C. Platt, "Probabilistic outputs for support vector machines and comparisons to
       regularized likelihood methods", Advances in Large Margin Classifiers (1999) 61-74
    """

    name = "svm"
    reference = "Cortes and Vapnik 1995, doi:10.1007/BF00994018; probabilities by Platt 1999"
    fitted: ClassVar = {
        **FITTED,
        "vectors": floats("vectors", "columns"),
        "weights": floats("vectors", "pairs"),
        "bias": floats("pairs"),
        "sigmoids": floats("sigmoids", 2),
    }
    fewest_classes = 2

    def __init__(
        self,
        features: Sequence[str],
        classes: Sequence[str],
        *,
        c: Annotated[float, Field(gt=0)] = 1.0,
        use: tuple[str, ...] = (),
    ) -> None:
        super().__init__(features, classes, use)
        self.c = c

    def options(self) -> dict[str, Any]:
        """Return the options it was built with, as plain types."""
        return {**super().options(), "c": self.c}

    def train(self, x: Floats, labels: Ints, seed: int) -> Arrays:
        """Fit on all windows; the seed deals them to the rounds of the calibration."""
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.model_selection import StratifiedKFold
        from sklearn.svm import SVC

        folds = min(FOLDS, int(np.unique(labels, return_counts=True)[1].min()))
        if folds < 2:
            raise FaultdiagError(
                "baseline 'svm' needs two windows or more of each class to learn from; the "
                f"smallest has {folds}"
            )
        scaling = scaling_of(x)
        rounds = StratifiedKFold(folds, shuffle=True, random_state=seed)
        machine = SVC(C=self.c, gamma=1 / x.shape[1], class_weight="balanced")
        calibrated = CalibratedClassifierCV(machine, cv=rounds, ensemble=False)
        fitted = calibrated.fit(scaled(scaling, x), labels).calibrated_classifiers_[0]
        sigmoids = np.array([[sigmoid.a_, sigmoid.b_] for sigmoid in fitted.calibrators])
        return {**scaling, **_machine(fitted.estimator), "sigmoids": sigmoids}

    def evaluate(self, arrays: Arrays, x: Floats) -> Floats:
        """Return the normalised sigmoids of the decisions."""
        rows = scaled(arrays, x)
        size = max(CHUNK_CELLS // len(arrays["vectors"]), 1)
        pairs = [
            _kernel(rows[i : i + size], arrays["vectors"]) @ arrays["weights"] + arrays["bias"]
            for i in range(0, len(rows), size)
        ]
        if not pairs:
            return np.zeros((0, arrays["present"].size))
        return _sigmoids(np.concatenate(pairs), arrays["sigmoids"])

    def values_problem(self, arrays: Arrays) -> str:
        """Return what is wrong with stored values."""
        if not len(arrays["vectors"]):
            return "it has no support vectors"
        count = arrays["present"].size
        sizes = {"pairs": count * (count - 1) // 2, "sigmoids": 1 if count == 2 else count}
        of_pairs = {name: self.fitted[name] for name in ("bias", "sigmoids")}
        return layout_problem(arrays, of_pairs, sizes) or scaling_problem(arrays)


def _machine(machine: "SVC") -> Arrays:
    """Support vectors, and for each pair of classes their weights: ``(vectors, pairs)``."""
    owner = np.repeat(np.arange(machine.n_support_.size), machine.n_support_)
    pairs = list(combinations(range(machine.n_support_.size), 2))
    weights = np.zeros((owner.size, len(pairs)))
    # A vector of class i has a row of coefficients for each other class, in their order.
    for column, (first, second) in enumerate(pairs):
        of_first, of_second = owner == first, owner == second
        weights[of_first, column] = machine.dual_coef_[second - 1, of_first]
        weights[of_second, column] = machine.dual_coef_[first, of_second]
    return {"vectors": machine.support_vectors_, "weights": weights, "bias": machine.intercept_}


def _kernel(x: Floats, vectors: Floats) -> Floats:
    squares = np.square(x).sum(axis=1)[:, None] + np.square(vectors).sum(axis=1)
    distances = np.maximum(squares - 2 * x @ vectors.T, 0.0)
    return np.asarray(np.exp(-distances / x.shape[1]))


def _sigmoids(pairs: Floats, sigmoids: Floats) -> Floats:
    """Probabilities from the decisions between pairs of classes."""
    scores = pairs if len(sigmoids) == 1 else _votes(pairs)
    found: Floats = 1 / (1 + np.exp(np.clip(sigmoids[:, 0] * scores + sigmoids[:, 1], -700, 700)))
    if len(sigmoids) == 1:  # the decision between two classes speaks for the second
        return np.concatenate([1 - found, found], axis=1)
    total = found.sum(axis=1, keepdims=True)
    return np.where(total > 0, found / np.where(total > 0, total, 1.0), 1 / found.shape[1])


def _votes(pairs: Floats) -> Floats:
    """Return for each class the pairs it wins, and less than half a vote for its total margin."""
    classes = round((1 + np.sqrt(1 + 8 * pairs.shape[1])) / 2)
    votes, margins = np.zeros((2, len(pairs), classes))
    for column, (first, second) in enumerate(combinations(range(classes), 2)):
        margins[:, first] += pairs[:, column]
        margins[:, second] -= pairs[:, column]
        votes[:, first] += pairs[:, column] >= 0
        votes[:, second] += pairs[:, column] < 0
    return np.asarray(votes + margins / (3 * (np.abs(margins) + 1)))
