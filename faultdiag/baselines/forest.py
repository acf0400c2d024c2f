"""A random forest."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from faultdiag.baselines.baseline import Arrays, Baseline, Floats, Ints

if TYPE_CHECKING:
    from sklearn.tree import DecisionTreeClassifier

CHUNK_ROWS = 4096


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
    fitted = ("roots", "children", "column", "threshold", "shares", "depth")

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

    def options(self) -> dict[str, Any]:
        """Give the options it was built with, as plain types."""
        return {**super().options(), "trees": self.trees, "leaf": self.leaf}

    def train(self, x: Floats, labels: Ints, seed: int) -> Arrays:
        """Grow the trees."""
        from sklearn.ensemble import RandomForestClassifier

        model = RandomForestClassifier(
            self.trees, min_samples_leaf=self.leaf, class_weight="balanced", random_state=seed
        ).fit(x, labels)
        return _joined(model.estimators_)

    def evaluate(self, arrays: Arrays, x: Floats) -> Floats:
        """Give the mean of the leaves that a row falls into."""
        found = np.zeros((len(x), arrays["shares"].shape[1]))
        for start in range(0, len(x), CHUNK_ROWS):
            # As in training, values are compared in single precision.
            rows = x[start : start + CHUNK_ROWS].astype(np.float32)
            for root in arrays["roots"]:
                leaves = _leaves(arrays, rows, root)
                found[start : start + CHUNK_ROWS] += arrays["shares"][leaves]
        return found / arrays["roots"].size


def _leaves(arrays: Arrays, rows: NDArray[np.float32], root: np.integer) -> NDArray[np.intp]:
    node = np.full(len(rows), root, dtype=np.intp)
    every = np.arange(len(rows))
    for _ in range(int(arrays["depth"])):
        right = rows[every, arrays["column"][node]] > arrays["threshold"][node]
        node = arrays["children"][node, right.astype(np.intp)].astype(np.intp)
    return node


def _joined(trees: Sequence["DecisionTreeClassifier"]) -> Arrays:
    """All trees in one table of nodes; both children of a leaf are the leaf itself."""
    parts = [model.tree_ for model in trees]
    roots = np.cumsum([0, *(tree.node_count for tree in parts[:-1])])
    first = np.repeat(roots, [tree.node_count for tree in parts])[:, None]
    children = np.concatenate(
        [np.stack([tree.children_left, tree.children_right], axis=1) for tree in parts]
    )
    itself = np.arange(len(children))[:, None]
    return {
        "roots": roots.astype(np.int32),
        "children": np.where(children < 0, itself, first + children).astype(np.int32),
        "column": np.maximum(np.concatenate([tree.feature for tree in parts]), 0).astype(np.int32),
        "threshold": np.concatenate([tree.threshold for tree in parts]),
        "shares": np.concatenate([tree.value[:, 0] for tree in parts]).astype(np.float32),
        "depth": np.array(max(tree.max_depth for tree in parts)),
    }
