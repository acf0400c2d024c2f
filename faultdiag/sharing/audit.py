"""What the parts of a split share: the leak audit of windows.

Four distances between train and test matter: the window, the recording, the condition and the
selection. This module measures the first, sample by sample.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faultdiag.splits import PARTS
from faultdiag.windows import best_overlap, count_disjoint, count_shared, covered_intervals

# Starts of the windows of one part, by recording.
Starts = Mapping[int, NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Audit:
    """What the parts of a split share.

    Parameters
    ----------
    shared_samples
        Samples that lie under windows of two or more parts; 0 for an honest split.
    leaking_test_windows
        Share of the test windows that overlap a training window.
    valid_test_overlap
        Mean over the test windows of the largest share of samples that one validation window
        holds too.
    disjoint_windows
        Per part, how many windows remain if no two may share a sample.
    """

    shared_samples: int
    leaking_test_windows: float
    valid_test_overlap: float
    disjoint_windows: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Give the audit as plain JSON types."""
        return asdict(self)


def audit_windows(starts: Mapping[str, Starts], length: int) -> Audit:
    """Audit the windows of all parts.

    Parameters
    ----------
    starts
        ``part -> recording -> starts`` of windows of `length` samples.
    """
    overlaps = {part: _best_overlaps(starts["test"], starts[part], length) for part in PARTS[:2]}
    return Audit(
        shared_samples=_shared_samples(starts, length),
        leaking_test_windows=_mean(overlaps["train"] > 0),
        valid_test_overlap=_mean(overlaps["valid"]),
        disjoint_windows={
            part: sum(count_disjoint(s, length) for s in starts[part].values()) for part in PARTS
        },
    )


def _best_overlaps(test: Starts, others: Starts, length: int) -> NDArray[np.float64]:
    nothing = np.empty(0, dtype=np.int64)
    rows = [best_overlap(s, others.get(r, nothing), length) for r, s in test.items()]
    return np.concatenate(rows) if rows else np.empty(0)


def _shared_samples(starts: Mapping[str, Starts], length: int) -> int:
    total = 0
    for recording in set().union(*(starts[part] for part in PARTS)):
        rows = [starts[part][recording] for part in PARTS if recording in starts[part]]
        total += count_shared([covered_intervals(row, length) for row in rows])
    return total


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else 0.0
