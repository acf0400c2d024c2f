"""Recordings in, one diagnosis each out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from faultdiag import checkpoint, inference
from faultdiag.errors import FaultdiagError
from faultdiag.inference import BATCH, autocast, normalizer, softmax
from faultdiag.metrics.windows import RunningAggregate
from faultdiag.models import needs_speed
from faultdiag.prediction.batching import Batching
from faultdiag.prediction.reading import Needs, Opened, Windows, windows_of
from faultdiag.signal.recording import Recording

# Windows per batch on a processor: with more, what is between the layers leaves the cache.
CPU_BATCH = 256

# What is known of a recording, its windows, its novelty, a message why there is no more, and None
# at its end.
Part = Opened | Windows | float | str | None


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


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """A recording, and what was found out about it."""

    opened: Opened
    diagnosis: Diagnosis


Key = TypeVar("Key")
Found = NDArray[np.float64] | Diagnosed | str
"""Probabilities of windows ``(windows, classes)``, at the end all that was found, or a message."""


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

    @property
    def needs(self) -> Needs:
        """What a recording is brought to before the model sees it."""
        speed = needs_speed(self._network)
        return Needs(self.channels, self.sampling_rate, self.length, speed, self._novelty)

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
        if needs_speed(self._network) and rpm is None:
            raise FaultdiagError(
                "the model sees shaft orders and needs the shaft speed; give --rpm"
            )
        speeds = np.full(len(raw), rpm or 0, np.float32)
        rows = [np.empty((0, len(self.classes)))]
        for first in range(0, len(raw), BATCH):
            rows.append(self._logits(raw[first : first + BATCH], speeds[first : first + BATCH]))
        return np.concatenate(rows)

    def predict(self, recordings: Iterable[Recording]) -> list[Diagnosis]:
        """Give one diagnosis per recording.

        Raises
        ------
        FaultdiagError
            If a recording has other channels than the model, no sampling rate, or is shorter
            than one window.
        """

        def parts() -> Iterator[tuple[int, Part]]:
            for number, recording in enumerate(recordings):
                yield from ((number, part) for part in windows_of(recording, self.needs))
                yield number, None

        found = (thing for _, thing in self.follow(parts()))
        return [thing.diagnosis for thing in found if isinstance(thing, Diagnosed)]

    def diagnose(self, recording: Recording) -> Diagnosis:
        """Give the diagnosis of one recording, resampled to the model's rate where it differs.

        Raises
        ------
        FaultdiagError
            As in `predict`.
        """
        return self.predict([recording])[0]

    def follow(self, parts: Iterable[tuple[Key, Part] | None]) -> Iterator[tuple[Key, Found]]:
        """Give what the model says of the windows of recordings as they come, in their order.

        Windows of several recordings share a batch; what is said of one doesn't depend on which
        those are.

        Parameters
        ----------
        parts
            Of each recording, by a key that says which: what is known of it, its windows, None.
            A message instead is passed on. A None of its own stands for a pause.
        """
        opened, said, score = None, RunningAggregate(len(self.classes)), None
        for key, thing in self._batched(parts):
            if isinstance(thing, Opened):
                opened, said, score = thing, RunningAggregate(len(self.classes)), None
            elif isinstance(thing, float):
                score = thing
            elif thing is None:
                if opened is not None:
                    yield key, Diagnosed(opened, self._diagnosis(said, score))
                opened = None
            elif isinstance(thing, str):
                opened = None
                yield key, thing
            else:
                said.add(thing)
                yield key, thing

    def _batched(self, parts: Iterable[tuple[Key, Part] | None]) -> Iterator[tuple[Key, Any]]:
        """Give the parts, their windows as probabilities."""
        if self.device.type != "cpu":
            shape = (BATCH, len(self.channels), self.length)
            yield from Batching[Key](self._probabilities, shape).run(parts)
            return
        # One batch a thread keeps the cores busier than all threads on one batch, and what comes
        # of it doesn't depend on how many there are.
        shape = (CPU_BATCH, len(self.channels), self.length)
        threads = torch.get_num_threads()
        begin = partial(torch.set_num_threads, 1)
        try:
            batching = Batching[Key](self._probabilities, shape, threads=threads, begin=begin)
            yield from batching.run(parts)
        finally:
            # Of the libraries behind torch some take that for all threads.
            torch.set_num_threads(threads)

    def _diagnosis(self, said: RunningAggregate, novelty: float | None) -> Diagnosis:
        label, confidence, agreement = said.result()
        means = dict(zip(self.classes, said.means.tolist(), strict=True))
        return Diagnosis(self.classes[label], confidence, agreement, said.windows, means, novelty)

    def _probabilities(
        self, windows: NDArray[np.float32], rpm: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        return softmax(self._logits(windows, rpm) / self._temperature)

    @torch.inference_mode()
    def _logits(
        self, windows: NDArray[np.float32], rpm: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Logits of one batch of windows ``(B, C, L)`` at shaft speeds ``(B,)``."""
        batch = torch.from_numpy(windows).to(self.device)
        speed = (torch.from_numpy(rpm / 60).to(self.device),) if needs_speed(self._network) else ()
        with autocast(self.device, self._precision):
            logits = self._network(self._normalize(batch), *speed)
        found: NDArray[np.float64] = logits.double().cpu().numpy()
        return found


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
