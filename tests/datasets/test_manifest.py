"""Lists of recordings: CSV and YAML, and every wrong row named by its line."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faultdiag.datasets import DATASETS
from faultdiag.datasets.base import Selection
from faultdiag.datasets.manifest import Manifest
from faultdiag.errors import FaultdiagError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a.mat", "b.mat", "sub/a.mat"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"never opened")
    return tmp_path


def found(root: Path, text: str | bytes, name: str = "manifest.csv", **options: Any) -> Selection:
    data = text if isinstance(text, bytes) else text.encode()
    (root / name).write_bytes(data)
    return DATASETS.build("manifest", root / name, **options).entries({})


def refused(message: str, root: Path, text: str | bytes, name: str = "manifest.csv") -> None:
    with pytest.raises(FaultdiagError, match=re.escape(message)):
        found(root, text, name)


CSV = """path,label,sampling_rate,rpm,channel,size,load
a.mat,IR,12000,1797.5,x,007,0
b.mat,N,,,,,2
sub/a.mat,7,48000,900,"x, y",,
"""


def test_the_columns_and_what_becomes_of_them(root: Path) -> None:
    entries = found(root, CSV, recorded_at=10, rpm=20).entries
    assert [(e.name, e.sampling_rate, e.rpm, e.channels) for e in entries] == [
        ("a", 12000.0, 1797.5, ("x",)),
        ("b", 10.0, 20.0, ()),
        ("sub/a", 48000.0, 900.0, ("x", "y")),
    ]
    assert [e.path for e in entries] == [root / "a.mat", root / "b.mat", root / "sub/a.mat"]
    assert [dict(e.facts) for e in entries] == [
        {"label": "IR", "sampling_rate": 12000, "rpm": 1797.5, "size": "007", "load": 0},
        {"label": "N", "sampling_rate": None, "rpm": None, "size": None, "load": 2},
        {"label": "7", "sampling_rate": 48000, "rpm": 900, "size": None, "load": None},
    ]
    assert all(e.any_channel for e in entries)


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + CSV.replace(", y", "").encode(),
        CSV.replace(", y", "").replace(",", ";").encode(),
        CSV.replace(", y", "").replace(",", "\t").encode(),
        CSV.replace(", y", "").replace("\n", ",,\r\n").encode(),
        b"\n\n" + CSV.replace(", y", "").encode() + b"\n  \n",
    ],
    ids=["byte order mark", "semicolons", "tabs", "trailing commas", "blank lines"],
)
def test_tables_as_spreadsheets_write_them(root: Path, text: bytes) -> None:
    entries = found(root, text).entries
    plain = found(root, CSV.replace(", y", "")).entries
    assert [replace(e, rate_place="", rpm_place="") for e in entries] == [
        replace(e, rate_place="", rpm_place="") for e in plain
    ]


def test_a_manifest_in_yaml(root: Path) -> None:
    text = """
- {path: a.mat, label: IR, sampling_rate: 12000, channel: [x, y]}
- path: sub\\a.mat
  label: 7
  size: "007"
"""
    entries = found(root, text, "mine.yaml").entries
    assert [(e.name, e.channels, dict(e.facts)) for e in entries] == [
        ("a", ("x", "y"), {"label": "IR", "sampling_rate": 12000, "size": None}),
        ("sub\\a", (), {"label": "7", "sampling_rate": None, "size": "007"}),
    ]
    assert entries[1].path == root / "sub/a.mat"


def test_every_wrong_row_is_told_by_its_line(root: Path) -> None:
    text = """path,label,rpm,sampling_rate
gone.mat,IR,900,12000

a.mat,,fast,"12000,5"
./a.mat,N,900,12000
sub,N,,
manifest.csv2,N,,
b.mat,N
,N,,
b.mat,N,0,nan
sub/a.mat,N,,
a.mat,N,,
"""
    (root / "manifest.csv2").touch()
    refused(
        f"the manifest {root / 'manifest.csv'} has 11 problems:\n"
        f"  line 2: {root / 'gone.mat'} does not exist\n"
        "  line 4: label is empty; name the recording's class, or leave the row out\n"
        "  line 4: sampling_rate is '12000,5'; write a positive number, such as 12000 or 1797.5\n"
        "  line 4: rpm is 'fast'; write a positive number, such as 12000 or 1797.5\n"
        f"  line 6: {root / 'sub'} is a folder\n"
        "  line 7: manifest.csv2: its suffix is '.csv2'; files that can be read end in: .mat",
        root,
        text,
    )
    refused(
        "  line 8: it has 2 cells, the header 4\n"
        "  line 9: path is empty\n"
        "  line 10: sampling_rate is 'nan'; write a positive number, such as 12000 or 1797.5\n"
        "  line 10: rpm is 0; write a positive",
        root,
        text,
    )
    refused("line 3: ./a.mat stands in line 2 too", root, "path,label\na.mat,N\n./a.mat,N\n")


def test_wrong_rows_of_yaml_are_told_by_their_lines(root: Path) -> None:
    text = (
        "- {path: a.mat, label: N}\n- a.mat\n- path: [a.mat]\n- {path: b.mat, label: ''}\n"
        "- {path: b.mat}\n"
    )
    refused("line 2: it is 'a.mat'; write a mapping, such as {path: a.mat", root, text, "m.yml")
    refused("line 3: path is ['a.mat']; write one number or text", root, text, "m.yml")
    refused("line 4: label is empty", root, text, "m.yml")
    refused("line 5: label is empty", root, text, "m.yml")


def test_many_wrong_rows_are_cut_short(root: Path) -> None:
    rows = "".join(f"gone{i}.mat,N\n" for i in range(30))
    refused("has 30 problems:", root, f"path,label\n{rows}")
    refused("line 21: ", root, f"path,label\n{rows}")
    refused("\n  … and 10 more", root, f"path,label\n{rows}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is empty; its first line is a header: path,label"),
        (b"\n \n", "is empty; its first line"),
        (b"path,label\n", "has no rows; write one for each recording"),
        (b"a.mat,IR\nb.mat,N\n", "line 1, names no column 'path'; it has: a.mat, IR; the first"),
        (b"pth,label\na.mat,N\n", "names no column 'path' (did you mean 'pth'?)"),
        (b"path,label,path\na.mat,N,b\n", "line 1, names the column 'path' twice; keep one"),
        (b"path,label\na.mat,N\nb.mat,\xfc\n", "line 3, is no UTF-8 text; save it as UTF-8"),
    ],
)
def test_tables_that_are_none(root: Path, text: bytes, message: str) -> None:
    refused(message, root, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path: a.mat", "is no list; write one entry for each recording, such as '- {path: a.mat"),
        ("", "is no list"),
        ("[]", "has no rows"),
        ("- {label: N}", "has no entry with a 'path'; write entries such as"),
        ("- {path: a.mat, path: b.mat}", "duplicate key 'path'"),
    ],
)
def test_lists_that_are_none(root: Path, text: str, message: str) -> None:
    refused(message, root, text, "manifest.yaml")


def test_where_the_manifest_lies(root: Path) -> None:
    (root / "list.csv").write_text("path,label\na.mat,N\nb.mat,IR\n")
    assert len(Manifest(root, file="list.csv").entries({}).entries) == 2
    assert len(Manifest(root / "list.csv").entries({"label": ["N"]}).entries) == 1
    assert Manifest(root, file="list.csv").facts == {"label": ("IR", "N")}

    def fails_with(message: str, manifest: Manifest) -> None:
        with pytest.raises(FaultdiagError, match=re.escape(message)):
            manifest.entries({})

    fails_with(
        "holds no manifest.csv or manifest.tsv or manifest.yaml or manifest.yml", Manifest(root)
    )
    fails_with("lst.csv does not exist (did you mean 'list.csv'?)", Manifest(root, file="lst.csv"))
    fails_with("does not exist; name the manifest, or the folder", Manifest(root / "gone"))
    fails_with(
        "is the manifest itself, and data.file names x", Manifest(root / "list.csv", file="x")
    )
    fails_with("has the suffix '.mat'; manifests end in .csv", Manifest(root / "a.mat"))
    for name in ("manifest.csv", "manifest.yml"):
        (root / name).write_text("path,label\na.mat,N\n")
    fails_with("holds manifest.csv and manifest.yml; say with data.file which one", Manifest(root))
