"""The baseline that ignores the window."""

from typing import ClassVar

from faultdiag.baselines.baseline import Baseline, Classifier, Floats, Ints


class Dummy(Baseline):
    """How often each class occurs in training, whatever the window: scikit-learn's ``prior``."""

    name = "dummy"
    reference = "the shares of the classes in training: what any other must beat"
    types: ClassVar = ("sklearn.dummy.DummyClassifier",)
    sees_features = False
    not_exported = "it returns the same numbers for every window"

    def train(self, x: Floats, labels: Ints, seed: int) -> Classifier:
        """Count the classes."""
        from sklearn.dummy import DummyClassifier

        fitted: Classifier = DummyClassifier(strategy="prior", random_state=seed).fit(x, labels)
        return fitted
