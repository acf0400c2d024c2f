"""The CWRU catalogue and how its recordings are found in a folder."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultdiag.datasets import DATASETS
from faultdiag.datasets.base import git_blob_sha1, sha256
from faultdiag.datasets.cwru import Cwru, catalogue, numbers_in
from faultdiag.datasets.identify import identify
from faultdiag.datasets.load import load_entry
from faultdiag.errors import FaultdiagError


def recording(path: Path, number: int = 97, seed: int = 0) -> Path:
    """Write a small file in CWRU's style."""
    from scipy.io import savemat

    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).standard_normal(100)
    savemat(path, {f"X{number:03d}_DE_time": noise, f"X{number:03d}RPM": 1796.0})
    return path


def names(root: Path, **select: Any) -> list[str]:
    return [entry.name for entry in Cwru(root).entries(select).entries]


def test_the_catalogue_has_every_recording_with_one_vocabulary() -> None:
    rows = [known.facts for known in catalogue().values()]
    assert list(catalogue()) == sorted(catalogue())
    assert Counter(row["group"] for row in rows) == {
        "normal": 4,
        "12k_DE": 60,
        "48k_DE": 52,
        "12k_FE": 45,
    }
    assert len({known.git_blob_sha1 for known in catalogue().values()}) == 161
    codes = {"normal": "N", "inner": "IR", "ball": "B", "outer": "OR"}
    rpm = {0: 1797, 1: 1772, 2: 1750, 3: 1730}
    for row in rows:
        healthy = row["fault"] == "normal"
        assert row["code"] == codes[row["fault"]]
        assert row["rpm"] == rpm[row["load_hp"]]
        assert row["sampling_rate"] == (12000 if row["group"].startswith("12k") else 48000)
        assert (row["size"] is None) == healthy == (row["group"] == "normal")
        assert (row["clock"] in {3, 6, 12}) == (row["fault"] == "outer")
        fan = row["group"] == "12k_FE"
        assert (row["end"], row["bearing"]) == (("FE", "6203") if fan else ("DE", "6205"))
    for known in catalogue().values():
        assert (known.bytes is None) == (known.sha256 is None)


def test_facts_of_known_recordings() -> None:
    assert dict(catalogue()[144].facts) == {
        "number": 144,
        "group": "12k_DE",
        "end": "DE",
        "fault": "outer",
        "code": "OR",
        "size": "007",
        "clock": 3,
        "load_hp": 0,
        "rpm": 1797,
        "sampling_rate": 12000,
        "bearing": "6205",
        "specimen": "DE-OR-007",
    }
    # Numbering is not monotone in load here.
    assert [catalogue()[n].facts["load_hp"] for n in (309, 310, 311, 312)] == [1, 0, 2, 3]
    assert str(catalogue()[98]) == "98 (normal, 1 hp)"
    assert str(catalogue()[144]) == "144 (12k_DE, OR007@3, 0 hp)"
    assert str(catalogue()[3001]) == "3001 (12k_DE, IR028, 0 hp)"


def test_the_dataset_tells_its_facts_licence_and_source() -> None:
    dataset = DATASETS.build("cwru", Path("anywhere"))
    assert dataset.facts["size"] == (None, "007", "014", "021", "028")
    assert dataset.facts["clock"] == (None, 3, 6, 12)
    assert "Case Western Reserve University" in dataset.citation
    assert "no licence" in dataset.licence
    assert set(DATASETS.options("cwru")) == {"at_fault"}


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("97.mat", 97),
        ("097.mat", 97),
        ("normal_0_97.mat", 97),
        ("12k_Drive_End_B007_0_118.mat", 118),
        ("118_0.mat", 118),
        ("130@6_0.mat", 130),
        ("Time_Normal_1_098.mat", 98),
        ("OR007@6_0_130.mat", 130),
        ("deep/er/105.MAT", 105),
    ],
)
def test_files_are_found_under_the_usual_names(tmp_path: Path, name: str, number: int) -> None:
    assert numbers_in(Path(name).name) == [number]
    path = recording(tmp_path / name, number)
    found = Cwru(tmp_path).entries({})
    assert [entry.path for entry in found.entries] == [path]
    assert found.entries[0].facts == catalogue()[number].facts
    assert len(found.missing) == 160


def test_entries_are_in_the_order_of_their_numbers_and_the_rest_is_missing(tmp_path: Path) -> None:
    for number in (3001, 97, 105, 222):
        recording(tmp_path / f"{number}.mat", number)
    (tmp_path / "._98.mat").write_bytes(b"left by macOS")
    recording(tmp_path / "unrelated.mat")
    found = Cwru(tmp_path).entries({"load_hp": [0], "group": ["normal", "12k_DE"], "clock": [None]})
    assert [entry.name for entry in found.entries] == ["97", "105", "222", "3001"]
    assert [line.split()[0] for line in found.missing] == ["118", "169", "185", "209", "3005"]
    healthy = found.entries[0]
    assert (healthy.sampling_rate, healthy.rpm) == (48000.0, 1797.0)
    assert names(tmp_path, number=[97, 98]) == ["97"]


def test_a_wrong_selection_comes_before_the_folder(tmp_path: Path) -> None:
    with pytest.raises(FaultdiagError, match=r"select\.size: 7 is a number"):
        Cwru(tmp_path / "nowhere").entries({"size": [7]})


def test_a_folder_that_cannot_hold_recordings(tmp_path: Path) -> None:
    with pytest.raises(FaultdiagError, match=r"nowhere does not exist; it should be the folder"):
        names(tmp_path / "nowhere")
    with pytest.raises(FaultdiagError, match=r"holds no \.mat file; it holds: nothing$"):
        names(tmp_path)
    for name in "abcdefg":
        (tmp_path / f"{name}.csv").write_text("1")
    with pytest.raises(FaultdiagError, match=r"/a\.csv is a file; name the folder of the record"):
        names(tmp_path / "a.csv")
    said = r"holds no \.mat file; it holds: a\.csv, b\.csv, c\.csv, d\.csv, e\.csv, …$"
    with pytest.raises(FaultdiagError, match=said):
        names(tmp_path)


def test_a_folder_that_may_not_be_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(FaultdiagError, match="cannot be searched: Permission denied; check its"):
        names(tmp_path)


def test_none_of_the_selected_is_there(tmp_path: Path) -> None:
    recording(tmp_path / "sub" / "97.mat")
    said = (
        r"holds none of the 2 recordings selected: looked for 98 \(normal, 1 hp\), "
        r"100 \(normal, 3 hp\); its \.mat files: sub/97\.mat$"
    )
    with pytest.raises(FaultdiagError, match=said):
        names(tmp_path, number=[98, 100])


def test_equal_copies_are_one_recording(tmp_path: Path) -> None:
    first = recording(tmp_path / "a" / "97.mat")
    (tmp_path / "b").mkdir()
    shutil.copy(first, tmp_path / "b" / "097.mat")
    found = Cwru(tmp_path).entries({"number": [97]})
    assert [entry.path for entry in found.entries] == [first]


def test_different_files_with_one_number(tmp_path: Path) -> None:
    recording(tmp_path / "a" / "97.mat")
    recording(tmp_path / "b" / "97.mat", seed=1)
    recording(tmp_path / "105.mat", 105)
    said = (
        r"recording 97 \(normal, 0 hp\) is claimed by \S+a/97\.mat and by \S+b/97\.mat, "
        r"which differ; keep one of them"
    )
    with pytest.raises(FaultdiagError, match=said):
        names(tmp_path)
    assert names(tmp_path, number=[105]) == ["105"]


def test_a_name_with_two_numbers_and_unknown_bytes(tmp_path: Path) -> None:
    path = recording(tmp_path / "98_99.mat", 99)
    recording(tmp_path / "97.mat")
    said = (
        rf"{path} may be recording 98 \(normal, 1 hp\) or 99 \(normal, 2 hp\) by its name, and its "
        "bytes are none that is known; leave one number in its name"
    )
    with pytest.raises(FaultdiagError, match=said):
        names(tmp_path)
    assert names(tmp_path, number=[97]) == ["97"]


def test_all_problems_of_a_folder_are_told_at_once(tmp_path: Path) -> None:
    for number in (97, 105):
        recording(tmp_path / "a" / f"{number}.mat", number)
        recording(tmp_path / "b" / f"{number}.mat", number, seed=1)
    with pytest.raises(FaultdiagError) as caught:
        names(tmp_path)
    assert [line.split()[1] for line in str(caught.value).splitlines()] == ["97", "105"]


def test_bytes_that_are_no_recordings(tmp_path: Path) -> None:
    assert identify(recording(tmp_path / "97.mat")) is None
    assert identify(tmp_path) is None
    assert identify(tmp_path / "gone.mat") is None


@pytest.mark.real
def test_the_catalogue_states_the_real_bytes(real_files: list[Path]) -> None:
    for path in (path for path in real_files if path.stem.isdecimal()):
        known = catalogue()[int(path.stem)]
        if path.name == "99.mat":
            # A re-save: other bytes than the catalogue's.
            assert identify(path) is None
            continue
        assert (path.stat().st_size, sha256(path)) == (known.bytes, known.sha256)
        assert git_blob_sha1(path) == known.git_blob_sha1
        assert identify(path) == known.facts


@pytest.mark.real
def test_the_ten_classes_of_the_real_folder(real_data: Path) -> None:
    select: dict[str, list[Any]] = {
        "group": ["normal", "12k_DE"],
        "size": [None, "007", "014", "021"],
        "clock": [None, 6],
        "load_hp": [0, 1, 2, 3],
    }
    found = Cwru(real_data / "cwru").entries(select)
    assert found.missing == ["98 (normal, 1 hp)", "100 (normal, 3 hp)"]
    assert [int(entry.name) for entry in found.entries] == sorted(
        int(entry.path.stem) for entry in found.entries
    )
    assert len(found.entries) == 38
    healthy = load_entry(found.entries[1], ["DE"])
    assert (healthy.rpm, healthy.sampling_rate, healthy.samples) == (1750, 48000, 485063)
    inner = load_entry(found.entries[2], ["DE"], 12000)
    assert (inner.rpm, inner.samples) == (1797, 121265)


@pytest.mark.real
def test_real_files_under_other_names(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "cwru" / "12k_DE"
    shutil.copy(source / "105.mat", tmp_path / "inner race.mat")
    shutil.copy(source / "106.mat", tmp_path / "105_106.mat")
    shutil.copy(source / "3001.mat", tmp_path / "big.mat")
    found = {entry.name: entry.path.name for entry in Cwru(tmp_path).entries({}).entries}
    assert found == {"105": "inner race.mat", "106": "105_106.mat", "3001": "big.mat"}
    big = Cwru(tmp_path).entries({"number": [3001]}).entries[0]
    assert load_entry(big, ["DE"]).rpm == 1797


@pytest.mark.real
def test_a_real_file_under_the_number_of_another(real_data: Path, tmp_path: Path) -> None:
    shutil.copy(real_data / "cwru" / "12k_DE" / "105.mat", tmp_path / "106.mat")
    said = (
        r"106\.mat is recording 106 \(12k_DE, IR007, 1 hp\) by its name, but its bytes are those "
        r"of 105 \(12k_DE, IR007, 0 hp\); give it the number 105"
    )
    with pytest.raises(FaultdiagError, match=said):
        names(tmp_path)


def test_a_specimen_is_one_seeded_fault_whatever_recorded_it() -> None:
    specimens: dict[str, set[tuple[str, ...]]] = {}
    for known in catalogue().values():
        row = known.facts
        fault = (row["end"], row["code"], row["size"] or "")
        specimens.setdefault(row["specimen"], set()).add(fault)
    assert all(len(faults) == 1 for faults in specimens.values())
    assert len(specimens) == 1 + 11 + 9
    assert {catalogue()[n].facts["specimen"] for n in (97, 98, 99, 100)} == {"N"}
    # 12 and 48 kHz, three clock positions, four loads.
    same = (130, 135, 144, 156, 133)
    assert {catalogue()[n].facts["specimen"] for n in same} == {"DE-OR-007"}
