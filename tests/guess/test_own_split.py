"""Folders for training and test of the user stay apart; names don't hide class folders."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultdiag.config.schema import load_config
from faultdiag.datasets.facts import FilePattern, first_fit
from faultdiag.errors import FaultdiagError
from faultdiag.guess.guessing import write_guess
from faultdiag.guess.labels import guess_labels, guess_own_labels, own_split, part_level
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
    assert part_level(paths) is None
    assert own_split(paths, {"pattern": "{part}/{file:any}"}) == {}


TRAIN = ["Training", "train_data", "Trainingsdaten", "01_train", "Learning_set", "apprentissage"]
TRAIN += ["entrenamiento", "обучение", "训练数据", "TRAIN"]
TEST = ["Testing", "test_data", "Testdaten", "02_test", "Prüfdaten", "essai", "prueba", "тест"]
TEST += ["测试数据", "TEST", "Evaluation", "hold-out"]
PLACES = [
    "{part}/{label}/{i}",
    "{label}/{part}/{i}",
    "rig/{part}/{label}/{i}",
    "{part}/{label}_{i}",
]
PLACES += ["{part}_{label}_{i}", "{label}_{part}_{i}", "{part}/900/{label}/{i}"]


@given(
    names=st.tuples(st.sampled_from(TRAIN), st.sampled_from(TEST)),
    layout=st.sampled_from(PLACES),
    classes=st.sampled_from([("normal", "inner"), ("K001", "KA01"), ("正常", "内圈")]),
)
def test_the_parts_by_any_name_and_in_any_place(
    names: tuple[str, str], layout: str, classes: tuple[str, str]
) -> None:
    if layout.startswith(("{part}_", "{label}_{")) and not all(n.isalpha() for n in names):
        return
    rows = [(part, label, i) for part in names for label in classes for i in (1, 2)]
    paths = [layout.format(part=part, label=label, i=i) + ".npy" for part, label, i in rows]
    found = guess_own_labels(Path("rig"), paths)
    split = own_split(paths, found.options)
    assert (split["train"], split["test"]) == ([names[0]], [names[1]])
    given = found.options["pattern"]
    patterns = [FilePattern(p) for p in ([given] if isinstance(given, str) else given)]
    for path, (part, label, _) in zip(paths, rows, strict=True):
        facts = first_fit(patterns, path)
        assert facts is not None
        assert facts[split["fact"]] == part
        assert found.label.format(**facts).startswith(label[:1])


def test_validation_alone_is_the_test() -> None:
    paths = [f"{part}/{label}/1.npy" for part in ("Train", "Val") for label in ("n", "ir")]
    split = own_split(paths, guess_own_labels(Path("rig"), paths).options)
    assert split == {"strategy": "across", "fact": "part", "train": ["Train"], "test": ["Val"]}


def test_recordings_in_neither_part_are_left_out_by_name(tmp_path: Path) -> None:
    root = rig(tmp_path / "rig", {"train": 2, "test": 1, "extra": 1}, "{part}/{label}/{i}.npz")
    out = tmp_path / "a.yaml"
    write_guess(root, out)
    prepared = prepare(load_config(out, [f"data.prepared={tmp_path / 'prepared'}"]))
    assert any("left out: extra/inner/0" in note for note in prepared.document["notes"])


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


FACTS = [
    ("{label}/{rpm}rpm_{i}", "rpm"),
    ("{label}/{rpm}/{i}", "rpm"),
    ("{rpm}RPM/{label}/{i}", "rpm"),
    ("{rpm}/{label}_{i}", "rpm"),
    ("{label}/n{rpm}_{i}", "rpm"),
    ("{label}/load{rpm}_{i}", "load"),
    ("{label}/{i}_{rpm}hp", "load_hp"),
    ("pump/{label}/{i}_{rpm}Umin", "rpm"),
]


@given(
    layout=st.sampled_from(FACTS),
    classes=st.sampled_from([("normal", "inner"), ("gut", "innen"), ("K001", "KA01", "KI01")]),
    values=st.sampled_from([("900", "1500"), ("1797", "1772"), ("600", "1000", "1400")]),
)
def test_facts_of_folders_and_names_are_both_read(
    layout: tuple[str, str], classes: tuple[str, ...], values: tuple[str, ...]
) -> None:
    text, fact = layout
    rows = [(c, value, i) for c in classes for value in values for i in (1, 2)]
    paths = [text.format(label=c, rpm=value, i=i) + ".mat" for c, value, i in rows]
    found = guess_own_labels(Path("rig"), paths)
    given = found.options["pattern"]
    patterns = [FilePattern(p) for p in ([given] if isinstance(given, str) else given)]
    for path, (label, value, _) in zip(paths, rows, strict=True):
        facts = first_fit(patterns, path)
        assert facts is not None
        assert facts[fact] == float(value)
        assert found.label.format(**facts).startswith(label[:1])


@pytest.mark.parametrize(
    "names",
    [
        ["2024-01-01_IR_01", "2024-01-02_IR_02", "2024-01-01_N_01", "2024-01-02_N_02"],
        ["IR_20240101_1200", "IR_20240102_1310", "N_20240101_1220", "N_20240102_1330"],
        ["12k_IR007_0_105", "12k_OR007@6_0_130", "Normal_0_97"],
    ],
)
def test_dates_and_numbers_of_files_are_no_speeds(names: list[str]) -> None:
    options = guess_labels(Path("rig"), [f"{name}.mat" for name in names]).options
    assert "rpm" not in str(options["pattern"])
