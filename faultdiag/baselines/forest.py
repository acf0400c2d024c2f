"""A random forest."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from faultdiag.baselines.baseline import Baseline, Classifier, Floats, Ints

if TYPE_CHECKING:
    from sklearn.tree._tree import Tree


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

    def train(self, x: Floats, labels: Ints, seed: int) -> Classifier:
        """Grow the trees."""
        from sklearn.ensemble import RandomForestClassifier

        fitted: Classifier = RandomForestClassifier(
            self.trees, min_samples_leaf=self.leaf, class_weight="balanced", random_state=seed
        ).fit(x, labels)
        return fitted

    def problem(self, model: Any) -> str:
        """Return what scikit-learn, which checks no nodes, would read out of bounds."""
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
