"""In which order training windows come, and in what batches."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def shuffled(count: int, seed: int, epoch: int) -> Tensor:
    """Give the order of `count` windows in an epoch.

    It follows from seed and epoch alone: a network that draws (dropout) can't shift it, and a
    resumed training needs no state for it.
    """
    order = np.arange(count, dtype=_smallest(count))
    np.random.default_rng([seed, epoch]).shuffle(order)
    return torch.from_numpy(order)


def balanced(labels: NDArray[np.integer], seed: int, epoch: int) -> Tensor:
    """Give as many windows as there are, every class equally often, in the order of an epoch.

    A class comes whole before any of its windows comes again: of a small class all windows are
    seen, some of them once more often than others; of a large one some wait for the next epoch.

    Parameters
    ----------
    labels
        Class of each window.
    """
    rng = np.random.default_rng([seed, epoch])
    dtype = _smallest(len(labels))
    classes = np.unique(labels)
    drawn = np.empty(len(labels), dtype=dtype)
    for place, label in enumerate(classes):
        members = np.flatnonzero(labels == label).astype(dtype)
        mine = drawn[place :: len(classes)]
        for first in range(0, len(mine), len(members)):
            rng.shuffle(members)
            mine[first : first + len(members)] = members[: len(mine) - first]
    rng.shuffle(drawn)
    return torch.from_numpy(drawn)


def class_weights(labels: NDArray[np.integer], classes: int) -> Tensor:
    """Give a weight per class with which every class counts the same: ``n / (classes n_c)``.

    A class without windows has the weight 1; it makes no difference.
    """
    counts = np.bincount(labels, minlength=classes)
    present = np.count_nonzero(counts)
    weights = np.where(counts, len(labels) / (present * np.maximum(counts, 1)), 1.0)
    return torch.from_numpy(weights.astype(np.float32))


def batch_sizes(count: int, size: int) -> list[int]:
    """Cut a number of windows into batches; a single one left over joins the batch before it.

    BatchNorm after a global mean has one value per window and channel, and one value has no
    variance.

    Examples
    --------
    >>> batch_sizes(10, 4), batch_sizes(9, 4)
    ([4, 4, 2], [4, 5])
    """
    sizes = [size] * (count // size)
    rest = count % size
    if rest == 1 and sizes:
        sizes[-1] += 1
    elif rest:
        sizes.append(rest)
    return sizes


def _smallest(count: int) -> type[np.signedinteger]:
    return np.int32 if count < 2**31 else np.int64
