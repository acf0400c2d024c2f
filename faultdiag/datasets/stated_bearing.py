"""Fault frequencies that a file states beside its signal, as MFPT's files do."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from faultdiag.errors import FaultdiagError
from faultdiag.readers.base import Variable
from faultdiag.readers.mat import open_arrays
from faultdiag.readers.source import reading
from faultdiag.signal.bearings import FaultOrders, StatedBearing

_NAMES = ("bpfo", "bpfi", "bsf", "ftf")
# BPFO and BPFI add up to the number of balls, to the digits that files state.
_NEAR = 0.05
_BALLS = range(3, 100)


def stated_bearing(
    path: Path, variables: Iterable[Variable], rpm: float | None
) -> StatedBearing | None:
    """Return the fault orders from a MAT-file's scalars BPFO, BPFI, BSF and FTF, or None.

    They are taken for Hz at the shaft speed, or else for orders: whichever makes
    ``BPFO + BPFI`` a whole number of balls times the shaft rate.

    Parameters
    ----------
    path
        The file.
    variables
        What it holds; nothing is read unless all four are among them.
    rpm
        Its shaft speed.
    """
    scalars = {v.name.lower(): v.name for v in variables if set(v.shape) <= {1}}
    if path.suffix.lower() != ".mat" or not set(_NAMES) <= scalars.keys():
        return None
    values = _values(path, [scalars[name] for name in _NAMES])
    if values is None:
        return None
    for shaft in (*([rpm / 60] if rpm else []), 1.0):
        orders = FaultOrders(*(value / shaft for value in values))
        balls = orders.bpfo + orders.bpfi
        if round(balls) in _BALLS and abs(balls - round(balls)) < _NEAR:
            return StatedBearing("stated by the file", orders)
    return None


def cage_warning(bearing: StatedBearing) -> str | None:
    """Return why the stated rate of the cage can't be that of a bearing with a fixed outer ring."""
    orders = bearing.orders
    if orders.ftf < 0.5:
        return None
    cage = orders.bpfo / round(orders.bpfo + orders.bpfi)
    return (
        f"the file states an FTF of {orders.ftf:.3f} × shaft; with the outer ring fixed it is "
        f"BPFO / balls = {cage:.3f}, and {1 - cage:.3f} as seen from the shaft"
    )


def _values(path: Path, names: list[str]) -> list[float] | None:
    try:
        arrays = open_arrays(path)
    except FaultdiagError:
        return None  # MATLAB 7.3
    if not all(arrays[name].real for name in names):
        return None
    with reading(path):
        values = [arrays[name].scalar() for name in names]
    return values if all(0 < value < np.inf for value in values) else None
