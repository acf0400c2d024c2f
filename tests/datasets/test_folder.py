"""One's own recordings in a folder: facts from folders' and files' names."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from faultdiag.datasets import DATASETS
from faultdiag.datasets.base import Selection, find_recordings
from faultdiag.datasets.folder import Folder
from faultdiag.errors import FaultdiagError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"never opened")
    return root


def found(root: Path, select: dict[str, Any] | None = None, **options: Any) -> Selection:
    return DATASETS.build("folder", root, **options).entries(select or {})


def refused(message: str, root: Path, **options: Any) -> None:
    with pytest.raises(FaultdiagError, match=re.escape(message)):
        found(root, **options)


def test_each_sub_folder_is_a_class(tmp_path: Path) -> None:
    root = touch(tmp_path, "N/1.mat", "IR/1.mat", "IR/day 2/1.mat", "N/.hidden.mat", "N/notes.md")
    selection = found(root, recorded_at=12000, rpm=900)
    assert [(e.name, dict(e.facts)) for e in selection.entries] == [
        ("IR/1", {"label": "IR"}),
        ("IR/day 2/1", {"label": "IR"}),
        ("N/1", {"label": "N"}),
    ]
    assert {(e.sampling_rate, e.rpm, e.any_channel) for e in selection.entries} == {
        (12000.0, 900.0, True)
    }
    assert selection.entries[0].path == tmp_path / "IR/1.mat"
    assert (selection.missing, selection.notes) == ([], [])
    assert Folder(tmp_path).facts == {"label": ("IR", "N")}


def test_speed_and_rate_in_a_name_are_used_as_such(tmp_path: Path) -> None:
    root = touch(tmp_path, "N_900_12000Hz.mat", "IR_1200_48000Hz.mat", "x_900_100Hz.mat")
    entries = found(
        root,
        {"fault": ["N", "IR"]},
        pattern="{fault}_{rpm}_{sampling_rate:int}Hz",
        recorded_at=1,
        rpm=2,
    ).entries
    assert [(e.name, e.sampling_rate, e.rpm) for e in entries] == [
        ("IR_1200_48000Hz", 48000.0, 1200.0),
        ("N_900_12000Hz", 12000.0, 900.0),
    ]
    assert entries[0].facts == {"fault": "IR", "rpm": 1200, "sampling_rate": 48000}


def test_files_that_do_not_fit_are_named(tmp_path: Path) -> None:
    root = touch(tmp_path, "N_900.mat", "IR_900.mat", "readme.mat")
    selection = found(root, pattern="{fault}_{rpm}")
    assert len(selection.entries) == 2
    assert selection.notes == [
        "1 of 3 files don't fit data.pattern '{fault}_{rpm}', so left out: readme.mat"
    ]
    touch(tmp_path, "other.mat")
    refused(
        "2 of 4 files don't fit data.pattern '{fault}_{rpm}': other.mat, readme.mat; change the "
        "pattern, or leave files out with data.exclude",
        root,
        pattern="{fault}_{rpm}",
    )
    assert len(found(root, pattern="{fault}_{rpm}", exclude="other*").entries) == 2
    assert len(found(root, pattern="{fault:any}", glob=["*_900.mat", "oth*"]).entries) == 3


def test_files_in_no_sub_folder_are_named(tmp_path: Path) -> None:
    root = touch(tmp_path, "N/1.mat", "IR/1.mat", "stray.mat")
    assert found(root).notes == ["1 of 3 files lie in no sub-folder, so left out: stray.mat"]
    refused(
        "2 of 2 files lie in no sub-folder: 1.mat, 2.mat; give each class a sub-folder, say with "
        "data.pattern what files' names mean (such as '{fault}_{rpm}'), or list",
        touch(tmp_path / "flat", "1.mat", "2.mat"),
    )


def test_equal_names_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    root = touch(tmp_path, "N/a.mat", "IR/a.mat")
    assert [e.name for e in found(root).entries] == ["IR/a", "N/a"]
    assert [e.name for e in found(root, pattern="{x}").entries] == ["IR/a", "N/a"]


def test_select_is_told_what_there_is(tmp_path: Path) -> None:
    root = touch(tmp_path, "N_900.mat", "IR_007.mat")
    with pytest.raises(FaultdiagError, match=r'select\.n: no recording has 8; there are: 900, "00'):
        found(root, {"n": [8]}, pattern="{fault}_{n}")
    with pytest.raises(FaultdiagError, match=r"unknown fact 'falt' \(did you mean 'fault'\?\)"):
        found(root, {"falt": ["N"]}, pattern="{fault}_{n}")


@pytest.mark.parametrize("value", ["fast", "0", "-3"])
def test_a_speed_that_is_none(tmp_path: Path, value: str) -> None:
    root = touch(tmp_path, f"N {value}.mat", "IR 900.mat")
    refused(
        "the rpm of ",
        root,
        pattern="{fault} {rpm:any}",
    )
    refused(
        f"N {value}.mat, and so for 1 of 2 files; a positive number", root, pattern="{f} {rpm:any}"
    )


def test_folders_that_hold_nothing(tmp_path: Path) -> None:
    refused(f"{tmp_path / 'gone'} does not exist", tmp_path / "gone")
    touch(tmp_path, "notes.md")
    refused(f"{tmp_path} holds no recording; looked for files that end in: .mat", tmp_path)
    refused("it holds: notes.md", tmp_path)
    refused(f"{tmp_path / 'notes.md'} is a file", tmp_path / "notes.md")
    touch(tmp_path, "N/1.mat")
    refused(
        "has 1 recording, and none is",
        tmp_path,
        glob="IR/*",
    )
    refused(
        "left by data.glob IR/* and data.exclude nothing; they are: N/1.mat", tmp_path, glob="IR/*"
    )


def test_a_linked_folder_is_searched_once(tmp_path: Path) -> None:
    elsewhere = touch(tmp_path / "elsewhere", "a.mat")
    root = touch(tmp_path / "root", "N/1.mat")
    (root / "IR").symlink_to(elsewhere)
    (root / "IR" / "loop").symlink_to(root)
    assert find_recordings(root) == ["IR/a.mat", "N/1.mat"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may search every folder")
def test_a_folder_that_may_not_be_searched(tmp_path: Path) -> None:
    root = touch(tmp_path, "N/1.mat")
    (root / "N").chmod(0)
    try:
        refused(f"{root / 'N'} cannot be searched: Permission denied", root)
    finally:
        (root / "N").chmod(0o755)


def test_every_dataset_says_where_it_comes_from() -> None:
    assert {"cwru", "folder", "manifest", "mfpt", "synthetic", "uestc"} <= set(DATASETS)
    for name in DATASETS:
        dataset = DATASETS.build(name, Path("anywhere"))
        for text in (dataset.licence, dataset.citation, dataset.label):
            assert isinstance(text, str)
            assert text
