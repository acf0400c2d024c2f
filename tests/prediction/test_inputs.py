"""What may be given to predict: files, folders, patterns, manifests, a list on stdin."""

import io
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from faultdiag.errors import FaultdiagError
from faultdiag.prediction.inputs import STDIN, find
from faultdiag.prediction.reading import ReadRequest

OPTIONS = ReadRequest(Path(), "DE", 12_000.0, None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a/1_DE.mat", "a/1_FE.mat", "b/2_DE.dat", "b/._3_DE.mat", "c/4.mat"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"some bytes")
    return tmp_path


def listed(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_a_pattern_chooses_files_of_folders(root: Path) -> None:
    def names(*patterns: str) -> list[str]:
        found = [find([root], OPTIONS, pattern=pattern) for pattern in patterns]
        return [str(one.path.relative_to(root)) for some in found for one in some]

    assert names("*_DE.*") == ["a/1_DE.mat", "b/2_DE.dat"]
    assert names("a/*.mat", "4.*") == ["a/1_DE.mat", "a/1_FE.mat", "c/4.mat"]
    with pytest.raises(
        FaultdiagError, match=r"no file that matches --glob '\*\.mta'; it holds files such as 4\."
    ):
        names("*.mta")
    with pytest.raises(FaultdiagError, match=r"--glob '/x/\*' is no pattern of names below"):
        names("/x/*")
    with pytest.raises(FaultdiagError, match="no folder is given; give one, or leave --glob out"):
        find([root / "a" / "1_DE.mat"], OPTIONS, pattern="*.mat")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\0"])
def test_a_list_on_stdin(root: Path, end: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = os.fsencode(root / "a") + b"/\xff.mat"
    names = [os.fsencode(root / "c"), b"gone.mat", odd, os.fsencode(root / "c/4.mat")]
    listed(monkeypatch, end.join(names) + end)
    found = find([STDIN], OPTIONS)
    assert [one.path for one in found] == [
        *(root / "c" / "4.mat", Path("gone.mat"), Path(os.fsdecode(odd))),
    ], "each once; a missing one is for its row to tell"
    assert {(one.channel, one.sampling_rate) for one in found} == {("DE", 12_000.0)}


def test_names_with_line_breaks_need_nul(monkeypatch: pytest.MonkeyPatch) -> None:
    listed(monkeypatch, b"a\nb.mat\0c.mat")
    assert [str(one.path) for one in find([STDIN], OPTIONS)] == ["a\nb.mat", "c.mat"]


def test_a_list_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    listed(monkeypatch, b"\n\n")
    with pytest.raises(FaultdiagError, match="the list of paths on stdin is empty; write one"):
        find([STDIN], OPTIONS)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    listed_terminal: Any = io.TextIOWrapper(io.BytesIO())
    listed_terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", listed_terminal)
    with pytest.raises(FaultdiagError, match="a list of paths on stdin, which is a terminal; pipe"):
        find([STDIN], OPTIONS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.csv", "path;rpm;channel;sampling_rate;pump\na/1_DE.mat;1797;FE;48000;3\nc\\4.mat;;;;4"),
        (
            "m.yaml",
            "- {path: a/1_DE.mat, rpm: 1797, channel: FE, sampling_rate: 48000}\n"
            "- {path: 'c\\4.mat', label: }\n",
        ),
    ],
)
def test_a_manifest_says_how_each_is_read(root: Path, name: str, content: str) -> None:
    (root / name).write_text(content)
    first, second = find([root / name], OPTIONS)
    line = 2 if name.endswith(".csv") else 1
    assert first == ReadRequest(
        root / "a" / "1_DE.mat",
        "FE",
        48_000.0,
        1797.0,
        rate_place=f"sampling_rate in line {line} of {name}",
        rpm_place=f"rpm in line {line} of {name}",
    )
    assert second == ReadRequest(root / "c" / "4.mat", "DE", 12_000.0, None)


def test_one_recording_with_two_channels_is_two(root: Path) -> None:
    (root / "m.csv").write_text("path,channel\nc/4.mat,DE\nc/4.mat,FE\nc/4.mat,FE\ngone.mat,FE\n")
    found = find([root / "m.csv"], OPTIONS)
    assert [(one.path.name, one.channel) for one in found] == [
        *(("4.mat", "DE"), ("4.mat", "FE"), ("gone.mat", "FE")),
    ]


def test_rows_that_are_wrong_are_told_by_their_lines(root: Path) -> None:
    (root / "m.csv").write_text("path,rpm\na/1_DE.mat,fast\n,3\nc/4.mat,0\nc/4.mat\n")
    with pytest.raises(FaultdiagError) as error:
        find([root / "m.csv"], OPTIONS)
    for line in (
        "the manifest",
        "has 4 problems:",
        "line 2: rpm is 'fast'; write a positive number",
        "line 3: path is empty",
        "line 4: rpm is 0",
        "line 5: it has 1 cell, the header 2",
    ):
        assert line in str(error.value)


def test_a_table_of_numbers_is_no_manifest(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_text("time,DE\n0,1\n0.1,2\n")
    assert find([path], OPTIONS) == [ReadRequest(path, "DE", 12_000.0, None)]


def test_the_bearing_of_a_manifests_row_wins_over_the_option(tmp_path: Path) -> None:
    rows = ["path,label,bearing", "a.mat,N,6203", "b.mat,N,", "c.mat,N,rig 2 no. 5"]
    (tmp_path / "m.csv").write_text("\n".join(rows))
    found = find([tmp_path / "m.csv"], ReadRequest(Path(), bearing="6205"))
    assert [request.bearing for request in found] == ["6203", "6205", "6205"]


def test_a_manifests_bearing_that_no_catalogue_has_is_kept_for_a_warning(tmp_path: Path) -> None:
    rows = ["path,label,bearing", "a.mat,N,9999", "b.mat,N,"]
    (tmp_path / "m.csv").write_text("\n".join(rows))
    requests = find([tmp_path / "m.csv"], ReadRequest(Path()))
    unknown = [request.unknown_bearing for request in requests]
    assert unknown == ["'9999' in line 2 of m.csv", None]
