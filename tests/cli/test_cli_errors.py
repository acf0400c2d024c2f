"""The command line: usage is exit code 2, what the user can mend is one message and 1."""

from pathlib import Path

import pytest

from tests.commands import COMMANDS, refused, run
from tests.data_fixtures import contents


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_option_is_usage(command: str) -> None:
    result = run(command, "--wrong")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "--wrong" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["trian"],
        ["train"],
        ["predict", "run"],
        ["eval", "run", "--snr", "loud"],
        ["simulate"],
        ["inspect"],
        ["simulate", "--out", "x", "--seconds", "0"],
    ],
    ids=" ".join,
)
def test_usage(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: " in result.stderr
    assert list(tmp_path.iterdir()) == []


ERRORS = {
    "config that is not there": (["check", "--config", "none.yaml"], "cannot read none.yaml"),
    "config of something else": (["train", "--config", "text"], "text holds "),
    "config with problems": (["check", "--config", "bad.yaml"], "bad.yaml has 2 problems:\n  "),
    "setting without a value": (
        ["prepare", "--config", "good.yaml", "--set", "seed"],
        "--set seed: write it as",
    ),
    "setting that is none": (
        ["train", "--config", "good.yaml", "--set", "train.epoch=3"],
        "train.epoch: unknown key (did you mean 'epochs'?)",
    ),
    "network that is none": (
        ["train", "--config", "good.yaml", "--set", "model.name=wdcn"],
        "unknown network 'wdcn' (did you mean 'wdcnn'?)",
    ),
    "data that is not there": (
        ["prepare", "--config", "good.yaml", "--set", "data.root=nowhere"],
        "nowhere does not exist",
    ),
    "device nobody knows": (
        ["train", "--config", "good.yaml", "--device", "tpu"],
        "unknown device 'tpu'; use auto, cpu, cuda or cuda:N",
    ),
    "device without a number": (
        ["eval", "RUN", "--device", "cuda:x"],
        "unknown device 'cuda:x'; use auto, cpu, cuda or cuda:N",
    ),
    "going on and replacing": (
        ["train", "--config", "good.yaml", "--resume", "--overwrite"],
        "--resume continues a run and --overwrite replaces it; give one of the two",
    ),
    "run that exists": (
        ["train", "--config", "good.yaml", "--run", "RUN"],
        "exists; continue it with --resume, replace it with --overwrite",
    ),
    "run that is not there": (["eval", "none"], "none does not exist; give a run folder or"),
    "run of something else": (["predict", ".", "text"], ". is no run folder: it has no best"),
    "part that is none": (["eval", "RUN", "--part", "tests"], "unknown part 'tests' (did you mean"),
    "ratio that is none": (["eval", "RUN", "--snr", "nan"], "--snr is nan dB; give a number"),
    "settings of no config": (
        ["eval", "RUN", "--set", "seed=1"],
        "--set changes the config of other data; give that config too, with --config",
    ),
    "recording that is not there": (["predict", "RUN", "x.mat"], "x.mat does not exist; give"),
    "rate that is none": (
        ["predict", "RUN", "text", "--sampling-rate", "-1"],
        "--sampling-rate is -1; give a positive number of Hz",
    ),
    "manifest that is none": (
        ["predict", "RUN", "bad.yaml"],
        "the manifest bad.yaml is no list; write one entry for each recording",
    ),
    "windows without rows": (
        ["predict", "RUN", "text", "--windows", "w.csv"],
        "--windows w.csv goes with the rows of --out, which is missing; give it",
    ),
    "one file for both": (
        ["predict", "RUN", "text", "--windows", "w.csv", "--out", "./w.csv"],
        "--out and --windows are both w.csv; give two files",
    ),
    "pattern without a folder": (
        ["predict", "RUN", "text", "--glob", "*.mat"],
        "--glob '*.mat' chooses files in folders, but no folder is given; give one, or",
    ),
    "pattern that is none": (
        ["predict", "RUN", ".", "--glob", "/x/*"],
        "--glob '/x/*' is no pattern of names below a folder; write one such as '*_DE.mat'",
    ),
    "pattern of nothing": (
        ["predict", "RUN", ".", "--glob", "*.matt"],
        ". holds no file that matches --glob '*.matt'; it holds files such as text, bad.yaml",
    ),
    "empty list": (["predict", "RUN", "-"], "the list of paths on stdin is empty; write one path"),
    "inspecting what is not there": (["inspect", "x.mat"], "x.mat does not exist"),
    "drawing two": (["inspect", "a", "b", "--plot", "x.png"], "--plot draws one recording, 2 were"),
    "starter that is none": (["init", "dmo"], "unknown starter 'dmo' (did you mean 'demo'?)"),
    "simulating over something": (["simulate", "--out", "."], "holds bad.yaml, which was not sim"),
}


@pytest.mark.parametrize(("words", "message"), ERRORS.values(), ids=ERRORS)
def test_errors_are_one_message_on_stderr(
    words: list[str],
    message: str,
    config_file: Path,
    trained: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(config_file.parent)
    config_file.rename("good.yaml")
    Path("text").write_text("just words")
    Path("bad.yaml").write_text("window: {length: long, stride: 1}\ntrain: {epochs: 0}\n")
    before = contents(config_file.parent) | contents(trained)
    refused(run(*(str(trained) if word == "RUN" else word for word in words)), message)
    assert contents(config_file.parent) | contents(trained) == before
