"""Cells in shards: each is run once, and the merged table is that of a single run."""

import re
from pathlib import Path

import pytest

from faultdiag.protocol import run as subject
from faultdiag.protocol.results import Store
from faultdiag.system.cluster import Shard
from tests.commands import done, refused, run
from tests.protocol.test_command import written

TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?([+-]\d\d:\d\d)?")


@pytest.fixture
def config(recordings: Path, tmp_path: Path) -> Path:
    models = {"A": {}, "B": {"train": {"epochs": 2}}}
    return written(
        tmp_path, recordings, {"models": models, "protocols": {"within": {}}, "seeds": 2}
    )


def words(config: Path, out: Path, *more: object) -> tuple[object, ...]:
    return ("protocol", config, "--out", out, "--jobs", 1, "--device", "cpu", *more)


def test_the_merged_table_is_that_of_a_single_run(config: Path, tmp_path: Path) -> None:
    single, shared = tmp_path / "single", tmp_path / "shared"
    done(*words(config, single))
    early = run(*words(config, shared, "--merge"))
    assert early.exit_code == 1
    assert "error: --merge: 4 of the cells are not finished: A" in early.stderr
    counts = []
    for index in (1, 2, 3):
        text = done(*words(config, shared, "--shard", f"{index}/3"))
        assert text.startswith(f"shard {index}/3: ")
        counts.append(int(text.split()[2]))
    assert sum(counts) == 4
    assert not (shared / "table.md").exists()
    done(*words(config, shared, "--merge"))
    assert (shared / "table.csv").read_bytes() == (single / "table.csv").read_bytes()
    # The table for people also says when it was made.
    tables = [TIME.sub("", (folder / "table.md").read_text()) for folder in (single, shared)]
    assert tables[0] == tables[1]
    assert len(Store(shared)._rows) == 4


def test_a_cell_that_fails_in_its_shard_is_a_row_of_the_table(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = subject.run_cell

    def failing(cell: object, *arguments: object, **more: object) -> dict[str, object]:
        if cell.train.epochs == 2:  # type: ignore[attr-defined]
            return {"reason": "no memory left", "memory": False}
        return real(cell, *arguments, **more)

    monkeypatch.setitem(subject.run_shard.__kwdefaults__, "work", failing)
    out = tmp_path / "out"
    result = run(*words(config, out, "--shard", "1/1"))
    assert (result.exit_code, result.stdout) == (
        1, f"shard 1/1: 4 cells in {out}, 2 of them failed\n"
    )  # fmt: skip
    merged = run(*words(config, out, "--merge"))
    assert merged.exit_code == 1
    assert "no memory left" in merged.stdout


def test_a_torn_line_of_a_shard_is_passed_over(tmp_path: Path) -> None:
    store = Store(tmp_path, Shard(0, 2))
    store.add({"key": "a", "noise": {}, "accuracy": 1.0})
    path = tmp_path / "cells.0-of-2.jsonl"
    path.write_bytes(path.read_bytes() + b'{"key": "b", "noi')
    again = Store(tmp_path, Shard(1, 2))
    assert again.get("a", ()) is not None
    assert again.get("b", ()) is None
    again.add({"key": "c", "reason": "gone"})
    assert Store(tmp_path).failure("c") == {"key": "c", "reason": "gone"}


def test_options_that_contradict(config: Path, tmp_path: Path) -> None:
    refused(run(*words(config, tmp_path / "o", "--shard", "1/2", "--merge")), "merge when all sha")
    refused(run(*words(config, tmp_path / "o", "--shard", "5/2")), "--shard is '5/2'; give number")
