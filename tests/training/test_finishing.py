"""After the last epoch: temperatures from valid alone, and the last epoch beside the best."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from faultdiag import evaluation as evaluating
from faultdiag.api.train import train
from faultdiag.checkpoint import Checkpoint, load, save
from faultdiag.config.schema import Config
from faultdiag.evaluation import PartLogits, evaluate_run, part_logits
from faultdiag.metrics.calibration import expected_calibration_error, fit_temperature, nll
from faultdiag.preparing.folder import Prepared, gather
from faultdiag.preparing.prepare import prepare
from faultdiag.training import finishing
from tests.data_fixtures import contents
from tests.training.runs import (
    Make,
    assert_same_run,
    assert_same_weights,
    history,
    metrics,
    poison,
    weights,
)

pytestmark = pytest.mark.usefixtures("no_figures")
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def prepared(hard: Config) -> Prepared:
    return prepare(hard)


def logits(source: Checkpoint, prepared: Prepared, part: str) -> PartLogits:
    network = source.build(CPU)
    return part_logits(network, prepared, part, classes=source.classes, device=CPU)


def assert_same_calibration(one: Checkpoint, other: Checkpoint) -> None:
    assert one.temperature == other.temperature
    assert one.novelty is not None
    assert one.novelty.same(other.novelty)


@pytest.mark.parametrize("name", ["best.pt", "last.pt"])
def test_the_temperature_is_that_of_the_checkpoints_own_valid_logits(
    name: str, wrong: Path, prepared: Prepared
) -> None:
    source = load(wrong / name)
    valid = logits(source, prepared, "valid")
    assert source.temperature == fit_temperature(valid.logits, valid.labels) > 1
    assert source.calibration.keys() == {"temperature", "fitted_on", "novelty", "healthy"}
    cooler, own, warmer = (
        nll(valid.logits, valid.labels, temperature=factor * source.temperature)
        for factor in (0.9, 1.0, 1.1)
    )
    assert own < min(cooler, warmer)


def test_the_healthy_statistics_are_those_of_healthy_training_windows(
    wrong: Path, prepared: Prepared
) -> None:
    source = load(wrong)
    train = prepared.windows.of("train")
    rows = np.flatnonzero(train.label == prepared.classes.index("N"))
    windows = gather(prepared.signals, prepared.positions(train.take(rows)), prepared.length)
    assert source.healthy_reference is not None
    stored = source.healthy_reference.channels["DE"]
    assert stored.windows == len(rows)
    assert stored.rms == pytest.approx(np.median(windows[:, 0].std(axis=-1)), rel=1e-5)


def test_the_stored_bins_give_the_calibration_error(wrong: Path) -> None:
    test = metrics(wrong)["test"]
    bins = test["reliability"]
    counts = np.array(bins["windows"])
    gaps = [
        abs(a - c)
        for a, c in zip(bins["accuracy"], bins["confidence"], strict=True)
        if a is not None
    ]
    assert counts.sum() == test["windows"]
    assert (counts[counts > 0] * gaps).sum() / counts.sum() == pytest.approx(test["ece"])


@pytest.mark.parametrize(("fitted", "kept"), [(0.3, 1.0), (1.5, 1.5)])
def test_confidences_are_lowered_and_never_raised(
    fitted: float, kept: float, brief: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finishing, "fit_temperature", lambda *_: fitted)
    run = train(brief(train__epochs=2), run=tmp_path / "run", device="cpu")
    assert [load(run.folder / name).temperature for name in ("best.pt", "last.pt")] == [kept] * 2
    assert run.metrics["test"]["temperature"] == kept


@pytest.mark.parametrize("part", ["valid", "test"])
def test_scores_are_of_the_scaled_confidences(part: str, wrong: Path, prepared: Prepared) -> None:
    source, found = load(wrong), metrics(wrong)[part]
    said, t = logits(source, prepared, part), source.temperature
    scaled = np.exp(said.logits / t)
    scaled /= scaled.sum(1, keepdims=True)
    ece = expected_calibration_error(said.labels, scaled)
    plain = expected_calibration_error(said.labels, said.probabilities())
    assert found["temperature"] == t
    assert found["ece"] == pytest.approx(ece)
    assert found["ece_unscaled"] == pytest.approx(plain)
    assert found["ece"] != found["ece_unscaled"]
    assert found["nll"] == pytest.approx(nll(said.logits, said.labels, temperature=t))
    assert found["nll_unscaled"] == pytest.approx(nll(said.logits, said.labels))
    assert found["accuracy"] == (said.logits.argmax(1) == said.labels).mean()
    confidences = [row["confidence"] for row in found["recording"]["rows"]]
    recordings = np.unique(said.recordings)
    means = [scaled[said.recordings == number].mean(0).max() for number in recordings]
    assert confidences == pytest.approx(means)


def test_best_and_last_stand_beside_each_other(wrong: Path) -> None:
    found = metrics(wrong)
    rows = history(wrong)
    assert found["selection"] == {
        "best_epoch": load(wrong).epoch,
        "last_epoch": len(rows),
        "chosen_by": "valid accuracy, then loss",
    }
    assert found["selection"]["best_epoch"] < found["selection"]["last_epoch"] == 3
    merits = [(row["valid_accuracy"], -row["valid_loss"]) for row in rows]
    assert merits.index(max(merits)) + 1 == found["selection"]["best_epoch"]
    for part in ("test", "valid"):
        again = evaluate_run(wrong / "last.pt", part, device="cpu")[part]
        compared = {key: again[key] for key in ("accuracy", "macro_f1", "recording_accuracy")}
        assert found["last"][part] == compared
        assert compared["accuracy"] < found[part]["accuracy"]


def test_the_best_of_the_last_epoch_is_run_once(
    brief: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = evaluating.part_logits

    def counted(
        network: torch.nn.Module, prepared: Prepared, part: str, **options: object
    ) -> object:
        asked.append(part)
        return real(network, prepared, part, **options)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(evaluating, "part_logits", counted)
    run = train(brief(train__epochs=1), run=tmp_path / "run", device="cpu")
    assert asked == ["valid", "test"], "valid first: the temperature never knows the test part"
    assert run.metrics["last"]["test"]["accuracy"] == run.metrics["test"]["accuracy"]
    best, last = (load(tmp_path / "run" / name) for name in ("best.pt", "last.pt"))
    assert_same_calibration(best, last)


@pytest.mark.parametrize("moment", [1, 2])
def test_killed_before_a_checkpoint_is_calibrated(
    moment: int, hard: Config, wrong: Path, tmp_path: Path
) -> None:
    folder, calls = tmp_path / "run", []

    def killed(path: Path, checkpoint: Checkpoint) -> None:
        calls.append(path.name)
        if len(calls) == moment:
            raise KeyboardInterrupt
        save(path, checkpoint)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finishing, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            train(hard, run=folder, device="cpu")
    assert calls == ["best.pt", "last.pt"][:moment]
    assert_same_weights(folder, wrong)
    assert (load(folder).temperature == 1) == (moment == 1)
    assert load(folder / "last.pt").temperature == 1
    assert not (folder / "metrics.json").exists()
    train(hard, run=folder, device="cpu", resume=True)
    assert_same_run(folder, wrong)
    for name in ("best.pt", "last.pt"):
        assert_same_calibration(load(folder / name), load(wrong / name))


def test_a_finished_run_of_before_there_was_calibration_gets_it(
    wrong: Path, hard: Config, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(wrong, tmp_path / "copy"))
    before = contents(copy)
    document = torch.load(copy / "best.pt", weights_only=True)
    del document["calibration"]
    torch.save(document, copy / "best.pt")
    (copy / "metrics.json").unlink()
    assert load(copy).temperature == 1
    train(hard, run=copy, device="cpu", resume=True)
    assert contents(copy) == before


def test_nothing_that_is_chosen_or_fitted_sees_the_test_part(
    hard: Config, wrong: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, "test", sample=np.nan, label=99)
    blind = tmp_path / "run"
    # Only when all else is done is the test part read, and that fails.
    with pytest.raises(IndexError, match="99"):
        train(hard, run=blind, device="cpu")
    assert_same_weights(blind, wrong)
    assert history(blind) == history(wrong)
    best, seen = load(blind), load(wrong)
    assert best.epoch == seen.epoch
    assert_same_calibration(best, seen)
    last = load(blind / "last.pt")
    assert last.training is not None
    assert last.training["best_epoch"] == metrics(wrong)["selection"]["best_epoch"]
    assert weights(blind).keys() == weights(wrong).keys()
