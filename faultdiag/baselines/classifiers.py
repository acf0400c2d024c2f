"""The baselines: a rule of bearing physics, and classifiers of scikit-learn."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from faultdiag.arrays import Floats, Integers
from faultdiag.baselines.baseline import Baseline, Classifier
from faultdiag.errors import FaultdiagError

if TYPE_CHECKING:
    from sklearn.tree._tree import Tree


HEALTHY = "healthy"
MEANING = {
    **dict.fromkeys(("n", "normal", "healthy"), HEALTHY),
    **dict.fromkeys(("ir", "inner"), "bpfi"),
    **dict.fromkeys(("or", "outer"), "bpfo"),
    **dict.fromkeys(("b", "ball"), "bsf"),
}
THRESHOLD = 4.0
QUANTILE = 0.99
FEWEST_HEALTHY = 100
MOST_STEPS = 5000
FOLDS = 3


class Physics(Baseline):
    """The part with the largest whitened score, or healthy if none reaches a threshold.

    A part's score is the largest over channels of ``whitened.<part>.largest``. At one slip and in
    one band it is about normal in noise, so with thirteen bands, three parts and some sixteen
    slips at most ``624 * 3.2e-5 = 2 %`` of windows of 1 s reach 4. Bands overlap and the lower
    tail is the heavy one: of 12,300 windows of Gaussian noise, 0.2 to 4 s long at 12 kHz and
    1800 rpm, 99.9 % stayed below 3.3 and all below 4. If the training part has a hundred healthy
    windows or more, the threshold is what 99 % of them stay below instead. Nothing else is learnt,
    and it can be used without `fit`.

    Probabilities are the softmax of the scores and, for healthy, the threshold: they rank
    windows, they are not calibrated. Races are found nearly always, balls hardly ever: a spot on
    a ball meets the races only at times.

    Parameters
    ----------
    features
        See `Baseline`.
    classes
        Each the code or name of a part: N, IR, B, OR, or normal, inner, ball, outer. Without a
        healthy class there is no threshold.
    threshold
        Score below which a window is healthy; None for the above.

    Raises
    ------
    FaultdiagError
        If a class says more, or other, than the part, or the features have no shaft orders.

    References
    ----------
    .. [1] R. B. Randall and J. Antoni, "Rolling element bearing diagnostics - a tutorial", Mech.
       Syst. Signal Process. 25 (2011) 485-520, doi:10.1016/j.ymssp.2010.07.017
    """

    name = "physics"
    reference = "fault orders as in Randall and Antoni 2011, doi:10.1016/j.ymssp.2010.07.017"
    types: ClassVar = ()
    not_exported = "it is a rule on scores and no classifier of scikit-learn"
    needs_orders = True

    def __init__(
        self,
        features: Sequence[str],
        classes: Sequence[str],
        *,
        threshold: Annotated[float, Field(gt=0)] | None = None,
    ) -> None:
        super().__init__(features, classes)
        self.threshold = threshold
        self.meaning = _meaning(self.classes)
        self.scored = {part: _scored(self.features, part) for part in ("bpfi", "bpfo", "bsf")}
        self.model = THRESHOLD if threshold is None else float(threshold)

    def train(self, x: Floats, labels: Integers, _seed: int) -> float:
        """Return the threshold: of healthy windows, if there are enough and none was given."""
        healthy = [i for i, part in enumerate(self.meaning) if part == HEALTHY]
        rows = x[np.isin(labels, healthy)]
        if self.threshold is not None or len(rows) < FEWEST_HEALTHY:
            return THRESHOLD if self.threshold is None else float(self.threshold)
        largest = np.max(list(self._scores(rows).values()), axis=0)
        return float(np.quantile(largest, QUANTILE))

    def present(self, _model: float) -> Integers:
        """Return all classes: none needs a training window."""
        return np.arange(len(self.classes))

    def evaluate(self, model: float, x: Floats) -> Floats:
        """Return the softmax of scores and threshold."""
        scores = self._scores(x)
        scores[HEALTHY] = np.full(len(x), model)
        table = np.stack([scores[part] for part in self.meaning], axis=1)
        powers = np.exp(table - table.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def problem(self, model: float) -> str:
        """Return the fault of a stored threshold."""
        number = isinstance(model, float) and np.isfinite(model)
        return "" if number else f"its threshold is {model!r}"

    def _scores(self, x: Floats) -> dict[str, Floats]:
        return {part: x[:, columns].max(axis=1) for part, columns in self.scored.items()}


def _meaning(classes: Sequence[str]) -> list[str]:
    """Part of the bearing that each class names."""
    other = [name for name in classes if name.lower() not in MEANING]
    if other:
        raise FaultdiagError(
            "baseline 'physics' names the faulty part of a bearing: its classes can be N, IR, B "
            f"and OR (or normal, inner, ball, outer); found {', '.join(other)}; let data.label "
            "name the part alone, as '{code}' does for CWRU, or use another baseline"
        )
    meaning = [MEANING[name.lower()] for name in classes]
    if len(set(meaning)) < len(meaning):
        raise FaultdiagError(
            f"two of the classes {', '.join(classes)} mean the same part to baseline 'physics'; "
            "let data.label name each part once"
        )
    return meaning


def _scored(features: Sequence[str], part: str) -> NDArray[np.intp]:
    """Columns that hold the part's scores, one per channel."""
    columns = [i for i, name in enumerate(features) if name.startswith(f"whitened.{part}.largest[")]
    if not columns:
        raise FaultdiagError(
            f"baseline 'physics' needs the feature whitened.{part}.largest, which is computed "
            "where shaft speed and bearing are known; the features are of: "
            f"{', '.join(dict.fromkeys(name.split('.')[0] for name in features)) or 'nothing'}"
        )
    return np.array(columns)


class Dummy(Baseline):
    """The share of each class in training, for every window: scikit-learn's ``prior``."""

    name = "dummy"
    reference = "the shares of the classes in training: what any other must beat"
    types: ClassVar = ("sklearn.dummy.DummyClassifier",)
    sees_features = False
    not_exported = "it returns the same numbers for every window"

    def train(self, x: Floats, labels: Integers, seed: int) -> Classifier:
        """Count the classes."""
        from sklearn.dummy import DummyClassifier

        fitted: Classifier = DummyClassifier(strategy="prior", random_state=seed).fit(x, labels)
        return fitted


class Logistic(Baseline):
    """Logistic regression on standardised features; every class weighs the same.

    Parameters
    ----------
    features, classes, use
        See `Baseline`.
    c
        Inverse strength of the L2 penalty. Windows of one recording say nearly the same, ten
        or so count as one: hence less than the usual 1.

    References
    ----------
    .. [1] D. R. Cox, "The regression analysis of binary sequences", J. R. Stat. Soc. B 20 (1958)
       215-242, doi:10.1111/j.2517-6161.1958.tb00292.x
    """

    name = "logistic"
    reference = "Cox 1958, doi:10.1111/j.2517-6161.1958.tb00292.x"
    types: ClassVar = (
        "sklearn.pipeline.Pipeline",
        "sklearn.preprocessing._data.StandardScaler",
        "sklearn.linear_model._logistic.LogisticRegression",
    )
    fewest_classes = 2

    def __init__(
        self,
        features: Sequence[str],
        classes: Sequence[str],
        *,
        c: Annotated[float, Field(gt=0)] = 0.1,
        use: tuple[str, ...] = (),
    ) -> None:
        super().__init__(features, classes, use)
        self.c = c

    def train(self, x: Floats, labels: Integers, seed: int) -> Classifier:
        """Fit by L-BFGS from zero: the seed decides nothing."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        model = LogisticRegression(
            C=self.c, class_weight="balanced", max_iter=MOST_STEPS, random_state=seed
        )
        fitted: Classifier = make_pipeline(StandardScaler(), model).fit(x, labels)
        return fitted


class LogisticOrders(Logistic):
    """Logistic regression on the whitened shaft orders only: what carries to another bearing.

    On 1 s windows of CWRU's drive-end recordings it reaches 88 % across fault sizes (inner, ball,
    outer). It cannot tell sizes, nor a fault that leaves no lines from a healthy bearing.
    """

    name = "logistic_orders"

    def __init__(
        self,
        features: Sequence[str],
        classes: Sequence[str],
        *,
        c: Annotated[float, Field(gt=0)] = 0.1,
        use: tuple[str, ...] = ("whitened",),
    ) -> None:
        super().__init__(features, classes, c=c, use=use)


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

    def train(self, x: Floats, labels: Integers, seed: int) -> Classifier:
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
        """Return sizes that make libsvm read out of bounds, because it checks none."""
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


class RandomForest(Baseline):
    """Random forest; every class weighs the same.

    Probabilities are the shares of the classes in the leaves, averaged over the trees.

    Parameters
    ----------
    features, classes, use
        See `Baseline`.
    trees
        Number of trees.
    leaf
        Fewest training windows in a leaf. Windows of one recording say nearly the same; leaves
        of one window would be sure of what they saw once.

    References
    ----------
    .. [1] L. Breiman, "Random forests", Machine Learning 45 (2001) 5-32,
       doi:10.1023/A:1010933404324
    """

    name = "random_forest"
    in_single = True
    reference = "Breiman 2001, doi:10.1023/A:1010933404324"
    types: ClassVar = (
        "sklearn.ensemble._forest.RandomForestClassifier",
        "sklearn.tree._classes.DecisionTreeClassifier",
        "sklearn.tree._tree.Tree",
    )

    def __init__(
        self,
        features: Sequence[str],
        classes: Sequence[str],
        *,
        trees: Annotated[int, Field(ge=1)] = 200,
        leaf: Annotated[int, Field(ge=1)] = 5,
        use: tuple[str, ...] = (),
    ) -> None:
        super().__init__(features, classes, use)
        self.trees = trees
        self.leaf = leaf

    def train(self, x: Floats, labels: Integers, seed: int) -> Classifier:
        """Grow the trees."""
        from sklearn.ensemble import RandomForestClassifier

        fitted: Classifier = RandomForestClassifier(
            self.trees, min_samples_leaf=self.leaf, class_weight="balanced", random_state=seed
        ).fit(x, labels)
        return fitted

    def problem(self, model: Any) -> str:
        """Return nodes that make scikit-learn read out of bounds, because it checks none."""
        if len(model.estimators_) != self.trees:
            return f"it has {len(model.estimators_)} trees, expected {self.trees}"
        parts = (self._tree_problem(tree.tree_, len(model.classes_)) for tree in model.estimators_)
        return next(filter(None, parts), "")

    def _tree_problem(self, tree: "Tree", classes: int) -> str:
        if not 0 < tree.node_count <= tree.capacity:
            return f"a tree states {tree.node_count} nodes and has {tree.capacity}"
        nodes = np.arange(tree.node_count)
        inner = tree.children_left != -1
        below = np.stack([tree.children_left, tree.children_right])[:, inner]
        # Trees are written from the root down: each node but the root is a child of one before.
        if (below <= nodes[inner]).any() or not np.array_equal(np.sort(below, None), nodes[1:]):
            return "its nodes do not form trees"
        columns = tree.feature[inner]
        if ((columns < 0) | (columns >= len(self.columns))).any():
            return f"a node asks for a column beyond the {len(self.columns)} in use"
        shares = tree.value[:, 0]
        if shares.shape[1] != classes or (shares < 0).any():
            return f"its leaves are not shares of {classes} classes"
        return "" if np.allclose(shares.sum(axis=1), 1) else "its leaves do not sum to 1"
