"""The quality of a model: accuracy, F1, alarms, calibration, and their uncertainty.

Everything here takes arrays and gives plain numbers; nothing imports torch or scikit-learn.
"""

from faultdiag.metrics.calibration import (
    Reliability,
    expected_calibration_error,
    fit_temperature,
    nll,
    reliability,
)
from faultdiag.metrics.evaluation import Evaluation, evaluate
from faultdiag.metrics.intervals import (
    ClassIntervals,
    MeanInterval,
    bootstrap_interval,
    mean_interval,
    stratified_intervals,
    wilson_interval,
)
from faultdiag.metrics.scores import (
    Aggregate,
    RunningAggregate,
    accuracy,
    aggregate,
    alarm_rates,
    auroc,
    balanced_accuracy,
    confusion_matrix,
    macro_f1,
    precision_recall_f1,
)

__all__ = [
    "Aggregate",
    "ClassIntervals",
    "Evaluation",
    "MeanInterval",
    "Reliability",
    "RunningAggregate",
    "accuracy",
    "aggregate",
    "alarm_rates",
    "auroc",
    "balanced_accuracy",
    "bootstrap_interval",
    "confusion_matrix",
    "evaluate",
    "expected_calibration_error",
    "fit_temperature",
    "macro_f1",
    "mean_interval",
    "nll",
    "precision_recall_f1",
    "reliability",
    "stratified_intervals",
    "wilson_interval",
]
