"""Folders of simulated recordings: CWRU's layout, equal bytes, nothing of the user's lost."""

import errno
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from faultdiag.errors import FaultdiagError
from faultdiag.readers.read import read_recording
from faultdiag.simulation.folder import simulate_folder
from faultdiag.simulation.mark import simulated_files
from faultdiag.simulation.rig import Case, simulate_recording

NUMBERS = (97, 105, 118, 130, 169, 185, 197, 209, 222, 234)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_have_the_names_and_variables_of_the_rig(tmp_path: Path) -> None:
    written = simulate_folder(tmp_path / "new" / "folder", seconds=0.25)
    assert [path.name for path in written] == [f"{number}.mat" for number in NUMBERS]
    for path in written:
        number, healthy = int(path.stem), path.stem == "97"
        samples = 12_000 if healthy else 3_000
        variables = {f"X{number:03d}_{c}_time": (samples, 1) for c in ("DE", "FE", "BA")}
        if healthy:
            del variables["X097_BA_time"]
        loaded = scipy.io.loadmat(path)
        for name, shape in variables.items():
            assert loaded[name].shape == shape
            assert loaded[name].dtype == np.float64
        rpm = loaded[f"X{number:03d}RPM"]
        assert (rpm.shape, rpm.dtype) == ((1, 1), np.uint16)
        assert abs(int(rpm[0, 0]) - 1797) <= 2
        assert set(loaded) - {f"X{number:03d}RPM", *variables} == {
            *("__header__", "__version__", "__globals__")
        }


@pytest.mark.real
@pytest.mark.parametrize("name", ["normal/97.mat", "12k_DE/105.mat", "12k_DE/130.mat"])
def test_files_are_laid_out_as_the_measured_ones(
    tmp_path: Path, real_data: Path, name: str
) -> None:
    measured = scipy.io.loadmat(real_data / "cwru" / name)
    simulate_folder(tmp_path, seconds=1.0, sizes=["007"])
    simulated = scipy.io.loadmat(tmp_path / Path(name).name)
    assert list(simulated) == list(measured)
    for key in (key for key in measured if key.startswith("X")):
        assert simulated[key].dtype == measured[key].dtype
        assert simulated[key].shape[1] == 1
        if key.endswith("_time"):
            assert 1 / 4 < simulated[key].std() / measured[key].std() < 4
        else:
            assert abs(int(simulated[key][0, 0]) - int(measured[key][0, 0])) < 5


def test_the_reader_reads_what_was_simulated(tmp_path: Path) -> None:
    simulate_folder(tmp_path, seconds=0.25, sizes=["014"], loads=[2])
    recording = read_recording(tmp_path / "171.mat")
    case = Case(171, "inner", "014", 2)
    expected = simulate_recording(case, seconds=0.25)
    assert sorted(recording.channels) == ["BA", "DE", "FE"]
    assert recording.rpm == round(expected.rpm)
    for name, row in zip(recording.channels, recording.signal, strict=True):
        np.testing.assert_array_equal(row, expected.channels[name].astype(np.float32))


def test_equal_seeds_give_equal_bytes_whatever_else_is_written(tmp_path: Path) -> None:
    simulate_folder(tmp_path / "one", seconds=0.1, seed=5, sizes=["007"])
    simulate_folder(tmp_path / "two", seconds=0.1, seed=5, sizes=["007"])
    one = contents(tmp_path / "one")
    assert one == contents(tmp_path / "two")
    simulate_folder(tmp_path / "more", seconds=0.1, seed=5, loads=(2, 0), sizes=("021", "007"))
    more = contents(tmp_path / "more")
    assert all(more[name] == one[name] for name in one if name.endswith(".mat"))


def test_another_seed_gives_other_recordings(tmp_path: Path) -> None:
    one, two = (
        simulate_folder(tmp_path / str(seed), seconds=0.2, seed=seed, sizes=["007"])
        for seed in (0, 1)
    )
    for first, second in zip(one, two, strict=True):
        assert first.read_bytes() != second.read_bytes()


def test_no_date_stands_in_the_header(tmp_path: Path) -> None:
    for path in simulate_folder(tmp_path, seconds=0.1, sizes=["007"]):
        header = path.read_bytes()[:128]
        assert header.startswith(b"MATLAB 5.0 MAT-file, simulated by faultdiag   ")
        assert b"Created" not in header
        assert header[124:] == b"\x00\x01IM"


def test_a_mark_says_that_the_recordings_are_simulated(tmp_path: Path) -> None:
    simulate_folder(tmp_path, seconds=0.1, seed=7, loads=[3, 1, 1], sizes=["007"], severity=2)
    mark = json.loads((tmp_path / "simulated.json").read_text(encoding="utf-8"))
    assert mark["note"].startswith("Simulated by faultdiag, not measured")
    assert mark["settings"] == {
        "seconds": 0.1,
        "seed": 7,
        "severity": 2,
        "noise": 1.0,
        "loads": [1, 3],
        "sizes": ["007"],
    }
    names = ["98.mat", "100.mat", "106.mat", "108.mat", "119.mat", "121.mat", "131.mat", "133.mat"]
    assert mark["recordings"] == simulated_files(tmp_path) == names


def test_a_folder_without_a_mark_has_no_simulated_files(tmp_path: Path) -> None:
    assert simulated_files(tmp_path) is None
    assert simulated_files(tmp_path / "missing") is None


def test_progress_sees_every_recording(tmp_path: Path) -> None:
    seen: list[int] = []

    def progress(chosen: Sequence[Case]) -> Iterator[Case]:
        assert len(chosen) == 4
        for case in chosen:
            yield case
            seen.append(case.number)

    simulate_folder(tmp_path, seconds=0.1, sizes=["007"], progress=progress)
    assert seen == [97, 105, 118, 130]


# --- what is refused


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"loads": [0, 4]}, r"unknown load in hp '4'; known: 0, 1, 2, 3$"),
        ({"loads": []}, r"no load in hp is given; choose from 0, 1, 2, 3$"),
        ({"sizes": ["07"]}, r"unknown spall size '07' \(did you mean '007'\?\); known: 007, 014, "),
        ({"sizes": []}, r"no spall size is given; choose from 007, 014, 021$"),
        ({"seconds": 0.05}, r"seconds is 0.05; give 0.1 to 300$"),
        ({"seconds": float("nan")}, r"seconds is nan; give 0.1 to 300$"),
        ({"seed": -1}, r"seed is -1; give 0 to 4294967295$"),
        ({"severity": 0}, r"severity is 0; give 0.01 to 100$"),
        ({"noise": -1}, r"noise is -1; give 0 to 100$"),
    ],
)
def test_settings_out_of_range(tmp_path: Path, setting: dict[str, Any], message: str) -> None:
    with pytest.raises(FaultdiagError, match=message):
        simulate_folder(tmp_path, **setting)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_measured_recordings_is_left_alone(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "97.mat").write_bytes(b"measured")
    with pytest.raises(
        FaultdiagError,
        match=r"holds 97\.mat, which was not simulated there and won't be touched; choose an empty",
    ):
        simulate_folder(tmp_path, seconds=0.1, overwrite=overwrite)
    assert contents(tmp_path) == {"97.mat": b"measured"}


def test_a_measured_recording_among_simulated_ones_is_left_alone(tmp_path: Path) -> None:
    simulate_folder(tmp_path, seconds=0.1, sizes=["007"])
    (tmp_path / "169.mat").write_bytes(b"measured")
    before = contents(tmp_path)
    with pytest.raises(FaultdiagError, match=r"holds 169\.mat, which was not simulated there"):
        simulate_folder(tmp_path, seconds=0.1, overwrite=True)
    assert contents(tmp_path) == before


def test_an_earlier_simulation_is_replaced_only_when_asked(tmp_path: Path) -> None:
    simulate_folder(tmp_path, seconds=0.1, loads=[0, 1], sizes=["007"])
    before = contents(tmp_path)
    with pytest.raises(
        FaultdiagError,
        match=r"holds an earlier simulation of 8 recordings; replace it with --overwrite or",
    ):
        simulate_folder(tmp_path, seconds=0.1, seed=1)
    assert contents(tmp_path) == before
    simulate_folder(tmp_path, seconds=0.1, seed=1, sizes=["007"], overwrite=True)
    after = contents(tmp_path)
    assert set(after) == {"97.mat", "105.mat", "118.mat", "130.mat", "simulated.json"}
    assert all(after[name] != before[name] for name in after)


def test_the_folder_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(
        FaultdiagError, match=r"cannot write .*file: File exists; choose another folder"
    ):
        simulate_folder(tmp_path / "file", seconds=0.1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"simulated\.json can't be read: .*; simulate again into an empty folder"),
        ("[]", r"simulated\.json has no list 'recordings' of names such as 97\.mat; simulate"),
        ('{"recordings": ["../97.mat"]}', r"has no list 'recordings' of names such as 97\.mat"),
    ],
)
def test_a_damaged_mark(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "simulated.json").write_text(text)
    with pytest.raises(FaultdiagError, match=message):
        simulate_folder(tmp_path, seconds=0.1, overwrite=True)
    assert list(contents(tmp_path)) == ["simulated.json"]


def test_a_full_disk_is_told_and_can_be_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    savemat = scipy.io.savemat
    written: list[str] = []

    def fill(name: str, variables: dict[str, Any]) -> None:
        if len(written) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(name)
        savemat(name, variables)

    monkeypatch.setattr(scipy.io, "savemat", fill)
    with pytest.raises(FaultdiagError, match=r"cannot write .*118\.mat: No space left on device; "):
        simulate_folder(tmp_path, seconds=0.1, sizes=["007"])
    assert set(contents(tmp_path)) == {"97.mat", "105.mat", "simulated.json"}
    monkeypatch.undo()
    simulate_folder(tmp_path, seconds=0.1, sizes=["007"], overwrite=True)
    assert len(contents(tmp_path)) == 5


def test_a_disk_that_is_full_at_once_leaves_no_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise FaultdiagError("no space")

    monkeypatch.setattr("faultdiag.simulation.folder.write_mat", full)
    with pytest.raises(FaultdiagError, match="no space"):
        simulate_folder(tmp_path / "new", seconds=0.2)
    assert not (tmp_path / "new").exists()
