"""Settings of the process."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from faultdiag import cli
from faultdiag.system import processes

# Takes and frees 4 MiB again and again, as a training step does, and counts the faults.
FAULTS = """
import resource, sys
import numpy as np
from faultdiag.system.processes import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def use():
    blocks = [np.ones(2**18, np.float32) for _ in range(8)]
    del blocks
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(mode: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS, mode], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(
    "CS_GNU_LIBC_VERSION" not in os.confstr_names or not Path("/proc").exists(),
    reason="needs glibc",
)
def test_freed_memory_is_kept_and_not_cleared_anew() -> None:
    assert faults("keep") < 0.1 * faults("leave")


def test_without_glibc_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    import ctypes

    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert processes.keep_freed_memory() is False


def test_the_command_line_sets_the_environment_of_openmp() -> None:
    assert cli.app
    assert processes.OPENMP.keys() & os.environ.keys()


@pytest.mark.parametrize("name", processes.OPENMP)
def test_what_the_user_says_of_openmp_is_left_alone(name: str) -> None:
    environment = {name: "ACTIVE", "HOME": "/"}
    processes.tune_openmp(environment)
    assert environment == {name: "ACTIVE", "HOME": "/"}
    nothing: dict[str, str] = {}
    processes.tune_openmp(nothing)
    assert nothing == processes.OPENMP


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("freeze", [True, False])
def test_modules_are_imported_without_collection(*, enabled: bool, freeze: bool) -> None:
    before = gc.isenabled(), gc.get_freeze_count()
    try:
        (gc.enable if enabled else gc.disable)()
        with processes.without_collection(freeze=freeze):
            assert not gc.isenabled()
            kept: list[object] = []
        assert gc.isenabled() is enabled
        assert any(one is kept for one in gc.get_objects()) is not freeze
        assert (gc.get_freeze_count() > before[1]) is freeze
    finally:
        gc.unfreeze()
        (gc.enable if before[0] else gc.disable)()
