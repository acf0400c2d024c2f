"""`train`, `check` and `prepare` of a config with folds: a run for each, and their table."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from faultdiag.api import train as training
from faultdiag.api.train import train_all
from faultdiag.config.schema import load_config
from faultdiag.errors import FaultdiagError
from faultdiag.evaluation import evaluate_run
from faultdiag.report.data import common_notes
from faultdiag.splits.sharing import LEVELS
from faultdiag.training.folds import clear, folder_names, require_free
from tests.commands import done, refused, run
from tests.data_fixtures import contents, grouped, signal, write_grouped, write_mat

pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_grouped(tmp_path_factory.mktemp("grouped"))


@pytest.fixture(scope="module")
def config_file(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("folds")
    path = folder / "loads.yaml"
    path.write_text(grouped(root, folder / "prepared", "across_loads", folds="pairs").to_yaml())
    return path


@pytest.fixture(scope="module")
def trained_folds(config_file: Path) -> tuple[Path, str]:
    """Run folder of both folds, and what the command printed; tests don't write to it."""
    folder = config_file.parent / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("faultdiag.api.train.draw_run", lambda _: None)
        return folder, done("train", "--config", config_file, "--run", folder)


def test_every_fold_is_an_ordinary_run(trained_folds: tuple[Path, str]) -> None:
    folder, _ = trained_folds
    assert {path.name for path in folder.iterdir()} == {"0-to-1", "1-to-0", "folds.json"}
    for name, test in (("0-to-1", [1]), ("1-to-0", [0])):
        config = load_config(folder / name / "config.yaml")
        assert config.split.options == {"test": test, "train": [1 - test[0]]}
        metrics = json.loads((folder / name / "metrics.json").read_text())
        assert evaluate_run(folder / name, "test", device="cpu")["test"] == metrics["test"]
        assert metrics["split"]["shared_samples"] == 0


def test_the_table_says_what_the_runs_say(trained_folds: tuple[Path, str]) -> None:
    folder, text = trained_folds
    table = json.loads((folder / "folds.json").read_text())
    assert [(row["fold"], row["folder"]) for row in table["folds"]] == [
        ("0→1", "0-to-1"),
        ("1→0", "1-to-0"),
    ]
    lines = text.splitlines()
    assert lines[0].split("  ")[0] == "fold"
    accuracies = []
    for row, line in zip(table["folds"], lines[2:], strict=False):
        test = json.loads((folder / row["folder"] / "metrics.json").read_text())["test"]
        assert row["accuracy"] == test["accuracy"]
        assert row["macro_f1"] == test["macro_f1"]
        assert row["windows"] == test["windows"]
        right = sum(r["predicted"] == r["label"] for r in test["recording"]["rows"])
        assert row["recordings_right"] == right
        figures = [f"{100 * test[score]:.1f}" for score in ("accuracy", "macro_f1")]
        cells = re.split(r" {2,}", line)
        assert cells == [
            row["fold"],
            str(test["windows"]),
            *figures,
            f"{right} of {test['recordings']}",
            row["leak"],
        ]
        assert row["leak"] in LEVELS
        accuracies.append(test["accuracy"])
    mean = sum(accuracies) / 2
    assert table["overall"]["accuracy"]["mean"] == pytest.approx(mean)
    # Two values lie sd / sqrt(2) from their mean.
    sd = abs(accuracies[0] - accuracies[1]) / 2**0.5
    assert table["overall"]["accuracy"]["sd"] == pytest.approx(sd)
    assert f"over 2 folds: accuracy {100 * mean:.1f} ± {100 * sd:.1f} %" in text
    assert "split across_loads: 0 samples in two or more parts" in text
    assert "note: split within the recording, because their class has one load_hp only: 97" in text


def test_a_run_that_is_there_is_kept_resumed_or_replaced(
    trained_folds: tuple[Path, str], config_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(trained_folds[0], folder)
    before = contents(folder)
    words = ("train", "--config", config_file, "--run", folder)
    refused(
        run(*words), "run/0-to-1 exists; continue it with --resume, replace it with --overwrite"
    )
    refused(run(*words, "--resume", "--overwrite"), "give one of the two")
    assert contents(folder) == before

    # One fold is lost: resuming trains that one again and leaves the other's weights.
    shutil.rmtree(folder / "1-to-0")
    assert done(*words, "--resume").splitlines()[:5] == trained_folds[1].splitlines()[:5]
    assert (folder / "0-to-1" / "best.pt").read_bytes() == before["0-to-1/best.pt"]
    assert (folder / "1-to-0" / "history.jsonl").is_file()

    # Other folds in its place: those that are no longer wanted go, what is not ours stays.
    (folder / "0-to-1" / "notes.txt").write_text("mine")
    other = (*words, "--set", "split.folds=each", "--overwrite")
    assert "over 2 folds" in done(*other)
    assert {p.name for p in folder.iterdir()} == {"0", "1", "0-to-1", "folds.json"}
    assert {p.name for p in (folder / "0-to-1").iterdir()} == {"notes.txt"}


def test_an_interrupted_training_goes_on(
    config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    train = training._train_and_draw

    def interrupted(config: Any, **options: Any) -> Any:
        if config.split.options["test"] == [0]:
            raise KeyboardInterrupt
        return train(config, **options)

    monkeypatch.setattr(training, "_train_and_draw", interrupted)
    result = run("train", "--config", config_file, "--run", folder, "--device", "cpu")
    assert result.exit_code == 130
    command = f"faultdiag train --config {config_file} --run {folder} --resume --device cpu"
    assert result.stderr.splitlines()[-1] == f"interrupted; continue with: {command}"
    table = json.loads((folder / "folds.json").read_text())
    assert table["overall"] is None
    assert [row.get("accuracy") is None for row in table["folds"]] == [False, True]


def test_one_fold_alone_is_an_ordinary_run(config_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    text = done("train", "--config", config_file, "--set", "split.fold=1", "--run", folder)
    assert f"run folder: {folder}" in text
    assert load_config(folder / "config.yaml").split.options == {"folds": "pairs", "fold": 1}
    assert evaluate_run(folder, "test", device="cpu")["split"]["strategy"] == "across_loads"


def test_a_folder_of_something_else_is_never_touched(
    config_file: Path, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "thesis.tex").write_text("")
    words = ("train", "--config", config_file, "--overwrite", "--run")
    refused(
        run(*words, tmp_path),
        f"--run {tmp_path} is to hold a folder for each fold, and has something else (thesis.tex);"
        " give a new folder",
    )
    before = contents(trained)
    refused(run(*words, trained), "has something else (MODEL_CARD.md, best.pt, calibration.png, …)")
    assert contents(trained) == before
    refused(run(*words, tmp_path / "thesis.tex"), "thesis.tex is a file; give a folder")


def test_what_is_wrong_with_a_later_fold_is_told_before_training(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(training, "_train_and_draw")
    mine = shutil.copytree(root, tmp_path / "mine")
    # Long enough to test on, too short to train on.
    write_mat(mine / "106.mat", 106, DE=signal(1500.0, 12_000, 600, 1))
    config = grouped(mine, tmp_path, "across_loads", folds="pairs")
    with pytest.raises(
        FaultdiagError,
        match=r"^fold 1→0: a training recording needs 1408 samples .*; 106 has 600; leave",
    ):
        train_all(config, run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_check_and_prepare_say_what_each_fold_has(config_file: Path) -> None:
    checked, prepared = (done(c, "--config", config_file) for c in ("check", "prepare"))
    assert checked.startswith("fold 0→1, the first of 2:\n")
    assert "ready to train" in checked
    rows = [re.split(r" {2,}", line) for line in prepared.splitlines()[:4]]
    assert rows[0] == [
        *("fold", "train windows", "valid windows", "test windows"),
        *("test recordings", "test classes", "shared samples", "leak"),
    ]
    assert [row[0] for row in rows[2:]] == ["0→1", "1→0"]
    assert [row[4:] for row in rows[2:]] == [
        ["3", "3", "0", "recording"],
        ["5", "3", "0", "recording"],
    ]
    assert "\n".join(prepared.splitlines()[:4]) in checked
    assert "split across_loads: 2 folds" in prepared


def test_notes_of_all_folds_and_of_some() -> None:
    assert common_notes([["a", "b"], ["a", "b"]]) == ["a", "b"]
    assert common_notes([["a", "b"], ["a"], ["c", "a"]]) == [
        "a",
        "2 folds have notes of their own; split.fold: 0 (or 1, 2, …) checks one alone",
    ]


def test_folders_of_folds_are_safe_and_distinct(tmp_path: Path) -> None:
    names = folder_names(["..", "a/b", "a b", "A-B", "ölpumpe 1", "→"])
    assert names == ["fold", "a-b", "a-b-2", "A-B-3", "ölpumpe-1", "to"]
    for name in names:
        (tmp_path / name).mkdir()


def test_a_damaged_table_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "folds.json").write_text("{")
    assert require_free(tmp_path, ["0"], overwrite=False, resume=False) == []
    clear(tmp_path, [], ["0"])
    assert list(tmp_path.iterdir()) == []
