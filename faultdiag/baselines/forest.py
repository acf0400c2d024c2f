"""A random forest."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from faultdiag.baselines.baseline import Arrays, Baseline, Floats, Ints
from faultdiag.baselines.stored import floats, integers, shares_problem

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
    reference = "Breiman 2001, doi:10.1023/A:1010933404324"
    fitted: ClassVar = {
        "roots": integers("trees"),
        "children": integers("nodes", 2),
        "column": integers("nodes"),
        "threshold": floats("nodes"),
        "shares": floats("nodes", "present"),
        "depth": integers(),
    }

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
        """Return the options it was built with, as plain types."""
        return {**super().options(), "trees": self.trees, "leaf": self.leaf}

    def train(self, x: Floats, labels: Ints, seed: int) -> Arrays:
        """Grow the trees."""
        from sklearn.ensemble import RandomForestClassifier

        model = RandomForestClassifier(
            self.trees, min_samples_leaf=self.leaf, class_weight="balanced", random_state=seed
        ).fit(x, labels)
        return _joined(model.estimators_)

    def evaluate(self, arrays: Arrays, x: Floats) -> Floats:
        """Return the mean of the leaves that a row falls into."""
        found = np.zeros((len(x), arrays["shares"].shape[1]))
        for start in range(0, len(x), CHUNK_ROWS):
            # As in training, values are compared in single precision.
            rows = x[start : start + CHUNK_ROWS].astype(np.float32)
            for root in arrays["roots"]:
                leaves = _leaves(arrays, rows, root)
                found[start : start + CHUNK_ROWS] += arrays["shares"][leaves]
        return found / arrays["roots"].size

    def values_problem(self, arrays: Arrays) -> str:
        """Return what is wrong with stored values."""
        roots, children, column = (arrays[name] for name in ("roots", "children", "column"))
        if not _within(column, len(self.columns)):
            return f"a node asks for a column beyond the {len(self.columns)} in use"
        if not _within(roots, len(children)) or not _within(children, len(children)):
            return f"a root or child is not one of its {len(children)} nodes"
        if roots.size != self.trees or not _are_trees(roots, children):
            return f"its nodes do not form {self.trees} trees"
        if arrays["depth"] != _depth(roots, children):
            return f"its trees are not {arrays['depth']} deep"
        return shares_problem("shares", arrays["shares"])


def _are_trees(roots: Ints, children: Ints) -> bool:
    """Whether every node is a root or the child of one node, and no node its own descendant.

    Trees are written from the root down: a child that comes before its parent is a way round.
    """
    nodes = np.arange(len(children))[:, None]
    inner = (children != nodes).any(axis=1)
    below = children[inner]
    reached = np.sort(np.concatenate([roots, below.ravel()]))
    return bool((below > nodes[inner]).all()) and np.array_equal(reached, nodes[:, 0])


def _within(indices: Ints, count: int) -> bool:
    return bool((indices >= 0).all() and (indices < count).all())


def _depth(roots: Ints, children: Ints) -> int:
    """Return the number of steps from the roots after which all have come to leaves."""
    steps, level = 0, np.unique(roots)
    while True:
        level = level[children[level, 0] != level]
        if not level.size:
            return steps
        level = np.unique(children[level])
        steps += 1


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
