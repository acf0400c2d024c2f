"""What names of folders and files tell of the classes."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultdiag.datasets.facts import FilePattern, first_fit
from faultdiag.datasets.folder import Folder
from faultdiag.errors import FaultdiagError
from faultdiag.guess.labels import guess_labels
from faultdiag.guess.names import name_patterns
from faultdiag.guess.states import alike
from faultdiag.preparing.recordings import label_entries
from tests.commands import done


def guessed(root: Path, names: list[str]) -> tuple[Any, str, dict[str, str]]:
    """Return the pattern, the label, and each recording's class."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    found = guess_labels(root, names)
    entries = Folder(root, **found.options).entries({}).entries
    labels = label_entries(entries, found.label)
    classes = {entry.name: label for entry, label in zip(entries, labels, strict=True)}
    return found.options.get("pattern"), found.label, classes


SPEEDS = ("900", "1200")


@pytest.mark.parametrize(
    ("names", "pattern", "classes"),
    [
        (
            [f"{c}_{s}_1" for c in ("N", "B", "I", "O") for s in SPEEDS],
            "{fault:alpha}_{rpm}_1",
            {"N", "B", "I", "O"},
        ),
        (
            [f"{c}_{s}" for c in ("N", "IR5", "IR14", "OR5") for s in SPEEDS],
            ["{fault:alpha}{size}_{rpm}", "{fault:alpha}_{rpm}"],
            {"N", "IR5", "IR14", "OR5"},
        ),
        # The healthy one counts too: no sizes.
        (
            [f"{c}{i}" for c in ("normal", "inner") for i in (1, 2, 3)],
            "{fault:alpha}{run}",
            {"normal", "inner"},
        ),
        (
            [f"{c}{s}_{i}" for c in ("n", "ib", "ob") for s in SPEEDS for i in (3, 7)],
            "{fault:alpha}{rpm:int}_{number}",
            {"n", "ib", "ob"},
        ),
        (
            [f"rig A-{c}-{h}hp" for c in ("healthy", "faulty") for h in (0, 1)],
            "rig A-{fault:alpha}-{load_hp:float}hp",
            {"healthy", "faulty"},
        ),
        (
            [f"{c}_12000Hz" for c in ("good", "cage")],
            "{fault:alpha}_{sampling_rate:float}Hz",
            {"good", "cage"},
        ),
        # No word is known: the letters that vary.
        (
            [f"{n}_{c}" for c in ("green", "red") for n in ("007", "008", "009")],
            "{number}_{fault:alpha}",
            {"green", "red"},
        ),
        (
            ["baseline_1", "baseline_2", "InnerRace_vload_1", "InnerRace_vload_2"],
            ["{fault:alpha}_{number}", "{fault:alpha}_vload_{number}"],
            {"baseline", "InnerRace"},
        ),
        ([f"{c}{{x}}_{i}" for c in ("N", "IR") for i in (3, 4)], None, None),
    ],
)
def test_files_names(tmp_path: Path, names: list[str], pattern: Any, classes: Any) -> None:
    found, _, labels = guessed(tmp_path, [f"{name}.mat" for name in names])
    assert len(labels) == len(names)
    if pattern is not None:
        assert found == pattern
        assert set(labels.values()) == classes


def test_sub_folders(tmp_path: Path) -> None:
    names = [f"{c}/{i}.mat" for c in ("alpha", "beta") for i in (1, 2)]
    assert guessed(tmp_path, names)[:2] == (None, "{label}")


def test_the_folders_that_are_words_for_a_state_are_the_classes(tmp_path: Path) -> None:
    names = [f"rig {r}/{c}/{i}.mat" for r in (1, 2) for c in ("normal", "outer race") for i in (1,)]
    pattern, label, classes = guessed(tmp_path, names)
    assert (pattern, label) == ("{label:any}/{file:any}", "{label}")
    assert set(classes.values()) == {"normal", "outer race"}


def test_names_win_where_folders_are_conditions(tmp_path: Path) -> None:
    names = [f"{speed}rpm/{c}_1.mat" for speed in (900, 1200) for c in ("N", "IR")]
    pattern, label, classes = guessed(tmp_path, names)
    assert (pattern, label) == ("{fault:alpha}_1", "{fault}")
    assert classes["900rpm/N_1"] == "N"


@pytest.mark.parametrize("names", [["1.mat", "2.mat"], ["a_1.mat", "a_2.mat"], ["N/1.mat"]])
def test_names_that_tell_nothing(tmp_path: Path, names: list[str]) -> None:
    expected = f"{tmp_path}: no names of folders or files tell two classes: {names[0]}"
    with pytest.raises(FaultdiagError, match=re.escape(expected)):
        guess_labels(tmp_path, names)


@pytest.mark.parametrize(
    ("classes", "groups"),
    [
        (["Normal", "normal"], ["Normal, normal"]),
        (["OR5", "OuterRaceFault", "IR"], ["OR5, OuterRaceFault"]),
        (["正常", "Normal", "inner"], ["Normal, 正常"]),
        (["内圈", "IR_1", "N"], ["IR_1, 内圈"]),
        (["IR007", "IR014", "N", "B007"], []),
        (["gear A", "gear_a"], ["gear A, gear_a"]),
        (["K001", "KA01", "KI01"], []),
    ],
)
def test_classes_that_are_probably_one(classes: list[str], groups: list[str]) -> None:
    assert [text.partition(":")[0] for text in alike(classes)] == groups


def test_positions_are_no_sizes() -> None:
    names = ["OR007@6_0", "OR007@3_0", "OR014@6_0", "IR007_0", "IR014_0", "N_0"]
    found = name_patterns([f"{name}.mat" for name in names])
    assert found is not None
    patterns = [FilePattern(text) for text in found.patterns]
    facts = [first_fit(patterns, f"{name}.mat") for name in names]
    assert [f"{f['fault']}{f['size'] or ''}" for f in facts] == [
        *("OR007", "OR007", "OR014", "IR007", "IR014", "N"),
    ]
    assert [f["position"] for f in facts] == [6, 3, 6, None, None, None]


@pytest.mark.parametrize("names", [["IR_DE", "IR_FE", "N_DE", "N_FE"], ["IR_1", "IR_2", "N_1"]])
def test_channels_and_numbers_are_no_sizes(names: list[str]) -> None:
    found = name_patterns([f"{name}.mat" for name in names])
    assert found is not None
    assert found.label == "{fault}"
    assert found.classes == 2


def test_the_choice_of_the_label_says_what_it_rejected(tmp_path: Path) -> None:
    paths = [f"{load}/{code}_{i}.mat" for load in ("low", "high") for code in "NI" for i in (1, 2)]
    found = guess_labels(tmp_path, paths)
    assert any(
        "not taken for classes: the recordings lie in the folders high, low" in reason
        for reason in found.reasons
    )


def test_init_and_check_name_classes_that_are_probably_one(tmp_path: Path) -> None:
    for place, label in enumerate(("正常", "Normal", "OR5", "OuterRaceFault")):
        (tmp_path / "rig" / label).mkdir(parents=True)
        x = np.random.default_rng(place).standard_normal(9000)
        np.savez(tmp_path / "rig" / label / "1.npz", acc=x, fs=12_000)
    out = tmp_path / "a.yaml"
    told = done("init", "--from", tmp_path / "rig", "--out", out)
    checked = done("check", "--config", out, "--set", f"data.prepared={tmp_path / 'p'}")
    for text in (told, checked):
        assert "Normal, 正常: probably one class (healthy)" in text
        assert "OR5, OuterRaceFault: probably one class (outer race); if so, give" in text
