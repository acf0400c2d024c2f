"""What the GPU benchmark holds a step against, and that its parts run without a GPU."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

SCRIPTS = Path(__file__).parent.parent / "scripts"
CPU = torch.device("cpu")


@pytest.fixture
def bounds(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import gpu_bounds

    return gpu_bounds


def test_bounds_are_amounts_over_rates(bounds: ModuleType) -> None:
    assert bounds.launch_bound(150, 2.0) == pytest.approx(3e-4)
    assert bounds.memory_bound(8.6e9, 4.3e12) == pytest.approx(2e-3)
    assert bounds.extrapolated((16, 32), (1000.0, 1800.0), 8192) == pytest.approx(200 + 50 * 8192)


def test_bytes_are_counted_once_an_operation_and_views_are_free(bounds: ModuleType) -> None:
    x = torch.zeros(10, 4)

    def work() -> Tensor:
        y = x.t()[1:]  # nothing
        y = y + y  # 30 read once, 30 written
        return y.mul_(2)  # the same 30, read and written in place

    assert bounds.touched_bytes(work) == 4 * (30 + 30 + 30)
    assert bounds.kernels_of(work, CPU) == 2


def test_a_device_is_measured(bounds: ModuleType) -> None:
    limits = bounds.measure_limits(CPU, kernels=10, copied=4096)
    assert limits.launch_us > 0
    assert limits.node_us is None
    assert limits.bandwidth > 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_the_benchmark_without_a_gpu_says_what_to_do() -> None:
    command = [sys.executable, str(SCRIPTS / "benchmark_gpu.py")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (1, "")
    assert "finds no CUDA device" in found.stderr
    assert "--device cpu --quick tries the benchmark out without one" in found.stderr
    assert "Traceback" not in found.stderr
