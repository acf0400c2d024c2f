"""Training on a GPU: precision, repeatability, and recorded CUDA graphs.

A step of a small network is about a hundred kernels of a few microseconds each. Starting them one
by one takes the processor longer than the GPU needs to compute them.
"""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Protocol

import torch
from torch import Tensor

from faultdiag.errors import FaultdiagError
from faultdiag.inference import REPEATABLE_CUBLAS, set_tf32
from faultdiag.system.terminal import note

_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


def set_precision(device: torch.device, precision: str, *, deterministic: bool) -> None:
    """Set torch's precision and repeatability on a device; on a CPU nothing needs to be set.

    Parameters
    ----------
    precision
        ``tf32`` lets matrix products and convolutions round their factors to 10 bits;
        ``float32`` keeps full precision. ``bfloat16`` is left to autocast.
    deterministic
        Use only algorithms with identical results each time; they are slower.

    Raises
    ------
    FaultdiagError
        If an environment variable prevents identical results of cuBLAS.
    """
    if device.type != "cuda":
        return
    set_tf32(precision == "tf32")
    if deterministic and os.environ.setdefault(_CUBLAS, REPEATABLE_CUBLAS[0]) not in (
        REPEATABLE_CUBLAS
    ):
        raise FaultdiagError(
            f"train.deterministic is true, but {_CUBLAS} is {os.environ[_CUBLAS]!r} in the "
            f"environment; unset it, or set it to {' or '.join(REPEATABLE_CUBLAS)}"
        )
    # Equals use_deterministic_algorithms, which takes a second to import torch's compiler.
    torch.set_deterministic_debug_mode("error" if deterministic else "default")
    torch.backends.cudnn.deterministic = deterministic
    # Searching for the fastest algorithm takes longer than a short training, and two runs may
    # choose different ones.
    torch.backends.cudnn.benchmark = False


@contextmanager
def repeatable(deterministic: bool) -> Iterator[None]:
    """Turn torch's error about an operation without a deterministic form into ours.

    Raises
    ------
    FaultdiagError
        If the block used such an operation.
    """
    try:
        yield
    except RuntimeError as error:
        reason = str(error).partition(", but you set")[0]
        if not deterministic or "deterministic" not in reason:
            raise
        raise FaultdiagError(
            f"train.deterministic is true, but {reason.partition('. ')[0]}; set "
            "train.deterministic: false, or use --device cpu, another network or attention block"
        ) from error


# Calls before a function is recorded: libraries start, convolutions choose their algorithms and
# the optimizer creates its state, which a graph cannot contain.
REHEARSALS = 3

Function = Callable[..., Tensor]


class Recorder(Protocol):
    """Records a function of tensors at fixed addresses."""

    def rehearse(self, function: Callable[[], Tensor]) -> tuple[Tensor, str | None]:
        """Call the function; return its result and what prevents recording it."""

    def record(self, function: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        """Record the function without executing it.

        Returns
        -------
        tuple
            A call that repeats the function, and the tensor that then holds its result.

        Raises
        ------
        RuntimeError
            If the function does something that can't be recorded.
        """


def require_graphs(graphs: str, device: torch.device) -> None:
    """Refuse ``train.graphs: on`` without a CUDA device.

    Raises
    ------
    FaultdiagError
        If the device is not a CUDA device.
    """
    if graphs == "on" and device.type != "cuda":
        raise FaultdiagError(
            f"train.graphs is 'on', but CUDA graphs need a CUDA device and this is {device}; use "
            "--device cuda, or set train.graphs: auto"
        )


def recorder_for(graphs: str, device: torch.device) -> Recorder | None:
    """Return a recorder for a device, or None where functions are called directly.

    Parameters
    ----------
    graphs
        ``auto``, ``on`` or ``off``.
    """
    return CudaRecorder(device) if graphs != "off" and device.type == "cuda" else None


class RecordedFunction:
    """A function of tensors that is recorded at its fourth call and repeated from then on.

    Its first calls, and those with another number of rows, are plain calls: every call has the
    effect of the function, once. The next repetition overwrites the result of the last one.

    Parameters
    ----------
    function
        A function of tensors on the device. It may change tensors at fixed addresses; a repetition
        does not repeat what it changes in Python.
    recorder
        None means that the function is always called.
    rows
        Length of the first argument in the calls that can be repeated.
    name
        Name of the function, for messages.
    required
        Whether it is an error if the function can't be recorded.
    recording
        A context in which the function is recorded.
    """

    def __init__(
        self,
        function: Function,
        recorder: Recorder | None,
        *,
        rows: int,
        name: str,
        required: bool = False,
        recording: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._function = function
        self._recorder = recorder
        self._rows = rows
        self._name = name
        self._required = required
        self._recording = recording
        self.forget()

    def forget(self) -> None:
        """Discard the recording; needed when a tensor that the function changes has moved."""
        self._rehearsals = 0
        self._buffers: tuple[Tensor, ...] = ()
        self._repeat: Callable[[], None] | None = None
        self._result: Tensor | None = None

    def __call__(self, *arguments: Tensor) -> Tensor:
        """Return ``function(*arguments)``.

        Raises
        ------
        FaultdiagError
            If the function can't be recorded but `required` says it must be.
        """
        if self._recorder is None or len(arguments[0]) != self._rows:
            return self._function(*arguments)
        if self._rehearsals < REHEARSALS:
            return self._rehearse(self._recorder, arguments)
        if self._repeat is None and not self._record(self._recorder, arguments):
            return self._function(*arguments)
        return self._repetition(arguments)

    def _rehearse(self, recorder: Recorder, arguments: tuple[Tensor, ...]) -> Tensor:
        result, obstacle = recorder.rehearse(lambda: self._function(*arguments))
        self._rehearsals += 1
        # One-time work in the first calls may wait for the device.
        if obstacle is not None and self._rehearsals == REHEARSALS:
            self._give_up(obstacle)
        return result

    def _record(self, recorder: Recorder, arguments: tuple[Tensor, ...]) -> bool:
        buffers = tuple(argument.clone() for argument in arguments)
        try:
            with self._recording():
                self._repeat, self._result = recorder.record(lambda: self._function(*buffers))
        except RuntimeError as error:
            self._give_up(_cause(error), error)
            return False
        self._buffers = buffers
        return True

    def _repetition(self, arguments: tuple[Tensor, ...]) -> Tensor:
        if self._repeat is None or self._result is None:
            raise RuntimeError("the function was not recorded")
        for buffer, argument in zip(self._buffers, arguments, strict=True):
            buffer.copy_(argument, non_blocking=True)
        self._repeat()
        return self._result

    def _give_up(self, reason: str, error: Exception | None = None) -> None:
        if self._required:
            raise FaultdiagError(
                f"train.graphs is 'on', but the {self._name} can't be recorded as a CUDA graph: "
                f"{reason}; set train.graphs to auto or off"
            ) from error
        self._recorder = None
        note(f"note: the {self._name} runs without CUDA graphs, which is slower: {reason}")


def _cause(error: BaseException) -> str:
    """Return the first line of the error that stopped a recording; its end raises another one."""
    while isinstance(error.__context__, RuntimeError):
        error = error.__context__
    return str(error).partition("\n")[0]


class CudaRecorder:
    """Records CUDA graphs on its own stream.

    References
    ----------
    .. [1] "CUDA Graphs" in the notes of PyTorch,
       https://docs.pytorch.org/docs/stable/notes/cuda.html
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)
        # Kept even if recording failed: torch's allocator still refers to them.
        self._graphs: list[torch.cuda.CUDAGraph] = []

    def rehearse(self, function: Callable[[], Tensor]) -> tuple[Tensor, str | None]:
        """Call the function on the stream on which it will be recorded.

        Gradients belong to the stream of the calls that computed them, and those of the default
        stream can't be recorded.
        """
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        waits: list[str] = []
        with _record_waits(waits), torch.cuda.stream(self._stream):
            result = function()
        current.wait_stream(self._stream)
        return result, waits[0] if waits else None

    def record(self, function: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        """Record the function on the stream of its rehearsals."""
        try:
            return self._record(self._stream, function)
        except RuntimeError:
            # A failed recording leaves torch's random generator in a state in which it can't draw;
            # a complete recording repairs it.
            with suppress(RuntimeError):
                stream = torch.cuda.Stream(self._device)
                self._record(stream, lambda: torch.zeros(1, device=self._device))
            raise

    def _record(
        self, stream: torch.cuda.Stream, function: Callable[[], Tensor]
    ) -> tuple[Callable[[], None], Tensor]:
        graph = torch.cuda.CUDAGraph()
        self._graphs.append(graph)
        # If recording fails, torch.cuda.graph doesn't return to the previous stream.
        current = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(current), torch.cuda.graph(graph, stream=stream):
            result = function()
        return graph.replay, result


@contextmanager
def _record_waits(waits: list[str]) -> Iterator[None]:
    """Collect where the processor waits for the device; other warnings pass."""
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode(before)
    for warning in seen:
        text = str(warning.message)
        if "synchronizing CUDA operation" in text:
            waits.append(f"it waits for the device ({warning.filename}, line {warning.lineno})")
        elif "ynchronization debug mode" not in text:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
