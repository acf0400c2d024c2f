"""What is said of a run, and `eval` on its own split and on other data."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from scipy.io import loadmat

import faultdiag
from faultdiag import inference
from faultdiag.api.train import evaluate, train
from faultdiag.errors import FaultdiagError
from faultdiag.evaluation import evaluate_run
from faultdiag.preparing.folder import gather
from faultdiag.preparing.prepare import prepare
from faultdiag.report.training import evaluation_text, summary
from faultdiag.training.session import Run
from tests.commands import done, refused, run
from tests.data_fixtures import (
    contents,
    tiny_config,
    write_mat,
    write_recording,
    write_recordings,
)


def metrics(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "metrics.json").read_text()))


@pytest.mark.parametrize("part", ["test", "valid"])
def test_evaluating_a_run_gives_the_metrics_it_wrote(part: str, trained: Path) -> None:
    before = contents(trained)
    result = evaluate_run(trained, part, device="cpu")
    assert set(result) == {part, "split"}
    assert json.loads(json.dumps(result[part])) == metrics(trained)[part]
    assert result["split"] == metrics(trained)["split"]
    assert contents(trained) == before


def test_the_training_part_and_a_single_checkpoint(trained: Path, tmp_path: Path) -> None:
    result = evaluate_run(trained / "last.pt", "train", device="cpu")
    assert result["train"]["windows"] > metrics(trained)["valid"]["windows"]
    alone = Path(shutil.copy(trained / "best.pt", tmp_path / "model.pt"))
    assert evaluate_run(alone, "test", device="cpu")["test"] == metrics(trained)["test"]


def test_noise_is_an_entry_per_ratio_and_repeats(trained: Path) -> None:
    result = evaluate_run(trained, "test", snr=[-30, 0, 30], device="cpu")
    assert result["test"] == metrics(trained)["test"], "without noise it is what it was"
    assert [row["snr"] for row in result["noise"]] == [-30, 0, 30]
    own = {"kind", "snr", "noise_only_accuracy"}
    assert {frozenset(row) - own for row in result["noise"]} == {frozenset(result["test"])}
    accuracies = [row["accuracy"] for row in result["noise"]]
    assert accuracies[0] < accuracies[2] == 1.0
    assert evaluate_run(trained, "test", snr=[-30, 0, 30], device="cpu") == result
    # A ratio's figures don't depend on which others are asked for.
    (alone,) = evaluate_run(trained, "test", snr=[0], device="cpu")["noise"]
    assert alone == result["noise"][1]


def test_noise_is_drawn(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    png = tmp_path / "noise.png"
    result = evaluate(trained, "test", snr=[10, -10], device="cpu", plot=png)
    assert result == evaluate_run(trained, "test", snr=[10, -10], device="cpu")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().err == f"drew {png}\n"


def test_noise_that_cannot_be_drawn_is_told_first(tmp_path: Path) -> None:
    with pytest.raises(
        FaultdiagError,
        match="--plot draws accuracy over noise and --snr is 3 alone; give two or more: --snr -4",
    ):
        evaluate(tmp_path, "test", snr=[3, 3], plot=tmp_path / "a.png")
    with pytest.raises(FaultdiagError, match="over noise and no --snr was given; give two or more"):
        evaluate(tmp_path, "test", plot=tmp_path / "a.png")
    with pytest.raises(
        FaultdiagError, match=r"--plot is \S+a\.pdf; a PNG is drawn, so give a name"
    ):
        evaluate(tmp_path, "test", snr=[3, 4], plot=tmp_path / "a.pdf")


def test_the_data_of_another_config(trained: Path, tmp_path: Path, prepared_root: Path) -> None:
    new = write_recordings(tmp_path / "new", seed=3)
    result = evaluate_run(trained, "test", config=tiny_config(new, prepared_root), device="cpu")
    assert result["test"]["accuracy"] == 1.0
    assert result["test"] != metrics(trained)["test"]
    some = tiny_config(new, prepared_root, data__select={"number": [97, 118]})
    part = evaluate_run(trained, "test", config=some, device="cpu")["test"]
    assert part["per_class"]["IR"]["windows"] == 0
    assert part["per_class"]["IR"]["recall"] is None
    assert part["recordings"] == 2
    assert part["confusion"]["labels"] == ["B", "IR", "N"]


def test_other_data_is_normalised_as_the_model_learnt_to(
    recordings: Path, prepared_root: Path, tmp_path: Path, no_figures: None
) -> None:
    config = tiny_config(recordings, prepared_root, normalize="channel_zscore")
    run = train(config, run=tmp_path / "run", device="cpu").folder
    louder = tmp_path / "louder"
    louder.mkdir()
    for number in (97, 105, 118):
        x = loadmat(recordings / f"{number}.mat")[f"X{number:03d}_DE_time"][:, 0]
        write_mat(louder / f"{number}.mat", number, DE=20 * x)
    for name in ("channel_zscore", "window_zscore"):
        other = tiny_config(louder, prepared_root, normalize=name)
        found = evaluate_run(run, "test", config=other, device="cpu")["test"]
        prepared = prepare(other)
        windows = prepared.windows.of("test")
        raw = gather(prepared.signals, prepared.positions(windows), 256)
        called = faultdiag.load(run, device="cpu").logits(raw).argmax(1)
        assert found["accuracy"] == (called == windows.label).mean()
        assert found["ece"] != metrics(run)["test"]["ece"]


def test_other_data_that_does_not_fit(trained: Path, recordings: Path, prepared_root: Path) -> None:
    other = tiny_config(recordings, prepared_root, data__label="{fault}")
    with pytest.raises(
        FaultdiagError, match="the data has the classes ball, inner, normal, the model knows B, IR"
    ):
        evaluate_run(trained, "test", config=other, device="cpu")


def test_data_that_changed_is_refused(recordings: Path, trained: Path, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(recordings, tmp_path / "mine"))
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    from dataclasses import replace

    from faultdiag.checkpoint import load, save

    source = load(run)
    config = dict(source.config)
    config["data"] = {**config["data"], "root": str(mine), "prepared": str(tmp_path / "prepared")}
    save(run / "best.pt", replace(source, config=config))
    assert evaluate_run(run, "test", device="cpu")["test"] == metrics(trained)["test"]
    write_recording(mine / "105.mat", 105, seed=8)
    with pytest.raises(
        FaultdiagError,
        match=r"the data is not what the run was trained on: \S+/mine/105\.mat has changed; "
        r"restore it, train again, or evaluate other data on purpose with --config",
    ):
        evaluate_run(run, "test", device="cpu")
    # On purpose it is done.
    other = tiny_config(mine, tmp_path / "prepared")
    assert evaluate_run(run, "test", config=other, device="cpu")["test"]["recordings"] == 3


def test_what_is_asked_wrongly_is_told_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        FaultdiagError, match=r"unknown part 'tst' \(did you mean 'test'\?\); known: test, train, v"
    ):
        evaluate_run(tmp_path, "tst")
    with pytest.raises(FaultdiagError, match="--snr is nan dB; give a number from -100 to 100"):
        evaluate_run(tmp_path, "test", snr=[0, float("nan")])
    with pytest.raises(FaultdiagError, match="unknown device 'gpu'; use auto, cpu, cuda or cuda:N"):
        evaluate_run(tmp_path, "test", device="gpu")
    with pytest.raises(FaultdiagError, match="is no run folder: it has no"):
        evaluate_run(tmp_path, "test", device="cpu")
    assert inference.LARGEST_SNR == 100


FITTED_ON = (
    "the temperature is fitted on other seconds of the training recordings, which may lower "
    "confidences only",
    "the novelty threshold is fitted on other seconds of the training recordings: about 1.0% of "
    "such windows exceed it",
)


def test_the_table_after_training(trained: Path) -> None:
    found = metrics(trained)
    found["test"] |= {"ece": 0.0212, "ece_unscaled": 0.0523, "temperature": 1.8372}
    found["last"]["test"]["accuracy"] = 0.9321
    lines = summary(Run(trained, found, 2, 3)).splitlines()
    assert lines[0].split()[:4] == ["part", "windows", "disjoint", "recordings"]
    assert [line.split()[0] for line in lines[2:4]] == ["valid", "test"]
    assert lines[3].split()[4] == "100.0"
    assert lines[4:] == [
        "split within_recording: 0 samples in two or more parts",
        "train and test share recordings: the figure says how well other seconds of the same "
        "recordings are distinguished",
        "note: resampled from 48000 Hz to 12000 Hz: 97",
        "by recording: 3 of 3 right (95 % interval 44% to 100%)",
        "expected calibration error of the confidences: 2.1% at temperature 1.84, 5.2% without it",
        *FITTED_ON,
        "epoch 2 of 3 was chosen by its validation accuracy: test accuracy 100.0%; the last "
        "epoch's is 93.2%",
        f"run folder: {trained}",
    ]


def test_the_table_where_there_was_nothing_to_choose_or_to_calibrate(trained: Path) -> None:
    found = metrics(trained)
    lines = summary(Run(trained, found, 3, 3)).splitlines()
    ece = f"{found['test']['ece']:.1%}"
    assert lines[-5:-1] == [
        f"expected calibration error of the confidences: {ece} at temperature 1",
        *FITTED_ON,
        "epoch 3 of 3 was chosen by its validation accuracy; it is the last",
    ]


def test_an_evaluation_in_words(trained: Path) -> None:
    text = evaluation_text(evaluate_run(trained, "test", snr=[-4, 10.5], device="cpu"))
    head, by_class, noise = text.split("\n\n")
    assert head.splitlines()[2].split()[0] == "test"
    assert "split within_recording: 0 samples in two or more parts" in head
    rows = [line.split() for line in by_class.splitlines()]
    assert rows[0] == [*("class", "windows", "precision", "%", "recall", "%", "F1", "%")]
    assert [row[0] for row in rows[2:]] == ["B", "IR", "N"]
    assert rows[2][2:] == ["100.0", "100.0", "100.0"]
    rows = [line.split() for line in noise.splitlines()]
    assert rows[0][:6] == [*("SNR", "dB", "accuracy", "%", "macro-F1", "%")]
    assert rows[0][6:] == ["noise", "alone", "%"]
    assert [row[0] for row in rows[2:]] == ["-4", "10.5"]
    quiet = evaluation_text(evaluate_run(trained, "valid", device="cpu"))
    assert "SNR" not in quiet


def test_other_data_that_the_model_has_seen_is_called_a_leak(
    trained: Path, recordings: Path, prepared_root: Path, tmp_path: Path
) -> None:
    shifted = tiny_config(recordings, prepared_root, split__fractions=[0.1, 0.1, 0.8])
    result = evaluate_run(trained, "test", config=shifted, device="cpu")
    prepared = prepare(shifted)
    own = json.loads((trained / "split.json").read_text())["parts"]
    windows = prepared.windows.of("test")
    known = {
        (r, sample) for p in ("train", "valid") for r, a, b in own[p] for sample in range(a, b)
    }
    seen = [
        any((int(r), sample) in known for sample in range(start, start + prepared.length))
        for r, start in zip(windows.recording, windows.start, strict=True)
    ]
    assert 0 < sum(seen) < len(seen)
    assert result["split"]["seen_windows"] == pytest.approx(sum(seen) / len(seen))
    share = f"{sum(seen) / len(seen):.1%}"
    leak = f"LEAK: {share} of these windows overlap what the model was trained on"
    assert leak in evaluation_text(result)
    new = tiny_config(write_recordings(tmp_path / "new", seed=5), prepared_root)
    unseen = evaluate_run(trained, "test", config=new, device="cpu")
    assert unseen["split"]["seen_windows"] == 0
    assert "none of these windows overlaps" in evaluation_text(unseen)
    alone = Path(shutil.copy(trained / "best.pt", tmp_path / "model.pt"))
    unknown = evaluate_run(alone, "test", config=new, device="cpu")
    assert unknown["split"]["seen_windows"] is None
    assert "what the model was trained on is not known" in evaluation_text(unknown)


def test_recordings_are_counted_with_their_interval(trained: Path) -> None:
    text = evaluation_text(evaluate_run(trained, "test", device="cpu"))
    assert "by recording: 3 of 3 right (95 % interval 44% to 100%)" in text


def test_evaluating_on_the_split_of_a_file(trained: Path, tmp_path: Path) -> None:
    own = evaluate_run(trained, "test", split=trained, device="cpu")
    assert own["test"] == metrics(trained)["test"]
    assert own["split"]["strategy"] == "file"
    assert own["split"]["seen_windows"] == 0.0
    assert "none of these windows overlaps what the model was trained on" in evaluation_text(own)

    document = json.loads((trained / "split.json").read_text())
    parts = document["parts"]
    parts["train"], parts["test"] = parts["test"], parts["train"]
    other = tmp_path / "other.json"
    other.write_text(json.dumps(document))
    known = evaluate_run(trained, "test", split=other, device="cpu")
    assert known["split"]["seen_windows"] == 1.0
    assert "LEAK: 100.0% of these windows overlap what the model" in evaluation_text(known)
    assert known["test"]["windows"] > own["test"]["windows"]


def test_another_split_and_other_data_exclude_each_other(
    trained: Path, recordings: Path, prepared_root: Path
) -> None:
    config = tiny_config(recordings, prepared_root)
    with pytest.raises(
        FaultdiagError,
        match=r"^--split takes another split of the run's own data and --config other data; give "
        r"one of the two, or write split: \{strategy: file, path: …\} in that config$",
    ):
        evaluate_run(trained, "test", config=config, split=trained)


def test_the_command_takes_a_split(trained: Path, tmp_path: Path) -> None:
    assert "split file: 0 samples" in done("eval", trained, "--split", trained, "--device", "cpu")
    refused(
        run("eval", trained, "--split", tmp_path / "none.json"),
        "cannot read the split",
    )


def test_kinds_of_noise_are_rows_and_the_noise_alone_says_nothing(trained: Path) -> None:
    kinds = ("white", "pink", "hum")
    result = evaluate_run(trained, "test", snr=[-30, 0], noise=kinds, device="cpu")
    assert [(row["kind"], row["snr"]) for row in result["noise"]] == [
        (kind, snr) for kind in kinds for snr in (-30, 0)
    ]
    labels = [row["windows"] for row in result["test"]["per_class"].values()]
    # Windows are scaled one by one: the noise alone names one class, or guesses.
    alone = [row["noise_only_accuracy"] for row in result["noise"]]
    assert max(alone) <= max(labels) / sum(labels) + 0.15
    assert "pink" in evaluation_text(result)


def test_noise_without_a_ratio_or_of_no_kind_is_refused(trained: Path) -> None:
    with pytest.raises(FaultdiagError, match=r"--noise is pink, but nothing says how much of it"):
        evaluate_run(trained, "test", noise=["pink"], device="cpu")
    with pytest.raises(FaultdiagError, match=r"unknown noise 'pinc' \(did you mean 'pink'\?\)"):
        evaluate_run(trained, "test", snr=[0], noise=["pinc"], device="cpu")
