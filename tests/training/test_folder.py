"""The run folder: which may be written to, and the command that goes on with it."""

import json
import shlex
import shutil
from pathlib import Path

import pytest
import torch

from faultdiag.errors import FaultdiagError
from faultdiag.preparing.prepare import prepare
from faultdiag.training.run_folder import (
    ARTEFACTS,
    begin,
    clear,
    environment,
    last_state,
    require_free,
    resume_notes,
    split_document,
    train_command,
)
from tests.data_fixtures import contents, tiny_config


def test_folders_that_are_free(tmp_path: Path, trained: Path) -> None:
    for overwrite, resume in ((False, False), (True, False), (False, True)):
        require_free(tmp_path / "none", overwrite=overwrite, resume=resume)
        require_free(tmp_path, overwrite=overwrite, resume=resume)
    require_free(trained, overwrite=True, resume=False)
    require_free(trained, overwrite=False, resume=True)


@pytest.mark.parametrize(("overwrite", "resume"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize(
    "files",
    [
        {"config.yaml": "mine"},
        {"environment.json": "{}", "config.yaml": ""},
        {"environment.json": "no JSON"},
        {"environment.json": '["versions"]', "best.pt": ""},
        {"environment.json": '{"versions": null}'},
        {"a": "", "b": "", "c": "", "d": ""},
    ],
    ids=["config", "environment", "text", "list", "null", "many"],
)
def test_a_folder_of_something_else_is_never_touched(
    files: dict[str, str], overwrite: bool, resume: bool, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    before = contents(tmp_path)
    named = ", ".join(sorted(files)[:3]) + (", …" if len(files) > 3 else "")
    with pytest.raises(
        FaultdiagError,
        match=rf"--run \S+ is a folder of other files \({named}\); give a new folder",
    ):
        require_free(tmp_path, overwrite=overwrite, resume=resume)
    assert contents(tmp_path) == before


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    for overwrite, resume in ((False, False), (True, False), (False, True)):
        with pytest.raises(FaultdiagError, match=r"--run \S+run is a file; give a folder"):
            require_free(tmp_path / "run", overwrite=overwrite, resume=resume)


def test_going_on_and_replacing_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(
        FaultdiagError, match="--resume continues a run and --overwrite replaces it; give one"
    ):
        require_free(tmp_path, overwrite=True, resume=True)


def test_a_run_whose_last_state_was_taken(trained: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(trained, tmp_path / "copy"))
    (copy / "last.pt").unlink()
    message = r"can't be resumed: it has a metrics\.json but no last\.pt; start again with"
    with pytest.raises(FaultdiagError, match=message):
        require_free(copy, overwrite=False, resume=True)
    require_free(copy, overwrite=True, resume=False)


def test_clearing_takes_a_runs_own_files(trained: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(trained, tmp_path / "copy"))
    (copy / "diagnoses.csv").write_text("mine")
    clear(copy)
    # What marks it as a run stays: an interrupt here leaves no folder of something else.
    assert {path.name for path in copy.iterdir()} == {"environment.json", "diagnoses.csv"}
    require_free(copy, overwrite=True, resume=False)
    clear(tmp_path / "none")


def test_the_mark_of_a_run_is_written_first(
    recordings: Path, prepared_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from faultdiag.training import run_folder

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_folder, "write_text", interrupted)
    config = tiny_config(recordings, prepared_root)
    with pytest.raises(KeyboardInterrupt):
        begin(tmp_path / "run", config, split_document(prepare(config)), torch.device("cpu"))
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["environment.json"]
    require_free(tmp_path / "run", overwrite=False, resume=True)


def test_a_folder_that_cannot_be_made(
    recordings: Path, prepared_root: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    config = tiny_config(recordings, prepared_root)
    with pytest.raises(
        FaultdiagError, match=r"cannot make --run \S+file/run: Not a directory; give another folder"
    ):
        begin(
            tmp_path / "file" / "run", config, split_document(prepare(config)), torch.device("cpu")
        )


def test_a_last_checkpoint_without_its_state(
    trained: Path, recordings: Path, prepared_root: Path, tmp_path: Path
) -> None:
    shutil.copy(trained / "best.pt", tmp_path / "last.pt")
    config = tiny_config(recordings, prepared_root)
    with pytest.raises(
        FaultdiagError, match=r"last\.pt holds no training state \(a copy of best\.pt\?\);"
    ):
        last_state(tmp_path, config, prepare(config))
    assert last_state(tmp_path / "none", config, prepare(config)) is None


def test_the_environment_of_a_run() -> None:
    found = environment(torch.device("cpu"))
    assert found["device"] == "cpu"
    assert found["device_name"]
    assert found["threads"] == torch.get_num_threads()
    assert set(found["versions"]) >= {"python", "torch", "faultdiag"}
    assert json.loads(json.dumps(found)) == found


def test_what_a_resumed_run_can_not_promise(tmp_path: Path) -> None:
    device = torch.device("cpu")
    now = environment(device)
    path = tmp_path / "environment.json"
    path.write_text(json.dumps(now))
    assert resume_notes(tmp_path, device) == []
    for key, before, words in (
        ("threads", 99, f"threads {now['threads']} (before 99)"),
        ("device", "cuda", "device cpu (before cuda)"),
        ("device_name", "NVIDIA H100", f"device {now['device_name']} (before NVIDIA H100)"),
        ("processor", "a Z80", f"processor {now['processor']} (before a Z80)"),
        (
            "versions",
            {**now["versions"], "torch": "1.0"},
            f"torch {now['versions']['torch']} (before 1.0)",
        ),
    ):
        path.write_text(json.dumps({**now, key: before}))
        (note,) = resume_notes(tmp_path, device)
        assert f"{tmp_path} is resumed with {words}: its weights may differ in their last" in note
    for nothing in ("{}", "[]", "no JSON"):
        path.write_text(nothing)
        assert resume_notes(tmp_path, device) == []


def test_the_command_can_be_pasted_into_a_shell() -> None:
    settings = ["model.attention={name: eca, after: [2]}", "seed=1"]
    command = train_command(Path("my configs/a.yaml"), settings, Path("runs/a b"), "--resume")
    assert shlex.split(command) == [
        *("faultdiag", "train", "--config", "my configs/a.yaml"),
        *("--set", "model.attention={name: eca, after: [2]}", "--set", "seed=1"),
        *("--run", "runs/a b", "--resume"),
    ]


def test_the_files_of_a_run() -> None:
    assert len(set(ARTEFACTS)) == len(ARTEFACTS) == 16
