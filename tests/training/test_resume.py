"""Interrupted runs: what is left, and that going on ends where an uninterrupted one does."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from faultdiag import files
from faultdiag.checkpoint import load
from faultdiag.config import load_config
from faultdiag.training.loop import Trainer
from faultdiag.training.run import train
from tests.data_fixtures import contents, full_disk, write_recording
from tests.training.runs import Make, assert_same_run, metrics, refused

pytestmark = pytest.mark.usefixtures("no_figures")


def interrupt_in_epoch(epoch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C as soon as the epoch before this one is written."""
    real = Trainer.learn

    def learn(self: Trainer, *args: Any) -> Any:
        if self.progress.epoch + 1 == epoch:
            raise KeyboardInterrupt
        return real(self, *args)

    monkeypatch.setattr(Trainer, "learn", learn)


@pytest.mark.parametrize("after", [1, 3])
def test_an_interrupted_run_goes_on_to_the_same_end(
    after: int, brief: Make, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        interrupt_in_epoch(after, patch)
        with pytest.raises(KeyboardInterrupt):
            train(brief(), run=folder, device="cpu")
    left = {"config.yaml", "environment.json", "split.json"}
    if after > 1:
        left |= {"history.jsonl", "best.pt", "last.pt"}
    assert {path.name for path in folder.iterdir()} == left
    torch.manual_seed(99)
    train(brief(), run=folder, device="cpu", resume=True)
    assert_same_run(folder, whole)


@pytest.mark.parametrize(
    ("moment", "left"),
    [
        # In the first epoch best.pt, last.pt and history.jsonl are written in this order.
        ((".pt", 1), set()),
        ((".pt", 2), {"best.pt"}),
        ((".jsonl", 1), {"best.pt", "last.pt"}),
        ((".jsonl", 3), {"best.pt", "last.pt", "history.jsonl"}),
    ],
)
def test_interrupted_while_a_file_is_written(
    moment: tuple[str, int], left: set[str], brief: Make, whole: Path, tmp_path: Path
) -> None:
    suffix, number = moment
    folder = tmp_path / "run"
    written: list[Path] = []

    def force(path: Path) -> None:
        written.extend([path] if path.suffix == suffix else [])
        if len(written) == number:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_force_to_disk", force)
        with pytest.raises(KeyboardInterrupt):
            train(brief(), run=folder, device="cpu")
    found = {path.name for path in folder.iterdir()}
    assert found == left | {"config.yaml", "environment.json", "split.json"}
    train(brief(), run=folder, device="cpu", resume=True)
    assert_same_run(folder, whole)


def test_resuming_where_there_is_nothing_starts_fresh(
    brief: Make, whole: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "none"):
        run = train(brief(), run=tmp_path / name, device="cpu", resume=True)
        assert_same_run(run.folder, whole)


def test_resuming_a_finished_run_changes_nothing(whole: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(whole, tmp_path / "copy"))
    before = contents(copy)
    resumed = train(copy / "config.yaml", run=copy, device="cpu", resume=True)
    assert resumed.metrics == metrics(whole)
    assert (resumed.best_epoch, resumed.epochs) == (load(whole).epoch, 3)
    assert contents(copy) == before


def test_resuming_for_more_epochs_gives_what_so_many_would_have_given(
    brief: Make, whole: Path, tmp_path: Path
) -> None:
    more = brief(train__epochs=5)
    once = train(more, run=tmp_path / "once", device="cpu")
    copy = Path(shutil.copytree(whole, tmp_path / "copy"))
    train(more, run=copy, device="cpu", resume=True)
    assert_same_run(copy, once.folder)
    assert load_config(copy / "config.yaml") == more


def test_resuming_on_data_that_was_moved(
    brief: Make, whole: Path, recordings: Path, tmp_path: Path
) -> None:
    moved = Path(shutil.copytree(recordings, tmp_path / "moved"))
    copy = Path(shutil.copytree(whole, tmp_path / "copy"))
    config = brief(moved, tmp_path / "prepared")
    assert train(config, run=copy, device="cpu", resume=True).metrics == metrics(whole)
    split = json.loads((copy / "split.json").read_text())
    assert split["recordings"][0]["source"] == str(moved / "97.mat")


def test_what_cannot_be_resumed(brief: Make, whole: Path, recordings: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(whole, tmp_path / "copy"))
    before = contents(copy)

    def resume(*places: Path, **changes: Any) -> None:
        train(brief(*places, **changes), run=copy, device="cpu", resume=True)

    refused(
        r"last\.pt was trained with another config: seed is 4, there 0; train\.learning_rate is "
        r"0\.5, there 0\.005; give \S+copy/config\.yaml, or start anew with --overwrite",
        lambda: resume(seed=4, train__learning_rate=0.5),
    )
    refused(
        r"another config: model\.attention\.after is \[2\], there None; model\.attention\.name is "
        r"eca, there None; give",
        lambda: resume(model__attention={"name": "eca", "after": [2]}),
    )
    refused(
        r"last\.pt has 3 epochs behind it and train\.epochs is 2; give as many or more, or start",
        lambda: resume(train__epochs=2),
    )
    mine = Path(shutil.copytree(recordings, tmp_path / "mine"))
    write_recording(mine / "118.mat", 118, seed=5)
    refused(
        r"the data is not what the run was trained on: \S+mine/118\.mat has changed; restore it, "
        r"or start anew with --overwrite",
        lambda: resume(mine),
    )
    assert contents(copy) == before


def test_a_disk_that_fills_up_leaves_whole_files(brief: Make, whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with full_disk(10_000):
        refused(
            r"cannot write \S+last\.pt: File too large; .*nothing was changed",
            lambda: train(brief(), run=folder, device="cpu"),
        )
    assert {path.name for path in folder.iterdir()} == {
        *("config.yaml", "environment.json", "split.json", "best.pt"),
    }
    assert load(folder).epoch == 1
    train(brief(), run=folder, device="cpu", resume=True)
    assert_same_run(folder, whole)
