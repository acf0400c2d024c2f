"""What is fitted after the last epoch on windows that the network was not trained on.

Windows of recordings that training has not seen say how sure the network can be of new recordings,
and how unlike the training data these are. Other seconds of the training recordings are easier:
they may lower confidences, never raise them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from faultdiag import novelty
from faultdiag.checkpoint import Checkpoint
from faultdiag.evaluation.evaluate import PartLogits, part_logits
from faultdiag.features.healthy import HealthyReference, fit_healthy, statistics_of_windows
from faultdiag.metrics.calibration import fit_temperature
from faultdiag.models.tied import head_of
from faultdiag.novelty import NEIGHBOURS, Novelty, evenly
from faultdiag.preparing.folder import Prepared, gather
from faultdiag.preparing.window_index import WindowIndex
from faultdiag.signal.windows import count_disjoint
from faultdiag.signature import Signature, fit_signature
from faultdiag.splits.sharing import origins
from faultdiag.splits.within import TARGET_ADAPT

# The most validation windows that the threshold is computed from.
MOST_VALID = 4096
# The most healthy training windows whose statistics are taken.
MOST_HEALTHY = 1024

SEEN = "other seconds of the training recordings"

Ints = NDArray[np.int64]
_SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


@dataclass(frozen=True)
class Temperature:
    """The temperature of a network, and the windows that it was fitted on, in words."""

    value: float
    basis: str


def held_out_name(prepared: Prepared) -> str:
    """Return what validation holds out, such as ``load_hp 2``; empty if nothing whole."""
    return str(prepared.document["split"].get("held_out") or "")


def calibrate(prepared: Prepared, valid: PartLogits) -> Temperature:
    """Fit the temperature on the validation windows.

    If some of their recordings are not in the training part, only these are used, and the
    temperature may raise confidences as well as lower them. Otherwise it is at least 1.
    """
    unseen = unseen_rows(prepared)
    if not unseen.any():
        return Temperature(max(fit_temperature(valid.logits, valid.labels), 1.0), SEEN)
    windows = prepared.windows.of("valid").take(unseen)
    independent = sum(count_disjoint(s, prepared.length) for s in windows.by_recording().values())
    value = fit_temperature(valid.logits[unseen], valid.labels[unseen], independent=independent)
    return Temperature(value, _held_out(prepared))


def unseen_rows(prepared: Prepared) -> NDArray[np.bool_]:
    """Return which validation windows are of recordings without a training window."""
    runs = _runs(prepared)
    # By recording: a number per training window could take more memory than the signals.
    trained = runs[list(prepared.windows.of("train").by_recording())]
    return ~np.isin(runs[prepared.windows.of("valid").recording], trained)


def _held_out(prepared: Prepared) -> str:
    return f"held-out {held_out_name(prepared) or 'recordings'}"


def _runs(prepared: Prepared) -> Ints:
    """Return a number per recording, the same for copies of one recording."""
    copies = [duplicate.recordings for duplicate in prepared.duplicates]
    known = origins(prepared.recordings, prepared.sampling_rate, copies)
    return np.array([origin.run for origin in known], dtype=np.int64)


def fit_novelty(prepared: Prepared) -> Novelty:
    """Fit the novelty detection on the training and validation parts; the test part is not read.

    The threshold is fitted on training windows compared with those of other groups (values of the
    split's fact, else recordings), and on validation windows of other recordings, where there are
    any of these; else on the validation windows.
    """
    count = novelty.most_windows(len(prepared.channels), prepared.length)
    train = _some(prepared.windows.of("train"), count)
    levels = _described(prepared, train)
    groups, fact = _groups(prepared)
    own = groups[train.recording]
    across = novelty.distances_across(levels, own, train.label, NEIGHBOURS)
    valid = prepared.windows.of("valid")
    unseen = unseen_rows(prepared)
    beside = _distances(prepared, _some(valid.take(unseen), MOST_VALID), levels)
    held_out = np.concatenate([across, beside])
    if len(held_out):
        independent = len(np.unique(train.recording)) + len(np.unique(valid.recording[unseen]))
        basis = f"held-out {fact}"
        return novelty.fit(levels, held_out, independent=independent, basis=basis)
    seen = _distances(prepared, _some(valid, MOST_VALID), levels)
    return novelty.fit(levels, seen, independent=len(seen), basis=SEEN)


def with_target(fitted: Novelty, prepared: Prepared) -> Novelty:
    """Return the novelty detection of an adapted model, which knows the target's windows, too."""
    count = novelty.most_windows(len(prepared.channels), prepared.length)
    target = _described(prepared, _some(prepared.windows.of(TARGET_ADAPT), count))
    return replace(fitted, reference=np.concatenate([fitted.reference, target]))


def _groups(prepared: Prepared) -> tuple[Ints, str]:
    """Return the group of each recording as a number, and what the groups are."""
    fact = str(prepared.document["split"].get("fact") or "")
    values = [recording.facts.get(fact) for recording in prepared.recordings]
    named = sorted({str(value) for value in values if value is not None})
    if not named:
        return _runs(prepared), "recordings"
    # A recording without the fact is a group of its own.
    alone = [len(named) + run for run in _runs(prepared).tolist()]
    numbers = [
        alone[i] if value is None else named.index(str(value)) for i, value in enumerate(values)
    ]
    return np.array(numbers, dtype=np.int64), f"{fact} values"


def _some(windows: WindowIndex, most: int) -> WindowIndex:
    return windows.take(evenly(len(windows), most))


def _evenly_of(windows: WindowIndex, recordings: Sequence[int], most: int) -> Ints:
    """Return at most `most` rows of windows of these recordings, sorted, evenly spread.

    The windows lie recording after recording, so no number per window is needed.
    """
    numbers = np.array(recordings, dtype=windows.recording.dtype)
    first, last = (np.searchsorted(windows.recording, numbers, side) for side in _SIDES)
    ends = np.cumsum(last - first)
    wanted = evenly(int((last - first).sum()), most)
    place = np.searchsorted(ends, wanted, side="right")
    return np.asarray(last[place] - ends[place] + wanted, dtype=np.int64)


def _distances(
    prepared: Prepared, windows: WindowIndex, reference: novelty.Levels
) -> NDArray[np.float64]:
    if not len(windows):
        return np.empty(0)
    neighbours = min(NEIGHBOURS, len(reference))
    return novelty.distances(_described(prepared, windows), reference, neighbours)


def _described(prepared: Prepared, windows: WindowIndex) -> novelty.Levels:
    chunks = range(0, len(windows), novelty.CHUNK)
    rows = [windows.take(slice(first, first + novelty.CHUNK)) for first in chunks]
    return np.concatenate([novelty.describe(raw_windows(prepared, some)) for some in rows])


def fit_healthy_windows(prepared: Prepared, healthy: Collection[str]) -> HealthyReference | None:
    """Fit what recordings' statistics are compared with; None without healthy training windows."""
    train = prepared.windows.of("train")
    numbers = [i for i, row in enumerate(prepared.recordings) if row.label in healthy]
    rows = _evenly_of(train, numbers, MOST_HEALTHY)
    if not len(rows):
        return None
    windows = raw_windows(prepared, train.take(rows))
    return fit_healthy(statistics_of_windows(windows), prepared.channels)


def raw_windows(prepared: Prepared, windows: WindowIndex) -> NDArray[np.float32]:
    """Return windows as recorded, ``(windows, channels, length)``."""
    return gather(prepared.signals, prepared.positions(windows), prepared.length)


def fit_signature_of(
    source: Checkpoint, prepared: Prepared, valid: PartLogits, device: torch.device
) -> Signature | None:
    """Fit from which evidence on a recording has a bearing signature; None if nothing shows it.

    It is fitted on the validation windows, if there are any on those of recordings without a
    training window, and on noise in their place. The test part is not read.
    """
    network = source.build(device)
    head = head_of(network)
    if head is None or not head.invertible:
        return None
    unseen = unseen_rows(prepared)
    rows = unseen if unseen.any() else np.ones(len(valid.labels), dtype=bool)
    noise = part_logits(
        network,
        prepared,
        "valid",
        classes=source.classes,
        device=device,
        precision=source.precision,
        normalize=source.normalize,
        snr=0.0,
        alone=True,
    )
    basis = _held_out(prepared) if unseen.any() else SEEN
    return fit_signature(head, valid.logits[rows], valid.labels[rows], noise.logits, basis=basis)


def with_head_of(
    source: Checkpoint, signature: Signature | None, device: torch.device
) -> Signature | None:
    """Return a signature for the weights of a checkpoint that was trained again, on all windows."""
    head = head_of(source.build(device))
    if signature is None or head is None or not head.invertible:
        return None
    return replace(signature, head=head)
