"""Recordings unlike the training data: marked, or rejected as unknown."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.commands import run
from tests.data_fixtures import write_mat


@pytest.fixture
def mixed(recordings: Path, tmp_path: Path) -> list[Path]:
    """A recording of training, and one of white noise."""
    x = np.random.default_rng(0).normal(size=30_000)
    return [next(recordings.rglob("105.mat")), write_mat(tmp_path / "noise.mat", 3005, DE=x)]


def test_reject_names_no_class(trained: Path, mixed: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    done = run(
        "predict", trained, *mixed, "--sampling-rate", 12000, "--novel", "reject", "--out", out
    )
    assert done.exit_code == 0, done.output
    known, novel = csv.DictReader(out.read_text().splitlines())
    assert (known["status"], novel["status"], novel["label"]) == ("ok", "novel", "unknown")
    assert float(novel["novelty"]) > 1
    assert "2 recordings, 1 of them diagnosed, 1 unknown (unlike the training data)" in done.output
    assert "1 of 2 recordings is unlike the training data" in done.output


def test_mark_keeps_the_diagnosis(trained: Path, mixed: list[Path]) -> None:
    done = run("predict", trained, mixed[1], "--sampling-rate", 12000, "--json")
    assert done.exit_code == 0
    row = json.loads(done.stdout)
    assert row["status"] == "ok"
    assert row["label"] in {"N", "IR", "B"}
    assert row["novelty"] > 1


def test_another_word_is_refused(trained: Path, mixed: list[Path]) -> None:
    done = run("predict", trained, *mixed, "--novel", "drop")
    assert done.exit_code == 1
    assert "unknown --novel 'drop'; known: mark, reject" in done.output
