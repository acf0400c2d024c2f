"""The recorder of CUDA graphs, on a stand-in for torch.cuda that notes what it is asked."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from faultdiag.training.gpu import CudaRecorder, RecordedFunction, recorder_for

CUDA = torch.device("cuda")
WAIT = "called a synchronizing CUDA operation (Triggered internally at x.cpp:1)"


class Stream:
    """A stream by its name."""

    def __init__(self, cuda: "Cuda", name: str) -> None:
        self.cuda = cuda
        self.name = name

    def wait_stream(self, other: "Stream") -> None:
        self.cuda.log.append(f"{self.name} waits for {other.name}")


class Graph:
    """A graph that notes where it is replayed."""

    def __init__(self, cuda: "Cuda") -> None:
        self.cuda = cuda

    def replay(self) -> None:
        self.cuda.log.append(f"replay on {self.cuda.now}")


class Cuda:
    """The part of torch.cuda that a recorder uses, and a log of what happens on which stream."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.now = "main"
        self.mode = "default"
        self._streams = 0

    def Stream(self, device: torch.device) -> Stream:  # torch's name
        assert device == CUDA
        self._streams += 1
        return Stream(self, f"side{self._streams}")

    def CUDAGraph(self) -> Graph:  # torch's name
        return Graph(self)

    def current_stream(self, device: torch.device) -> Stream:
        assert device == CUDA
        return Stream(self, self.now)

    @contextmanager
    def stream(self, stream: Stream) -> Iterator[None]:
        before, self.now = self.now, stream.name
        try:
            yield
        finally:
            self.now = before

    @contextmanager
    def graph(self, graph: Graph, *, stream: Stream) -> Iterator[None]:
        del graph
        self.now = stream.name  # and stays there if recording fails, as in torch
        before = "main"
        self.log.append(f"begin on {stream.name}")
        try:
            yield
        except RuntimeError:
            raise RuntimeError("failed due to a previous error during capture")  # noqa: B904
        self.log.append(f"end on {stream.name}")
        self.now = before

    def get_sync_debug_mode(self) -> str:
        return self.mode

    def set_sync_debug_mode(self, mode: str) -> None:
        self.mode = mode
        if mode == "warn":
            warnings.warn("Synchronization debug mode is a prototype feature", stacklevel=2)


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Cuda:
    stand_in = Cuda()
    zeros = torch.zeros

    def on_device(size: int, *, device: torch.device) -> Tensor:
        assert device == CUDA
        stand_in.log.append(f"zeros on {stand_in.now}")
        return zeros(size)

    names = ("Stream", "CUDAGraph", "current_stream", "stream", "graph")
    for name in (*names, "get_sync_debug_mode", "set_sync_debug_mode"):
        monkeypatch.setattr(torch.cuda, name, getattr(stand_in, name))
    monkeypatch.setattr(torch, "zeros", on_device)
    return stand_in


def test_rehearsals_and_recording_are_on_one_side_stream(cuda: Cuda) -> None:
    recorder = recorder_for("auto", CUDA)
    assert isinstance(recorder, CudaRecorder)

    def function() -> Tensor:
        cuda.log.append(f"call on {cuda.now} in mode {cuda.mode}")
        return torch.ones(2)

    result, obstacle = recorder.rehearse(function)
    assert (result.tolist(), obstacle) == ([1, 1], None)
    repeat, recorded = recorder.record(function)
    assert recorded.tolist() == [1, 1]
    repeat()
    assert cuda.log == [
        "side1 waits for main",
        "call on side1 in mode warn",
        "main waits for side1",
        "begin on side1",
        "call on side1 in mode default",
        "end on side1",
        "replay on main",
    ]


def test_without_graphs_nothing_records(cuda: Cuda) -> None:
    assert recorder_for("off", CUDA) is None
    assert recorder_for("auto", torch.device("cpu")) is None
    assert isinstance(recorder_for("on", CUDA), CudaRecorder)


def test_a_wait_is_noted_and_other_warnings_are_passed_on(cuda: Cuda) -> None:
    def waiting() -> Tensor:
        warnings.warn("something else", UserWarning, stacklevel=1)
        warnings.warn(WAIT, UserWarning, stacklevel=1)
        return torch.ones(1)

    with pytest.warns(UserWarning, match="something else") as seen:
        _, obstacle = CudaRecorder(CUDA).rehearse(waiting)
    assert len(seen) == 1
    assert obstacle is not None
    assert obstacle.startswith(f"it waits for the device ({__file__}, line ")
    assert cuda.mode == "default"


def test_after_a_recording_that_broke_off_a_whole_one_is_made(cuda: Cuda) -> None:
    recorder = CudaRecorder(CUDA)

    def breaking() -> Tensor:
        raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.raises(RuntimeError, match="previous error during capture"):
        recorder.record(breaking)
    assert cuda.log == ["begin on side1", "begin on side2", "zeros on side2", "end on side2"]
    assert cuda.now == "main"
    assert len(recorder._graphs) == 2


def test_the_error_that_is_told_is_the_first(
    cuda: Cuda, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaking_later(x: Tensor) -> Tensor:
        if cuda.mode == "default":  # no rehearsal
            calls.append(cuda.now)
            if cuda.now != "main":
                raise RuntimeError("operation not permitted when stream is capturing\nand more")
        return x.sum()

    calls: list[str] = []
    total = RecordedFunction(breaking_later, CudaRecorder(CUDA), rows=2, name="sum")
    for _ in range(5):
        assert total(torch.ones(2)).item() == 2
    assert calls == ["side1", "main", "main"]
    assert capsys.readouterr().err == (
        "note: the sum runs without CUDA graphs, which is slower: operation not permitted when "
        "stream is capturing\n"
    )


def test_an_error_in_a_rehearsal_leaves_the_mode_and_the_stream(cuda: Cuda) -> None:
    def failing() -> Tensor:
        raise ValueError("no number")

    with pytest.raises(ValueError, match="no number"):
        CudaRecorder(CUDA).rehearse(failing)
    assert (cuda.mode, cuda.now) == ("default", "main")
