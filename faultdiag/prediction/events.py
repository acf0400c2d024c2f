"""What happens to a recording on its way to a diagnosis, as unions of named types.

Reading a file yields a `Header`, its `Windows` piece by piece, its `NoveltyScore`, `Evidence` where
that is wanted, and an `End`; where something is wrong, a `Failure` and an `End`. A model turns
windows into `Probabilities`, and the whole into a `RecordingDiagnosis`.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from faultdiag.evidence.details import RecordingDetails
from faultdiag.evidence.gather import Evidence
from faultdiag.signal.bearings import KnownBearing


@dataclass(frozen=True, slots=True)
class Header:
    """Facts of a recording that are known before its windows are read.

    Parameters
    ----------
    channels, rpm
        Names of the channels to read, and the shaft speed, if known.
    sampling_rate
        The recording's own rate, Hz.
    sampling_rate_source
        Who states that rate: ``file``, ``catalogue``, ``catalogue, by name``, ``argument`` or
        ``assumed``.
    windows
        Number of windows to come.
    bearing
        The bearing, if the diagnosis needs it and it is known.
    warnings
        Oddities of its facts or its channels.
    time
        Time of the recording, if a manifest or the file states it.
    """

    channels: tuple[str, ...]
    rpm: float | None
    sampling_rate: float
    sampling_rate_source: str
    windows: int
    bearing: KnownBearing | None = None
    warnings: tuple[str, ...] = ()
    time: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The next windows of a recording, ``(channels, windows x length)``, at the model's rate."""

    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class NoveltyScore:
    """Distance of a recording from the training data; 1 at the threshold."""

    value: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no diagnosis, on one line."""

    message: str


@dataclass(frozen=True, slots=True)
class End:
    """The recording has no further events."""


@dataclass(frozen=True, slots=True)
class Pause:
    """No event came for a while."""


@dataclass(frozen=True, slots=True, eq=False)
class Probabilities:
    """The probabilities of the next windows of a recording, ``(windows, classes)``."""

    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The joint result of all windows of one recording.

    Parameters
    ----------
    label, confidence
        The class with the largest mean probability, and this probability.
    agreement
        Share of the windows whose own most probable class is `label`.
    windows
        Number of windows.
    probabilities
        Mean probability of each class; that of a window is the softmax of its logits over the
        temperature that was fitted on the validation part.
    novelty
        Distance from the training data: 1 at the threshold, above 1 for a novel recording. None
        for models without a novelty detector.
    evidence
        Findings in the signal itself and whether they agree; None if not requested.
    signature
        Whether the network found the signature of a bearing fault: ``yes``, or ``no``, in which
        case the label is little more than a guess among the faults; None for other networks.
    """

    label: str
    confidence: float
    agreement: float
    windows: int
    probabilities: dict[str, float]
    novelty: float | None = None
    evidence: Evidence | None = None
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class RecordingDiagnosis:
    """A recording's header and diagnosis, and details for a report if requested."""

    header: Header
    diagnosis: Diagnosis
    details: RecordingDetails | None = None


EvidenceEvent = Evidence | RecordingDetails
ReadEvent = Header | Windows | NoveltyScore | EvidenceEvent | Failure | End
ScoredEvent = Header | Probabilities | NoveltyScore | EvidenceEvent | Failure | End
Result = Probabilities | RecordingDiagnosis | Failure
