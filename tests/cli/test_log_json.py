"""`--log-json`: every line of stderr is a JSON document, progress too."""

import io
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tqdm import tqdm

from faultdiag.cli.app import app
from faultdiag.cli.exits import JsonLines
from tests.commands import run


def lines(text: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in text.splitlines()]
    for document in found:
        assert datetime.fromisoformat(document.pop("time")).tzinfo is not None
    return found


def test_every_command_with_quiet_has_it() -> None:
    options = [set(c.callback.__annotations__) for c in app.registered_commands if c.callback]
    assert all(("quiet" in names) == ("log_as_json" in names) for names in options)


def test_predict(trained: Path, recordings: Path, tmp_path: Path) -> None:
    before = sys.stderr
    (tmp_path / "bad.mat").write_bytes(b"no")
    out = tmp_path / "rows.csv"
    result = run("predict", trained, recordings, tmp_path, "--out", out, "--log-json")
    assert result.exit_code == 1
    assert "wrote" in result.stdout
    found = lines(result.stderr)
    bars = [line for line in found if line["level"] == "progress"]
    assert bars[-1] == {"level": "progress", "task": "diagnosing", "done": 4, "total": 4}
    assert found[-1]["level"] == "info"
    assert "1 of 4 recordings could not be diagnosed" in found[-1]["message"]
    assert sys.stderr is before


@pytest.mark.parametrize("more", [["--log-json"], ["--log-json", "--quiet"], ["-q", "--log-json"]])
def test_an_error_of_several_lines_is_one_line(more: list[str], tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("data: {dataset: cwru, root: x, channel: [DE]}\ntrain: {epochs: -1}\n")
    result = run("check", path, *more)
    assert result.exit_code == 1
    (line,) = lines(result.stderr)
    assert line["level"] == "error"
    assert line["message"].count("\n") >= 2
    assert "train.epochs" in line["message"]


def test_quiet_leaves_only_the_last_message(trained: Path, recordings: Path) -> None:
    write = run("predict", trained, recordings, "--json", "--log-json", "--quiet")
    assert write.exit_code == 0
    assert write.stderr == ""
    assert len(write.stdout.splitlines()) == 3


def test_bars_warnings_and_pieces_of_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    behind = io.StringIO()
    monkeypatch.setattr("faultdiag.cli.exits.EVERY", 0.0)
    with JsonLines(behind) as stream:
        with tqdm(total=3, desc="a: b", unit="step", file=stream, mininterval=0) as bar:
            for number in range(3):
                bar.set_postfix_str(f"epoch {number}, valid 0.5", refresh=False)
                bar.update()
        for item in tqdm(iter("ab"), file=stream, mininterval=0):
            stream.write(f"warning: {item} ")
            stream.write("is odd\n")
        stream.write("\n")
    found = lines(behind.getvalue())
    progress = [line for line in found if line["level"] == "progress"]
    assert {"level": "progress", "task": "a: b", "done": 3, "total": 3} in [
        {name: value for name, value in line.items() if name != "message"} for line in progress
    ]
    assert progress[-1]["done"] == 2
    assert progress[-1]["total"] is None
    assert progress[-1]["task"] is None
    assert any(line.get("message") == "epoch 2, valid 0.5" for line in progress)
    assert [line["message"] for line in found if line["level"] == "warning"] == [
        "a is odd",
        "b is odd",
    ]


def test_bars_are_not_too_many() -> None:
    behind = io.StringIO()
    stream = JsonLines(behind)
    for _ in tqdm(range(1000), "busy", file=stream, mininterval=0, miniters=1):
        pass
    found = lines(behind.getvalue())
    assert [line["done"] for line in found] == [0, 1000]
