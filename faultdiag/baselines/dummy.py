"""The baseline that looks at nothing."""

from typing import ClassVar

import numpy as np

from faultdiag.baselines.baseline import Arrays, Baseline, Floats, Ints
from faultdiag.baselines.stored import floats, shares_problem


class Dummy(Baseline):
    """How often each class occurs in training, whatever the window: scikit-learn's ``prior``."""

    name = "dummy"
    reference = "the shares of the classes in training: what any other must beat"
    fitted: ClassVar = {"shares": floats("present")}
    sees_features = False

    def options(self) -> dict[str, object]:
        """Return the options it was built with: none."""
        return {}

    def train(self, _x: Floats, labels: Ints, _seed: int) -> Arrays:
        """Count the classes."""
        return {"shares": np.unique(labels, return_counts=True)[1] / labels.size}

    def evaluate(self, arrays: Arrays, x: Floats) -> Floats:
        """Return the same shares for every row."""
        return np.tile(arrays["shares"], (len(x), 1))

    def values_problem(self, arrays: Arrays) -> str:
        """Return what is wrong with stored values."""
        return shares_problem("shares", arrays["shares"])
