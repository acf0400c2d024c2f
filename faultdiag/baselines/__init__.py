"""Classical baselines on hand-made features, to stand beside every network.

One is a file and a row of `BASELINES`; its options are its keyword-only parameters. scikit-learn
is imported by fitting only: what it found is kept as plain arrays and evaluated by numpy, so a
fitted baseline can be stored without pickle and read by any later version of scikit-learn.
"""

from collections.abc import Mapping
from typing import Any

from faultdiag.baselines.baseline import FORMAT, Baseline
from faultdiag.errors import FaultdiagError
from faultdiag.registry import Registry

__all__ = ["BASELINES", "Baseline", "from_state"]

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


def from_state(state: Mapping[str, Any]) -> Baseline:
    """Return the baseline that `Baseline.to_state` described.

    Raises
    ------
    FaultdiagError
        If the state is of another format, of an unknown baseline, or lacks something.

    Examples
    --------
    >>> import numpy as np
    >>> dummy = BASELINES.build("dummy", ["x"], ["N", "IR"])
    >>> state = dummy.fit(np.zeros((4, 1)), np.array([0, 0, 0, 1]), seed=0).to_state()
    >>> from_state(state).probabilities(np.zeros((1, 1)))
    array([[0.75, 0.25]])
    """
    missing = {"format", "baseline", "features", "classes", "options", "arrays"} - set(state)
    if missing:
        raise FaultdiagError(
            f"the state of a baseline lacks {', '.join(sorted(missing))}; it has: "
            f"{', '.join(sorted(map(str, state))) or 'nothing'}"
        )
    if state["format"] != FORMAT:
        raise FaultdiagError(
            f"the state of the baseline has format {state['format']}; this version reads {FORMAT}"
        )
    baseline = BASELINES.build(
        state["baseline"], state["features"], state["classes"], **state["options"]
    )
    baseline.restore(state["arrays"])
    return baseline
