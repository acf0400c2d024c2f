"""What the arrays of a stored baseline must be, so that a file that lies does no harm."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Layout:
    """Kind and shape of one array.

    Parameters
    ----------
    kind
        ``f`` for floating point, ``i`` for integers: numpy's letters.
    shape
        A name or a number per axis; axes of one name have one length.
    """

    kind: str
    shape: tuple[str | int, ...]


def floats(*shape: str | int) -> Layout:
    """Return the layout of an array of finite numbers."""
    return Layout("f", shape)


def integers(*shape: str | int) -> Layout:
    """Return the layout of an array of integers."""
    return Layout("i", shape)


def layout_problem(
    arrays: Mapping[str, NDArray[Any]], layouts: Mapping[str, Layout], sizes: Mapping[str, int]
) -> str:
    """Return what is wrong with the kinds, shapes and numbers of arrays, or nothing.

    Parameters
    ----------
    arrays
        At least those of `layouts`.
    sizes
        Lengths of axes that are known; that of any other is what is met first.

    Examples
    --------
    >>> weights = {"weights": np.zeros((3, 2))}
    >>> layout_problem(weights, {"weights": floats("classes", "columns")}, {"columns": 2})
    ''
    >>> layout_problem(weights, {"weights": floats("classes", "columns")}, {"columns": 5})
    'weights has the shape (3, 2), expected (3, 5)'
    """
    known = dict(sizes)
    for name, layout in layouts.items():
        array = arrays[name]
        if array.dtype.kind != layout.kind:
            return f"{name} holds {array.dtype}"
        if array.ndim != len(layout.shape):
            return f"{name} has {array.ndim} axes, expected {len(layout.shape)}"
        for axis, length in zip(layout.shape, array.shape, strict=True):
            if isinstance(axis, str):
                known.setdefault(axis, length)
        expected = tuple(known[axis] if isinstance(axis, str) else axis for axis in layout.shape)
        if array.shape != expected:
            return f"{name} has the shape {array.shape}, expected {expected}"
        if not np.isfinite(array).all():
            return f"{name} holds NaN or infinity"
    return ""


def shares_problem(name: str, shares: NDArray[np.floating]) -> str:
    """Return whether some rows are no shares: negative, or with a sum other than 1.

    Examples
    --------
    >>> shares_problem("shares", np.array([[0.25, 0.75], [0.5, 0.6]]))
    'shares has rows that do not sum to 1'
    """
    sums = shares.sum(axis=-1, dtype=np.float64)
    sound = bool((shares >= 0).all() and (np.abs(sums - 1) < 1e-3).all())
    return "" if sound else f"{name} has rows that do not sum to 1"
