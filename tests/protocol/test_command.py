"""`faultdiag protocol` from the command line: files, what is run again, failures, interrupts."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from faultdiag.api.protocol import FILES
from faultdiag.system import files
from faultdiag.training.loop import Trainer
from tests.commands import done, refused, run
from tests.data_fixtures import tiny, write_recordings
from tests.protocol.cells import write_two_loads

LOADS = {
    "split": {"strategy": "across_loads", "folds": "pairs"},
    "data": {"select": {"number": [105, 106, 118, 119]}},
}


@pytest.fixture(scope="module")
def two_loads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_two_loads(tmp_path_factory.mktemp("loads"))


def written(folder: Path, root: Path, protocol: dict[str, Any], **changes: Any) -> Path:
    data = tiny(root, folder / "prepared", train__epochs=1, train__batch_size=64, **changes)
    path = folder / "compare.yaml"
    path.write_text(files.dump({**data, "protocol": protocol}))
    return path


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Seeds of the trainings that are begun, as they are begun."""
    begun: list[int] = []
    real = Trainer.fit

    def fit(self: Trainer, on_epoch: Any) -> Any:
        begun.append(self.settings.seed)
        return real(self, on_epoch)

    monkeypatch.setattr(Trainer, "fit", fit)
    return begun


def compare(path: Path, *words: object) -> Result:
    out = path.parent / "out"
    return run("protocol", "--config", path, "--out", out, "--jobs", 1, "--device", "cpu", *words)


@pytest.mark.usefixtures("no_figures")
def test_one_table_and_nothing_is_trained_twice(
    two_loads: Path, tmp_path: Path, trainings: list[int]
) -> None:
    select = {"number": [105, 106, 118, 119]}
    protocol = {"seeds": 1, "protocols": {"within": {}, "loads": LOADS}, "noise": [0]}
    path = written(tmp_path, two_loads, protocol, data__select=select)
    first = compare(path)
    assert first.exit_code == 0, first.stderr
    assert trainings == [0, 0, 0]
    out = tmp_path / "out"
    assert {p.name for p in out.iterdir()} == {*FILES, "noise.png", "cells.jsonl"}
    assert first.stdout == (out / "table.md").read_text(encoding="utf-8")
    assert "3 of 3: cnn1d, loads 1→0, seed 0: " in first.stderr
    document = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert [row["cells"] for row in document["rows"]] == [1, 1, 2]
    assert document["protocols"]["loads"]["recordings"] == 4

    again = compare(path, "--json")
    assert len(trainings) == 3
    assert "3 cells, 3 of them finished before" in again.stderr
    assert json.loads(again.stdout)["rows"] == document["rows"]

    assert compare(path, "--seeds", 2).exit_code == 0
    assert trainings[3:] == [1, 1, 1], "the new seed only"
    assert compare(path, "--set", "train.l2=0.5").exit_code == 0
    assert trainings[6:] == [0, 0, 0], "a changed setting"


@pytest.mark.usefixtures("no_figures")
def test_changed_data_is_trained_on_again(tmp_path: Path, trainings: list[int]) -> None:
    root = write_recordings(tmp_path / "data")
    path = written(tmp_path, root, {"seeds": 1, "protocols": {"within": {}}, "noise": None})
    assert compare(path).exit_code == 0
    write_recordings(root, seed=1)
    assert compare(path).exit_code == 0
    assert trainings == [0, 0]
    assert not (tmp_path / "out" / "noise.png").exists()


@pytest.mark.usefixtures("no_figures")
def test_a_cell_that_fails_is_a_row_and_tried_again(
    recordings: Path, tmp_path: Path, trainings: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    models = {"fine": {}, "too long": {"window": {"length": 29_000, "stride": 1}}}
    protocol = {"seeds": 2, "models": models, "protocols": {"within": {}}, "noise": None}
    path = written(tmp_path, recordings, protocol)
    real = Trainer.learn

    def learn(self: Trainer, *words: Any) -> Any:
        if self.settings.seed == 1:
            raise MemoryError
        return real(self, *words)

    monkeypatch.setattr(Trainer, "learn", learn)
    result = compare(path)
    assert result.exit_code == 1
    assert "3 cells failed; the table says why" in result.stderr
    assert "2 of 2: fine, within, seed 1: FAILED: MemoryError; use fewer --jobs" in result.stderr
    assert "- fine, within, seed 1: MemoryError; use fewer --jobs" in result.stdout
    assert "- too long, within, seed 0: " in result.stdout
    rows = json.loads((tmp_path / "out" / "results.json").read_text())["rows"]
    assert [(row["model"], row["cells"]) for row in rows] == [("fine", 1), ("too long", 0)]

    monkeypatch.setattr(Trainer, "learn", real)
    trainings.clear()
    assert compare(path).exit_code == 1
    assert trainings == [1], "the one that failed"


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        (
            {"models": {"A": {"model": {"name": "wdcn"}}}},
            "protocol: A: model.name: unknown network",
        ),
        ({"attention": [{"name": "ecaa", "after": [1]}]}, "(did you mean 'eca'?)"),
        ({"noise": [900]}, "900"),
    ],
)
def test_what_can_not_be_built_is_told_before_anything_is_trained(
    recordings: Path, tmp_path: Path, protocol: dict[str, Any], message: str
) -> None:
    path = written(tmp_path, recordings, {"protocols": {"within": {}}, **protocol})
    refused(compare(path), message)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "prepared").exists()


def test_the_folder_of_something_else(trained: Path, config_file: Path, tmp_path: Path) -> None:
    words = ["protocol", "--config", config_file, "--set", "protocol.protocols.within={}", "--out"]
    refused(run(*words, trained), f"--out {trained} is the run folder of a training; give another")
    file = tmp_path / "a_file"
    file.write_text("not a folder")
    refused(run(*words, file), f"--out {file} is a file; give a folder")


def test_problems_of_the_section_are_told_without_torch(recordings: Path, tmp_path: Path) -> None:
    path = written(tmp_path, recordings, {"sedes": 3})
    code = (
        "import sys\nfrom faultdiag.cli.app import main\n"
        f"sys.argv = ['faultdiag', 'protocol', '--config', {str(path)!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    print(end.code, 'torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "1 False\n"
    assert "protocol.sedes: unknown key (did you mean 'seeds'?)" in found.stderr


def in_session(session: int) -> list[str]:
    """Return the processes of a session that still run."""
    rows = subprocess.run(
        ["ps", "-s", str(session), "-o", "pid=,stat=,args="],
        capture_output=True,
        text=True,
        check=False,
    )
    return [line for line in rows.stdout.splitlines() if line.split()[1][0] != "Z"]


def test_an_interrupt_leaves_no_process_and_loses_no_finished_cell(
    two_loads: Path, tmp_path: Path
) -> None:
    select = {"number": [105, 106, 118, 119]}
    protocol = {
        "seeds": 1,
        "models": {"brief": {}, "endless": {"train": {"epochs": 100_000}}},
        "protocols": {"within": {}},
        "noise": None,
    }
    path = written(tmp_path, two_loads, protocol, data__select=select)
    words = ["protocol", "--config", str(path), "--out", str(tmp_path / "out"), "--jobs", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "faultdiag", *words],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    cells = tmp_path / "out" / "cells.jsonl"
    while not (cells.exists() and cells.read_text().endswith("\n")):
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130
    assert said.endswith(
        "interrupted; finished cells are kept, continue with: faultdiag "
        + " ".join(words[:3])
        + f" --jobs 2 --out {tmp_path / 'out'}\n"
    )
    assert "Traceback" not in said
    assert "Warning" not in said
    deadline = time.monotonic() + 20  # what was killed takes a moment to be gone
    while in_session(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert in_session(process.pid) == []
    assert len(cells.read_text().splitlines()) == 1
    only = done(*words, "--set", "protocol.models={brief: {}}")
    assert "| brief" in only
    assert len(cells.read_text().splitlines()) == 1, "not trained again"
