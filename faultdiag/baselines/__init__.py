"""Classical baselines on hand-made features, to compare with every network.

Each is a scikit-learn classifier in one file and one row of `BASELINES`; its options are its
keyword-only parameters. What a fit learns is stored by skops, which loads trusted types only and
never unpickles. scikit-learn and skops are imported by fitting and loading, not before.
"""

from faultdiag.baselines.baseline import Baseline
from faultdiag.registry import Registry

__all__ = ["BASELINES", "Baseline"]

BASELINES: Registry[Baseline] = Registry(
    "baseline",
    {
        "dummy": "faultdiag.baselines.dummy:Dummy",
        "physics": "faultdiag.baselines.physics:Physics",
        "logistic": "faultdiag.baselines.logistic:Logistic",
        "logistic_orders": "faultdiag.baselines.logistic:LogisticOrders",
        "svm": "faultdiag.baselines.svm:SupportVectors",
        "random_forest": "faultdiag.baselines.forest:RandomForest",
    },
    group="faultdiag.baselines",
)
