"""Classical baselines on hand-made features, to compare with every network.

Each is a class and a row of `BASELINES`; its options are its keyword-only parameters. What a fit
learns is stored by skops, which loads trusted types only and never unpickles. scikit-learn and
skops are imported by fitting and loading, not before.
"""

from faultdiag.baselines.baseline import Baseline
from faultdiag.registry import Registry

__all__ = ["BASELINES", "Baseline"]

BASELINES: Registry[Baseline] = Registry(
    "baseline",
    {
        "dummy": "faultdiag.baselines.classifiers:Dummy",
        "physics": "faultdiag.baselines.classifiers:Physics",
        "logistic": "faultdiag.baselines.classifiers:Logistic",
        "logistic_orders": "faultdiag.baselines.classifiers:LogisticOrders",
        "svm": "faultdiag.baselines.classifiers:SupportVectors",
        "random_forest": "faultdiag.baselines.classifiers:RandomForest",
    },
    group="faultdiag.baselines",
)
