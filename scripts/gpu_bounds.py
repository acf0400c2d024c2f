"""What a training step can't be faster than: started kernels, and bytes through memory."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

Work = Callable[[], object]


@dataclass(frozen=True)
class Limits:
    """What a device does in no time less.

    Parameters
    ----------
    launch_us, node_us
        Microseconds for one of many tiny kernels: started one by one, and within a CUDA graph;
        the latter is None where there are no graphs.
    bandwidth
        Bytes per second of a large copy, those read and those written counted.
    """

    launch_us: float
    node_us: float | None
    bandwidth: float


def launch_bound(kernels: int, microseconds: float) -> float:
    """Seconds that so many kernels take to start.

    Examples
    --------
    >>> launch_bound(200, 5.0)
    0.001
    """
    return kernels * microseconds / 1e6


def memory_bound(touched: float, bandwidth: float) -> float:
    """Seconds that so many bytes take through memory.

    Examples
    --------
    >>> memory_bound(4.3e9, 4.3e12)
    0.001
    """
    return touched / bandwidth


def extrapolated(sizes: tuple[int, int], values: tuple[float, float], size: int) -> float:
    """Return the value at `size` on the line through two points.

    Examples
    --------
    >>> extrapolated((10, 20), (150.0, 250.0), 100)
    1050.0
    """
    slope = (values[1] - values[0]) / (sizes[1] - sizes[0])
    return values[0] + slope * (size - sizes[0])


class TouchedBytes(TorchDispatchMode):
    """Counts the bytes that operations read and write, each tensor once per operation.

    That is what unfused kernels have to move; views move nothing, and caches are not counted in.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch doesn't say
        self.bytes: int = 0
        self.operations: int = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do the operation and count."""
        del types
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if not _is_view(func):
            self.operations += 1
            tensors = {id(t): t for value in (args, kwargs, out) for t in _tensors(value)}
            self.bytes += sum(t.numel() * t.element_size() for t in tensors.values())
        return out


def _is_view(func: Any) -> bool:
    returned = [r.alias_info for r in func._schema.returns]
    return any(alias is not None and not alias.is_write for alias in returned)


def _tensors(value: object) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [tensor for item in value for tensor in _tensors(item)]
    return []


def touched_bytes(work: Work) -> int:
    """Count the bytes that the operations of some work touch, on the CPU."""
    counter = TouchedBytes()
    with counter:
        work()
    return counter.bytes


def kernels_of(work: Work, device: torch.device) -> int:
    """Count the kernels and copies that some work starts; on the CPU, the operations."""
    if device.type != "cuda":
        counter = TouchedBytes()
        with counter:
            work()
        return counter.operations
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        work()
        synchronise(device)
    return sum(str(event.device_type).endswith("CUDA") for event in seen.events() or ())


def synchronise(device: torch.device) -> None:
    """Wait until a device has done what it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(work: Work, device: torch.device, rounds: int) -> float:
    """Median time of some work, the device waited for."""
    found = []
    for _ in range(rounds):
        synchronise(device)
        began = time.perf_counter()
        work()
        synchronise(device)
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def measure_limits(device: torch.device, *, kernels: int, copied: int) -> Limits:
    """Measure a device by tiny kernels and by a copy.

    Parameters
    ----------
    kernels
        How many tiny kernels are started.
    copied
        Bytes of the copy.
    """
    one = torch.zeros(1, device=device)

    def tiny() -> None:
        for _ in range(kernels):
            one.add_(1)

    source = torch.ones(copied // 4, device=device)
    target = torch.empty_like(source)
    tiny()
    target.copy_(source)
    node = None
    if device.type == "cuda":
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            tiny()
        graph.replay()
        node = seconds(graph.replay, device, 9) / kernels * 1e6
    return Limits(
        launch_us=seconds(tiny, device, 9) / kernels * 1e6,
        node_us=node,
        bandwidth=2 * copied / seconds(lambda: target.copy_(source), device, 9),
    )
