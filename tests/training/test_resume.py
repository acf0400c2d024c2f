"""Interrupted runs: what is left, and that going on ends where an uninterrupted one does."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from faultdiag.api.train import train
from faultdiag.checkpoint import Checkpoint, load
from faultdiag.config.schema import load_config
from faultdiag.system import files
from faultdiag.training import session as running
from faultdiag.training.loop import Trainer
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
        left |= {"history.jsonl", "history.csv", "best.pt", "last.pt", "previous.pt"}
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
        (
            (".jsonl", 3),
            {"best.pt", "last.pt", "previous.pt", "history.jsonl", "history.csv"},
        ),
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
        patch.setattr(files, "sync", force)
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
        r"0\.5, there 0\.005; give \S+copy/config\.yaml and --set for what that does not state, "
        r"or start again with --overwrite",
        lambda: resume(seed=4, train__learning_rate=0.5),
    )
    refused(
        r"another config: model\.attention\.after is \[2\], there None; model\.attention\.name is "
        r"eca, there None; give",
        lambda: resume(model__attention={"name": "eca", "after": [2]}),
    )
    refused(
        r"last\.pt was trained for 3 epochs and train\.epochs is 2; set 3 or more, or start",
        lambda: resume(train__epochs=2),
    )
    mine = Path(shutil.copytree(recordings, tmp_path / "mine"))
    write_recording(mine / "118.mat", 118, seed=5)
    refused(
        r"the data is not what the run was trained on: \S+mine/118\.mat has changed; restore it, "
        r"or start again with --overwrite",
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


def test_a_disk_that_fills_up_later_leaves_the_last_good_checkpoint(
    brief: Make, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = running.save_last

    def save_last(folder: Path, checkpoint: Checkpoint) -> None:
        with full_disk(10_000 if checkpoint.epoch == 2 else 2**30):
            real(folder, checkpoint)

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(running, "save_last", save_last)
        refused(
            r"cannot write \S+last\.pt: File too large; .*nothing was changed",
            lambda: train(brief(), run=folder, device="cpu"),
        )
    assert load(folder / "last.pt").epoch == 1
    assert not list(folder.glob(".*"))
    train(brief(), run=folder, device="cpu", resume=True)
    assert_same_run(folder, whole)


@pytest.mark.parametrize("step", [1, 4])
def test_an_interrupt_within_an_epoch_saves_and_goes_on_at_that_step(
    step: int, brief: Make, tmp_path: Path
) -> None:
    """With everything that has a state or draws: dropout, augmentation, schedule, clipping."""
    changes: dict[str, Any] = {
        "model__dropout": 0.3,
        "train__augment": {"shift": 20, "snr": [0, 10], "mask": 0.2},
        "train__schedule": "one_cycle",
        "train__warmup_epochs": 0.5,
        "train__clip_gradient": 1.0,
        "train__balance": "sampling",
    }
    whole = train(brief(**changes), run=tmp_path / "whole", device="cpu")
    folder = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, epoch=2, step=step)
        with pytest.raises(KeyboardInterrupt):
            train(brief(**changes), run=folder, device="cpu")
    last = load(folder / "last.pt")
    assert last.training is not None
    assert (last.epoch, len(last.training["steps"])) == (1, step)
    torch.manual_seed(99)
    train(brief(**changes), run=folder, device="cpu", resume=True)
    assert_same_run(folder, whole.folder)


def stop_after(patch: pytest.MonkeyPatch, epoch: int, step: int) -> None:
    """Send SIGINT while a step is under way."""
    real = Trainer._step

    def counted(self: Trainer, rows: torch.Tensor) -> torch.Tensor:
        if (self.progress.epoch + 1, self._done + 1) == (epoch, step):
            os.kill(os.getpid(), signal.SIGINT)
        return real(self, rows)

    patch.setattr(Trainer, "_step", counted)


def test_an_interrupt_in_the_first_epoch_is_resumed_too(
    brief: Make, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, epoch=1, step=2)
        with pytest.raises(KeyboardInterrupt):
            train(brief(), run=folder, device="cpu")
    assert "stopping after this step; interrupt again to stop at once" in capsys.readouterr().err
    assert {path.name for path in folder.iterdir()} == {
        *("config.yaml", "environment.json", "split.json", "last.pt"),
    }
    train(brief(), run=folder, device="cpu", resume=True)
    assert_same_run(folder, whole)


def test_a_run_to_be_replaced_stays_if_its_successor_is_stopped_at_once(
    brief: Make, whole: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(whole, tmp_path / "copy"))
    before = contents(copy)
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, epoch=1, step=2)
        with pytest.raises(KeyboardInterrupt):
            train(brief(seed=3), run=copy, device="cpu", overwrite=True)
    assert contents(copy) == before


def test_a_long_epoch_is_saved_now_and_then(
    brief: Make, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "SAVE_EVERY", 0.0)
    seen: list[int] = []
    real = running.save_last

    def save_last(folder: Path, checkpoint: Checkpoint) -> None:
        assert checkpoint.training is not None
        seen.append(len(checkpoint.training["steps"]))
        real(folder, checkpoint)

    monkeypatch.setattr(running, "save_last", save_last)
    run = train(brief(), run=tmp_path / "run", device="cpu")
    assert seen[:3] == [1, 2, 3]
    assert seen.count(0) == 3  # at the end of each epoch
    assert_same_run(run.folder, whole)


@pytest.mark.parametrize("damage", ["cut", "empty", "zeros"])
def test_a_damaged_last_state_falls_back_to_the_one_before(
    damage: str, brief: Make, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        interrupt_in_epoch(3, patch)
        with pytest.raises(KeyboardInterrupt):
            train(brief(), run=folder, device="cpu")
    assert [load(folder / name).epoch for name in ("previous.pt", "last.pt")] == [1, 2]
    content = (folder / "last.pt").read_bytes()
    spoiled = {"cut": content[:-100], "empty": b"", "zeros": bytes(len(content))}
    (folder / "last.pt").write_bytes(spoiled[damage])
    train(brief(), run=folder, device="cpu", resume=True)
    assert f"resuming from {folder / 'previous.pt'}, after epoch 1" in capsys.readouterr().err
    assert_same_run(folder, whole)


def test_a_state_without_its_best_weights_is_refused(
    brief: Make, whole: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(whole, tmp_path / "copy"))
    (copy / "best.pt").unlink()
    refused(
        r"copy can't be resumed: it has a last\.pt but no best\.pt; start again with --overwrite",
        lambda: train(brief(), run=copy, device="cpu", resume=True),
    )


def test_more_epochs_of_a_schedule_that_ends_with_the_last(brief: Make, tmp_path: Path) -> None:
    short = brief(train__schedule="cosine", train__epochs=1)
    train(short, run=tmp_path / "run", device="cpu")
    refused(
        r"was trained for train\.epochs 1 and now it is 2; the schedule 'cosine' ends",
        lambda: train(
            brief(train__schedule="cosine", train__epochs=2),
            run=tmp_path / "run",
            device="cpu",
            resume=True,
        ),
    )
