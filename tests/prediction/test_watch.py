"""A folder that recordings arrive in: each is a row, once, whatever stops the watching."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from faultdiag.errors import FaultdiagError
from faultdiag.prediction.reading import ReadRequest
from faultdiag.prediction.watch import FolderState, watch_folder


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    folder = tmp_path / "incoming"
    folder.mkdir()
    return folder


def look(model: Path, folder: Path, out: Path, **more: Any) -> int:
    options = {"options": ReadRequest(Path()), "device": "cpu", "every": 0.02, "once": True}
    return watch_folder(model, folder, out, **{**options, **more})


def rows(out: Path) -> list[tuple[str, str]]:
    lines = out.read_text(encoding="utf-8").splitlines()
    return [(Path(row["path"]).name, row["status"]) for row in csv.DictReader(lines)]


def test_a_file_that_still_grows_waits() -> None:
    state = FolderState()
    assert state.complete({"a": (1, 1)}) == []
    assert state.complete({"a": (2, 2), "b": (5, 5)}) == []
    assert state.complete({"a": (2, 2), "b": (6, 6)}) == ["a"]
    state.done["a"] = (2, 2)
    assert state.complete({"a": (2, 2), "b": (6, 6)}) == ["b"]
    assert state.complete({"a": (3, 3)}) == []
    assert state.complete({"a": (3, 3)}) == ["a"], "it changed"


def test_each_recording_is_a_row_once(
    trained: Path, recordings: Path, incoming: Path, tmp_path: Path
) -> None:
    out = incoming / "rows.csv"
    shutil.copy(recordings / "105.mat", incoming)
    (incoming / "bad.mat").write_bytes(b"no MATLAB")
    (incoming / "118.mat.part").write_bytes(b"not yet")
    assert look(trained, incoming, out) == 2
    assert look(trained, incoming, out) == 0
    (incoming / "deep").mkdir()
    shutil.copy(recordings / "118.mat", tmp_path / "118")
    (tmp_path / "118").rename(incoming / "deep" / "118.mat")
    assert look(trained, incoming, out) == 1
    assert rows(out) == [("105.mat", "ok"), ("bad.mat", "error"), ("118.mat", "ok")]
    shutil.copy(recordings / "97.mat", incoming / "bad.mat")
    assert look(trained, incoming, out) == 1, "the broken file was replaced"
    assert rows(out)[-1] == ("bad.mat", "ok")


def test_cut_off_anywhere_nothing_is_lost_or_repeated(
    trained: Path, recordings: Path, incoming: Path, tmp_path: Path
) -> None:
    for number in (97, 105):
        shutil.copy(recordings / f"{number}.mat", incoming)
    out, side = tmp_path / "rows.csv", tmp_path / "rows.csv.watched"
    assert look(trained, incoming, out) == 2
    whole, stamps = out.read_bytes(), side.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == 10]
    lines = [i + 1 for i, byte in enumerate(stamps) if byte == 10]
    for size, cut, left in [
        (ends[2], lines[1], 0),  # a row without its line
        (ends[2], lines[1] + 5, 0),
        (ends[2] - 4, lines[1], 1),  # a torn row
        (ends[1], lines[1], 1),
        (ends[0], lines[0], 2),
    ]:
        out.write_bytes(whole[:size])
        side.write_bytes(stamps[:cut])
        assert look(trained, incoming, out) == left, (size, cut)
        assert (out.read_bytes(), side.read_bytes()) == (whole, stamps)


def test_killed_while_it_watches(
    trained: Path, recordings: Path, incoming: Path, tmp_path: Path
) -> None:
    out = tmp_path / "rows.csv"
    words = ["watch", trained, incoming, "--out", out, "--every", "0.1", "--device", "cpu"]
    for count, number in enumerate((97, 105), start=1):
        shutil.copy(recordings / f"{number}.mat", incoming)
        process = subprocess.Popen(
            [sys.executable, "-m", "faultdiag", *map(str, words)], stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while not out.exists() or len(rows(out)) < count:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert rows(out) == [("97.mat", "ok"), ("105.mat", "ok")]
    assert look(trained, incoming, out) == 0


@pytest.mark.parametrize("out", ["/dev/full", "."])
def test_rows_grow_in_a_file(out: str, tmp_path: Path) -> None:
    named = f"--out {out} is no file that rows can be appended to"
    with pytest.raises(FaultdiagError, match=re.escape(named)):
        look(tmp_path / "model", tmp_path, Path(out))


def test_rows_of_something_else(
    trained: Path, recordings: Path, incoming: Path, tmp_path: Path
) -> None:
    out, side = tmp_path / "rows.csv", tmp_path / "rows.csv.watched"
    shutil.copy(recordings / "105.mat", incoming)
    look(trained, incoming, out)
    with pytest.raises(FaultdiagError, match=r"has rows of another model or other options; give"):
        look(trained / "last.pt", incoming, out)
    first, *_ = side.read_text().splitlines(keepends=True)
    side.write_text(first + json.dumps(["other.mat", 1, 1]) + "\n")
    with pytest.raises(FaultdiagError, match=r"rows\.csv\.watched don't belong together; give an"):
        look(trained, incoming, out)
    side.write_text("{\n")
    with pytest.raises(FaultdiagError, match=r"rows\.csv\.watched is damaged; delete it and rows"):
        look(trained, incoming, out)
    with pytest.raises(FaultdiagError, match=r"none is no folder; give the folder that recordings"):
        look(trained, tmp_path / "none", out)
