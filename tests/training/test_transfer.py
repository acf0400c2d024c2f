"""Training with transfer: what it leaves, that no target label gets in, and what it refuses."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from faultdiag.api.train import train
from faultdiag.attention import BLOCKS
from faultdiag.checkpoint import load
from faultdiag.config.schema import Config
from faultdiag.errors import FaultdiagError
from faultdiag.evaluation import evaluate_run
from faultdiag.models import NETWORKS
from faultdiag.preparing.prepare import prepare
from faultdiag.preparing.window_index import WindowIndex
from faultdiag.representations import REPRESENTATIONS
from faultdiag.training import session, sources
from faultdiag.training.loop import Trainer
from faultdiag.transfer import TRANSFER
from tests.training.runs import assert_same_run, history, metrics, refused, weights
from tests.training.transfer_data import transfer_config, write_domains

Make = Callable[..., Config]
METHODS = sorted(TRANSFER)


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    root = write_domains(tmp_path_factory.mktemp("domains") / "data")

    def config(**changes: Any) -> Config:
        return transfer_config(root, root.parent / "prepared", **changes)

    return config


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faultdiag.api.train.draw_run", lambda _: None)


def run_of(config: Config, folder: Path, **options: Any) -> Any:
    return train(config, run=folder, device="cpu", **options)


def method(name: str, **options: Any) -> dict[str, Any]:
    start = {} if name in {"adabn", "none"} else {"start_epoch": 1}
    return {"method": name, **start, "guard": "none", **options}


@pytest.mark.parametrize("name", [*METHODS, "none"])
def test_what_a_run_leaves(name: str, make: Make, tmp_path: Path) -> None:
    run = run_of(make(transfer=method(name)), tmp_path / "run")
    found = metrics(run.folder)
    for part in ("test", "valid", "target_adapt", "source_test"):
        assert 0 <= found[part]["accuracy"] <= 1
        assert found["split"]["disjoint_windows"][part] > 0
    assert found["split"]["shared_samples"] == 0
    transfer = found["transfer"]
    assert transfer["method"] == name
    assert {"agreement_before", "agreement_after", "shares_before", "shares_after", "warning"} <= (
        transfer.keys()
    )
    assert sum(transfer["shares_after"].values()) == pytest.approx(1)
    adapted = load(run.folder / "best.pt").transfer
    if name == "none":
        assert adapted is None
        assert transfer["agreement_before"] == transfer["agreement_after"]
        return
    assert adapted is not None
    assert adapted["method"] == name
    assert [row["name"][:3] for row in adapted["recordings"]] == ["107", "120"]
    before, after = weights(run.folder, "source.pt"), weights(run.folder)
    changed = {key for key, value in before.items() if not torch.equal(value, after[key])}
    assert changed
    if name == "adabn":
        assert all("running" in key for key in changed)
    if name == "shot":
        assert not any(key.startswith("classify") for key in changed)


@pytest.mark.parametrize("name", METHODS)
def test_both_losses_are_in_the_history(name: str, make: Make, tmp_path: Path) -> None:
    rows = history(run_of(make(transfer=method(name)), tmp_path / "run").folder)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    adapted = [row for row in rows if "transfer_loss" in row]
    assert [row["epoch"] for row in adapted] == ([] if name == "adabn" else [2, 3])
    for row in adapted:
        assert {"target_agreement", "target_confusion", "target_information"} <= row.keys()
        assert ("train_loss" in row) is (name != "shot")
    text = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert len(text) == 4
    assert ("transfer_loss" in text[0]) is (name != "adabn")


def poison(windows: WindowIndex, part: str) -> None:
    """Turn the labels of a part round, in the index that training reads."""
    rows = windows.of(part)
    windows.label[windows.part == rows.part[0]] = rows.label[::-1]


@pytest.mark.parametrize("name", METHODS)
def test_no_label_of_the_target_reaches_training(
    name: str, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make(transfer=method(name))
    honest = run_of(config, tmp_path / "honest")

    def poisoned(config: Config) -> Any:
        prepared = prepare(config)
        prepared.windows = WindowIndex(
            *(
                np.array(getattr(prepared.windows, c))
                for c in ("recording", "start", "part", "label")
            )
        )
        for part in ("target_adapt", "test", "source_test"):
            poison(prepared.windows, part)
        return prepared

    monkeypatch.setattr(session, "prepare", poisoned)
    other = run_of(config, tmp_path / "poisoned")
    for file in ("best.pt", "last.pt", "source.pt", "adapted.pt"):
        one, two = weights(honest.folder, file), weights(other.folder, file)
        assert all(torch.equal(value, two[key]) for key, value in one.items())
    assert history(honest.folder) == history(other.folder)
    assert (
        metrics(honest.folder)["transfer"]["shares_after"]
        == (metrics(other.folder)["transfer"]["shares_after"])
    )
    assert metrics(honest.folder)["test"] != metrics(other.folder)["test"]


class StopError(Exception):
    """What breaks a training off."""


def stop_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Save and break off after so many steps of all phases."""
    done = [0]
    after = session.Session._after_step

    def counted(self: session.Session, trainer: Trainer) -> None:
        done[0] += 1
        if done[0] == steps:
            self._interrupt.requested = True
        after(self, trainer)

    monkeypatch.setattr(session.Session, "_after_step", counted)


@pytest.mark.parametrize("name", ["mk_mmd_mcc", "dann", "shot", "adabn"])
@pytest.mark.parametrize("epochs", [0.5, 1.0, 1.5])
def test_resuming_gives_the_same_bits(
    name: str, epochs: float, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make(transfer=method(name), model__dropout=0.2)
    whole = run_of(config, tmp_path / "whole")
    steps = len(prepare(config).windows.of("train")) // 16 + 1
    with monkeypatch.context() as patch:
        stop_after(patch, round(epochs * steps))
        with pytest.raises(KeyboardInterrupt):
            run_of(config, tmp_path / "cut")
    resumed = run_of(config, tmp_path / "cut", resume=True)
    assert_same_run(resumed.folder, whole.folder)
    again = run_of(config, tmp_path / "cut", resume=True)
    assert_same_run(again.folder, whole.folder)


@pytest.mark.parametrize("name", ["mk_mmd", "shot"])
def test_steps_adapt_after_the_training_on_the_source(
    name: str, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transfer = {"method": name, "steps": 25, "batch_size": 8, "guard": "none"}
    config = make(transfer=transfer, train__steps=5)
    whole = run_of(config, tmp_path / "whole")
    windows = prepare(config).windows.of("target_adapt" if name == "shot" else "train")
    epochs = 1 + -(-25 // -(-len(windows) // 8))
    rows = history(whole.folder)
    assert ["transfer_loss" in row for row in rows] == [False, *[True] * (epochs - 1)]
    assert len(rows) == epochs > 2
    assert metrics(whole.folder)["selection"]["last_epoch"] == epochs
    alone = {"method": "none", "steps": 25}  # without a method there is nothing to adapt
    plain = run_of(make(transfer=alone, train__steps=5), tmp_path / "plain")
    before, after = weights(whole.folder, "source.pt"), weights(plain.folder)
    assert all(torch.equal(value, after[key]) for key, value in before.items())
    with monkeypatch.context() as patch:
        stop_after(patch, 5 + 23)  # in the last epoch of the adaptation
        with pytest.raises(KeyboardInterrupt):
            run_of(config, tmp_path / "cut")
    assert_same_run(run_of(config, tmp_path / "cut", resume=True).folder, whole.folder)


def test_an_adaptation_is_resumed_after_early_stopping(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make(transfer=method("mk_mmd", start_epoch=4), train__epochs=6)
    config = config.model_copy(
        update={"train": config.train.model_copy(update={"early_stopping": 1})}
    )
    whole = run_of(config, tmp_path / "whole")
    source = [row for row in history(whole.folder) if "transfer_loss" not in row]
    assert len(source) < 4
    steps = len(prepare(config).windows.of("train")) // 16 + 1
    with monkeypatch.context() as patch:
        stop_after(patch, (len(source) + 1) * steps + 1)
        with pytest.raises(KeyboardInterrupt):
            run_of(config, tmp_path / "cut")
    assert_same_run(run_of(config, tmp_path / "cut", resume=True).folder, whole.folder)


@pytest.mark.parametrize("name", ["coral", "adabn", "none"])
def test_a_shared_source_gives_the_same_bits(
    name: str, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    methods = [{"method": m, "steps": 12, "guard": "none"} for m in ("mk_mmd", name)]
    first, second = (make(transfer=m, model__dropout=0.2) for m in methods)
    session.train_run(first, run=tmp_path / "first", device="cpu", sources=tmp_path / "sources")
    alone = session.train_run(second, run=tmp_path / "alone", device="cpu")
    learn, epochs = Trainer.learn, list[Any]()

    def counted(self: Trainer, bar: Any = None) -> tuple[float, ...]:
        epochs.append(self.adaptation)
        return learn(self, bar)

    monkeypatch.setattr(Trainer, "learn", counted)
    shared = session.train_run(
        second, run=tmp_path / "shared", device="cpu", sources=tmp_path / "sources"
    )
    assert None not in epochs  # no epoch on the source
    assert_same_run(shared.folder, alone.folder)
    sources.TrainedSources(tmp_path / "sources").keep(second, shared.folder)  # as a second process
    assert len(list((tmp_path / "sources").iterdir())) == 1
    third = make(transfer=methods[1], train__epochs=4)
    session.train_run(third, run=tmp_path / "third", device="cpu", sources=tmp_path / "sources")
    assert epochs.count(None) == 4


def test_the_seed_decides(make: Make, tmp_path: Path) -> None:
    config = make(transfer=method("mk_mmd"))
    one, two = (run_of(config, tmp_path / name) for name in ("one", "two"))
    assert_same_run(one.folder, two.folder)
    other = run_of(config.model_copy(update={"seed": 1}), tmp_path / "other")
    assert not torch.equal(
        weights(one.folder)["classify.weight"], weights(other.folder)["classify.weight"]
    )


@pytest.mark.parametrize(
    "option",
    [{"weight": 5.0}, {"adapt": 0.4}, {"hold_out": "recordings"}, {"batch_size": 4}],
)
def test_options_of_the_section_matter(option: dict[str, Any], make: Make, tmp_path: Path) -> None:
    one = run_of(make(transfer=method("mk_mmd")), tmp_path / "one")
    two = run_of(make(transfer=method("mk_mmd", **option)), tmp_path / "two")
    assert not torch.equal(
        weights(one.folder)["classify.weight"], weights(two.folder)["classify.weight"]
    )


@pytest.mark.parametrize("selection", ["last", "agreement", "mcc", "infomax", "reverse_validation"])
def test_a_criterion_without_labels_chooses(selection: str, make: Make, tmp_path: Path) -> None:
    config = make(transfer=method("mk_mmd", selection=selection), train__epochs=5)
    run = run_of(config, tmp_path / "run")
    rows = {row["epoch"]: row for row in history(run.folder) if "transfer_loss" in row}
    key = {
        "last": lambda row: row["epoch"],
        "agreement": lambda row: (row["target_agreement"], row["target_information"]),
        "mcc": lambda row: -row["target_confusion"],
        "infomax": lambda row: row["target_information"],
        "reverse_validation": lambda row: (row["reverse_accuracy"], row["target_information"]),
    }[selection]
    best = max(rows.values(), key=key)["epoch"]
    assert metrics(run.folder)["selection"]["best_epoch"] == best == run.best_epoch
    assert load(run.folder / "best.pt").epoch == best


def lose(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every recording look torn apart after adaptation."""
    from faultdiag.training import guard

    measured = guard.measure
    calls = [0]

    def torn(said: Any) -> Any:
        calls[0] += 1
        if calls[0] % 2 == 0:
            said.logits[::2] = said.logits[::2, ::-1]
        return measured(said)

    monkeypatch.setattr(guard, "measure", torn)


def test_the_guard_keeps_the_model_from_before(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make(transfer={"method": "mk_mmd", "start_epoch": 1})
    with monkeypatch.context() as patch:
        lose(patch)
        run = run_of(config, tmp_path / "run")
    found = metrics(run.folder)
    assert found["transfer"]["refused"] is True
    assert run.refused is not None
    assert "agreement within recordings fell from 100.0% to" in run.refused
    assert "fell from" in found["transfer"]["warning"]
    assert found["selection"]["best_epoch"] == run.best_epoch == 1
    for key, value in weights(run.folder, "source.pt").items():
        assert torch.equal(weights(run.folder)[key], value)
    assert load(run.folder / "best.pt").transfer is None
    assert found["transfer"]["adapted"]["accuracy"] == found["last"]["test"]["accuracy"]
    # Without the guard the same run keeps the adapted model, and nothing is trained again.
    kept = run_of(
        make(transfer={"method": "mk_mmd", "start_epoch": 1, "guard": "none"}),
        run.folder,
        resume=True,
    )
    assert kept.refused is None
    assert kept.best_epoch == 3
    assert history(run.folder) == history(kept.folder)


def test_parts_of_the_target_can_be_evaluated(make: Make, tmp_path: Path) -> None:
    run = run_of(make(transfer=method("mk_mmd")), tmp_path / "run")
    for part in ("test", "target_adapt", "source_test"):
        found = evaluate_run(run.folder, part, device="cpu")[part]
        assert found["accuracy"] == metrics(run.folder)[part]["accuracy"]


def test_a_split_is_given_back(make: Make, tmp_path: Path) -> None:
    run = run_of(make(transfer=method("mk_mmd")), tmp_path / "run")
    again = make(transfer=method("mk_mmd"), split={"strategy": "file", "path": str(run.folder)})
    other = run_of(again, tmp_path / "again")
    for key, value in weights(run.folder).items():
        assert torch.equal(weights(other.folder)[key], value)


def test_a_target_by_its_fact_is_that_of_the_split(make: Make, tmp_path: Path) -> None:
    one = make(transfer=method("mk_mmd"), data__select={"load_hp": [0, 2], "code": ["IR", "B"]})
    two = make(
        transfer=method("mk_mmd", target={"fact": "load_hp", "values": [2]}),
        data__select={"load_hp": [0, 2], "code": ["IR", "B"]},
        split={"strategy": "within_recording", "gap": 256},
    )
    first, second = (prepare(config).document["split"]["parts"] for config in (one, two))
    assert first == second
    runs = [run_of(c, tmp_path / n) for c, n in ((one, "one"), (two, "two"))]
    for key, value in weights(runs[0].folder).items():
        assert torch.equal(weights(runs[1].folder)[key], value)


def test_a_target_of_other_data_without_labels(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "plant"
    folder.mkdir()
    for number in (107, 120):
        shutil.copy(Path(make().data.root) / f"{number}.mat", folder / f"run{number}.mat")
    target = {
        "dataset": "folder",
        "root": str(folder),
        "label": None,
        "recorded_at": 12000.0,
    }
    config = make(
        data__select={"load_hp": [0], "code": ["IR", "B"]},
        split={"strategy": "within_recording", "gap": 256},
        transfer=method("mk_mmd", target=target),
    )
    run = run_of(config, tmp_path / "run")
    found = metrics(run.folder)
    assert found["test"] is None
    assert found["target_adapt"] is None
    assert found["source_test"]["accuracy"] > 0.5
    assert "the target has no labels" in " ".join(found["split"]["notes"])
    refused(
        r"the test part has no labels of B, IR, so there is nothing to score; use `faultdiag",
        lambda: evaluate_run(run.folder, "test", device="cpu"),
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"transfer": {"method": "mk_mdm"}},
            r"transfer\.method: unknown transfer method 'mk_mdm' \(did you mean 'mk_mmd'",
        ),
        (
            {"transfer": {"method": "mk_mmd", "kernel": 3}},
            r"transfer\.kernel: transfer method 'mk_mmd' has no option 'kernel' \(did you mean ",
        ),
        (
            {"transfer": {"method": "none", "kernels": 3}},
            r"transfer\.method is 'none', which has no option 'kernels'; leave it out, or choose",
        ),
        (
            {"transfer": {"method": "adabn", "start_epoch": 1}},
            r"transfer\.start_epoch is 1, but adabn adapts after the last epoch; leave it out",
        ),
        (
            {"transfer": {"method": "mk_mmd", "batchsize": 8}},
            r"transfer\.batchsize: .*; or a field of the section \(did you mean 'batch_size'\?\)",
        ),
        (
            {"transfer": {"method": "mk_mmd"}, "train__epochs": 1},
            r"train\.epochs is 1, which leaves no epoch to adapt in; use 2 or more, or add ",
        ),
        (
            {"transfer": {"method": "mk_mmd"}, "train__steps": 5},
            r"train\.steps is 5, and nothing says how many steps adapt after them; add transfer\.",
        ),
        (
            {"transfer": {"method": "mk_mmd", "batch_size": 1}},
            r"transfer\.method mk_mmd needs 2 windows of each domain for its estimate, but "
            r"transfer\.batch_size is 1",
        ),
        (
            {"train__batch_size": 1},
            r"transfer\.method mk_mmd needs 2 windows of each domain for its estimate, but "
            r"train\.batch_size is 1",
        ),
        (
            {"model": {"name": "logistic"}},
            r"transfer adapts networks, and model\.name is the baseline 'logistic'; choose a ",
        ),
        (
            {"split": {"strategy": "within_recording"}},
            r"transfer\.target is missing, and split\.strategy within_recording tests on no other",
        ),
        (
            {"transfer": {"method": "mk_mmd", "target": {"fact": "load_hp", "values": [7]}}},
            r"transfer\.target: select\.load_hp: no recording has 7; there are: 0, 1, 2; name",
        ),
        (
            {"transfer": {"method": "mk_mmd", "target": {"fact": "load_hp", "values": [0]}}},
            r"no recording has 0; there are: 1, 2 \(the 2 recordings of transfer\.target are not",
        ),
        (
            {"transfer": {"method": "mk_mmd", "target": {"fact": "lod_hp", "values": [0]}}},
            r"transfer\.target: select\.lod_hp: unknown fact 'lod_hp' \(did you mean 'load_hp'\?\)",
        ),
        (
            {
                "transfer": {
                    "method": "mk_mmd",
                    "target": {"select": {"load_hp": [0], "code": ["IR", "B"]}},
                },
                "split": {"strategy": "within_recording"},
            },
            r"the target is the source: .* \(the same bytes\) are in both; give recordings of ",
        ),
    ],
)
def test_what_is_refused(changes: dict[str, Any], problem: str, make: Make, tmp_path: Path) -> None:
    with pytest.raises(FaultdiagError, match=problem):
        run_of(make(**changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_network_without_normalisation_has_no_adabn(make: Make, tmp_path: Path) -> None:
    changes = {"model": {"name": "transformer1d", "patch": 32, "depth": 1}}
    refused(
        "adabn replaces the statistics of batch normalisations, and this network has none",
        lambda: run_of(make(transfer=method("adabn"), **changes), tmp_path / "run"),
    )


SMALL: dict[str, dict[str, Any]] = {
    "resnet1d": {"width": 4, "depths": [1, 1]},
    "densenet1d": {"growth": 2, "depths": [1, 1], "width": 4},
    "transformer1d": {"patch": 32, "depth": 1, "width": 8, "heads": 2},
}


@pytest.mark.parametrize("name", sorted(NETWORKS))
@pytest.mark.parametrize("how", ["mk_mmd_mcc", "cdan", "shot"])
def test_every_network_adapts(name: str, how: str, make: Make, tmp_path: Path) -> None:
    config = make(
        model={"name": name, **SMALL.get(name, {})},
        transfer=method(how),
        window={"length": 2048, "stride": 512},
        split={"strategy": "across_loads", "train": [0], "test": [2], "gap": 0},
        train__epochs=2,
    )
    run = run_of(config, tmp_path / "run")
    assert "transfer_loss" in history(run.folder)[-1]


@pytest.mark.parametrize("block", sorted(BLOCKS))
def test_every_block_adapts(block: str, make: Make, tmp_path: Path) -> None:
    slot = {"name": block, "after": [2]}
    config = make(
        model={"name": "cnn1d", "widths": [8, 16], "kernels": [7], "attention": slot},
        transfer=method("mk_mmd_mcc"),
        train__epochs=2,
    )
    assert "transfer_loss" in history(run_of(config, tmp_path / "run").folder)[-1]


@pytest.mark.parametrize("front", sorted(REPRESENTATIONS))
def test_every_front_end_adapts(front: str, make: Make, tmp_path: Path) -> None:
    network = {"name": "cnn1d", "widths": [4, 8], "kernels": [7], "pool": 2}
    config = make(
        model={**network, "representation": front},
        window={"length": 2048, "stride": 512},
        split={"strategy": "across_loads", "train": [0], "test": [2], "gap": 0},
        transfer=method("mk_mmd"),
        train__epochs=2,
    )
    assert "transfer_loss" in history(run_of(config, tmp_path / "run").folder)[-1]


def test_a_wholly_other_configuration_is_not_resumed(make: Make, tmp_path: Path) -> None:
    run = run_of(make(transfer=method("mk_mmd")), tmp_path / "run")
    refused(
        r"trained for train\.epochs 3 and now it is 4; transfer adapts in the last of them, so",
        lambda: run_of(make(transfer=method("mk_mmd"), train__epochs=4), run.folder, resume=True),
    )
    refused(
        r"trained with another config: transfer\.method is coral, there mk_mmd",
        lambda: run_of(make(transfer=method("coral")), run.folder, resume=True),
    )
    assert json.loads((run.folder / "split.json").read_text())["parts"]["target_adapt"]
