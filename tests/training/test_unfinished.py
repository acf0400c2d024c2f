"""`eval` of a run that was interrupted says so, and of a finished one it doesn't."""

import json
import shlex
import shutil
from pathlib import Path

import pytest

from faultdiag.api.train import train
from faultdiag.checkpoint import load
from faultdiag.training.run_folder import unfinished_note
from tests.commands import run
from tests.training.runs import Make
from tests.training.test_resume import interrupt_in_epoch

pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.fixture
def interrupted(brief: Make, tmp_path: Path) -> Path:
    folder = tmp_path / "my run"
    with pytest.MonkeyPatch.context() as patch:
        interrupt_in_epoch(3, patch)
        with pytest.raises(KeyboardInterrupt):
            train(brief(), run=folder, device="cpu")
    return folder


def test_an_interrupted_run_is_evaluated_with_a_warning(interrupted: Path) -> None:
    best = load(interrupted).epoch
    result = run("eval", interrupted, "--json", "--device", "cpu")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["test"]["temperature"] == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(
        f"warning: {interrupted} is not finished: 2 of 3 epochs are trained, best.pt is from epoch "
        f"{best} and its confidences are not yet calibrated; resume with: faultdiag train --config "
    )
    command = shlex.split(line.rpartition("resume with: faultdiag ")[2])
    assert run(*command).exit_code == 0
    assert run("eval", interrupted, "--device", "cpu").stderr == ""


def test_a_finished_run_needs_no_warning(whole: Path, tmp_path: Path) -> None:
    best = load(whole)
    assert unfinished_note(whole, best) is None
    # Of before the selection was written.
    copy = Path(shutil.copytree(whole, tmp_path / "copy"))
    document = json.loads((copy / "metrics.json").read_text())
    del document["selection"]
    (copy / "metrics.json").write_text(json.dumps(document))
    assert unfinished_note(copy, best) is None
    # Checkpoints without a run.
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(whole / "best.pt", alone)
    assert unfinished_note(alone, best) is None


def test_a_run_that_went_on_is_unfinished_again(
    brief: Make, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(whole, tmp_path / "copy"))
    interrupt_in_epoch(5, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train(brief(train__epochs=6), run=copy, device="cpu", resume=True)
    note = unfinished_note(copy, load(copy))
    assert note is not None
    assert "4 of " in note


@pytest.mark.parametrize("text", ["{", "[]", '{"selection": {"last_epoch": null}}'])
def test_metrics_that_cannot_be_read_are_none(text: str, whole: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(whole, tmp_path / "copy"))
    (copy / "metrics.json").write_text(text)
    (copy / "history.jsonl").unlink()
    assert "is not finished" in (unfinished_note(copy, load(copy)) or "")
