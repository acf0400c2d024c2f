"""The reference that recordings are held against, fitted on train and valid; its test share."""

from typing import Any

import numpy as np

from faultdiag import novelty
from faultdiag.novelty import Levels, Novelty, evenly
from faultdiag.prepared import Prepared, gather
from faultdiag.window_index import WindowIndex

# Validation windows that the threshold is read off, at most.
MOST_VALID = 4096


def fit_novelty(prepared: Prepared) -> Novelty:
    """Fit what recordings are held against; of the test part nothing is read."""
    most = novelty.most_windows(len(prepared.channels), prepared.length)
    return novelty.fit(
        _described(prepared, "train", most), _described(prepared, "valid", MOST_VALID)
    )


def score_novelty(fitted: Novelty, prepared: Prepared) -> dict[str, Any]:
    """Give the false-positive rate, and the share of the test recordings that are novel."""
    test = prepared.windows.of("test")
    rows = [np.flatnonzero(test.recording == number) for number in test.by_recording()]
    scores = [
        fitted.score(
            _raw(prepared, test.take(found[evenly(len(found), novelty.MOST_OF_RECORDING)]))
        )
        for found in rows
    ]
    share = float(np.mean(np.array(scores) > 1))
    return {"false_positive_rate": fitted.false_positive_rate, "test_share": share}


def _described(prepared: Prepared, part: str, most: int) -> Levels:
    windows = prepared.windows.of(part)
    rows = evenly(len(windows), most)
    chunks = [rows[i : i + novelty.CHUNK] for i in range(0, len(rows), novelty.CHUNK)]
    return np.concatenate(
        [novelty.describe(_raw(prepared, windows.take(chunk))) for chunk in chunks]
    )


def _raw(prepared: Prepared, windows: WindowIndex) -> "np.ndarray[Any, np.dtype[np.float32]]":
    return gather(prepared.signals, prepared.positions(windows), prepared.length)
