"""Rows that grow beside their file: kills, torn ends, and what isn't continued."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from faultdiag.errors import FaultdiagError
from faultdiag.prediction.resume import Count, open_rows, partial_files
from faultdiag.prediction.rows import CsvWriter, JsonWriter, Row

CLASSES = ("IR", "N")
NAMES = ["a.mat", 'b "x", 2.mat', "line\nbreak.mat", b"\xff.mat".decode("utf-8", "surrogateescape")]
INPUTS: dict[str, Any] = {"the model": "1f", "--channel": None, "--json": False}


def row(name: str) -> Row:
    if name.startswith("b"):
        return Row(name, "error", error="has no channel")
    chances = {"IR": 0.75, "N": 0.25}
    return Row(
        name, "ok", "IR", 0.75, 1.0, 3, 12_000.0, "assumed", "DE", probabilities=chances
    )  # fmt: skip


def write(out: Path, names: list[str], *, resume: bool = False, **changes: Any) -> Any:
    """Write the rows of names; `stop` ends it before that one."""
    stop = changes.pop("stop", None)
    inputs = INPUTS | changes
    with open_rows(out, inputs, names, resume=resume) as files:
        stream, state = files.rows, files.state
        heading = not state.heading
        writer = (
            JsonWriter(stream, CLASSES)
            if inputs["--json"]
            else CsvWriter(stream, CLASSES, heading=heading)
        )
        for name in names[len(state.paths) :]:
            if name == stop:
                raise KeyboardInterrupt
            writer.write(row(name))
    return state


@pytest.mark.parametrize("as_json", [False, True])
def test_cut_off_anywhere_it_goes_on_to_the_same_file(tmp_path: Path, as_json: bool) -> None:
    out = tmp_path / "rows"
    write(out, NAMES, **{"--json": as_json})
    whole = out.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["rows"]
    partial, side = partial_files(out)
    for size in range(len(whole) + 1):
        partial.write_bytes(whole[:size])
        side.write_text(json.dumps(INPUTS | {"--json": as_json}))
        state = write(out, NAMES, resume=True, **{"--json": as_json})
        assert out.read_bytes() == whole, size
        assert [path.name for path in tmp_path.iterdir()] == ["rows"]
    assert (len(state.paths), state.count) == (4, Count(failed=1, assumed=3))


def test_nothing_to_go_on_with_begins_anew(tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    assert write(out, NAMES, resume=True).paths == ()
    with pytest.raises(KeyboardInterrupt):
        write(out, NAMES, stop="a.mat")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"], "no row, nothing kept"
    whole, (partial, side) = out.read_bytes(), partial_files(out)
    # Killed behind the heading: not in the way, whatever it was begun with.
    partial.write_bytes(whole[: whole.index(b"\n") + 1])
    side.write_text("{}")
    write(out, NAMES)
    assert out.read_bytes() == whole


def test_rows_of_an_interrupted_run_are_not_thrown_away(tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    with pytest.raises(KeyboardInterrupt):
        write(out, NAMES, stop=NAMES[2])
    assert not out.exists()
    with pytest.raises(
        FaultdiagError,
        match=r"rows\.csv\.partial holds the rows of an inter.* with --resume, or de",
    ):
        write(out, NAMES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"the model": "2a"}, "was begun with the model 1f, now it is 2a; give the same, or del"),
        ({"--channel": "FE"}, "was begun with --channel not given, now it is FE; give"),
        ({"--json": True}, "was begun with --json False, now it is True"),
    ],
)
def test_what_was_begun_with_something_else(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    out = tmp_path / "rows.csv"
    with pytest.raises(KeyboardInterrupt):
        write(out, NAMES, stop=NAMES[2])
    before = partial_files(out)[0].read_bytes()
    with pytest.raises(FaultdiagError, match=message):
        write(out, NAMES, resume=True, **changes)
    assert partial_files(out)[0].read_bytes() == before


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["z.mat", *NAMES], r"its row 1 is of a\.mat, the recording in that place is now z\.mat"),
        (NAMES[:1], r"its row 2 is of b .* the recording in that place is now none; give the sam"),
    ],
)
def test_other_recordings(tmp_path: Path, names: list[str], message: str) -> None:
    out = tmp_path / "rows.csv"
    with pytest.raises(KeyboardInterrupt):
        write(out, NAMES, stop=NAMES[2])
    with pytest.raises(FaultdiagError, match=message):
        write(out, names, resume=True)


def test_what_is_no_partial_result(tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    partial, side = partial_files(out)
    partial.write_text("shopping list\nbread\n")
    with pytest.raises(FaultdiagError, match=r"rows\.csv\.begun, which says what .* delete both"):
        write(out, NAMES, resume=True)
    side.write_text(json.dumps(INPUTS))
    with pytest.raises(FaultdiagError, match="holds something other than rows of predict; delete"):
        write(out, NAMES, resume=True)
    side.write_text("[]")
    with pytest.raises(FaultdiagError, match="was begun with the model not given"):
        write(out, NAMES, resume=True)


KILLED = """
import sys, time
from pathlib import Path
from tests.prediction.test_partial import CLASSES, CsvWriter, INPUTS, open_rows, row
names = [f"{i}.mat" for i in range(300)]
with open_rows(Path(sys.argv[1]), INPUTS, names, resume=True) as files:
    stream, state = files.rows, files.state
    writer = CsvWriter(stream, CLASSES, heading=not state.heading)
    print(len(state.paths), flush=True)
    for name in names[len(state.paths):]:
        writer.write(row(name))
        print(name, flush=True)
        time.sleep(0.001)
"""


def test_killed_again_and_again_it_comes_to_the_same_end(tmp_path: Path) -> None:
    names = [f"{i}.mat" for i in range(300)]
    write(tmp_path / "whole.csv", names)
    out, done = tmp_path / "rows.csv", 0
    for number in (7, 31, 64):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(out)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        with process.stdout as output:
            kept = int(output.readline())
            assert kept >= done, "every row that was reported as done is kept"
            for _ in range(number):
                done = int(output.readline().removesuffix(".mat\n")) + 1
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not out.exists()
    assert done > 64
    write(out, names, resume=True)
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()
