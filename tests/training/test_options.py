"""Options of the training: each one changes the weights, and does what it says."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from faultdiag import models
from faultdiag.api.train import train
from faultdiag.checkpoint import load
from faultdiag.config.schema import Config
from faultdiag.errors import FaultdiagError
from faultdiag.inference import WindowBatches
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.prepare import prepare
from faultdiag.training.loop import Trainer, last_gain, trainer_settings
from faultdiag.training.specs import complete_spec, resolve_spec
from faultdiag.training.step import Step, batch_sizes
from tests.data_fixtures import tiny_config
from tests.training.runs import Make, history, refused

pytestmark = pytest.mark.usefixtures("no_figures")
CPU = torch.device("cpu")

CHANGES: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 16,
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "l2": 0.1,
    "schedule": "cosine",
    "warmup_epochs": 2.0,
    "clip_gradient": 0.01,
    "label_smoothing": 0.3,
    "trim": 0.3,
    "steps": 5,
    "balance": "sampling",
    "augment": {"sign": True},
    "running_statistics": "published",
    "precision": "bfloat16",
}
# What acts on a GPU alone, on the run folder, on speed, or only with others.
ELSEWHERE = {
    *("deterministic", "graphs", "tensorboard", "mlflow", "threads"),
    *("momentum", "early_stopping", "keep", "refit"),
}


@pytest.fixture
def config(recordings: Path, prepared_root: Path) -> Any:
    def make(**changes: Any) -> Config:
        return tiny_config(recordings, prepared_root, **changes)

    return make


def trained(prepared: Prepared, config: Config) -> tuple[dict[str, torch.Tensor], Trainer]:
    torch.manual_seed(0)
    network = models.build("cnn1d", 1, 3, length=256, widths=[4, 8], kernels=[7])
    parts = (WindowBatches(prepared, prepared.windows.of(p), CPU) for p in ("train", "valid"))
    trainer = Trainer(
        network, *parts, trainer_settings(config), segments=prepared.segments("train")
    )
    trainer.fit(lambda *_: None)
    return network.state_dict(), trainer


def test_every_option_changes_the_weights(prepared: Prepared, config: Any) -> None:
    plain, _ = trained(prepared, config())
    assert set(CHANGES) | ELSEWHERE == set(type(config().train).model_fields)
    for name, value in CHANGES.items():
        weights, _ = trained(prepared, config(**{f"train__{name}": value}))
        differs = [key for key in plain if not torch.equal(plain[key], weights[key])]
        assert differs, name
    again, _ = trained(prepared, config())
    assert all(torch.equal(plain[key], again[key]) for key in plain)


@pytest.mark.parametrize("steps", [1, 5, 8])
def test_so_many_steps_are_trained(steps: int, prepared: Prepared, config: Any) -> None:
    shape = {"train__batch_size": 32, "train__schedule": "cosine"}
    _, trainer = trained(prepared, config(train__steps=steps, **shape))
    per_epoch = -(-len(trainer.train) // 32)
    epochs, rest = divmod(steps, per_epoch)
    assert trainer.progress.epoch == epochs + bool(rest)
    done = [int(state["step"]) for state in trainer.optimizer.state.values()]
    assert set(done) == {steps}
    # The schedule ends with the last step, a part of an epoch or not.
    rate = trainer.settings.learning_rate * (1 + math.cos(math.pi * (steps - 1) / steps)) / 2
    assert trainer.progress.history[-1]["learning_rate"] == pytest.approx(rate)


def test_whole_epochs_in_steps_are_those_epochs(prepared: Prepared, config: Any) -> None:
    plain, trainer = trained(prepared, config(train__epochs=2))
    steps = 2 * -(-len(trainer.train) // trainer.settings.batch_size)
    same, _ = trained(prepared, config(train__steps=steps))
    assert all(torch.equal(plain[key], same[key]) for key in plain)


def test_a_step_leaves_out_the_windows_of_largest_loss(prepared: Prepared) -> None:
    logits = torch.randn(10, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.arange(10) % 3
    train = WindowBatches(prepared, prepared.windows.of("train"), CPU)
    options: dict[str, Any] = {"precision": "float32", "clip_gradient": None, "balance": None}
    step = Step(
        torch.nn.Identity(),
        train,
        torch.optim.SGD([logits]),
        trim=0.25,
        label_smoothing=0.1,
        **options,
    )
    plain = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    smooth = torch.nn.functional.cross_entropy(
        logits, labels, reduction="none", label_smoothing=0.1
    )
    kept = plain.argsort()[:8]  # a quarter of 10, rounded down, is left out
    torch.testing.assert_close(step._loss(logits, labels), smooth[kept].mean())


@pytest.mark.parametrize("keep", ["best", "last"])
def test_the_epoch_that_is_kept(
    keep: str, recordings: Path, prepared_root: Path, tmp_path: Path
) -> None:
    # So large a rate that the last epoch is not the best one.
    config = tiny_config(
        recordings,
        prepared_root,
        train__epochs=4,
        train__keep=keep,
        train__learning_rate=0.3,
    )
    run = train(config, run=tmp_path / "run", device="cpu")
    best, last = (load(tmp_path / "run" / f"{name}.pt") for name in ("best", "last"))
    rows = history(tmp_path / "run")
    first = max(rows, key=lambda row: (row["valid_accuracy"], -row["valid_loss"]))["epoch"]
    assert first < 4
    assert best.epoch == run.best_epoch == (4 if keep == "last" else first)
    assert last.epoch == 4
    chosen_by = run.metrics["selection"]["chosen_by"]
    assert chosen_by == ("last epoch" if keep == "last" else "valid accuracy, then loss")


def test_a_refit_is_trained_on_both_parts_and_judged_by_the_model_before(
    recordings: Path, prepared_root: Path, tmp_path: Path
) -> None:
    changes = {"train__epochs": 3, "train__keep": "last"}
    plain = train(
        tiny_config(recordings, prepared_root, **changes), run=tmp_path / "plain", device="cpu"
    )
    config = tiny_config(recordings, prepared_root, train__refit=True, **changes)
    run = train(config, run=tmp_path / "refit", device="cpu")
    chosen, best, before = (
        load(tmp_path / name) for name in ("refit/chosen.pt", "refit/best.pt", "plain/best.pt")
    )
    assert all(torch.equal(value, before.model[key]) for key, value in chosen.model.items())
    assert not all(torch.equal(value, best.model[key]) for key, value in chosen.model.items())
    assert best.temperature == before.temperature
    assert run.metrics["valid"] == plain.metrics["valid"]
    assert run.metrics["selection"]["refit"]
    assert "refit" not in plain.metrics["selection"]
    again = train(config, run=tmp_path / "refit", device="cpu", resume=True)
    assert again.metrics == run.metrics
    # As many steps as before, on the windows of both parts.
    prepared = prepare(config)
    both = prepared.windows.take(prepared.windows.part < 2)
    steps = 3 * len(batch_sizes(len(prepared.windows.of("train")), config.train.batch_size))
    settings = replace(trainer_settings(config), steps=steps)
    torch.manual_seed(config.seed)
    network = complete_spec(resolve_spec(config), prepared)[0].build()
    Trainer(network, WindowBatches(prepared, both, CPU), None, settings).fit(lambda *_: None)
    assert all(torch.equal(v, best.model[k]) for k, v in network.state_dict().items())


def test_momentum_changes_sgd(prepared: Prepared, config: Any) -> None:
    found = [
        trained(prepared, config(train__optimizer="sgd", train__momentum=m))[0] for m in (0.0, 0.5)
    ]
    assert any(not torch.equal(found[0][key], found[1][key]) for key in found[0])


def test_weights_of_classes_change_the_loss_of_unequal_classes(
    recordings: Path, tmp_path: Path
) -> None:
    # Classes of one and of two recordings.
    select = {"number": [97, 105, 118]}
    changes: dict[str, Any] = {"data__label": "{end}-{size}", "data__select": select}
    config = tiny_config(recordings, tmp_path, **changes)
    data = prepare(config)
    counts = np.bincount(data.windows.of("train").label)
    assert counts.min() < counts.max()
    rows = {}
    for balance in ("none", "weights", "sampling"):
        chosen = tiny_config(recordings, tmp_path, **changes, train__balance=balance)
        torch.manual_seed(0)
        network = models.build(
            "cnn1d", 1, len(data.classes), length=256, widths=[4, 8], kernels=[7]
        )
        parts = (WindowBatches(data, data.windows.of(p), CPU) for p in ("train", "valid"))
        trainer = Trainer(network, *parts, trainer_settings(chosen))
        rows[balance] = trainer.learn()
    assert len({loss for loss, _ in rows.values()}) == 3


def test_the_schedule_is_in_the_history(prepared: Prepared, config: Any) -> None:
    _, trainer = trained(
        prepared, config(train__epochs=4, train__schedule={"name": "cosine", "final": 0.1})
    )
    rates = [row["learning_rate"] for row in trainer.progress.history]
    assert rates == sorted(rates, reverse=True)
    assert 0.1 * 0.005 < rates[-1] < 0.12 * 0.005


def test_training_stops_when_validation_does_not_get_better(brief: Make, tmp_path: Path) -> None:
    options = {"train__epochs": 40, "train__early_stopping": 2}
    run = train(brief(**options), run=tmp_path / "run", device="cpu")
    rows = history(run.folder)
    windows = run.metrics["split"]["disjoint_windows"]["valid"]
    assert run.epochs == last_gain(rows, windows) + 2 < 40
    whole = train(brief(train__epochs=run.epochs), run=tmp_path / "whole", device="cpu")
    assert history(run.folder) == history(whole.folder)
    # Going on with it changes nothing.
    again = train(brief(**options), run=tmp_path / "run", device="cpu", resume=True)
    assert (again.epochs, again.metrics) == (run.epochs, run.metrics)


def test_gradients_are_clipped_before_the_step(prepared: Prepared, config: Any) -> None:
    """Plain SGD without momentum: the weights move by the rate times the clipped norm."""
    changes = {"train__optimizer": "sgd", "train__momentum": 0.0, "train__l2": 0.0}
    chosen = config(**changes, train__clip_gradient=1e-3, train__learning_rate=1.0)
    torch.manual_seed(0)
    network = models.build("cnn1d", 1, 3, length=256, widths=[4, 8], kernels=[7])
    before = [p.detach().clone() for p in network.parameters()]
    some = prepared.windows.of("train").take(slice(0, 8))
    batches = WindowBatches(prepared, some, CPU)
    Trainer(network, batches, batches, trainer_settings(chosen)).learn()
    moved = [
        (p.detach() - b).square().sum() for p, b in zip(network.parameters(), before, strict=True)
    ]
    assert torch.stack(moved).sum().sqrt().item() == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize(("package", "value"), [("tensorboard", True), ("mlflow", "mlruns")])
def test_a_logger_that_is_not_installed(
    brief: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, value: object
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    config = brief(**{f"train__{package}": value})
    refused(
        rf"train\.{package} is set, but {package} is not installed; install it with: pip install "
        rf"'faultdiag\[{package}\]', or leave it out",
        lambda: train(config, run=tmp_path / "run", device="cpu"),
    )
    assert not (tmp_path / "run").exists()


def test_events_for_tensorboard(brief: Make, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    train(brief(train__tensorboard=True, train__epochs=1), run=tmp_path / "run", device="cpu")
    assert list((tmp_path / "run" / "tensorboard").glob("events.out.tfevents.*"))


def test_a_run_of_mlflow(brief: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    store = tmp_path / "mlruns"
    config = brief(train__mlflow=str(store), train__epochs=2)
    made = train(config, run=tmp_path / "run", device="cpu")
    client = mlflow.MlflowClient(tracking_uri=store.as_uri())
    (experiment,) = [e for e in client.search_experiments() if e.name == "faultdiag"]
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    losses = client.get_metric_history(run.info.run_id, "train_loss")
    assert [(m.step, m.value) for m in losses] == [
        (row["epoch"], row["train_loss"]) for row in history(made.folder)
    ]
    assert run.data.metrics["test_accuracy"] == made.metrics["test"]["accuracy"]
    assert run.data.params["train.epochs"] == "2"


def test_a_finished_run_that_mlflow_does_not_take(
    brief: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise FaultdiagError("the store is full")

    monkeypatch.setattr("faultdiag.training.session.require_loggers", lambda _: None)
    monkeypatch.setattr("faultdiag.training.session.write_mlflow_run", full)
    folder = tmp_path / "run"
    made = train(brief(train__mlflow="mlruns", train__epochs=1), run=folder, device="cpu")
    assert json.loads((folder / "metrics.json").read_text())["test"] == made.metrics["test"]
    expected = f"the run is complete in {folder}; it was not written to MLflow: the store is full"
    assert expected in caplog.messages


def test_a_store_that_is_a_file(brief: Make, tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    store = tmp_path / "mlruns"
    store.write_text("")
    refused(
        rf"train\.mlflow is {store}, which MLflow can't use: .*; give a folder or a tracking",
        lambda: train(brief(train__mlflow=str(store)), run=tmp_path / "run", device="cpu"),
    )


def test_a_store_that_mlflow_can_not_open(brief: Make, tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    refused(
        r"train\.mlflow is nowhere://x, which MLflow can't use: .*; give a folder or a tracking",
        lambda: train(brief(train__mlflow="nowhere://x"), run=tmp_path / "run", device="cpu"),
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("augment", {"snr": [5, -5]}, r"train\.augment\.snr: found \[5.*\]; write two numbers"),
        ("augment", {"gain": [0, 2]}, r"train\.augment\.gain: found \[0.*\]; a gain is above 0"),
        ("augment", {"kinds": ["pinc"], "snr": [0, 9]}, r"kinds: unknown noise 'pinc' \(did you"),
        ("augment", {"kinds": ["pink"]}, r"train\.augment: kinds is \[pink\], and without snr no"),
        ("augment", {"snr": [0, 200]}, r"train\.augment\.snr: found .* from -100 to 100 dB"),
        ("augment", {"sihft": 5}, r"train\.augment\.sihft: unknown key \(did you mean 'shift'"),
        ("schedule", 3, r"train\.schedule: found 3; write a name, or \{name: cosine"),
        ("warmup_epochs", 9.0, r"train\.warmup_epochs is 9, above train\.epochs, which is 3"),
        ("deterministic", 1, r"train\.deterministic is 1; write true or false"),
        ("label_smoothing", 1.0, r"train\.label_smoothing is 1\.0; it must be below 1"),
    ],
)
def test_wrong_options(key: str, value: Any, message: str, config: Any) -> None:
    with pytest.raises(FaultdiagError, match=message):
        config(**{f"train__{key}": value})
