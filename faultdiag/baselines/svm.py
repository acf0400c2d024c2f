"""A support vector machine with a Gaussian kernel."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from faultdiag.baselines.baseline import Baseline, Classifier, Floats, Ints
from faultdiag.errors import FaultdiagError

FOLDS = 3


class SupportVectors(Baseline):
    """Support vector machine, one against one, on standardised features.

    The kernel is ``exp(-gamma |a - b|**2)`` with gamma one over the number of features. Every
    class weighs the same. Probabilities are by a sigmoid per class, fitted to the decisions for
    windows held out in three rounds; other windows of the same recordings are in the training
    folds, so the probabilities are too high: recalibrate on a validation part.

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
    types: ClassVar = (
        "sklearn.pipeline.Pipeline",
        "sklearn.preprocessing._data.StandardScaler",
        "sklearn.calibration.CalibratedClassifierCV",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.model_selection._split.StratifiedKFold",
        "sklearn.svm._classes.SVC",
    )
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

    def train(self, x: Floats, labels: Ints, seed: int) -> Classifier:
        """Fit on all windows; the seed deals them to the rounds of the calibration."""
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.model_selection import StratifiedKFold
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        folds = min(FOLDS, int(np.unique(labels, return_counts=True)[1].min()))
        if folds < 2:
            raise FaultdiagError(
                "baseline 'svm' needs two windows or more of each class to learn from; the "
                f"smallest has {folds}"
            )
        rounds = StratifiedKFold(folds, shuffle=True, random_state=seed)
        machine = SVC(C=self.c, gamma=1 / x.shape[1], class_weight="balanced")
        calibrated = CalibratedClassifierCV(machine, cv=rounds, ensemble=False)
        fitted: Classifier = make_pipeline(StandardScaler(), calibrated).fit(x, labels)
        return fitted

    def problem(self, model: Any) -> str:
        """Return what libsvm, which checks no sizes, would read out of bounds."""
        (calibrated,) = model[-1].calibrated_classifiers_
        machine = calibrated.estimator
        classes, vectors = len(model.classes_), len(machine.support_vectors_)
        counts = machine._n_support
        if machine.kernel != "rbf" or machine._probA.size or machine._probB.size:
            return "its support vectors are of another kind of machine"
        if counts.shape != (classes,) or (counts < 0).any() or counts.sum() != vectors:
            return f"its {vectors} support vectors are not those of {classes} classes"
        pairs = (classes * (classes - 1) // 2,)
        expected = {
            "support_": (vectors,),
            "support_vectors_": (vectors, len(self.columns)),
            "_dual_coef_": (classes - 1, vectors),
            "dual_coef_": (classes - 1, vectors),
            "_intercept_": pairs,
            "intercept_": pairs,
        }
        for name, shape in expected.items():
            if getattr(machine, name).shape != shape:
                return f"its {name} has the shape {getattr(machine, name).shape}, expected {shape}"
        return ""
