"""A training from config to run folder: what is left behind, and that it can be repeated."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import faultdiag
from faultdiag.api.train import train
from faultdiag.checkpoint import load
from faultdiag.config.schema import load_config
from faultdiag.datasets.base import sha256
from faultdiag.errors import FaultdiagError
from faultdiag.models.spec import spec_of
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.prepare import prepare
from faultdiag.system.locks import LOCK, HeldError
from faultdiag.training.loop import Trainer
from faultdiag.training.run_folder import ARTEFACTS
from faultdiag.training.session import Run
from faultdiag.training.specs import resolve_spec
from tests.data_fixtures import contents, tiny, tiny_config
from tests.training.runs import (
    Make,
    assert_same_weights,
    history,
    metrics,
    poison,
    refused,
    weights,
)

pytestmark = pytest.mark.usefixtures("no_figures")

PART_KEYS = {
    # The contract's,
    *("accuracy", "macro_f1", "windows", "recordings", "recording_accuracy"),
    *("false_alarm_rate", "missed_alarm_rate", "ece", "per_class", "confusion"),
    # and what was added to it.
    *("accuracy_interval", "balanced_accuracy", "macro_auroc", "recording"),
    *("balanced_accuracy_interval", "macro_f1_interval", "temperature"),
    *("ece_unscaled", "nll", "nll_unscaled", "reliability", "healthy_windows"),
}


def test_the_run_folder_holds_what_the_contract_says(trained: Path) -> None:
    assert {path.name for path in trained.iterdir()} == {
        *("config.yaml", "environment.json", "split.json", "history.jsonl", "best.pt", "last.pt"),
        *("metrics.json", "calibration.png", "curves.png", "confusion.png", "history.csv"),
        "MODEL_CARD.md",
    }
    # What a training that is under way has besides.
    assert set(ARTEFACTS) - {path.name for path in trained.iterdir()} == {
        "previous.pt",
        "source.pt",
        "adapted.pt",
        "chosen.pt",
    }
    for name in ("calibration.png", "curves.png", "confusion.png"):
        assert (trained / name).read_bytes().startswith(b"\x89PNG\r\n")


def test_metrics_hold_what_the_contract_says(trained: Path) -> None:
    found = metrics(trained)
    assert set(found) == {
        *("test", "valid", "split", "selection", "last", "novelty", "calibration"),
    }
    for part in ("test", "valid"):
        assert set(found[part]) == PART_KEYS
        assert set(found[part]["confusion"]) == {"labels", "matrix"}
        assert set(found[part]["per_class"]) == {"B", "IR", "N"}
        assert found[part]["recordings"] == 3
        counted = np.sum(found[part]["confusion"]["matrix"])
        assert found[part]["windows"] == counted
    assert set(found["split"]) == {
        *("strategy", "shared_samples", "leaking_test_windows", "valid_test_overlap"),
        *("disjoint_windows", "pairs", "leak", "leak_by_class", "duplicates", "notes"),
    }
    assert set(found["split"]["disjoint_windows"]) == {"train", "valid", "test"}
    assert found["split"]["shared_samples"] == 0
    assert found["test"]["accuracy"] == 1.0, "three sines are easy"
    assert found["test"]["false_alarm_rate"] == found["test"]["missed_alarm_rate"] == 0.0


def test_a_rate_without_a_denominator_is_null(brief: Make, tmp_path: Path) -> None:
    config = brief(data__select={"number": [105, 118]}, train__epochs=1)
    found = train(config, run=tmp_path / "run", device="cpu").metrics["test"]
    assert found["false_alarm_rate"] is found["missed_alarm_rate"] is None
    assert metrics(tmp_path / "run")["test"] == found


def test_what_else_is_written(trained: Path, recordings: Path, prepared_root: Path) -> None:
    config = tiny_config(recordings, prepared_root)
    assert load_config(trained / "config.yaml") == config
    environment = json.loads((trained / "environment.json").read_text())
    assert set(environment) == {
        *("versions", "platform", "device", "device_name", "threads"),
        *("commit", "processor", "extras"),
    }
    assert (environment["device"], environment["threads"]) == ("cpu", 1)
    lines = history(trained)
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert load(trained / "last.pt").epoch == 3
    best = load(trained)
    assert best.metrics["valid_accuracy"] == max(line["valid_accuracy"] for line in lines)
    split = json.loads((trained / "split.json").read_text())
    prepared = prepare(config)
    assert split["strategy"] == "within_recording"
    assert split["window"] == prepared.document["window"]
    for part in ("train", "valid", "test"):
        spans = [[s.recording, s.start, s.stop] for s in prepared.segments(part)]
        assert split["parts"][part] == spans
    assert {row["name"]: row["sha256"] for row in split["recordings"]} == {
        name: sha256(recordings / f"{name}.mat") for name in ("97", "105", "118")
    }


def test_a_training_gives_its_run(recordings: Path, prepared_root: Path, tmp_path: Path) -> None:
    seen: list[tuple[Prepared, list[str]]] = []
    folder = tmp_path / "deep" / "run"

    def on_prepared(prepared: Prepared) -> None:
        seen.append((prepared, [path.name for path in folder.iterdir()]))

    settings = tiny(recordings, prepared_root, train__epochs=2, train__batch_size=32)
    run = faultdiag.train(settings, run=str(folder), device="cpu", on_prepared=on_prepared)
    assert isinstance(run, Run)
    assert [names for _, names in seen] == [[LOCK]]
    assert not (folder / LOCK).exists()
    assert run.folder == folder
    assert run.metrics == metrics(folder)
    assert run.epochs == 2
    assert run.best_epoch == load(folder).epoch


def test_the_config_of_a_run_repeats_it(trained: Path, tmp_path: Path) -> None:
    again = train(trained / "config.yaml", run=tmp_path / "again", device="cpu")
    assert_same_weights(again.folder, trained)
    assert metrics(again.folder) == metrics(trained)
    assert history(again.folder) == history(trained)
    for name in ("config.yaml", "split.json"):
        assert (again.folder / name).read_bytes() == (trained / name).read_bytes()


def test_another_seed_gives_other_weights_on_the_same_split(
    brief: Make, whole: Path, tmp_path: Path
) -> None:
    other = train(brief(seed=1), run=tmp_path / "other", device="cpu").folder
    ours, theirs = weights(whole), weights(other)
    assert ours.keys() == theirs.keys()
    assert not any(
        torch.equal(ours[name], value)
        for name, value in theirs.items()
        if not name.endswith(("num_batches_tracked", "conv.bias"))  # which nothing is learnt of
    )
    splits = [json.loads((run / "split.json").read_text()) for run in (whole, other)]
    assert splits[0] == splits[1]
    assert splits[0]["seed"] is None


def test_an_existing_run_is_never_overwritten(brief: Make, whole: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(whole, tmp_path / "copy"))
    (copy / "notes.txt").write_text("mine")
    (copy / "plots").mkdir()
    before = contents(copy)
    config = brief(seed=2, train__epochs=2)
    refused(
        r"the run folder \S+copy exists; continue it with --resume, replace it with --overwrite, "
        r"or give another with --run",
        lambda: train(config, run=copy),
    )
    assert contents(copy) == before
    run = train(config, run=copy, device="cpu", overwrite=True)
    assert load_config(copy / "config.yaml") == config
    assert run.epochs == len(history(copy)) == 2
    assert (copy / "notes.txt").read_text() == "mine"
    assert (copy / "plots").is_dir()
    assert {p.name for p in copy.iterdir()} <= {*ARTEFACTS, "notes.txt", "plots"}


def test_a_run_is_replaced_only_once_everything_else_is_in_order(
    brief: Make, whole: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(whole, tmp_path / "copy"))
    before = contents(copy)

    def attempt(*places: Path, device: str = "cpu", **changes: Any) -> None:
        train(brief(*places, **changes), run=copy, device=device, overwrite=True)

    refused("unknown network", lambda: attempt(model__name="resnet"))
    refused("does not exist", lambda: attempt(tmp_path / "nowhere"))
    refused("unknown device 'tpu'", lambda: attempt(device="tpu"))
    refused(r"window\.length is 9", lambda: attempt(window__length=9))
    assert contents(copy) == before


def test_nothing_is_left_where_nothing_was_trained(
    brief: Make, recordings: Path, tmp_path: Path
) -> None:
    config = brief(recordings, tmp_path / "prepared", model__name="resnet")
    refused("unknown network 'resnet'", lambda: train(config, run=tmp_path / "run"))
    config = brief(recordings, tmp_path / "prepared", data__label="{what}")
    refused("names the fact 'what'", lambda: train(config, run=tmp_path / "run"))
    assert list(tmp_path.iterdir()) == []


def test_training_never_sees_the_test_part(
    brief: Make, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, "test")
    blind = train(brief(), run=tmp_path / "run", device="cpu").folder
    assert_same_weights(blind, whole)
    assert history(blind) == history(whole)
    assert metrics(blind)["valid"] == metrics(whole)["valid"]
    assert metrics(blind)["test"] != metrics(whole)["test"]


@pytest.mark.parametrize("part", ["train", "valid"])
def test_the_poison_works(
    part: str, brief: Make, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, part)
    run = train(brief(), run=tmp_path / "run", device="cpu")
    assert history(run.folder) != history(whole)


def test_the_default_folder(brief: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = brief(train__epochs=1)
    Path("pumps.yaml").write_text(config.to_yaml())
    assert train("pumps.yaml").folder == Path("runs/pumps")
    assert train(config).folder == Path("runs/cwru-cnn1d")
    assert {path.name for path in Path("runs").iterdir()} == {"pumps", "cwru-cnn1d"}


def test_threads_are_set_where_the_config_says_so(
    brief: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    for threads in (3, None):
        config = brief(train__threads=threads, train__epochs=1)
        train(config, run=tmp_path / str(threads), device="cpu")
    assert asked == [3]


def test_what_a_checkpoint_needs_to_build_the_network(recordings: Path, tmp_path: Path) -> None:
    slot = {"name": "eca", "after": [1]}
    config = tiny_config(recordings, tmp_path, model__attention=slot, data__channels=["DE", "FE"])
    spec = replace(resolve_spec(config), classes=7)
    assert spec_of(spec.document()) == spec
    assert spec.document() == {
        "name": "cnn1d",
        "channels": 2,
        "classes": 7,
        "length": 256,
        "attention": [slot],
        "representation": "raw",
        "sampling_rate": 12_000,
        "options": {"widths": [4, 8], "kernels": [7]},
    }


def test_several_channels_and_an_attention_block(brief: Make, tmp_path: Path) -> None:
    config = brief(
        data__channels=["FE", "DE"],
        model__attention={"name": "se", "after": [2], "residual": True},
        normalize="column_zscore",
        train__precision="bfloat16",
        train__epochs=1,
    )
    run = train(config, run=tmp_path / "run", device="cpu")
    source = load(run.folder)
    assert source.channels == ("FE", "DE")
    assert source.model["blocks.0.conv.weight"].shape == (4, 2, 7)
    assert np.shape(source.normalize["state"]["mean"]) == (2, 256)


def test_the_epoch_evaluated_is_the_best_not_the_last(brief: Make, tmp_path: Path) -> None:
    real = Trainer.learn

    def spoil(self: Trainer, *arguments: Any) -> tuple[float, float]:
        result = real(self, *arguments)
        if self.progress.epoch == 2:
            with torch.no_grad():
                for parameter in self.network.parameters():
                    parameter.zero_()
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "learn", spoil)
        finished = train(brief(), run=tmp_path / "run", device="cpu")
    rows = history(tmp_path / "run")
    best, last = rows[finished.best_epoch - 1], rows[-1]
    assert finished.metrics["selection"]["best_epoch"] == finished.best_epoch
    compared = finished.metrics["last"]["valid"]["accuracy"]
    assert compared == pytest.approx(last["valid_accuracy"])
    assert finished.best_epoch < 3
    assert last["valid_accuracy"] < best["valid_accuracy"]
    assert finished.metrics["valid"]["accuracy"] == pytest.approx(best["valid_accuracy"])


def test_a_run_that_fails_leaves_the_one_it_was_to_replace(
    brief: Make, whole: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(whole, tmp_path / "copy"))
    before = contents(copy)
    begun: list[str] = []
    with pytest.raises(FaultdiagError, match="the training loss is"):
        train(
            brief(train__learning_rate=1e30),
            run=copy,
            device="cpu",
            overwrite=True,
            on_begun=lambda: begun.append("begun"),
        )
    assert contents(copy) == before
    assert begun == []


def test_a_new_run_that_fails_leaves_nothing(brief: Make, tmp_path: Path) -> None:
    with pytest.raises(FaultdiagError, match="the training loss is"):
        train(brief(train__learning_rate=1e30), run=tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_a_run_that_replaces_another_keeps_nothing_of_it(
    brief: Make, whole: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(whole, tmp_path / "copy"))
    (copy / "curves.png").write_bytes(b"of the earlier run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("faultdiag.training.session.finish", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(brief(seed=4), run=copy, device="cpu", overwrite=True)
    assert not {"curves.png", "metrics.json"} & set(contents(copy))
    assert load(copy).config["seed"] == 4


def test_two_trainings_never_share_a_folder(
    recordings: Path, prepared_root: Path, tmp_path: Path
) -> None:
    """The second error names who holds the folder, and no byte of the first one's run changes."""
    folder = tmp_path / "run"
    first, second = (
        tiny(recordings, prepared_root, train__epochs=1, train__batch_size=32, seed=seed)
        for seed in (0, 1)
    )
    refusals: list[str] = []

    def start_the_second() -> None:
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        assert {"config.yaml", "split.json"} < before.keys()
        for how in ({}, {"overwrite": True}, {"resume": True}):
            with pytest.raises(HeldError) as error:
                train(second, run=folder, device="cpu", **how)
            refusals.append(str(error.value))
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

    train(first, run=folder, device="cpu", on_begun=start_the_second)
    assert len(refusals) == 3
    for message in refusals:
        assert re.match(rf"{re.escape(str(folder))} is being written by `.*` \(process", message)
        assert message.endswith("; wait until it has finished, or give another folder with --run")
    assert load_config(folder / "config.yaml").seed == 0
    assert load(folder / "best.pt").config["seed"] == 0
    assert not (folder / LOCK).exists()
