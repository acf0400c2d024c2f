"""Rows of windows beside the rows of their recordings."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultdiag.errors import FaultdiagError
from faultdiag.prediction.resume import open_rows, partial_files
from faultdiag.prediction.rows import CsvWriter, JsonWriter, Row, WindowWriter

CLASSES = ("N", "path")
COUNTS = {"a.mat": 2, "b \n.mat": 0, "c.mat": 3}
INPUTS: dict[str, Any] = {"the model": "1f", "--json": False}


def write(folder: Path, *, resume: bool = False, as_json: bool = False, **more: Any) -> int:
    """Write rows and windows; `stop` ends it in the middle of that one."""
    out, windows = folder / "rows", more.get("windows", folder / "windows")
    begun = INPUTS | {"--json": as_json}
    with open_rows(out, begun, list(COUNTS), resume=resume, windows=windows) as streams:
        heading = not streams.state.heading
        writer = (
            JsonWriter(streams.rows, CLASSES)
            if as_json
            else CsvWriter(streams.rows, CLASSES, heading=heading)
        )
        small = streams.windows and WindowWriter(
            streams.windows, CLASSES, length=100, sampling_rate=12_000.0, as_json=as_json
        )
        for name, count in list(COUNTS.items())[len(streams.state.paths) :]:
            assert small is not None
            small.write(name, np.array([[0.25, 0.75]]))
            small.write(name, np.array([[0.5, 0.5]] * 5)[: max(count - 1, 0)])
            if name == more.get("stop"):
                raise KeyboardInterrupt
            (small.keep if count else small.drop)()
            status = "ok" if count else "error"
            writer.write(Row(name, status, windows=count or None))
        return len(streams.state.paths)


def test_what_stands_in_them(tmp_path: Path) -> None:
    write(tmp_path)
    with (tmp_path / "windows").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["path", "window", "start", "seconds", "label", "N", "p(path)"],
        ["a.mat", "0", "0", "0.0", "path", "0.25", "0.75"],
        ["a.mat", "1", "100", "0.008333", "N", "0.5", "0.5"],
        ["c.mat", "0", "0", "0.0", "path", "0.25", "0.75"],
        ["c.mat", "1", "100", "0.008333", "N", "0.5", "0.5"],
        ["c.mat", "2", "200", "0.016667", "N", "0.5", "0.5"],
    ]
    write(tmp_path / ".", as_json=True)
    first = json.loads((tmp_path / "windows").read_text().splitlines()[0])
    assert first == dict(zip(rows[0], ["a.mat", 0, 0, 0.0, "path", 0.25, 0.75], strict=True))


@pytest.mark.parametrize("as_json", [False, True])
def test_cut_off_anywhere_both_go_on_to_the_same_files(tmp_path: Path, as_json: bool) -> None:
    write(tmp_path, as_json=as_json)
    out, windows = tmp_path / "rows", tmp_path / "windows"
    whole, small = out.read_bytes(), windows.read_bytes()
    (partial, side), part = partial_files(out), partial_files(windows)[0]
    begun = json.dumps(INPUTS | {"--json": as_json, "--windows": str(windows)})
    kept = set()
    for size in [0, *(i + 1 for i, byte in enumerate(whole) if byte == 10), len(whole) - 1]:
        for cut in [*range(0, len(small), 11), len(small)]:
            partial.write_bytes(whole[:size])
            part.write_bytes(small[:cut])
            side.write_text(begun)
            kept.add(write(tmp_path, resume=True, as_json=as_json))
            assert (out.read_bytes(), windows.read_bytes()) == (whole, small), (size, cut)
            assert sorted(path.name for path in tmp_path.iterdir()) == ["rows", "windows"]
    assert kept == {0, 1, 2, 3}


def test_killed_between_the_two_last_steps(tmp_path: Path) -> None:
    write(tmp_path)
    out, windows = tmp_path / "rows", tmp_path / "windows"
    whole, small = out.read_bytes(), windows.read_bytes()
    partial, side = partial_files(out)
    out.rename(partial)
    document = INPUTS | {"--windows": str(windows), "all rows are there": True}
    side.write_text(json.dumps(document))
    assert write(tmp_path, resume=True) == 3
    assert (out.read_bytes(), windows.read_bytes()) == (whole, small)
    assert not side.exists()


def test_windows_of_another_run(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, stop="c.mat")
    with pytest.raises(
        FaultdiagError, match=r"was begun with --windows \S+windows, now it is \S+w"
    ):
        write(tmp_path, resume=True, windows=tmp_path / "w")
    (tmp_path / "other").mkdir()
    with pytest.raises(FaultdiagError, match=r"windows\.partial holds the windows of an inter"):
        write(tmp_path / "other", windows=tmp_path / "windows")
    part = partial_files(tmp_path / "windows")[0]
    part.write_text("path,window\nz.mat,0\nz.mat,1\n")
    with pytest.raises(FaultdiagError, match=r"windows\.partial holds something other than rows"):
        write(tmp_path, resume=True)
