"""A prediction that is killed and continued ends like one that was left alone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.data_fixtures import CASES, write_recording

# Reads a file only when it may, so that the kill comes where the test wants it.
COMMAND = """
import sys, time
from pathlib import Path
from faultdiag.prediction import ahead
from tests.interrupting import never_waiting
import pytest
never_waiting(pytest.MonkeyPatch())
real, stop = ahead.read_events, sys.argv[1]
def slowly(request, *more):
    for event in real(request, *more):
        yield event
    if request.path.name == stop:
        time.sleep(60)
ahead.read_events = slowly
from faultdiag.cli import main
sys.argv = ["faultdiag", *sys.argv[2:]]
main()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "new"
    root.mkdir()
    for number in range(6):
        write_recording(root / f"{number}.mat", list(CASES)[number % 3], seed=number, samples=9_000)
    (root / "3.mat").write_bytes(b"no MATLAB")
    return root


def start(words: list[str], stop: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, stop, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_killed_twice_and_gone_on_with(trained: Path, folder: Path, tmp_path: Path) -> None:
    from tests.commands import run

    def words(name: str) -> list[str]:
        files = ["--out", str(tmp_path / name), "--windows", str(tmp_path / f"w{name}")]
        return ["predict", str(trained), str(folder), *files, "--device", "cpu"]

    assert run(*words("whole")).exit_code == 1, "one of them is broken"
    partial, torn = tmp_path / "torn.partial", tmp_path / "wtorn.partial"
    for stop, rows in (("1.mat", 1), ("4.mat", 4)):
        process = start([*words("torn"), "--resume"], stop)
        deadline = time.monotonic() + 60
        while not partial.exists() or partial.read_bytes().count(b"\n") < rows + 1:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        # As if it had been killed in the middle of writing, and of the next recording.
        for path in (partial, torn):
            whole = path.read_bytes()
            path.write_bytes(whole + whole.splitlines(keepends=True)[-1][:-3])
    assert run(*words("torn"), "--resume").exit_code == 1
    for name in ("torn", "wtorn"):
        assert (tmp_path / name).read_bytes() == (
            (tmp_path / name.replace("torn", "whole")).read_bytes()
        )
    assert not list(tmp_path.glob("*.partial"))
    assert not list(tmp_path.glob("*.begun"))
