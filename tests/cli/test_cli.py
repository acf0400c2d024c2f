"""The command line: outputs, exit codes, messages, and what a signal leaves behind."""

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from faultdiag.checkpoint import load
from faultdiag.prediction.rows import COLUMNS
from faultdiag.preparing import prepare
from faultdiag.training.loop import Trainer
from tests.commands import COMMANDS, done, refused, run
from tests.data_fixtures import contents, write_mat, write_recording
from tests.interrupting import interrupting


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Two recordings to diagnose."""
    folder = tmp_path / "new"
    folder.mkdir()
    write_recording(folder / "one.mat", 105, seed=21)
    write_recording(folder / "two.mat", 118, seed=22)
    return folder


def test_the_commands_of_the_contract_are_there() -> None:
    assert set(COMMANDS) >= {
        *("init", "simulate", "inspect", "check", "prepare", "train", "eval", "predict"),
        *("models", "attention"),
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_a_command_does_with_an_example(command: str) -> None:
    text = done(command, "--help")
    lines = [line.strip() for line in text.splitlines()]
    example = next(line for line in lines if line.startswith("Example: "))
    assert example.startswith(f"Example: faultdiag {command}")
    after = lines[lines.index(example) + 1]
    assert after == "", f"the example of {command} is broken in two"
    assert command in done("--help")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_are_usage_that_parses(command: str) -> None:
    lines = [line.strip() for line in done(command, "--help").splitlines()]
    words = shlex.split(next(line for line in lines if line.startswith("Example: ")))[2:]
    # A wrong option after the example is what is complained of: the rest was understood.
    result = run(*words, "--no-such-option")
    assert result.exit_code == 2
    assert "--no-such-option" in result.stderr


def test_without_a_command_there_is_help() -> None:
    result = run()
    assert "Usage: " in result.output
    assert "predict" in result.output


def test_cuda_where_there_is_none(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    refused(run("eval", trained, "--device", "cuda"), "finds no CUDA device; use --device cpu")


def test_starters_are_listed_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "demo" in done("init")
    assert done("init", "demo") == "wrote demo.yaml\n"
    assert done("init", "demo", "--out", "mine.yaml") == "wrote mine.yaml\n"
    assert Path("mine.yaml").read_bytes() == Path("demo.yaml").read_bytes()
    refused(run("init", "demo"), "demo.yaml exists; give another file with --out")


def test_recordings_are_simulated(tmp_path: Path) -> None:
    words = ["simulate", "--out", tmp_path / "sim", "--seconds", "0.2", "--size", "007"]
    assert done(*words) == f"wrote 4 simulated recordings to {tmp_path / 'sim'}\n"
    refused(run(*words), "replace it with --overwrite or choose an empty folder")
    before = contents(tmp_path)
    done(*words, "--overwrite")
    assert contents(tmp_path) == before
    done(*words, "--overwrite", "--seed", "1")
    assert contents(tmp_path) != before


def test_a_recording_is_inspected(recordings: Path) -> None:
    file = recordings / "105.mat"
    (found,) = json.loads(done("inspect", file, "--sampling-rate", "12000", "--json"))
    assert set(found) >= {
        *("variables", "channels", "sampling_rate", "sampling_rate_source", "rpm", "samples"),
        *("statistics", "rate_check", "envelope_peaks"),
    }
    assert "105.mat" in done("inspect", file, "--sampling-rate", "12000")


@pytest.mark.parametrize(("command", "name"), [("models", "wdcnn"), ("attention", "eca")])
def test_the_zoo_is_listed(command: str, name: str) -> None:
    rows = json.loads(done(command, "--json"))
    assert name in {row["name"] for row in rows}
    assert name in done(command)


def test_preparing_says_where_and_does_it_once(config_file: Path, prepared_root: Path) -> None:
    words = ["prepare", "--config", config_file, "--set", "window.stride=100"]
    text = done(*words)
    folder = Path(text.splitlines()[-1].removeprefix("prepared in "))
    assert folder.parent == prepared_root
    before = (folder / "signals.npy").stat().st_mtime_ns
    assert done(*words) == text
    assert (folder / "signals.npy").stat().st_mtime_ns == before


def test_a_check_ends_with_a_word(config_file: Path) -> None:
    assert done("check", "--config", config_file).endswith("\nready to train\n")
    other = done("check", "--config", config_file, "--set", "model.widths=[4]")
    assert "network cnn1d: 55 parameters" in other


def test_a_training_prints_its_table_and_says_the_rest_on_stderr(
    config_file: Path, monkeypatch: pytest.MonkeyPatch, no_figures: None
) -> None:
    monkeypatch.chdir(config_file.parent)
    result = run("train", "--config", config_file)
    assert result.exit_code == 0
    assert result.stdout.startswith("part ")
    assert result.stdout.endswith("\nrun folder: runs/pumps\n")
    assert result.stderr.startswith("part   windows  disjoint"), "what was prepared"
    again = run("train", "--config", config_file)
    refused(again, "the run folder runs/pumps exists; continue it with --resume")
    done("train", "--config", config_file, "--overwrite", "--set", "seed=4")
    assert load(Path("runs/pumps")).config["seed"] == 4
    done("train", "--config", "runs/pumps/config.yaml", "--run", "again", "--device", "cpu")
    first, again = (
        json.loads(Path(f, "metrics.json").read_text()) for f in ("runs/pumps", "again")
    )
    assert first == again


def test_an_interrupted_training_names_the_command_that_goes_on(
    config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_figures: None
) -> None:
    whole = tmp_path / "whole run"
    words = ["train", "--config", str(config_file), "--set", "train.epochs=3", "--device", "cpu"]
    done(*words, "--run", whole)
    real = Trainer.learn

    def learn(self: Trainer, *arguments: Any) -> Any:
        if self.progress.epoch == 2:
            raise KeyboardInterrupt
        return real(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "learn", learn)
        result = run(*words, "--run", tmp_path / "my run")
    assert (result.exit_code, result.stdout) == (130, "")
    message = result.stderr.splitlines()[-1]
    assert message.startswith("interrupted; continue with: faultdiag train ")
    program, *command = shlex.split(message.partition(": ")[2])
    assert program == "faultdiag"
    assert command[-3:] == ["--resume", "--device", "cpu"]
    done(*command)
    for name, value in load(whole).model.items():
        assert torch.equal(load(tmp_path / "my run").model[name], value), name


def test_interrupted_before_an_old_run_is_replaced(
    config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: Path
) -> None:
    copy = shutil.copytree(trained, tmp_path / "copy")
    before = contents(copy)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare, "load_entry", interrupted)
    result = run(
        *("train", "--config", config_file, "--run", copy, "--overwrite"),
        *("--set", f"data.prepared={tmp_path / 'elsewhere'}"),
    )
    assert result.exit_code == 130
    assert result.stderr.endswith(" --overwrite\n"), "there is nothing to go on with yet"
    assert contents(copy) == before


def test_an_evaluation_as_text_and_as_json(trained: Path, config_file: Path) -> None:
    metrics = json.loads((trained / "metrics.json").read_text())
    found = json.loads(done("eval", trained, "--json", "--device", "cpu"))
    assert found == {"test": metrics["test"], "split": metrics["split"]}
    noisy = done("eval", trained, "--part", "valid", "--snr", "-4", "--snr", "0")
    assert noisy.startswith("part ")
    assert "\nSNR dB" in noisy
    other = json.loads(
        done(
            *("eval", trained, "--config", config_file),
            *("--set", "data.select.number=[97, 105]", "--json"),
        )
    )
    assert other["test"]["recordings"] == 2


def test_diagnoses_on_stdout_and_in_a_file(trained: Path, new: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    text = done("predict", trained, new)
    assert [line.split(",")[:3] for line in text.splitlines()] == [
        ["path", "status", "label"],
        [str(new / "one.mat"), "ok", "IR"],
        [str(new / "two.mat"), "ok", "B"],
    ]
    assert done("predict", trained, new, "--out", out) == (
        f"wrote {out}: 2 recordings, 2 of them diagnosed\n"
    )
    assert out.read_text() == text
    rows = [json.loads(line) for line in done("predict", trained, new, "--json").splitlines()]
    assert [list(row)[: len(COLUMNS)] for row in rows] == [list(COLUMNS)] * 2


def test_options_of_a_prediction_reach_it(trained: Path, tmp_path: Path, new: Path) -> None:
    from scipy.io import loadmat

    fan = loadmat(new / "two.mat")["X118_FE_time"][:, 0]
    write_mat(tmp_path / "fan.mat", 7, FE=fan)
    words = ["predict", trained, new / "two.mat", "--json"]
    by_channel = json.loads(done(*words, "--channel", "FE"))
    assert by_channel["channel"] == "FE"
    assert (
        by_channel["B"] == json.loads(done("predict", trained, tmp_path / "fan.mat", "--json"))["B"]
    )
    given = json.loads(done(*words, "--sampling-rate", "24000"))
    assert (given["sampling_rate"], given["sampling_rate_source"]) == (24_000, "argument")


def test_a_recording_that_cannot_be_diagnosed_is_exit_code_1(trained: Path, new: Path) -> None:
    (new / "bad.mat").write_bytes(b"no MATLAB")
    result = run("predict", trained, new, "--json")
    assert result.exit_code == 1
    assert [json.loads(line)["status"] for line in result.stdout.splitlines()] == [
        *("error", "ok", "ok"),
    ]
    warning, last = result.stderr.splitlines()
    assert warning == (
        "warning: nothing states the sampling rate of 2 recordings; the model's, 12000 Hz, was "
        "assumed: if it is another, the diagnosis is wrong; give it with --sampling-rate"
    )
    assert last == "1 of 3 recordings could not be diagnosed; see their rows"


def test_an_interrupted_prediction_keeps_what_was_printed(
    trained: Path, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupting(monkeypatch, "two.mat")
    result = run("predict", trained, new)
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")
    assert len(result.stdout.splitlines()) == 2
    words = ["predict", trained, new, "--out", new / "rows.csv"]
    result = run(*words)
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr == (
        "interrupted; finished rows are kept: continue with the same command and --resume\n"
    )
    monkeypatch.undo()
    assert "2 recordings, 2 of them diagnosed" in done(*words, "--resume")
    assert {path.name for path in new.iterdir()} == {"one.mat", "two.mat", "rows.csv"}


def test_resuming_where_nothing_is_says_so(trained: Path, tmp_path: Path) -> None:
    config, folder = trained / "config.yaml", tmp_path / "typo"
    result = run("train", "--config", config, "--run", folder, "--resume")
    assert result.exit_code == 0
    assert f"nothing to resume in {folder}: starting fresh" in result.stderr


def test_one_bad_file_of_several_does_not_hide_the_others(new: Path) -> None:
    bad = new / "bad.mat"
    bad.write_bytes(b"no MATLAB")
    good = next(path for path in sorted(new.glob("*.mat")) if path != bad)
    result = run("inspect", bad, good, "--json")
    assert result.exit_code == 1
    assert [row["path"] for row in json.loads(result.stdout)] == [str(good)]
    assert result.stderr.startswith(f"error: {bad}")


def test_a_plot_is_a_png(new: Path, tmp_path: Path) -> None:
    result = run("inspect", next(new.glob("*.mat")), "--plot", tmp_path / "a.pdf")
    refused(result, "a.pdf; a PNG is drawn, so give a name that ends in .png")


def test_an_empty_folder_among_others_is_a_row(trained: Path, new: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run("predict", trained, tmp_path / "empty", new, "--json")
    assert result.exit_code == 1
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["status"] for row in rows] == ["error", "ok", "ok"]


def test_a_report_warns_of_recordings_without_a_diagnosis(trained: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mat"
    bad.write_bytes(b"no MATLAB")
    result = run("report", trained, bad, "--out", tmp_path / "page.md")
    assert result.exit_code == 0
    assert "1 of 1 recording could not be diagnosed; the report says why" in result.stderr
    assert not (tmp_path / "page.md").read_text(encoding="utf-8").startswith("<!DOCTYPE")
