"""`inspect` on files and folders: blocks, a table, errors among them, JSON."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from faultdiag.api.inspect import format_table
from faultdiag.readers.read import recordings_in
from tests.commands import done, refused, run
from tests.data_fixtures import write_mat

FS, RPM = 12000, 1797


def faulty(order: float, seed: int = 0) -> np.ndarray:
    t = np.arange(6 * FS) / FS
    turns = RPM / 60 * t
    ringing = (1 + np.cos(2 * np.pi * order * turns)) * np.sin(2 * np.pi * 3000 * t)
    return ringing + 0.2 * np.random.default_rng(seed).normal(size=t.size)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("machine")
    (root / "below").mkdir()
    write_mat(root / "105.mat", 105, DE=faulty(5.4), FE=faulty(2.0, 1))
    write_mat(root / "below" / "30.mat", 1, DE=faulty(3.585))
    savemat(root / "plain.mat", {"y": np.random.default_rng(0).normal(size=(9000, 1))})
    (root / "broken.mat").write_bytes((root / "105.mat").read_bytes()[:3000])
    (root / ".hidden.mat").write_bytes(b"")
    (root / "notes.txt").write_text("no recording")
    return root


def test_one_line_for_each_recording(folder: Path) -> None:
    result = run("inspect", folder)
    assert result.exit_code == 1
    assert result.stderr.endswith("error: 1 of 4 recordings could not be read; see their lines\n")
    lines = result.stdout.splitlines()
    assert lines[0].split("  ")[0] == "file"
    assert [line.split()[0] for line in lines[1:5]] == [
        *("105.mat", "below/30.mat", "broken.mat", "plain.mat"),
    ]
    assert lines[1].split()[1:8] == ["DE,FE", "12000", "catalogue,", "by", "name", "1797", "6.00"]
    assert "BPFI 5.40 (" in lines[1]
    assert lines[2].split()[1:6] == ["DE", "-", "-", "1797", "-"]
    assert lines[3].split(maxsplit=1)[1].startswith("error: ")
    assert str(folder) not in lines[3]
    assert lines[4].split()[1:6] == ["y", "-", "-", "-", "-"]
    assert lines[-2].startswith("rms, kurtosis and fault line are those of the first channel")


def test_options_hold_for_every_recording(folder: Path) -> None:
    text = done("inspect", folder / "below", "--sampling-rate", FS, "--bearing", "6205")
    row = text.splitlines()[1]
    assert row.split()[:4] == ["30.mat", "DE", "12000", "argument"]
    assert "BPFO 3.5" in row


def test_folders_and_files_together(folder: Path) -> None:
    text = done("inspect", folder / "below", folder / "105.mat", folder / "105.mat")
    names = [line.split()[0] for line in text.splitlines()[1:3]]
    assert names == [str(folder / "below" / "30.mat"), str(folder / "105.mat")]


def test_a_rate_that_is_contradicted() -> None:
    result = {
        "path": "a.mat",
        "channels": ["DE"],
        "sampling_rate": 12000.0,
        "sampling_rate_source": "argument",
        "rpm": 1797.0,
        "samples": 24000,
        "statistics": {"DE": {"rms": 1.0, "kurtosis": None}},
        "rate_check": {"verdict": "contradicted", "suggested": 48000.0},
        "envelope_peaks": [],
        "warnings": ["x", "y"],
    }
    row = format_table([result]).splitlines()[1]
    assert row.split() == [
        *("a.mat", "DE", "12000", "argument", "1797", "2.00", "1", "-"),
        *("contradicted:", "48000", "fits", "-", "2"),
    ]


def test_json_of_a_folder(folder: Path) -> None:
    result = run("inspect", folder, "--json")
    assert result.exit_code == 1
    rows = json.loads(result.stdout)
    assert [Path(row["path"]).name for row in rows] == [
        *("105.mat", "30.mat", "broken.mat", "plain.mat"),
    ]
    assert set(rows[2]) == {"path", "error"}
    assert rows[0]["rate_check"]["verdict"] in {"consistent", "undecided"}


def test_numbers_are_in_their_own_order(tmp_path: Path) -> None:
    for name in ("105.mat", "97.mat", "9.mat", "x.mat"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in recordings_in(tmp_path)] == [
        *("9.mat", "97.mat", "105.mat", "x.mat"),
    ]


def test_a_folder_without_recordings(tmp_path: Path) -> None:
    refused(run("inspect", tmp_path), "holds no recording; looked for files that end in: .mat")


def test_a_picture_of_a_folder(folder: Path, tmp_path: Path) -> None:
    refused(
        run("inspect", folder, "--plot", tmp_path / "a.png"),
        f"--plot draws one recording and {folder} is a folder; name one",
    )
    refused(
        run("inspect", folder, folder, "--plot", tmp_path / "a.png"),
        "--plot draws one recording, 2 were given",
    )


def test_a_broken_file_among_files(folder: Path) -> None:
    result = run("inspect", folder / "broken.mat", folder / "105.mat")
    assert result.exit_code == 1
    assert "broken.mat is a damaged or incomplete MATLAB file" in result.stderr
    assert result.stdout.startswith(str(folder / "105.mat"))


@pytest.mark.real
def test_a_real_folder(real_data: Path) -> None:
    lines = done("inspect", real_data / "mfpt", "--channel", "gs").splitlines()
    assert [line.split()[0] for line in lines[1:5]] == [
        f"{race}RaceFault_vload_{n}.mat" for race in ("Inner", "Outer") for n in (1, 2)
    ]
    assert all("BPFI 4.7" in line for line in lines[1:3])
    assert all("BPFO 3.2" in line for line in lines[3:5])
