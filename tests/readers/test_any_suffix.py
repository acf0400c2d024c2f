"""A folder and a manifest take what a single file takes: content decides, not the suffix."""

from pathlib import Path

import numpy as np
import pytest

from faultdiag.datasets.base import find_recordings
from faultdiag.datasets.folder import Folder
from faultdiag.datasets.manifest import Manifest
from faultdiag.readers.read import recordings_in
from tests.readers.samples import csv, mat, npy, npz, signal, wav

X = signal()
CONTENTS = {
    "text": csv("\t", header="", time=False),
    "mat": mat({"x": X[:, 0]}),
    "npy": npy(X[:, 0]),
    "npz": npz(packed=False, x=X[:, 0]),
    "wav": wav(X * 2**15, 16),
}
NAMES = ["2003.10.22.12.06.24", "noname", "a.dat", "b.001", "run.final.asc"]


@pytest.mark.parametrize("kind", list(CONTENTS))
@pytest.mark.parametrize("name", NAMES)
def test_recordings_of_any_name(tmp_path: Path, kind: str, name: str) -> None:
    for label in ("normal", "inner"):
        (tmp_path / label).mkdir()
        (tmp_path / label / name).write_bytes(CONTENTS[kind])
    (tmp_path / "README.md").write_text("1.5, 2.5\n2.5, 3.5\n")
    (tmp_path / "notes").write_text("measured on a pump\nin May\n")
    (tmp_path / "book.xlsx").write_bytes(b"PK\3\4 no archive")
    expected = [f"inner/{name}", f"normal/{name}"]
    assert find_recordings(tmp_path) == expected
    assert [p.relative_to(tmp_path).as_posix() for p in recordings_in(tmp_path)] == expected
    entries = Folder(tmp_path).entries({}).entries
    assert [entry.facts["label"] for entry in entries] == ["inner", "normal"]
    patterned = Folder(tmp_path, pattern="{label:any}/{file:any}").entries({}).entries
    assert [entry.facts["label"] for entry in patterned] == ["inner", "normal"]
    (tmp_path / "manifest.csv").write_text(f"path,label\nnormal/{name},N\n")
    (entry,) = Manifest(tmp_path).entries({}).entries
    assert entry.path == tmp_path / "normal" / name


def test_names_beside_a_pattern(tmp_path: Path) -> None:
    np.save(tmp_path / "IR_900.npy", X[:, 0])
    np.save(tmp_path / "N_900.npy", X[:, 0])
    rows = Folder(tmp_path, pattern="{fault}_{rpm}").entries({}).entries
    assert [(e.facts["fault"], e.facts["rpm"]) for e in rows] == [("IR", 900), ("N", 900)]
