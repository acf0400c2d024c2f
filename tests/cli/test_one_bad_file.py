"""One bad file never stops the others: in inspect FOLDER, init, check and predict."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.commands import done, run
from tests.data_fixtures import contents, signal, write_mat

BAD = {
    "cut.mat": b"MATLAB 5.0 MAT-file of a test",
    "bad.npz": b"PK\3\4 and no more",
    "row.csv": b"acc\n" + b"0.5\n0.7\n" * 50 + b"#N/A\n0.5\n",
    "dot.txt": b"Decimal_Separator\t.\n" + b"0.5\n0.7\n" * 50 + b"x\n",
    "empty.wav": b"",
}


@pytest.fixture
def rig(tmp_path: Path) -> Path:
    for label in ("inner", "normal"):
        (tmp_path / label).mkdir()
        for i in range(2):
            x = np.random.default_rng(i + len(label)).standard_normal(40_000)
            np.savez(tmp_path / label / f"{i}.npz", acc=x, fs=12_000)
    return tmp_path


@pytest.mark.parametrize("name", sorted(BAD))
def test_inspect_a_folder(rig: Path, name: str) -> None:
    (rig / "inner" / name).write_bytes(BAD[name])
    result = run("inspect", rig)
    assert result.exit_code == 1
    assert f"inner/{name}" in result.stdout
    assert "error:" in result.stdout
    assert all(f"{label}/{i}.npz" in result.stdout for label in ("inner", "normal") for i in (0, 1))


@pytest.mark.parametrize("name", sorted(BAD))
def test_init_then_check(rig: Path, name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    (rig / "inner" / name).write_bytes(BAD[name])
    out = tmp_path_factory.mktemp("out") / "a.yaml"
    said = done("init", "--from", rig, "--out", out)
    assert name in said
    assert f"exclude: [inner/{name}]" in out.read_text()
    assert "4 recordings of 2 classes" in said
    prepared = f"data.prepared={out.parent / 'prepared'}"
    assert "ready to train" in done("check", out, "--set", prepared)


def test_predict(trained: Path, tmp_path: Path) -> None:
    write_mat(tmp_path / "a.mat", 105, DE=signal(1500.0, 12_000, 20_000, 1))
    write_mat(tmp_path / "z.mat", 118, DE=signal(3500.0, 12_000, 20_000, 2))
    for name, content in BAD.items():
        (tmp_path / name).write_bytes(content)
    result = run("predict", trained, tmp_path, "--sampling-rate", "12000", "--json")
    rows = {Path(r["path"]).name: r for r in map(json.loads, result.stdout.splitlines())}
    assert result.exit_code == 1
    assert {name: rows[name]["status"] for name in rows} == {
        "a.mat": "ok",
        "z.mat": "ok",
        **dict.fromkeys(BAD, "error"),
    }
    assert all(rows[name]["error"] for name in BAD)
    assert contents(tmp_path)
