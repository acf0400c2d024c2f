"""What all baselines share: columns, classes, fitting, probabilities, state."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from faultdiag.baselines.stored import Layout, integers, layout_problem
from faultdiag.errors import FaultdiagError, did_you_mean
from faultdiag.features.extract import ORDER_GROUPS
from faultdiag.metrics.scores import require_classes

Floats = NDArray[np.float64]
Ints = NDArray[np.integer]
Arrays = dict[str, NDArray[Any]]

FORMAT = 1


class Baseline(ABC):
    """A classifier of feature rows.

    A subclass states its `name`, where it comes from, the arrays that its fit gives, and two
    functions: `train` from rows to arrays and `evaluate` from arrays and rows to probabilities.
    Both see the columns in use only. The array ``present`` holds the classes that `evaluate`
    speaks of, by default those with a training window; all others get the probability 0.

    Parameters
    ----------
    features
        Names of the columns, as `faultdiag.features.extract.names` gives them.
    classes
        Names of the classes.
    use
        Beginnings of the names of the columns to use, such as ``whitened`` or ``time.kurtosis``;
        all columns where empty.

    Raises
    ------
    FaultdiagError
        If no column begins with one of `use`.
    """

    name: ClassVar[str]
    reference: ClassVar[str]
    fitted: ClassVar[Mapping[str, Layout]]
    fewest_classes: ClassVar[int] = 1
    # False for one that gives its answer without looking at the window.
    sees_features: ClassVar[bool] = True

    def __init__(
        self, features: Sequence[str], classes: Sequence[str], use: Sequence[str] = ()
    ) -> None:
        self.features = tuple(features)
        self.classes = tuple(classes)
        self.use = tuple(use)
        self.columns = _columns(self.features, self.use, self.name)
        self.arrays: Arrays = {}

    @abstractmethod
    def train(self, x: Floats, labels: Ints, seed: int) -> Arrays:
        """Learn from ``(windows, columns)`` and labels ``(windows,)``; return arrays."""

    @abstractmethod
    def evaluate(self, arrays: Arrays, x: Floats) -> Floats:
        """Return probabilities, ``(windows, classes present)``."""

    def options(self) -> dict[str, Any]:
        """Return the options it was built with, as plain types."""
        return {"use": list(self.use)}

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of features that the columns in use belong to."""
        used = (self.features[column].split(".")[0] for column in self.columns)
        return tuple(dict.fromkeys(used))

    @property
    def needs_orders(self) -> bool:
        """Whether it can't do without shaft speed and bearing."""
        return any(wanted.split(".")[0] in ORDER_GROUPS for wanted in self.use)

    def fit(self, features: NDArray[np.floating], labels: Ints, seed: int) -> Self:
        """Learn from windows; the same arguments give the same baseline.

        Parameters
        ----------
        features
            ``(windows, features)``.
        labels
            Indices into `classes`, ``(windows,)``.
        seed
            Of whatever is left to chance.

        Raises
        ------
        FaultdiagError
            If the rows have another width than `features` has names, or there are too few
            classes among the labels.
        ValueError
            If a label is no index of a class.
        """
        require_classes("labels", labels, len(self.classes))
        x = self._rows(features)
        present = np.unique(labels)
        if present.size < self.fewest_classes:
            found = ", ".join(self.classes[i] for i in present) or "none"
            raise FaultdiagError(
                f"baseline '{self.name}' needs windows of two classes or more to learn from; "
                f"found: {found}"
            )
        self.arrays = {"present": present, **self.train(x, labels, seed)}
        return self

    def probabilities(self, features: NDArray[np.floating]) -> Floats:
        """Return the probability of each class for each row, ``(windows, classes)``.

        Raises
        ------
        FaultdiagError
            If it was not fitted, or the rows have another width than `features` has names.
        """
        if not self.arrays:
            raise FaultdiagError(f"baseline '{self.name}' has learnt nothing yet; fit it first")
        found = np.zeros((len(features), len(self.classes)))
        found[:, self.arrays["present"]] = self.evaluate(self.arrays, self._rows(features))
        return found

    def to_state(self) -> dict[str, Any]:
        """Return its state as plain types and arrays, for `faultdiag.baselines.from_state`.

        Strings, numbers and lists of them, and under ``arrays`` numpy arrays of numbers: nothing
        that would need pickle.
        """
        return {
            "format": FORMAT,
            "baseline": self.name,
            "features": list(self.features),
            "classes": list(self.classes),
            "options": self.options(),
            "arrays": dict(self.arrays),
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what another of its kind has learnt.

        Raises
        ------
        FaultdiagError
            If an array is missing, or is not as a fit would have left it.
        """
        missing = [name for name in ("present", *self.fitted) if name not in arrays]
        if arrays and missing:
            raise FaultdiagError(
                f"the state of baseline '{self.name}' lacks the arrays {', '.join(missing)}; "
                f"it has: {', '.join(sorted(arrays))}"
            )
        taken = {name: np.asarray(array) for name, array in arrays.items()}
        problem = self._problem(taken) if taken else ""
        if problem:
            raise FaultdiagError(
                f"the state of baseline '{self.name}' is damaged: {problem}; take another copy, "
                "or train again"
            )
        self.arrays = taken

    def _problem(self, arrays: Arrays) -> str:
        """Return what is wrong with arrays that are all there."""
        strange = sorted(arrays.keys() - {"present", *self.fitted})
        if strange:
            return f"it has the unknown arrays {', '.join(strange)}"
        present = arrays["present"]
        sizes = {"columns": len(self.columns), "classes": len(self.classes)}
        problem = layout_problem(arrays, {"present": integers("present")}, sizes)
        if problem:
            return problem
        if not _increasing_within(present, len(self.classes)):
            return f"present must be increasing indices of {len(self.classes)} classes"
        if len(present) < self.fewest_classes:
            return f"it knows {len(present)} classes"
        sizes["present"] = len(present)
        return layout_problem(arrays, self.fitted, sizes) or self.values_problem(arrays)

    def values_problem(self, arrays: Arrays) -> str:  # noqa: ARG002 - for subclasses
        """Return what is wrong with the values of arrays whose kinds and shapes are right."""
        return ""

    def _rows(self, features: NDArray[np.floating]) -> Floats:
        if features.ndim != 2 or features.shape[1] != len(self.features):
            raise FaultdiagError(
                f"baseline '{self.name}' takes rows of {len(self.features)} features; found an "
                f"array of shape {features.shape}: other channels, or shaft speed known for only "
                "one of the two?"
            )
        return np.asarray(features[:, self.columns], dtype=np.float64)


def _increasing_within(indices: NDArray[Any], count: int) -> bool:
    within = indices.size > 0 and indices[0] >= 0 and indices[-1] < count
    return bool(within and (np.diff(indices) > 0).all())


def _columns(features: Sequence[str], use: Sequence[str], name: str) -> NDArray[np.intp]:
    """Indices of the columns whose name is one of `use` or continues it after a dot."""
    groups = list(dict.fromkeys(column.split(".")[0] for column in features))
    for wanted in use:
        if not any(_begins(column, wanted) for column in features):
            raise FaultdiagError(
                f"baseline '{name}' is to use '{wanted}'{did_you_mean(wanted, groups)}, "
                f"but the features are of: {', '.join(groups)} (envelope and whitened need the "
                "shaft speed and the bearing)"
            )
    chosen = [not use or any(_begins(column, u) for u in use) for column in features]
    return np.flatnonzero(chosen)


def _begins(column: str, wanted: str) -> bool:
    return column == wanted or column.startswith((f"{wanted}.", f"{wanted}["))
