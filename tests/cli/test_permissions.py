"""Files and folders that the user may not read: one message, or a row."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Runs commands in one process and prints how each ended.
RUNNER = """
import json, sys
from typer.testing import CliRunner
from faultdiag.cli.app import app
for words in json.loads(sys.argv[1]):
    result = CliRunner().invoke(app, words)
    known = isinstance(result.exception, SystemExit | None)
    print(json.dumps([result.exit_code, known, result.stdout, result.stderr]))
"""
# The administrator may read everything, unless this is dropped.
DROP = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]


def ended(commands: list[list[str]]) -> list[tuple[int, bool, str, str]]:
    """How commands end that may not read what their permissions forbid."""
    drop = DROP if os.geteuid() == 0 else []
    if drop and shutil.which(drop[0]) is None:
        pytest.skip("without setpriv the administrator may read everything")
    words = [*drop, sys.executable, "-c", RUNNER, json.dumps(commands)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@pytest.fixture
def closed(tmp_path: Path, recordings: Path) -> Iterator[Path]:
    """A folder of recordings with a folder in it that may not be searched."""
    folder = tmp_path / "recordings"
    (folder / "closed").mkdir(parents=True)
    shutil.copy(recordings / "105.mat", folder)
    (folder / "closed").chmod(0)
    yield folder
    (folder / "closed").chmod(0o700)


def test_places_that_may_not_be_read(trained: Path, closed: Path, tmp_path: Path) -> None:
    inside = str(closed / "closed" / "x")
    results = ended(
        [
            ["inspect", f"{inside}.mat"],
            ["predict", f"{inside}.onnx", str(closed)],
            ["predict", str(trained), str(closed), "--out", f"{inside}.csv"],
            ["init", "demo", "--out", f"{inside}.yaml"],
            ["export", str(trained), "--out", f"{inside}.onnx"],
        ]
    )
    for code, known, _, stderr in results:
        assert (code, known) == (1, True)
        assert stderr.startswith("error: ")
        assert "Permission denied" in stderr
        assert inside in stderr


def test_a_folder_that_may_not_be_searched_is_a_row(
    trained: Path, closed: Path, tmp_path: Path
) -> None:
    watched = tmp_path / "watched.csv"
    predict = ["predict", str(trained), str(closed)]
    watch = ["watch", str(trained), str(closed), "--out", str(watched), "--once", "--every", "0.1"]
    results = ended([predict, watch])
    assert [code for code, *_ in results] == [1, 0]
    for text in (results[0][2], watched.read_text()):
        rows = sorted(line.split(",") for line in text.splitlines()[1:])
        assert [(Path(row[0]).name, row[1]) for row in rows] == [
            ("105.mat", "ok"),
            ("closed", "error"),
        ]
        assert "cannot be searched: check the permissions of this folder" in text
