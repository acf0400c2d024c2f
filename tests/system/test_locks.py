"""One owner of anything written, named to whoever comes second, and gone with its process."""

import errno
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from faultdiag.cli.app import app
from faultdiag.errors import FaultdiagError
from faultdiag.system.locks import LOCK, HeldError, own_file, own_folder

OTHER = "give another"

# Owns a folder or file, says so, and waits for the end of its input.
HOLD = """
import sys
from pathlib import Path
from faultdiag.system import locks
sys.argv = ["faultdiag", "train", "--run", "a\\x1b[2Jb"]
with getattr(locks, KIND)(Path(PATH), "give another"):
    print("held", flush=True)
    sys.stdin.read()
"""


def holding(kind: str, path: Path) -> "subprocess.Popen[str]":
    code = HOLD.replace("KIND", repr(kind)).replace("PATH", repr(str(path)))
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_second_is_told_who_holds_it_and_changes_nothing(tmp_path: Path) -> None:
    for kind, own in (("own_folder", own_folder), ("own_file", own_file)):
        target = tmp_path / kind
        with holding(kind, target) as process:
            before = content(tmp_path)
            expected = (
                rf"^{re.escape(str(target))} is being written by "
                rf"`faultdiag train --run 'a\\x1b\[2Jb'` \(process {process.pid}, "
                r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\); wait until it has finished, or "
                "give another$"
            )
            with pytest.raises(HeldError, match=expected), own(target, OTHER):
                pytest.fail("two owners")
            assert content(tmp_path) == before
            process.communicate("")
        with own(target, OTHER):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_killed_owner_leaves_a_file_but_no_lock(tmp_path: Path) -> None:
    with holding("own_folder", tmp_path / "run") as process:
        process.kill()
    assert (tmp_path / "run" / LOCK).exists()
    with own_folder(tmp_path / "run", OTHER):
        assert str(os.getpid()) in (tmp_path / "run" / LOCK).read_text()
    assert list((tmp_path / "run").iterdir()) == []


def test_a_file_of_rubbish_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_bytes(b"\xff" * 100)
    with own_folder(tmp_path, OTHER):
        pass


def test_owners_in_one_process_exclude_each_other_too(tmp_path: Path) -> None:
    with (
        own_folder(tmp_path / "a", OTHER),
        pytest.raises(HeldError, match=f"process {os.getpid()}"),
        own_folder(tmp_path / "a", OTHER),
    ):
        pytest.fail("two owners")


def test_a_folder_that_was_there_or_was_written_stays(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with own_folder(tmp_path / "empty", OTHER):
        pass
    assert (tmp_path / "empty").is_dir()
    with own_folder(tmp_path / "new" / "run", OTHER):
        (tmp_path / "new" / "run" / "best.pt").touch()
    assert [p.name for p in (tmp_path / "new" / "run").iterdir()] == ["best.pt"]


def test_a_link_is_the_file_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "rows.csv")
    with (
        own_file(tmp_path / "rows.csv", OTHER),
        pytest.raises(HeldError),
        own_file(tmp_path / "link.csv", OTHER),
    ):
        pytest.fail("two owners")


def test_a_pipe_has_no_owner(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with own_file(tmp_path / "pipe", OTHER), own_file(tmp_path / "pipe", OTHER):
        assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.parametrize("command", ["report run rows.html", "init --from sim"])
def test_reports_and_configs_have_one_owner(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "out.yaml" if command.startswith("init") else "out.html"
    with own_file(tmp_path / name, OTHER):
        result = CliRunner().invoke(app, [*command.split(), "--out", name])
    assert result.exit_code == 1
    assert re.search(f"{name} is being written by .*give another file with --out", result.stderr)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(FaultdiagError, match=r"cannot write .*file/run: Not a directory; choose"),
        own_folder(tmp_path / "file" / "run", OTHER),
    ):
        pytest.fail("there is no such folder")
    with (
        pytest.raises(FaultdiagError, match="make its folder first"),
        own_file(tmp_path / "missing" / "rows.csv", OTHER),
    ):
        pytest.fail("there is no such folder")


def test_waiting_ends_with_the_other_and_says_whom_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with holding("own_folder", tmp_path / "a") as process:
        timer = threading.Timer(0.5, process.kill)
        timer.start()
        began = time.monotonic()
        with own_folder(tmp_path / "a", OTHER, wait=True):
            assert time.monotonic() - began >= 0.4
        timer.join()
    output = capsys.readouterr().err
    assert output.startswith("waiting for `faultdiag train")
    assert output.endswith(f"which is writing {tmp_path / 'a'}\n")
    assert output.count("\n") == 1


def test_of_many_at_once_never_two_and_always_one(tmp_path: Path) -> None:
    def attempt(target: Path, barrier: threading.Barrier, found: list[str]) -> None:
        barrier.wait()
        try:
            with own_folder(target, OTHER):
                found.append("owned")
                deadline = time.monotonic() + 20
                while len(found) < 8 and time.monotonic() < deadline:
                    time.sleep(0.01)
        except HeldError:
            found.append("held")

    for number in range(5):
        found: list[str] = []
        arguments = (tmp_path / str(number) / "run", threading.Barrier(8), found)
        threads = [threading.Thread(target=attempt, args=arguments) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert Counter(found) == {"owned": 1, "held": 7}
    # A folder that a loser made before the owner looked may stay, empty: it may be the user's.
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_link_in_place_of_a_lock_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("not to be emptied")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK).symlink_to(precious)
    (tmp_path / ".rows.csv.lock").symlink_to(precious)
    with pytest.raises(FaultdiagError, match="lock"), own_folder(tmp_path / "run", OTHER):
        pytest.fail("a link was taken for a lock")
    with pytest.raises(FaultdiagError, match="lock"), own_file(tmp_path / "rows.csv", OTHER):
        pytest.fail("a link was taken for a lock")
    assert precious.read_text() == "not to be emptied"


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 60_000,
        b'{"command": ["a"], "process": "7\\u001b[2J", "machine": 1, "since": {}}',
        b'{"command": 1e400, "process": 1e400, "machine": null, "since": "\\u202e"}',
    ],
)
def test_whatever_an_owner_wrote_is_named_safely(content: bytes, tmp_path: Path) -> None:
    with holding("own_folder", tmp_path / "run") as process:
        (tmp_path / "run" / LOCK).write_bytes(content)
        with pytest.raises(HeldError) as caught, own_folder(tmp_path / "run", OTHER):
            pytest.fail("two owners")
        assert str(caught.value).isprintable()
        process.communicate("")


def test_a_full_disk_leaves_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("faultdiag.system.locks._this_process", full)
    for own, target in ((own_folder, tmp_path / "run"), (own_file, tmp_path / "rows.csv")):
        with pytest.raises(FaultdiagError, match="No space left"), own(target, OTHER):
            pytest.fail("a lock without an owner")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="flock is of POSIX systems")
def test_a_disk_without_locks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with own_folder(tmp_path, "give another folder"):
        (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert f"the disk of {tmp_path} has no locks (No locks available)" in warning.message
