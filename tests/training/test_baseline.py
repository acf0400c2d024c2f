"""Baselines from config to diagnosis, through the same functions and commands as networks."""

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
from faultdiag.api.check import check_config
from faultdiag.api.train import train
from faultdiag.baselines import BASELINES
from faultdiag.checkpoint import load
from faultdiag.errors import FaultdiagError
from faultdiag.evaluation import evaluate_run
from faultdiag.models.spec import BaselineNames
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.prepare import prepare
from faultdiag.report.training import summary
from faultdiag.training.fitting import Fitter
from faultdiag.training.specs import baseline_spec
from tests.commands import done, run
from tests.data_fixtures import contents, signal, write_recordings
from tests.training.runs import (
    Make,
    assert_same_run,
    assert_same_weights,
    history,
    metrics,
    poison,
    refused,
    weights,
)

pytestmark = pytest.mark.usefixtures("no_figures")

FOREST = {"name": "random_forest", "trees": 5}


def options(name: str) -> dict[str, Any]:
    return FOREST if name == "random_forest" else {"name": name}


@pytest.fixture(scope="module")
def forest(brief: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a forest; tests don't write to it."""
    folder = tmp_path_factory.mktemp("baselines") / "forest"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("faultdiag.api.train.draw_run", lambda _: None)
        return train(brief(model=FOREST), run=folder, device="cpu").folder


@pytest.mark.parametrize("name", list(BASELINES))
def test_each_trains_evaluates_and_diagnoses(
    name: str, brief: Make, trained: Path, recordings: Path, tmp_path: Path
) -> None:
    finished = train(brief(model=options(name)), run=tmp_path / "run", device="cpu")
    folder = finished.folder
    assert (finished.best_epoch, finished.epochs) == (1, 1)
    assert set(contents(folder)) == {
        *("config.yaml", "environment.json", "split.json", "history.jsonl", "history.csv"),
        *("best.pt", "last.pt", "metrics.json", "MODEL_CARD.md"),
    }
    for part, found in metrics(folder).items():
        assert found.keys() == metrics(trained)[part].keys()
    best, last = weights(folder, "best.pt"), weights(folder, "last.pt")
    assert all(torch.equal(best[key], last[key]) for key in best.keys() | last.keys())
    (row,) = history(folder)
    assert row.keys() == {"epoch", *(f"{p}_{w}" for p in ("train", "valid") for w in LOSSES)}
    assert row["valid_accuracy"] == metrics(folder)["valid"]["accuracy"]
    assert row["valid_accuracy"] == evaluate_run(folder, "valid")["valid"]["accuracy"]
    assert row["train_accuracy"] == evaluate_run(folder, "train")["train"]["accuracy"]
    diagnosis = faultdiag.load(folder).diagnose(recording(recordings, 105))
    assert list(diagnosis.probabilities) == ["B", "IR", "N"]
    if name in {"logistic", "svm", "random_forest"}:
        # Tones of three frequencies: the energy per band tells them apart.
        assert metrics(folder)["test"]["accuracy"] == 1.0
        assert diagnosis.label == "IR"


LOSSES = ("accuracy", "loss")


def recording(folder: Path, number: int) -> Any:
    return faultdiag.read_recording(folder / f"{number}.mat", channel="DE", sampling_rate=12000)


def test_the_commands_take_it(config_file: Path, recordings: Path, tmp_path: Path) -> None:
    chosen = [word for key, value in FOREST.items() for word in ("--set", f"model.{key}={value}")]
    # The network's own options, which no baseline has.
    chosen += ["--set", "model.widths=[4]"]
    failed = run("check", "--config", config_file, *chosen)
    assert "model.widths: baseline 'random_forest' has no option 'widths'" in failed.stderr
    config_file.write_text(re.sub(r"  (widths|kernels):\n(  - .*\n)+", "", config_file.read_text()))
    chosen = chosen[:-2]
    output = done("check", "--config", config_file, *chosen)
    assert (
        "baseline random_forest: 39 features of each window (time, energy, impulse, envelope, "
        "whitened at the orders of bearing 6205); computed for one batch of 32 windows" in output
    )
    folder = tmp_path / "run"
    output = done("train", "--config", config_file, *chosen, "--run", folder)
    assert "one pass over the training windows: there was no epoch to choose" in output
    output = done("eval", folder, "--snr", "60", "--snr", "-30", "--json")
    noise = {row["snr"]: row["accuracy"] for row in json.loads(output)["noise"]}
    assert noise[60] == 1.0 > noise[-30]
    rows = [json.loads(r) for r in done("predict", folder, recordings, "--json").splitlines()]
    assert {Path(row["path"]).stem: row["label"] for row in rows} == {
        "97": "N",
        "105": "IR",
        "118": "B",
    }


def test_noise_reaches_the_features(forest: Path) -> None:
    clean, drowned = (
        evaluate_run(forest, "test", snr=[snr])["noise"][0]["accuracy"] for snr in (90, -40)
    )
    assert clean == 1.0
    assert drowned < 0.8


def test_the_same_seed_gives_the_same_run_and_another_another(
    forest: Path, brief: Make, tmp_path: Path
) -> None:
    assert_same_run(train(brief(model=FOREST), run=tmp_path / "a", device="cpu").folder, forest)
    other = train(brief(model=FOREST, seed=1), run=tmp_path / "b", device="cpu").folder
    one, two = weights(forest), weights(other)
    assert any(not torch.equal(one[key], two[key]) for key in one)


def test_it_never_sees_the_test_part(
    forest: Path, brief: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, "test")
    config = brief(model=FOREST)
    blind = train(config, run=tmp_path / "run", device="cpu").folder
    assert_same_weights(blind, forest)
    assert history(blind) == history(forest)
    assert metrics(blind)["test"] != metrics(forest)["test"]


def test_it_learns_from_the_training_part_alone(
    forest: Path, brief: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, "valid")
    config = brief(model=FOREST)
    other = train(config, run=tmp_path / "run", device="cpu").folder
    assert_same_weights(other, forest)
    assert history(other) != history(forest)


def test_a_refit_learns_from_the_validation_part_too(
    forest: Path, brief: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = brief(model=FOREST, train__refit=True)
    both = train(config, run=tmp_path / "both", device="cpu").folder
    assert not differ(weights(both, "chosen.pt"), weights(forest))
    poison(monkeypatch, "valid")
    other = train(config, run=tmp_path / "other", device="cpu").folder
    assert weights(both).keys() == weights(other).keys()
    assert differ(weights(both), weights(forest))
    assert differ(weights(both), weights(other))


def differ(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return any(not torch.equal(value, other[key]) for key, value in one.items())


def test_going_on_with_a_finished_run_evaluates_it_again(
    forest: Path, brief: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(forest, tmp_path / "copy"))
    (copy / "metrics.json").unlink()
    monkeypatch.setattr(Fitter, "_learn", None)
    train(brief(model=FOREST, train__epochs=50), run=copy, device="cpu", resume=True)
    assert_same_run(copy, forest)


def test_an_interrupted_one_leaves_nothing_half_done(
    forest: Path, brief: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(BASELINES.get("random_forest"), "fit", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(brief(model=FOREST), run=folder, device="cpu")
    assert set(contents(folder)) == {"config.yaml", "environment.json", "split.json"}
    train(brief(model=FOREST), run=folder, device="cpu", resume=True)
    assert_same_run(folder, forest)


def test_one_that_cannot_be_fitted_leaves_nothing(
    brief: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_a_class(self: Fitter, windows: Any, _bar: Any) -> Any:
        return np.random.default_rng(0).normal(size=(3, 39)), np.arange(3)

    monkeypatch.setattr(Fitter, "_table", one_a_class)
    config = brief(model={"name": "svm"})
    refused("two windows or more of each", lambda: train(config, run=tmp_path / "run"))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_gives_one_error(forest: Path, recordings: Path, tmp_path: Path) -> None:
    document = torch.load(forest / "best.pt", weights_only=True)
    content = document["model"]["skops"]
    content[len(content) // 2] += 1  # within an array, whose checksum no longer fits
    torch.save(document, tmp_path / "best.pt")
    for words in (["predict", tmp_path / "best.pt", recordings], ["eval", tmp_path / "best.pt"]):
        result = run(*words)
        assert result.exit_code == 1
        assert result.stderr.startswith(
            "error: the stored baseline 'random_forest': it is damaged: Bad CRC-32 for file"
        )


def test_problems_are_told_before_any_data_is_read(tmp_path: Path, brief: Make) -> None:
    def attempt(**changes: Any) -> None:
        train(brief(tmp_path / "nowhere", **changes), run=tmp_path / "run")

    slot = {"name": "eca", "after": [2]}
    refused(r"model\.attention is given, but 'svm'", lambda: attempt(model=svm(attention=slot)))
    refused(r"model\.representation is", lambda: attempt(model=svm(representation="stft")))
    refused(r"window\.length is 200 samp", lambda: attempt(model=svm(), window__length=200))
    refused(r"model\.use: .* 'tim'", lambda: attempt(model=svm(use=["tim"])))
    refused(r"unknown network 'svn' \(did you mean 'svm'\?\)", lambda: attempt(model__name="svn"))
    assert list(tmp_path.iterdir()) == []


def svm(**more: Any) -> dict[str, Any]:
    return {"name": "svm", **more}


def test_physics_asks_for_classes_that_are_parts(brief: Make, tmp_path: Path) -> None:
    config = brief(model={"name": "physics"}, data__label="{code}{size}")
    message = r"found B007, IR007; let data\.label name the part alone, as '\{code\}' does"
    refused(message, lambda: check_config(config))
    refused(message, lambda: train(config, run=tmp_path / "run"))
    assert list(tmp_path.iterdir()) == []


class TestBearing:
    """Which bearing's orders are looked for."""

    @pytest.fixture
    def prepared(self, recordings: Path, prepared_root: Path, brief: Make) -> Prepared:
        return prepare(brief())

    def chosen(self, prepared: Prepared, name: str = "svm", **options: Any) -> tuple[Any, str]:
        spec, notes = baseline_spec(name, options, prepared)
        assert spec.names == BaselineNames(("DE",), ("B", "IR", "N"))
        return spec.options["bearing"], "\n".join(notes)

    def change(self, prepared: Prepared, number: int, **changes: Any) -> None:
        facts = dict(prepared.recordings[number].facts)
        facts |= {key: changes.pop(key) for key in list(changes) if key == "bearing"}
        prepared.recordings[number] = replace(prepared.recordings[number], facts=facts, **changes)

    def test_the_one_that_all_training_recordings_name(self, prepared: Prepared) -> None:
        assert self.chosen(prepared) == ("6205", "")
        self.change(prepared, 0, bearing="6205-2RS JEM")
        assert self.chosen(prepared) == ("6205", "")

    def test_the_one_that_is_given(self, prepared: Prepared) -> None:
        bearing, note = self.chosen(prepared, bearing="9,0.3126,1.537")
        assert bearing == "9,0.3126,1.537"
        bearing, note = self.chosen(prepared, bearing=6203)
        assert bearing == "6203"
        assert note == (
            "the fault orders of bearing 6203 are looked for in all recordings, but 97, 105, 118 "
            "name another bearing (model.bearing: each looks for those of each)"
        )

    def test_none_where_several_are_named(self, prepared: Prepared) -> None:
        self.change(prepared, 1, bearing="6203")
        assert self.chosen(prepared) == (
            None,
            "svm sees no shaft orders, because the training recordings name several bearings "
            "(6203, 6205); give model.bearing: its name, or balls,ball_diameter,pitch_diameter, or "
            "each for that of each recording",
        )

    def test_that_of_each_recording(self, prepared: Prepared) -> None:
        self.change(prepared, 1, bearing="6203")
        assert self.chosen(prepared, bearing="each") == ("each", "")
        self.change(prepared, 2, bearing="NU299")
        with pytest.raises(
            FaultdiagError,
            match=r"for the shaft orders of 'svm', but the bearing of 118 is unknown; state it "
            r"with data\.bearing, or leave model\.bearing out",
        ):
            self.chosen(prepared, bearing="each")

    @pytest.mark.parametrize(
        ("named", "because"),
        [
            (None, "no training recording names its bearing"),
            ("NU299", "of the bearing that all training recordings name: unknown bearing 'NU299'"),
        ],
    )
    def test_none_where_none_is_known(
        self, named: str | None, because: str, prepared: Prepared
    ) -> None:
        for number in range(3):
            self.change(prepared, number, bearing=named)
        bearing, note = self.chosen(prepared)
        assert bearing is None
        assert f"because {because}" in note
        assert self.chosen(prepared, bearing="6205")[0] == "6205"

    def test_none_where_a_speed_is_unknown(self, prepared: Prepared) -> None:
        self.change(prepared, 1, rpm=None)
        assert self.chosen(prepared) == (
            None,
            "svm sees no shaft orders, because the shaft speed of 105 is unknown; leave them out "
            "with data.select",
        )
        with pytest.raises(
            FaultdiagError,
            match=r"model\.bearing is given for the shaft orders of 'svm', but the shaft speed of "
            r"105 is unknown; leave them out with data\.select, or leave model\.bearing out",
        ):
            self.chosen(prepared, bearing="6205")

    @pytest.mark.parametrize(
        ("name", "options"),
        [("physics", {}), ("logistic_orders", {}), ("svm", {"use": ["time", "envelope.bsf"]})],
    )
    def test_some_cannot_do_without(
        self, name: str, options: dict[str, Any], prepared: Prepared
    ) -> None:
        self.change(prepared, 1, rpm=None)
        with pytest.raises(
            FaultdiagError,
            match=rf"baseline '{name}' looks at shaft orders, but the shaft speed of 105 is "
            r"unknown; .*, or choose one that can do without, such as random_forest$",
        ):
            self.chosen(prepared, name, **options)

    def test_who_uses_no_orders_needs_no_speed(self, prepared: Prepared) -> None:
        self.change(prepared, 1, rpm=None)
        assert self.chosen(prepared, use=["time"]) == (None, "")
        spec, notes = baseline_spec("dummy", {}, prepared)
        assert (spec.options, notes) == ({}, [])


@pytest.fixture
def unknown_speed(tmp_path: Path) -> Path:
    """Recordings of which one, of no catalogue, states no speed."""
    from scipy.io import savemat

    folder = write_recordings(tmp_path / "more")
    savemat(folder / "silent.mat", {"x": signal(1500.0, 12000, 30000, 7)})
    return folder


def test_predicting_needs_the_speed_where_orders_are_seen(
    forest: Path, unknown_speed: Path
) -> None:
    (unknown_speed / "broken.mat").write_bytes(b"MATLAB 5.0 MAT-file, cut off")
    words = ["predict", forest, unknown_speed, "--json", "--sampling-rate", "12000"]
    result = run(*words)
    assert result.exit_code == 1
    rows = {Path(r["path"]).stem: r for r in map(json.loads, result.stdout.splitlines())}
    assert {stem: row["status"] for stem, row in rows.items()} == {
        **dict.fromkeys(("97", "105", "118"), "ok"),
        **dict.fromkeys(("silent", "broken"), "error"),
    }
    assert rows["silent"]["error"].startswith(
        f"{unknown_speed / 'silent.mat'}: the model sees shaft orders and needs the shaft speed; "
        "give --rpm, or a manifest's column rpm"
    )
    (row,) = map(
        json.loads, done(*words[:2], unknown_speed / "silent.mat", "--json", *RATES).splitlines()
    )
    assert row["label"] == "IR"


RATES = ("--sampling-rate", "12000", "--rpm", "1797")


def test_the_note_is_told_and_the_model_then_needs_no_speed(
    brief: Make,
    unknown_speed: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = Prepared.__init__

    def forget(self: Prepared, folder: Path) -> None:
        real(self, folder)
        self.recordings[2] = replace(self.recordings[2], rpm=None)

    monkeypatch.setattr(Prepared, "__init__", forget)
    config = brief(model=FOREST)
    note = "note: random_forest sees no shaft orders, because the shaft speed of 118 is unknown; "
    assert f"\n{note}" in check_config(config)
    finished = train(config, run=tmp_path / "run", device="cpu")
    assert note in capsys.readouterr().err
    assert "there was no epoch to choose" in summary(finished)
    assert load(finished.folder).model_spec.options["bearing"] is None
    output = done("predict", finished.folder, unknown_speed / "silent.mat", "--json", *RATES[:2])
    assert json.loads(output)["label"] == "IR"


@pytest.mark.real
def test_shaft_orders_carry_over_to_another_fault_size(real_data: Path, tmp_path: Path) -> None:
    select = {"group": ["12k_DE"], "size": ["007", "014", "021"], "clock": [None, 6]}
    finished = train(
        {
            "data": {
                "root": str(real_data / "cwru"),
                "prepared": str(tmp_path / "prepared"),
                "select": {**select, "load_hp": [0, 3]},
                "label": "{code}",
                "healthy": [],
            },
            "window": {"length": 12_000, "stride": 12_000},
            "split": {"strategy": "across_sizes", "test": ["021"]},
            "model": {"name": "logistic_orders"},
        },
        run=tmp_path / "run",
    )
    assert finished.metrics["test"]["windows"] == 60
    # Chance is 1/3; measured: 1.0.
    assert finished.metrics["test"]["accuracy"] > 0.8
