"""Adapting a run to unlabelled recordings: with the source's recordings, and without."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import faultdiag
from faultdiag.api.train import train
from faultdiag.checkpoint import load
from faultdiag.cli.app import app
from faultdiag.errors import FaultdiagError
from faultdiag.training import adapting
from tests.data_fixtures import contents
from tests.training.transfer_data import transfer_config, write_domains

TARGET = ("107", "120")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run trained at 0 hp, and a folder of recordings at 2 hp under other names."""
    folder = tmp_path_factory.mktemp("adapt")
    write_domains(folder / "data")
    config = transfer_config(
        folder / "data",
        folder / "prepared",
        data__select={"load_hp": [0], "code": ["IR", "B"]},
        split={"strategy": "within_recording", "gap": 256},
        transfer=None,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("faultdiag.api.train.draw_run", lambda _: None)
        train(config, run=folder / "run", device="cpu")
    (folder / "plant").mkdir()
    for number in TARGET:
        shutil.copy(folder / "data" / f"{number}.mat", folder / "plant" / f"motor{number}.mat")
    return folder


@pytest.fixture
def homeless(place: Path, tmp_path: Path) -> Path:
    """The same run where the source's recordings are not at hand."""
    shutil.copytree(place / "run", tmp_path / "run")
    for name in ("best.pt", "last.pt"):
        document = torch.load(tmp_path / "run" / name, weights_only=True)
        document["config"]["data"]["root"] = str(tmp_path / "gone")
        document["config"]["data"]["prepared"] = str(tmp_path / "prepared")
        torch.save(document, tmp_path / "run" / name)
    return tmp_path / "run"


def adapt(run: Path, place: Path, out: Path, **options: Any) -> Any:
    options = {"epochs": 2, "force": True, "sampling_rate": 12000, "device": "cpu"} | options
    target = place / "plant" if (place / "plant").is_dir() else place
    return faultdiag.adapt(run, target, out=out, **options)


def test_with_the_source_at_hand(place: Path, tmp_path: Path) -> None:
    adapted = adapt(place / "run", place, tmp_path / "out")
    assert adapted.why == "mk_mmd_mcc, because the source's recordings are at hand"
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["transfer"]["target"]["recordings"] == ["motor107.mat", "motor120.mat"]
    assert metrics["source_test"]["accuracy"] > 0.5
    assert metrics["test"] is None
    model = load(tmp_path / "out")
    assert model.transfer is not None
    assert model.transfer["method"] == "mk_mmd_mcc"
    assert [row["name"] for row in model.transfer["recordings"]] == ["motor107.mat", "motor120.mat"]
    before = load(place / "run").model
    assert any(not torch.equal(value, before[name]) for name, value in model.model.items())


def test_the_adapted_run_predicts_like_any_other(place: Path, tmp_path: Path) -> None:
    adapt(place / "run", place, tmp_path / "out")
    diagnoser = faultdiag.load(tmp_path / "out", device="cpu")
    files = sorted((place / "plant").glob("*.mat"))
    found = [diagnoser.diagnose(path, sampling_rate=12000) for path in files]
    assert {diagnosis.label for diagnosis in found} <= {"B", "IR"}
    source = faultdiag.load(place / "run", device="cpu")
    novelty = [source.diagnose(path, sampling_rate=12000).novelty for path in files]
    # What it was adapted to is not novel to it any more.
    assert all(d.novelty < before for d, before in zip(found, novelty, strict=True))
    assert all(d.novelty <= 1 for d in found)


@pytest.mark.parametrize("method", ["adabn", "shot", None])
def test_without_the_source(
    method: str | None, homeless: Path, place: Path, tmp_path: Path
) -> None:
    adapted = adapt(homeless, place, tmp_path / "out", method=method)
    assert adapted.metrics["transfer"]["method"] == (method or "shot")
    assert "source_test" not in adapted.metrics
    if method is None:
        assert "because the source's recordings are not at hand: " in adapted.why
        assert "gone" in adapted.why
    assert load(tmp_path / "out").transfer is not None


def test_settings_of_a_method_without_the_source(
    homeless: Path, place: Path, tmp_path: Path
) -> None:
    config = str(homeless / "config.yaml")
    Path(config).write_text(Path(config).read_text().replace(str(place / "data"), "gone"))
    options = {"config": config, "method": "shot", "settings": {"transfer": {"method": "shot"}}}
    adapted = adapt(homeless, place, tmp_path / "out", **options)
    assert adapted.model.transfer is not None
    assert adapted.model.transfer["options"] == {}
    options["settings"] = {"transfer": {"method": "shot", "beta": 0.5}}
    other = adapt(homeless, place, tmp_path / "other", **options)
    assert other.model.transfer is not None
    assert other.model.transfer["options"] == {"beta": 0.5}
    with pytest.raises(FaultdiagError, match="gone does not exist"):
        adapt(homeless, place, tmp_path / "none", config=config, method="coral")


def test_a_method_that_needs_the_source_is_refused_without_it(
    homeless: Path, place: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        FaultdiagError,
        match=r"method='coral' compares the target with the source's recordings, which are not at "
        r"hand: .*gone.*use method='adabn' or shot",
    ):
        adapt(homeless, place, tmp_path / "out", method="coral")
    assert not (tmp_path / "out").exists()


def test_the_source_can_be_named(homeless: Path, place: Path, tmp_path: Path) -> None:
    config = place / "run" / "config.yaml"
    adapted = adapt(homeless, place, tmp_path / "out", config=config)
    assert adapted.metrics["transfer"]["method"] == "mk_mmd_mcc"


def test_the_same_twice(place: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        adapt(place / "run", place, tmp_path / name)
    one, two = (load(tmp_path / name).model for name in ("one", "two"))
    assert all(torch.equal(value, two[name]) for name, value in one.items())


def tear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the recordings look torn apart after adaptation."""
    measure, calls = adapting.measure, [0]

    def torn(said: Any) -> Any:
        calls[0] += 1
        if calls[0] == 2:
            said.logits[::2] = said.logits[::2, ::-1]
        return measure(said)

    monkeypatch.setattr(adapting, "measure", torn)


def test_the_guard_writes_nothing(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tear(monkeypatch)
    with pytest.raises(
        FaultdiagError,
        match=r"fell from .*, by more than 5 points.*keep it all the same with force=True$",
    ):
        adapt(place / "run", place, tmp_path / "out", force=False)
    assert not (tmp_path / "out").exists()


def test_the_command(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["adapt", str(place / "run"), str(place / "plant"), "--out", str(tmp_path / "out")]
    words += ["--epochs", "1", "--sampling-rate", "12000", "--device", "cpu"]
    done = CliRunner().invoke(app, [*words, "--force"])
    assert done.exit_code == 0, done.stderr
    assert "agreement within target recordings" in done.stdout
    assert "class  before %  after %" in done.stdout
    assert "2 recordings" in done.stdout
    with monkeypatch.context() as patch:
        tear(patch)
        words[4] = str(tmp_path / "refused")
        refused = CliRunner().invoke(app, words)
    assert refused.exit_code == 1
    assert "REFUSED" in refused.stdout
    assert "--force" in refused.stderr
    assert not (tmp_path / "refused").exists()


def test_labels_of_a_manifest_are_not_read(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{place / 'plant' / f'motor{number}.mat'},IR,12000" for number in TARGET]
    manifest = tmp_path / "target.csv"
    manifest.write_text("\n".join(["path,label,sampling_rate", *rows]))
    faultdiag.adapt(place / "run", manifest, out=tmp_path / "one", epochs=1, force=True)
    assert "labels in" in capsys.readouterr().err
    plain = adapt(place / "run", place, tmp_path / "two", epochs=1)
    one = load(tmp_path / "one").model
    assert all(torch.equal(value, one[name]) for name, value in plain.model.model.items())


def test_a_run_trained_by_steps_adapts(place: Path, tmp_path: Path) -> None:
    run = trained(place, tmp_path / "run", name="cnn1d", widths=[4, 8], train__steps=3)
    epochs = {"train.batch_size": 8}
    one = adapt(run, place, tmp_path / "one", epochs=2, settings=epochs)
    assert [row["epoch"] for row in one.history] == [1, 2]
    steps = {**epochs, "transfer": {"steps": 4, "batch_size": 4}}
    two = adapt(run, place, tmp_path / "two", epochs=None, settings=steps)
    assert len(two.history) == two.metrics["selection"]["last_epoch"] == 1
    three = adapt(run, place, tmp_path / "three", epochs=1, settings=steps)
    assert not torch.equal(two.model.model["classify.weight"], three.model.model["classify.weight"])


def test_a_bad_file_is_left_out(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "plant"
    shutil.copytree(place / "plant", folder)
    (folder / "broken.mat").write_bytes(b"nothing")
    adapted = faultdiag.adapt(
        place / "run", folder, out=tmp_path / "out", epochs=1, force=True, sampling_rate=12000
    )
    assert len(adapted.metrics["transfer"]["target"]["recordings"]) == 2
    assert "warning: left out: " in capsys.readouterr().err


def test_what_is_refused(place: Path, tmp_path: Path) -> None:
    empty, short = tmp_path / "empty", tmp_path / "short"
    empty.mkdir()
    short.mkdir()
    (short / "a.csv").write_text("\n".join(str(i % 7) for i in range(50)))
    known = place / "data" / "105.mat"
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (empty, {}, "empty"),
        (tmp_path / "none", {}, "does not exist; give recordings or folders"),
        (
            short,
            {"sampling_rate": 12000},
            "the target has no recording that the model takes: .* 50 ",
        ),
        (known, {}, "the target is the source: the model was trained on .*105.mat"),
        (place / "plant", {"method": "mmd"}, "unknown transfer method 'mmd'"),
        (place / "plant", {"method": "none"}, "adapts nothing; choose one of: adabn"),
        (place / "plant", {"channel": "FE", "sampling_rate": 12000}, "FE"),
    ]
    before = contents(place / "run")
    for paths, options, problem in cases:
        with pytest.raises(FaultdiagError, match=problem):
            faultdiag.adapt(place / "run", paths, out=tmp_path / "out", **options)
        assert not (tmp_path / "out").exists()
    assert contents(place / "run") == before
    adapt(place / "run", place, tmp_path / "out", epochs=1)
    with pytest.raises(FaultdiagError, match=r"out exists and holds adapted\.pt, best\.pt"):
        adapt(place / "run", place, tmp_path / "out", epochs=1)
    with pytest.raises(FaultdiagError, match=r"out/best\.pt is a file; give a folder"):
        adapt(place / "run", place, tmp_path / "out" / "best.pt", epochs=1)


def trained(place: Path, folder: Path, *, train__steps: int | None = None, **model: Any) -> Path:
    """A run of another network, trained on the same recordings as `place`."""
    config = transfer_config(
        place / "data",
        place / "prepared",
        data__select={"load_hp": [0], "code": ["IR", "B"]},
        split={"strategy": "within_recording", "gap": 256},
        transfer=None,
        train__epochs=1,
        train__steps=train__steps,
        model=model,
    )
    train(config, run=folder, device="cpu", pictures=False)
    return folder


def test_models_that_a_method_cannot_serve(place: Path, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"any")
    lines = trained(place, tmp_path / "lines", name="logistic")
    plain = trained(place, tmp_path / "plain", name="transformer1d", patch=32, depth=1)
    cases = [
        (tmp_path / "model.onnx", None, "is an export, which can't be trained further; give the"),
        (lines, None, "holds the baseline 'logistic', which has no features to adapt; train a net"),
        (plain, "adabn", "adabn replaces the statistics of batch normalisations, and this network"),
    ]
    for run, method, problem in cases:
        with pytest.raises(FaultdiagError, match=problem):
            adapt(run, place, tmp_path / "out", method=method)
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("method", ["mk_mmd_mcc", "shot", "adabn"])
def test_a_target_of_one_window(method: str, place: Path, tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    path.write_text("\n".join(str(i % 7 + i % 3) for i in range(300)))
    problem = f"{method} needs 2 windows of each domain for its estimate, but the target has 1; use"
    with pytest.raises(FaultdiagError, match=problem):
        faultdiag.adapt(
            place / "run", path, out=tmp_path / "out", method=method, sampling_rate=12000
        )


def test_another_window_than_the_models(place: Path, tmp_path: Path) -> None:
    with pytest.raises(FaultdiagError, match=r"window\.length is 200, the model was tr"):
        adapt(
            place / "run",
            place,
            tmp_path / "out",
            config=place / "run" / "config.yaml",
            settings={"window.length": 200},
        )


def test_an_assumed_rate_is_said_so(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, path in enumerate(sorted((place / "plant").iterdir())):
        rows = np.random.default_rng(number).standard_normal(2000)
        (tmp_path / f"{path.stem}.csv").write_text("\n".join(map(str, rows)))
    adapt(place / "run", tmp_path, tmp_path / "out", method="adabn", sampling_rate=None)
    assert (
        "nothing states the sampling rate of 2 recordings; the model's" in capsys.readouterr().err
    )


def test_another_rate_is_resampled_and_said_so(
    place: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    adapt(place / "run", place, tmp_path / "out", epochs=1, method="adabn", sampling_rate=24000)
    assert "resampled from 24000 Hz to 12000 Hz: motor107" in caplog.text


def test_a_network_that_needs_the_bearing_gets_it(place: Path, tmp_path: Path) -> None:
    run = trained(place, tmp_path / "run", name="tied_z")
    with pytest.raises(FaultdiagError, match=r"needs its geometry; give bearing="):
        adapt(run, place, tmp_path / "out")
    with pytest.raises(FaultdiagError, match="unknown bearing '62O5'"):
        adapt(run, place, tmp_path / "out", bearing="62O5")
    named, same, other = (
        adapt(run, place, tmp_path / bearing, epochs=1, bearing=bearing).model.model
        for bearing in ("6205", "9,0.3126,1.537", "6203")
    )
    assert all(torch.equal(value, same[name]) for name, value in named.items())
    assert not all(torch.equal(value, other[name]) for name, value in named.items())
