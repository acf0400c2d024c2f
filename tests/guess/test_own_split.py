"""Folders for training and test of the user stay apart; names don't hide class folders."""

from pathlib import Path

import numpy as np
import pytest

from faultdiag.config.schema import load_config
from faultdiag.errors import FaultdiagError
from faultdiag.guess.guessing import write_guess
from faultdiag.guess.names import guess_labels, own_split
from faultdiag.preparing.prepare import prepare


def rig(root: Path, parts: dict[str, int], layout: str, samples: int = 40_000) -> Path:
    seed = 0
    for part, count in parts.items():
        for label in ("normal", "inner"):
            for i in range(count):
                path = root / layout.format(part=part, label=label, i=i)
                path.parent.mkdir(parents=True, exist_ok=True)
                x = np.random.default_rng(seed).standard_normal(samples)
                np.savez(path, acc=x, fs=12_000)
                seed += 1
    return root


@pytest.mark.parametrize(
    "parts",
    [{"train": 3, "test": 1}, {"Train": 2, "Val": 1, "Test": 2}, {"训练集": 2, "测试集": 1}],
)
@pytest.mark.parametrize(
    "layout", ["{part}/{label}/{i}.npz", "{part}/{label}_{i}.npz", "{part}/rig/{label}/{i}.npz"]
)
def test_the_split_is_the_users(parts: dict[str, int], layout: str, tmp_path: Path) -> None:
    root = rig(tmp_path / "rig", parts, layout)
    out = tmp_path / "a.yaml"
    guess = write_guess(root, out)
    assert "the split is yours: the folders" in guess.explanation
    prepared = prepare(load_config(out, [f"data.prepared={tmp_path / 'prepared'}"]))
    assert prepared.classes == ("inner", "normal")
    tested = {prepared.recordings[s.recording].facts["part"] for s in prepared.segments("test")}
    trained = {prepared.recordings[s.recording].facts["part"] for s in prepared.segments("train")}
    names = list(parts)
    assert (trained, tested) == ({names[0]}, {names[-1]})
    assert prepared.sharing is not None


@pytest.mark.parametrize(
    "paths",
    [["train/a/1.mat", "2.mat"], ["train/a/1.mat", "other/a/2.mat"], ["train/1.mat"], ["a/1.mat"]],
)
def test_what_is_no_split(paths: list[str]) -> None:
    assert own_split(paths) == {}


def test_recordings_at_several_depths_are_a_question(tmp_path: Path) -> None:
    root = rig(tmp_path, {"train": 1, "test": 1}, "{part}/{label}/{i}.npz", 9000)
    np.savez(root / "train" / "normal.npz", acc=np.ones(9000), fs=12_000)
    with pytest.raises(FaultdiagError, match="recordings at several depths below them"):
        write_guess(root, tmp_path / "a.yaml")


def test_names_do_not_hide_class_folders() -> None:
    bearings = ("K001", "KA01", "KI01")
    paths = [f"{b}/N15_M07_F10_{b}_{k}.mat" for b in bearings for k in (1, 2)]
    assert guess_labels(Path("rig"), paths).label == "{label}"


@pytest.mark.parametrize("speed", ["1797", "1023"])
def test_a_speed_is_parsed_in_names_of_every_shape(speed: str) -> None:
    names = [f"{speed}_{c}_{s}.npy" for c in ("B", "IR") for s in (7, 14)]
    found = guess_labels(Path("rig"), [f"{speed}_Normal.npy", *names, "1772_B_7.npy"])
    assert found.options["pattern"] == ["{rpm}_{fault:alpha}_{number}", "{rpm}_{fault:alpha}"]
