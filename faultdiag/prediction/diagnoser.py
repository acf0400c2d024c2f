"""Load a model and diagnose recordings with it."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from faultdiag.arrays import Floats, Singles
from faultdiag.bundled.catalogue import shadowed
from faultdiag.errors import FaultdiagError, for_python, printable
from faultdiag.evidence.details import RecordingDetails
from faultdiag.evidence.gather import Evidence
from faultdiag.export import runtime
from faultdiag.metrics.scores import RunningAggregate
from faultdiag.prediction.batching import Batching
from faultdiag.prediction.events import (
    Diagnosis,
    End,
    Failure,
    Header,
    NoveltyScore,
    Pause,
    Probabilities,
    ReadEvent,
    RecordingDiagnosis,
    Result,
    ScoredEvent,
    Windows,
)
from faultdiag.prediction.reading import (
    EvidenceRequest,
    ModelInput,
    ReadRequest,
    file_events,
    recording_events,
)
from faultdiag.scoring import ModelFacts, Scorer, softmax
from faultdiag.signal.bearings import conditions, get_bearing
from faultdiag.signal.recording import Recording
from faultdiag.system.terminal import note

if TYPE_CHECKING:
    from torch import nn

# Windows of `logits` that are passed to the model at once.
_MOST = 512

Key = TypeVar("Key")
Input = Recording | Path | str | ArrayLike


class Diagnoser:
    """A trained model that diagnoses recordings.

    Parameters
    ----------
    scorer
        What computes the logits of windows.
    """

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.facts = scorer.facts

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in the order of the logits."""
        return self.facts.classes

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels, in the order of the input."""
        return self.facts.channels

    @property
    def sampling_rate(self) -> float:
        """The model's sampling rate in Hz."""
        return self.facts.sampling_rate

    @property
    def length(self) -> int:
        """Samples of one window."""
        return self.facts.length

    @property
    def device(self) -> object:
        """Device of the model: ``cpu``, ``cuda:0``."""
        return self.scorer.device

    @property
    def network(self) -> "nn.Module":
        """The network, in evaluation mode: of a run folder or checkpoint, not of an ONNX file."""
        return self.scorer.network

    @property
    def config(self) -> Mapping[str, object]:
        """The config that the model was trained with, as plain values."""
        return self.scorer.config

    @for_python
    def to(self, device: str) -> Self:
        """Move the model to a device, and return this diagnoser.

        Parameters
        ----------
        device
            ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

        Raises
        ------
        FaultdiagError
            If the device is not there.
        """
        self.scorer = self.scorer.to(device)
        return self

    @property
    def input(self) -> ModelInput:
        """The form in which the model takes recordings."""
        facts = self.facts
        return ModelInput(
            facts.channels,
            facts.sampling_rate,
            facts.length,
            facts.needs_speed,
            facts.novelty,
            recorded_at=facts.recorded_at,
            needs_bearing=facts.needs_bearing,
        )

    @property
    def evidence_input(self) -> ModelInput:
        """The same, with evidence gathered from the recording too."""
        return replace(self.input, evidence=EvidenceRequest(self.facts.healthy_reference))

    @for_python
    def logits(
        self, windows: Singles, *, rpm: float | None = None, bearing: str | None = None
    ) -> Floats:
        """Return the logits ``(windows, classes)`` of raw windows ``(windows, channels, length)``.

        The windows are as they come from a recording at the model's sampling rate; the model's
        own normalisation is applied here. These are the network's own logits: their softmax is a
        probability of `diagnose` only if the model's temperature is 1.

        Parameters
        ----------
        rpm, bearing
            Shaft speed; name or geometry of the bearing. Only models that see shaft orders or
            fault orders need them.

        Raises
        ------
        FaultdiagError
            If the windows have another shape than the model's, or it needs speed or bearing.
        """
        # torch warns of arrays that it can't write to, so those are copied.
        raw = np.require(windows, np.float32, ["C", "W"])
        shape = (len(self.channels), self.length)
        if raw.ndim != 3 or raw.shape[1:] != shape:
            raise FaultdiagError(
                f"the windows have the shape {raw.shape}; the model takes (windows, {shape[0]}, "
                f"{shape[1]})"
            )
        known = self._conditions(rpm, bearing, len(raw))
        rows = [np.empty((0, len(self.classes)))]
        for first in range(0, len(raw), _MOST):
            part = slice(first, first + _MOST)
            rows.append(self.scorer.logits(raw[part], known[part]))
        return np.concatenate(rows)

    def _conditions(self, rpm: float | None, bearing: str | None, count: int) -> Singles:
        if self.facts.needs_speed and rpm is None:
            raise FaultdiagError("the model sees shaft orders and needs the shaft speed; give rpm")
        if self.facts.needs_bearing and bearing is None:
            raise FaultdiagError("the model sees fault orders and needs the bearing; give bearing")
        known = conditions(rpm, None if bearing is None else get_bearing(bearing))
        return np.tile(np.array(known, np.float32), (count, 1))

    @for_python
    def predict(
        self,
        recordings: Iterable[Input],
        *,
        channel: str | None = None,
        sampling_rate: float | None = None,
        rpm: float | None = None,
        bearing: str | None = None,
        evidence: bool = False,
    ) -> list[Diagnosis]:
        """Return one diagnosis for each recording.

        Parameters
        ----------
        recordings
            Recordings, paths of files, or arrays ``(samples,)`` or ``(channels, samples)``.
        channel
            Of files: the channel to read.
        rpm
            Shaft speed, where the recording or file doesn't state it.
        sampling_rate
            Hz: of arrays, and of files that don't state it and that no catalogue knows.
        bearing
            A name or a geometry, for models that see fault orders and for the evidence; it wins
            over what the recording or file states.
        evidence
            Whether to gather `Diagnosis.evidence`.

        Raises
        ------
        FaultdiagError
            If one is not a recording, has other channels than the model or no sampling rate, or is
            shorter than one window.
        """
        model = self.evidence_input if evidence else self.input
        request = ReadRequest(Path(), channel, sampling_rate, rpm, bearing)
        events = (
            (i, event)
            for i, item in enumerate(recordings)
            for event in self._events(item, request, model)
        )
        diagnoses = []
        for _, result in self.results(events):
            match result:
                case RecordingDiagnosis(diagnosis=diagnosis):
                    diagnoses.append(diagnosis)
                case Failure(message):
                    raise FaultdiagError(message)
        return diagnoses

    @for_python
    def embed(
        self,
        recordings: Iterable[Input],
        *,
        channel: str | None = None,
        sampling_rate: float | None = None,
        rpm: float | None = None,
        bearing: str | None = None,
    ) -> Floats:
        """Return the input of the network's last linear layer for recordings, ``(recordings, D)``.

        The row of a recording is the mean over its windows.

        Parameters
        ----------
        recordings, channel, sampling_rate, rpm, bearing
            As for `predict`.

        Raises
        ------
        FaultdiagError
            As for `predict`, or if the model is an ONNX file or has no linear layer.
        """
        request = ReadRequest(Path(), channel, sampling_rate, rpm, bearing)
        rows = [self._embedded(self._events(item, request, self.input)) for item in recordings]
        return np.stack(rows) if rows else np.empty((0, 0))

    def _embedded(self, events: Iterable[ReadEvent]) -> Floats:
        known = conditions(None, None)
        means: list[Floats] = []
        for event in events:
            match event:
                case Header(rpm=rpm, bearing=bearing):
                    known = conditions(rpm, bearing)
                case Windows(values):
                    shape = (len(self.channels), -1, self.length)
                    raw = np.require(values.reshape(shape).swapaxes(0, 1), np.float32, ["C", "W"])
                    for first in range(0, len(raw), _MOST):
                        part = raw[first : first + _MOST]
                        tiled = np.tile(np.array(known, np.float32), (len(part), 1))
                        means.append(self.scorer.embed(part, tiled))
        return np.asarray(np.concatenate(means).mean(axis=0))

    def _events(self, item: Input, request: ReadRequest, model: ModelInput) -> Iterator[ReadEvent]:
        """Return the events of a recording, file or array."""
        if isinstance(item, (str, Path)):
            return file_events(replace(request, path=Path(item)), model)
        recording = self._as_recording(item, request.sampling_rate)
        named = {"bearing": request.bearing} if request.bearing else {}
        facts = {**recording.facts, **named}
        return recording_events(
            replace(recording, rpm=recording.rpm or request.rpm, facts=facts), model
        )

    @for_python
    def diagnose(
        self,
        recording: Input,
        *,
        channel: str | None = None,
        sampling_rate: float | None = None,
        rpm: float | None = None,
        bearing: str | None = None,
        evidence: bool = False,
    ) -> Diagnosis:
        """Return the diagnosis of one recording, resampled to the model's rate where it differs.

        Raises
        ------
        FaultdiagError
            As in `predict`.
        """
        return self.predict(
            [recording],
            channel=channel,
            sampling_rate=sampling_rate,
            rpm=rpm,
            bearing=bearing,
            evidence=evidence,
        )[0]

    def results(
        self, events: Iterable[tuple[Key, ReadEvent] | Pause]
    ) -> Iterator[tuple[Key, Result]]:
        """Yield what the model says of the windows of recordings as they come, in their order.

        Windows of several recordings share a batch; the result of one doesn't depend on which
        those are.

        Parameters
        ----------
        events
            Events of the recordings, each with the key of its recording: header, windows and end.
        """
        state: _Recording | None = None
        for key, event in self._scored(events):
            match event:
                case Header():
                    state = _Recording(event, self.facts)
                case Failure():
                    state = None
                    yield key, event
                case Probabilities(values) if state is not None:
                    yield key, Probabilities(state.add(values))
                case End() if state is not None:
                    result = state.result(key)
                    if not isinstance(result, Failure) and not _is_finite(result):
                        result = Failure(_no_number(key))
                    yield key, result
                case _ if state is not None:
                    state.note(event)

    def _scored(
        self, events: Iterable[tuple[Key, ReadEvent] | Pause]
    ) -> Iterator[tuple[Key, ScoredEvent]]:
        shape = (self.scorer.batch, len(self.channels), self.length)
        with self.scorer.threads() as (pool, count):
            batching = Batching[Key](self._scores, shape, pool, threads=count)
            yield from batching.run(events)

    def _scores(self, windows: Singles, conditions: Singles) -> Floats:
        """Return probabilities; of a model that sees signatures their strength in a last column."""
        logits = self.scorer.logits(windows, conditions)
        probabilities = softmax(logits / self.facts.temperature)
        known = self.facts.signature
        if known is None:
            return probabilities
        return np.column_stack((probabilities, known.strength(logits)))

    def _as_recording(self, item: Recording | ArrayLike, rate: float | None) -> Recording:
        if isinstance(item, Recording):
            return item
        try:
            signal = np.atleast_2d(np.asarray(item, np.float32))
        except (TypeError, ValueError) as error:
            raise FaultdiagError(
                f"cannot diagnose {type(item).__name__}; give a Recording, the path of a file, or "
                "an array (samples,) or (channels, samples) with sampling_rate"
            ) from error
        if rate is None:
            raise FaultdiagError(
                f"an array of shape {signal.shape} has no sampling rate; give sampling_rate in Hz "
                f"(the model works at {self.sampling_rate:g} Hz)"
            )
        names = self.channels if len(signal) == len(self.channels) else _numbered(len(signal))
        return Recording(signal, Path("array"), names, rate)


class _Recording:
    """The current recording: its header and what has been computed of it."""

    def __init__(self, header: Header, model: ModelFacts) -> None:
        self.header = header
        self.windows = RunningAggregate(len(model.classes))
        self.novelty: float | None = None
        self.evidence: Evidence | None = None
        self.details: RecordingDetails | None = None
        self._model = model
        self._strength = 0.0  # summed over windows

    def add(self, scores: Floats) -> Floats:
        """Add the scores of the next windows, and return their probabilities."""
        count = len(self._model.classes)
        probabilities = scores[:, :count]
        self.windows.add(probabilities)
        self._strength += float(scores[:, count:].sum())
        return probabilities

    def note(self, event: ScoredEvent) -> None:
        """Keep what is known besides the probabilities."""
        match event:
            case NoveltyScore(value):
                self.novelty = value
            case Evidence():
                self.evidence = event
            case RecordingDetails():
                self.details = event

    def result(self, key: object) -> RecordingDiagnosis | Failure:
        """Return the diagnosis, or the failure of a model whose probabilities are no numbers."""
        means = self.windows.means
        if not np.isfinite(means).all():
            return Failure(
                f"{key}: the model gives probabilities that are not finite; its weights or its "
                "statistics are damaged, use another copy or train again"
            )
        label, confidence, agreement = self.windows.result()
        model, count = self._model, self.windows.windows
        probabilities = dict(zip(model.classes, means.tolist(), strict=True))
        name = model.classes[label]
        evidence = self.evidence and self.evidence.compared_with(name, model.healthy)
        known = model.signature
        signature = None if known is None else known.verdict(self._strength / count)
        diagnosis = Diagnosis(
            name, confidence, agreement, count, probabilities, self.novelty, evidence, signature
        )
        return RecordingDiagnosis(self.header, diagnosis, self.details)


def _is_finite(result: RecordingDiagnosis) -> bool:
    return math.isfinite(result.diagnosis.confidence)


def _no_number(key: object) -> str:
    name = getattr(key, "path", None)
    return (
        f"{'the recording' if name is None else printable(str(name))}: the model gives no finite "
        "number for it; check its amplitude, or take another copy of the model"
    )


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(f"ch{i + 1}" for i in range(count))


def load(model: Path | str, *, device: str = "auto") -> Diagnoser:
    """Load a trained model: a run folder, a checkpoint, an ONNX file, or a model in the box.

    Parameters
    ----------
    model
        The run folder or file, or the name of a model that comes with the package, such as
        ``bearing-types``; a folder or file of that name wins, with a note. An ONNX file is
        computed without torch.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    FaultdiagError
        If there is no such model, it is damaged, or the device is not there.
    """
    path = Path(model)
    if (text := shadowed(path)) is not None:
        note(text)
    return Diagnoser(_onnx(path, device) if _is_onnx(path) else _torch(path, device))


def _is_onnx(path: Path) -> bool:
    return path.suffix.lower() == runtime.SUFFIX and not path.is_dir()


def _onnx(path: Path, device: str) -> Scorer:
    runtime.require_processor(path, device)
    return runtime.load(path)


def _torch(path: Path, device: str) -> Scorer:
    from faultdiag import checkpoint, inference

    target = inference.select_device(device)
    return inference.TorchScorer(checkpoint.load(path), target)


def model_file(model: Path) -> Path:
    """Return the file that a model is loaded from: a run folder's checkpoint, or the file itself.

    Raises
    ------
    FaultdiagError
        If there is none.
    """
    if _is_onnx(model):
        return model
    from faultdiag.checkpoint import resolve

    return resolve(model)
