"""Recordings in, one diagnosis each out."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from faultdiag import checkpoint, dsp, inference, metrics
from faultdiag.errors import FaultdiagError
from faultdiag.inference import BATCH, autocast, normalizer, softmax
from faultdiag.models import needs_speed
from faultdiag.prepared import gather
from faultdiag.recording import Recording
from faultdiag.windows import strided_starts


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
        How unlike the training data the recording is, 1 at the threshold and above it where it
        is novel; None of models that were trained before this was measured.
    """

    label: str
    confidence: float
    agreement: float
    windows: int
    probabilities: dict[str, float]
    novelty: float | None = None


class Diagnoser:
    """A trained model that diagnoses recordings.

    Parameters
    ----------
    source
        The checkpoint.
    device
        Where the network runs.
    """

    def __init__(self, source: checkpoint.Checkpoint, device: torch.device) -> None:
        self.classes = source.classes
        self.channels = source.channels
        self.sampling_rate = source.sampling_rate
        self.length = source.length
        self.device = device
        self._network = source.build(device)
        self._normalize = normalizer(source.normalize, device)
        self._precision = source.precision
        self._temperature = source.temperature
        self._novelty = source.novelty

    @torch.inference_mode()
    def logits(
        self, windows: NDArray[np.float32], *, rpm: float | None = None
    ) -> NDArray[np.float64]:
        """Give the logits ``(windows, classes)`` of raw windows ``(windows, channels, length)``.

        The windows are taken as they come from a recording at the model's sampling rate; the
        model's own normalisation is applied here. These are the network's own logits: their
        softmax is not what `diagnose` calls a probability unless the model's temperature is 1.

        Parameters
        ----------
        rpm
            Shaft speed; only models that see shaft orders need it.

        Raises
        ------
        FaultdiagError
            If the windows have another shape than the model's, or it needs a speed.
        """
        # torch warns of arrays that it can't write to, so those are copied.
        raw = np.require(windows, np.float32, ["C", "W"])
        expected = (len(self.channels), self.length)
        if raw.ndim != 3 or raw.shape[1:] != expected:
            raise FaultdiagError(
                f"the windows have the shape {raw.shape}; the model takes (windows, "
                f"{expected[0]}, {expected[1]})"
            )
        rows = [np.empty((0, len(self.classes)))]
        for first in range(0, len(raw), BATCH):
            batch = torch.from_numpy(raw[first : first + BATCH]).to(self.device)
            speed = self._speed(len(batch), rpm)
            with autocast(self.device, self._precision):
                logits = self._network(self._normalize(batch), *speed)
            rows.append(logits.double().cpu().numpy())
        return np.concatenate(rows)

    def _speed(self, windows: int, rpm: float | None) -> tuple[torch.Tensor, ...]:
        if not needs_speed(self._network):
            return ()
        if rpm is None:
            raise FaultdiagError(
                "the model sees shaft orders and needs the shaft speed; give --rpm"
            )
        return (torch.full((windows,), rpm / 60, device=self.device),)

    def predict(self, recordings: Iterable[Recording]) -> list[Diagnosis]:
        """Give one diagnosis per recording.

        Raises
        ------
        FaultdiagError
            If a recording has other channels than the model, no sampling rate, or is shorter
            than one window.
        """
        return [self.diagnose(recording) for recording in recordings]

    def diagnose(self, recording: Recording) -> Diagnosis:
        """Give the diagnosis of one recording, resampled to the model's rate where it differs.

        Raises
        ------
        FaultdiagError
            As in `predict`.
        """
        signal = self._fitted(recording)
        starts = strided_starts(0, signal.shape[1], self.length, self.length)
        positions = starts[:, None] + np.arange(len(signal)) * signal.shape[1]
        windows = gather(np.ascontiguousarray(signal).ravel(), positions, self.length)
        probabilities = softmax(self.logits(windows, rpm=recording.rpm) / self._temperature)
        label, confidence, agreement = metrics.aggregate(probabilities)
        means = probabilities.mean(axis=0).tolist()
        return Diagnosis(
            self.classes[label],
            confidence,
            agreement,
            len(starts),
            dict(zip(self.classes, means, strict=True)),
            None if self._novelty is None else self._novelty.score(windows),
        )

    def _fitted(self, recording: Recording) -> NDArray[np.float32]:
        recording = self.choose(recording)
        recording.require_varying()
        if recording.sampling_rate is None:
            raise FaultdiagError(
                f"{recording.source} carries no sampling rate; give it with --sampling-rate "
                f"(the model works at {self.sampling_rate:g} Hz)"
            )
        signal = recording.signal
        if recording.sampling_rate != self.sampling_rate:
            signal = dsp.resample(signal, recording.sampling_rate, self.sampling_rate)
        if signal.shape[1] < self.length:
            raise FaultdiagError(
                f"{recording.source} has {signal.shape[1]} samples at {self.sampling_rate:g} Hz, "
                f"the model needs {self.length} for one window; record longer"
            )
        return signal

    def choose(self, recording: Recording) -> Recording:
        """Give the recording with the model's channels: by name, or the only ones there are.

        Raises
        ------
        FaultdiagError
            If they are not there by name and their number differs.
        """
        if set(self.channels) <= set(recording.channels):
            return recording.select(self.channels)
        if len(recording.channels) != len(self.channels):
            raise FaultdiagError(
                f"{recording.source} has {len(recording.channels)} channels "
                f"({', '.join(recording.channels)}), the model was trained on "
                f"{len(self.channels)} ({', '.join(self.channels)}); choose with --channel"
            )
        return recording


def load(run_or_checkpoint: Path | str, *, device: str = "auto") -> Diagnoser:
    """Load a trained model from its run folder or a checkpoint file.

    Parameters
    ----------
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    FaultdiagError
        If there is no such checkpoint, it is damaged, or the device is not there.
    """
    target = inference.select_device(device)
    return Diagnoser(checkpoint.load(Path(run_or_checkpoint)), target)
