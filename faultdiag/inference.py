"""Windows as batches on a device, and the logits of a network."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from functools import cached_property, partial
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from faultdiag.checkpoint import Checkpoint
from faultdiag.datasets.base import some
from faultdiag.documents import Document
from faultdiag.errors import FaultdiagError
from faultdiag.models import needs_bearing, needs_speed
from faultdiag.models.layers import facts_for, seen_by
from faultdiag.noise import Disturb, add_noise
from faultdiag.preparing.folder import Prepared, PreparedRecording, gather
from faultdiag.preparing.window_index import ReadAhead, WindowIndex
from faultdiag.scoring import ModelFacts, batch_size
from faultdiag.signal import normalize
from faultdiag.signal.bearings import conditions

# They leave the device with the last that uses them.
_SIGNALS: "WeakKeyDictionary[Prepared, WeakValueDictionary[torch.device, Tensor]]"
_SIGNALS = WeakKeyDictionary()


def signals_on(prepared: Prepared, device: torch.device) -> Tensor:
    """Return the signals of a prepared folder on a device; all callers share one tensor.

    Raises
    ------
    FaultdiagError
        If the device has no room for them.
    """
    mine = _SIGNALS.setdefault(prepared, WeakValueDictionary())
    signals = mine.get(device)
    if signals is None:
        try:
            signals = torch.from_numpy(prepared.signals).to(device)
        except torch.OutOfMemoryError as error:
            raise FaultdiagError(
                f"the signals take {prepared.signals.nbytes / 1e9:.1f} GB, for which {device} has "
                "no room; use --device cpu, which reads them from the disk, or fewer recordings "
                "(data.select)"
            ) from error
        mine[device] = signals
    return signals


# Windows per batch where no gradient is kept; more gains nothing on a processor.
BATCH = 512
# Windows per batch of a prediction on a processor: more would not stay in the cache between layers.
CPU_BATCH = 256
# Workspaces with which cuBLAS gives the same bits each time.
REPEATABLE_CUBLAS = (":4096:8", ":16:8")
# dB
LARGEST_SNR = 100


def select_device(name: str) -> torch.device:
    """Return the device named ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    FaultdiagError
        If the name is another, or no such CUDA device is there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:(0|[1-9][0-9]*))?", name):
        raise FaultdiagError(f"unknown device '{name}'; use auto, cpu, cuda or cuda:N")
    if name == "cpu":
        return torch.device(name)
    devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if devices == 0:
        raise FaultdiagError(
            f"--device {name}: torch {torch.__version__} finds no CUDA device; use --device cpu, "
            "or install a CUDA build of torch and the driver"
        )
    if int(name.partition(":")[2] or 0) >= devices:
        raise FaultdiagError(
            f"--device {name}: the CUDA devices there are cuda:0 to cuda:{devices - 1}; use one "
            "of them, or cpu"
        )
    # Read by cuBLAS when it starts, and needed for results that repeat bit for bit.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", REPEATABLE_CUBLAS[0])
    return torch.device(name)


def normalizer(description: Document, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Return a fitted normaliser as a function of windows on a device."""
    state = {
        key: torch.tensor(values, dtype=torch.float32, device=device)
        for key, values in description["state"].items()
    }
    return normalize.normalizer(description["name"], state)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Return the context in which a forward pass has this precision."""
    if device.type == "cuda":
        # Here, because a model is evaluated and asked where no training has set it.
        set_tf32(precision == "tf32")
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def set_tf32(allowed: bool) -> None:
    """Set whether products and convolutions on CUDA may round their factors to 10 bits."""
    cudnn: Any = torch.backends.cudnn  # its attributes differ between versions
    matmul: Any = torch.backends.cuda.matmul
    if not hasattr(cudnn, "conv"):  # torch before 2.9
        matmul.allow_tf32 = allowed
        cudnn.allow_tf32 = allowed
        return
    # torch lets convolutions do it by default otherwise.
    for operation in (matmul, cudnn.conv, cudnn.rnn):
        operation.fp32_precision = "tf32" if allowed else "ieee"


class WindowBatches:
    """Windows of one part on a device: signals and an index, copied a batch at a time.

    Parameters
    ----------
    prepared
        The prepared folder.
    windows
        Which of its windows.
    device
        Where the batches are wanted. On CUDA the signals are moved there once and windows are
        gathered there; on the CPU they stay in the memory map.
    disturb
        What is done to raw windows before normalisation: ``(windows, rows) -> windows``.
    normalize
        The fitted normaliser of a model; by default that fitted on these data's training part.
    resident
        Whether signals and index lie on the device; by default they do on CUDA.

    Attributes
    ----------
    outputs
        The outputs of a front end that take the place of the windows; see `showing`.
    """

    def __init__(
        self,
        prepared: Prepared,
        windows: WindowIndex,
        device: torch.device,
        disturb: Disturb | None = None,
        *,
        normalize: Document | None = None,
        resident: bool | None = None,
    ) -> None:
        self.length = prepared.length
        self.channels = len(prepared.channels)
        self.sampling_rate = prepared.sampling_rate
        self.signal_bytes = prepared.signals.nbytes
        self.device = device
        self.resident = device.type == "cuda" if resident is None else resident
        self.recordings = windows.recording
        self.index = windows
        self._recordings = prepared.recordings
        self._positions = prepared.positions
        self._signals = prepared.signals
        self._normalize = normalizer(normalize or prepared.normalize, device)
        self._disturb = disturb
        self.outputs: Tensor | None = None
        if not self.resident:
            self._ahead = ReadAhead(prepared.signals)
        else:
            self._on_device = signals_on(prepared, device)
            self._starts = torch.from_numpy(prepared.positions(windows)).to(device)
            self._labels = torch.from_numpy(windows.label.astype(np.int64)).to(device)

    def __len__(self) -> int:
        return len(self.index)

    def labels(self, rows: Tensor) -> Tensor:
        """Return the class indices of windows; `rows` lie on the device."""
        if self.resident:
            return self._labels[rows]
        return torch.from_numpy(self.index.label[rows.numpy()].astype(np.int64))

    def windows(self, rows: Tensor) -> Tensor:
        """Return normalised windows ``(rows, channels, length)``; `rows` lie on the device."""
        if self.outputs is not None:
            return self.outputs[rows]
        raw = self.raw(rows)
        if self._disturb is not None:
            raw = self._disturb(raw, rows)
        return self._normalize(raw)

    def showing(self, outputs: Tensor) -> "WindowBatches":
        """Return the same windows with the outputs of a front end in place of each window."""
        shown = copy(self)
        shown.outputs = outputs
        return shown

    def normalised(self, raw: Tensor) -> Tensor:
        """Return raw windows ``(rows, channels, length)`` as the network sees them."""
        return self._normalize(raw)

    def shaft_rates(self, rows: Tensor) -> Tensor:
        """Return the shaft rates of windows, ``(rows,)`` in Hz; `rows` are on the device.

        Raises
        ------
        FaultdiagError
            If the speed of a recording is unknown.
        """
        return self._rates[rows]

    def conditions(self, rows: Tensor) -> Tensor:
        """Return the conditions of windows, ``(rows, 5)``; `rows` are on the device.

        They are `faultdiag.signal.bearings.CONDITIONS`.

        Raises
        ------
        FaultdiagError
            If the speed or the bearing of a recording is unknown.
        """
        return self._known[rows]

    @cached_property
    def _own(self) -> list[PreparedRecording]:
        """The recordings that there are windows of."""
        return [self._recordings[i] for i in np.unique(self.index.recording).tolist()]

    @cached_property
    def _conditions(self) -> Tensor:
        """Conditions of each window, NaN where they are unknown."""
        table = [conditions(recording.rpm, recording.bearing) for recording in self._recordings]
        rows = np.array(table, np.float32)[self.index.recording]
        return torch.from_numpy(rows).to(self.device)

    @cached_property
    def _rates(self) -> Tensor:
        unknown = [recording.name for recording in self._own if recording.rpm is None]
        if unknown:
            raise FaultdiagError(
                f"the model sees shaft orders and needs the shaft speed, which is unknown of "
                f"{some(unknown)}; leave them out with data.select, or train one that sees "
                "no orders, such as a network on envelope_spectrum, whose axis is in Hz"
            )
        return self._conditions[:, 0]

    @cached_property
    def _known(self) -> Tensor:
        unknown = [r.name for r in self._own if r.bearing is None]
        if unknown:
            raise FaultdiagError(
                "the model sees the fault orders of the bearing, which is unknown of "
                f"{some(unknown)}; name a bearing that `faultdiag bearings` lists, or a geometry "
                "(balls,ball_diameter,pitch_diameter), with data.bearing or in a manifest's column "
                "'bearing'"
            )
        return torch.cat((self._rates[:, None], self._conditions[:, 1:]), 1)

    def raw(self, rows: Tensor, shift: Tensor | None = None, length: int | None = None) -> Tensor:
        """Return windows as they were recorded, ``(rows, channels, length)``.

        Parameters
        ----------
        shift
            Samples by which each window starts later than the index says, ``(rows,)``.
        length
            Samples of each; those of a window unless given.
        """
        length = length or self.length
        if self.resident:
            starts = self._starts[rows]
            starts = starts if shift is None else starts + shift[:, None]
            return self._on_device.unfold(0, length, 1)[starts]
        # numpy copies overlapping windows ten times faster than torch does on a processor.
        positions = self._positions(self.index.take(rows.numpy()))
        positions = positions if shift is None else positions + shift.numpy()[:, None]
        self._ahead.fetch(positions, length)
        return torch.from_numpy(gather(self._signals, positions, length))

    def in_order(self) -> Iterator[Tensor]:
        """Yield all rows in their order, a batch at a time."""
        for first in range(0, len(self), BATCH):
            yield torch.arange(first, min(first + BATCH, len(self)), device=self.device)


def require_snr(snr: float) -> None:
    """Refuse a signal-to-noise ratio that float32 has no room for.

    Raises
    ------
    FaultdiagError
        If it is not between -100 and 100 dB.
    """
    if not abs(snr) <= LARGEST_SNR:
        raise FaultdiagError(
            f"--snr is {snr:g} dB; give a number from -{LARGEST_SNR} to {LARGEST_SNR}"
        )


def white_noise(snr: float, seed: int) -> Disturb:
    """Return the disturbance that adds white noise; see `faultdiag.noise.add_noise`."""
    return add_noise("white", snr, seed, 1.0)


def arguments_of(
    network: nn.Module,
    batches: WindowBatches,
    rows: Tensor,
    windows: Tensor | None = None,
    speed: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """Return what a network is called with: windows, and what else it needs to know of them.

    Parameters
    ----------
    windows, speed
        As for `forward`.
    """
    seen = batches.windows(rows) if windows is None else windows
    return seen, *_conditions_of(network, batches, rows, speed)


def _conditions_of(
    network: nn.Module, batches: WindowBatches, rows: Tensor, speed: Tensor | None
) -> tuple[Tensor, ...]:
    """Return the inputs of a network besides windows: conditions, shaft rates, or nothing."""
    if needs_bearing(network):
        known = batches.conditions(rows)
        if speed is not None:
            known = torch.cat((known[:, :1] * speed[:, None], known[:, 1:]), 1)
        return (known,)
    if needs_speed(network):
        rates = batches.shaft_rates(rows)
        return (rates if speed is None else rates * speed,)
    return ()


def forward(
    network: nn.Module,
    batches: WindowBatches,
    rows: Tensor,
    windows: Tensor | None = None,
    speed: Tensor | None = None,
) -> Tensor:
    """Pass windows through a network, with their shaft rates if it needs them.

    Parameters
    ----------
    windows
        What is passed in place of these rows' own windows, already normalised.
    speed
        What their shaft rates are multiplied by, ``(rows,)``.
    """
    logits: Tensor = network(*arguments_of(network, batches, rows, windows, speed))
    return logits


@torch.inference_mode()
def logits_of(
    network: nn.Module, batches: WindowBatches, precision: str = "float32"
) -> NDArray[np.float64]:
    """Return the logits of all windows: ``(windows, classes)``, the network in evaluation mode."""
    network.eval()
    result: Tensor | None = None
    first = 0
    for rows in batches.in_order():
        with autocast(batches.device, precision):
            logits = forward(network, batches, rows).double()
        if result is None:
            result = logits.new_empty(len(batches), logits.shape[1])
        result[first : first + len(rows)] = logits
        first += len(rows)
    if result is None:
        raise ValueError("there are no windows")
    array: NDArray[np.float64] = result.cpu().numpy()
    return array


class TorchScorer:
    """The network of a checkpoint, which computes the logits of raw windows.

    Parameters
    ----------
    source
        The checkpoint.
    device
        Where the network computes.

    Attributes
    ----------
    facts : ModelFacts
        What the model is for.
    network : nn.Module
        The network, in evaluation mode.
    normalize : Callable
        The model's normaliser, of windows as tensors.
    """

    def __init__(self, source: Checkpoint, device: torch.device) -> None:
        self._source = source
        self.network = source.build(device)
        self.facts = facts_of(source, self.network)
        self.device = device
        numbers = self.facts.length * len(self.facts.channels)
        self.batch = batch_size(CPU_BATCH, numbers) if device.type == "cpu" else BATCH
        self.normalize = normalizer(source.normalize, device)
        self._precision = source.precision

    @torch.inference_mode()
    def logits(
        self, windows: NDArray[np.float32], conditions: NDArray[np.float32] | None
    ) -> NDArray[np.float64]:
        """Return the logits ``(B, classes)`` of raw windows ``(B, C, L)``."""
        raw = torch.from_numpy(windows).to(self.device)
        seen = self.normalize(seen_by(self.network, raw))
        known: tuple[Tensor, ...] = ()
        if conditions is not None:
            known = facts_for(self.network, torch.from_numpy(conditions).to(self.device))
        with autocast(self.device, self._precision):
            logits = self.network(seen, *known)
        values: NDArray[np.float64] = logits.double().cpu().numpy()
        return values

    @property
    def config(self) -> Mapping[str, object]:
        """The config that the model was trained with."""
        return self._source.config

    def to(self, device: str) -> "TorchScorer":
        """Return the same model on a device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``."""
        return TorchScorer(self._source, select_device(device))

    def embed(
        self, windows: NDArray[np.float32], conditions: NDArray[np.float32] | None
    ) -> NDArray[np.float64]:
        """Return what the last linear layer sees of raw windows, ``(B, features)``.

        Raises
        ------
        FaultdiagError
            If the network has no linear layer.
        """
        layers = [m for m in self.network.modules() if isinstance(m, nn.Linear)]
        if not layers:
            raise FaultdiagError("embeddings are what the last linear layer sees; there is none")
        inputs: list[Tensor] = []
        handle = layers[-1].register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
        try:
            self.logits(windows, conditions)
        finally:
            handle.remove()
        values: NDArray[np.float64] = inputs[-1].double().cpu().flatten(1).numpy()
        return values

    @contextmanager
    def threads(self) -> Iterator[tuple[ThreadPoolExecutor, int]]:
        """Yield threads that compute batches side by side, one batch each, and their number.

        On a processor one batch a thread keeps the cores busier than all threads on one batch,
        and the result doesn't depend on how many threads there are.
        """
        if self.device.type != "cpu":
            with ThreadPoolExecutor(1) as pool:
                yield pool, 1
            return
        count = torch.get_num_threads()
        try:
            with ThreadPoolExecutor(count, initializer=partial(torch.set_num_threads, 1)) as pool:
                yield pool, count
        finally:
            # Some of the libraries behind torch take the number for all threads.
            torch.set_num_threads(count)


def facts_of(source: Checkpoint, network: nn.Module) -> ModelFacts:
    """Return what the model of a checkpoint is for."""
    return ModelFacts(
        classes=source.classes,
        healthy=source.healthy,
        channels=source.channels,
        sampling_rate=float(source.sampling_rate),
        length=source.length,
        needs_speed=needs_speed(network),
        needs_bearing=needs_bearing(network),
        temperature=source.temperature,
        novelty=source.novelty,
        healthy_reference=source.healthy_reference,
        recorded_at=source.recorded_at,
        signature=source.signature,
    )
