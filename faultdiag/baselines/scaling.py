"""Columns brought to zero mean and unit variance, for baselines that measure distances."""

import numpy as np

from faultdiag.baselines.baseline import Arrays, Floats
from faultdiag.baselines.stored import floats

FITTED = {"mean": floats("columns"), "scale": floats("columns")}


def scaling_of(x: Floats) -> Arrays:
    """Return mean and standard deviation of each column; 1 for one that is constant."""
    deviation = x.std(axis=0)
    # Rounding leaves a constant column a deviation just above 0.
    constant = np.ptp(x, axis=0) == 0
    return {"mean": x.mean(axis=0), "scale": np.where(constant, 1.0, deviation)}


def scaled(arrays: Arrays, x: Floats) -> Floats:
    """Return the rows with the scaling of the training rows applied."""
    return np.asarray((x - arrays["mean"]) / arrays["scale"])


def scaling_problem(arrays: Arrays) -> str:
    """Return what is wrong with a stored scaling."""
    return "" if (arrays["scale"] > 0).all() else "scale must be positive"
