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
    """What is known of a recording before its windows come.

    Parameters
    ----------
    channels
        The channels that are read.
    rpm
        Shaft speed, if known.
    sampling_rate
        The recording's own, Hz.
    sampling_rate_source
        Who states it: ``file``, ``catalogue``, ``catalogue, by name``, ``argument`` or
        ``assumed``.
    windows
        How many windows will come.
    bearing
        The bearing, if it was looked for and is known.
    warnings
        What is odd about its facts or its channels.
    time
        When it was recorded, where a manifest or the file states that.
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
    """How unlike the training data the recording is; 1 at the threshold."""

    value: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no diagnosis, on one line."""

    message: str


@dataclass(frozen=True, slots=True)
class End:
    """Nothing more comes of the recording."""


@dataclass(frozen=True, slots=True)
class Pause:
    """No event came for a while."""


@dataclass(frozen=True, slots=True, eq=False)
class Probabilities:
    """The probabilities of the next windows of a recording, ``(windows, classes)``."""

    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the windows of one recording say together.

    Parameters
    ----------
    label
        The class with the largest mean probability.
    confidence
        That probability.
    agreement
        Share of the windows whose own most probable class is `label`.
    windows
        How many windows there were.
    probabilities
        Mean probability of each class; that of a window is the softmax of its logits over the
        temperature that was fitted on the validation part.
    novelty
        How unlike the training data the recording is: 1 at the threshold and above it where it
        is novel. None for models that were trained before this was measured.
    evidence
        What the signal says by itself, and whether it agrees; None where it was not asked for.
    signature
        Whether the network found the signature of a bearing fault: ``yes``, or ``no``, and then the
        label is little more than a guess among the faults; None for networks that can't tell.
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
    """The diagnosis of a recording, what is known of it, and its details where wanted."""

    header: Header
    diagnosis: Diagnosis
    details: RecordingDetails | None = None


EvidenceEvent = Evidence | RecordingDetails
ReadEvent = Header | Windows | NoveltyScore | EvidenceEvent | Failure | End
ScoredEvent = Header | Probabilities | NoveltyScore | EvidenceEvent | Failure | End
Result = Probabilities | RecordingDiagnosis | Failure
