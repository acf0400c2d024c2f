"""MFPT and UESTC: recordings known by their names or their bytes."""

import hashlib
import re
import shutil
from pathlib import Path

import pytest

from faultdiag.datasets import DATASETS
from faultdiag.datasets import published as module
from faultdiag.datasets.identify import identify
from faultdiag.datasets.load import load_entry
from faultdiag.datasets.mfpt import Mfpt
from faultdiag.datasets.published import Facts, PublishedDataset, PublishedFile, PublishedSet
from faultdiag.datasets.uestc import Uestc
from faultdiag.errors import FaultdiagError
from faultdiag.signal.bearings import get_bearing


def write(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return root


def test_the_facts_of_mfpt() -> None:
    facts = {row["name"]: row for row in Mfpt.published.documented()}
    assert len(facts) == 20
    assert facts["InnerRaceFault_vload_2"] == {
        "name": "InnerRaceFault_vload_2",
        "fault": "inner",
        "code": "IR",
        "load_lbs": 50,
        "rpm": 1500,
        "sampling_rate": 48828,
        "bearing": "NICE",
    }
    loads = [row["load_lbs"] for row in facts.values() if row["code"] == "IR"]
    assert loads == [0, 50, 100, 150, 200, 250, 300]
    fast = {name for name, row in facts.items() if row["sampling_rate"] == 97656}
    assert fast == {f"{kind}_{i}" for kind in ("baseline", "OuterRaceFault") for i in (1, 2, 3)}
    assert [file.is_archive for file in Mfpt.published.files] == [True, *[False] * 4]
    # The file's own BPFO, BPFI and BSF, at 25 Hz.
    orders = get_bearing(facts["baseline_1"]["bearing"]).frequencies(1500)
    assert orders.bpfo == pytest.approx(81.125, abs=0.01)
    assert orders.bpfi == pytest.approx(118.875, abs=0.01)
    assert orders.bsf == pytest.approx(63.91, abs=0.05)


def test_files_are_found_by_their_names_in_any_folder(tmp_path: Path) -> None:
    root = write(tmp_path, "1/Baseline_1.mat", "OuterRaceFault_vload_3.mat", "6/world.mat")
    selection = Mfpt(root).entries({})
    assert [(e.name, e.sampling_rate, e.rpm) for e in selection.entries] == [
        ("baseline_1", 97656.0, 1500.0),
        ("OuterRaceFault_vload_3", 48828.0, 1500.0),
    ]
    assert selection.notes == ["left out, being no known recordings of MFPT: 6/world.mat"]
    assert selection.missing == []
    chosen = Mfpt(root).entries({"code": ["N"]})
    assert [e.name for e in chosen.entries] == ["baseline_1"]
    assert chosen.missing == ["baseline_2", "baseline_3"]
    with pytest.raises(FaultdiagError, match="holds none of the 7 recordings of MFPT selected: In"):
        Mfpt(root).entries({"code": ["IR"]})
    assert Mfpt(root).facts["code"] == ("IR", "N", "OR")


def test_the_facts_of_uestc_are_in_its_names(tmp_path: Path) -> None:
    root = write(tmp_path, "uestc_n_900_2.mat", "x/O_1000_1.mat", "I_1000.mat")
    selection = Uestc(root).entries({})
    assert [dict(e.facts) for e in selection.entries] == [
        {"name": "O_1000_1", "fault": "outer", "code": "OR", "rpm": 1000, "run": 1},
        # Of no documented speed, so behind those that are.
        {"name": "N_900_2", "fault": "normal", "code": "N", "rpm": 900, "run": 2},
    ]
    assert [(e.sampling_rate, e.rpm) for e in selection.entries] == [(None, 1000), (None, 900)]
    assert selection.notes == ["left out, being no known recordings of UESTC: I_1000.mat"]
    with pytest.raises(FaultdiagError, match=r"holds no recording of UESTC; it holds: I_1000\.mat"):
        Uestc(write(tmp_path / "other", "I_1000.mat")).entries({})


def digested(*names: str) -> PublishedSet:
    def parse(path: str) -> list[Facts]:
        name = path.rpartition("/")[2]
        return [_facts(name)] if name in names else []

    return PublishedSet(
        title="Test",
        licence="none",
        citation="none",
        source="nowhere",
        label="{name}",
        parse=parse,
        paths=lambda: names,
        files=[
            PublishedFile(f"{n}.mat", len(n), hashlib.sha256(n.encode()).hexdigest(), "")
            for n in names
        ],
    )


def _facts(name: str) -> dict[str, object]:
    return {"name": name, "rpm": 1}


def test_bytes_tell_a_recording_and_contradict_names(tmp_path: Path) -> None:
    class Test(PublishedDataset):
        published = digested("aa", "bb")

    (tmp_path / "copy.mat").write_bytes(b"aa")
    assert [e.name for e in Test(tmp_path).entries({}).entries] == ["aa"]
    assert Test.published.identify(tmp_path / "copy.mat") == _facts("aa")
    (tmp_path / "aa.mat").write_bytes(b"aa")
    assert len(Test(tmp_path).entries({}).entries) == 1
    (tmp_path / "aa.mat").write_bytes(b"saved anew")
    claimed = f"Test aa is claimed by {tmp_path / 'aa.mat'} and by {tmp_path / 'copy.mat'}, which"
    with pytest.raises(FaultdiagError, match=re.escape(claimed)):
        Test(tmp_path).entries({})
    (tmp_path / "copy.mat").unlink()
    (tmp_path / "aa.mat").write_bytes(b"bb")
    said = r"aa\.mat is Test aa by its name, but its bytes are those of bb; give it that name"
    with pytest.raises(FaultdiagError, match=said):
        Test(tmp_path).entries({})


def test_only_files_of_a_known_length_are_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test_set = digested("aa")
    write(tmp_path, "longer.mat")
    monkeypatch.setattr(module, "sha256", lambda path: pytest.fail(f"{path} was hashed"))
    assert test_set.recognise(tmp_path / "longer.mat") is None
    assert test_set.recognise(tmp_path / "gone.mat") is None


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "channel", "rate"), [("mfpt", "gs", 48828), ("uestc", "Data", 20000)]
)
def test_real_recordings_under_any_name(
    real_data: Path, tmp_path: Path, name: str, channel: str, rate: float
) -> None:
    (tmp_path / "any").mkdir()
    originals = DATASETS.build(name, real_data / name).entries({}).entries
    assert len(originals) == len(list((real_data / name).glob("*.mat")))
    for i, entry in enumerate(originals):
        shutil.copy(entry.path, tmp_path / "any" / f"pump {i}.mat")
        assert identify(entry.path) == entry.facts
    copies = DATASETS.build(name, tmp_path).entries({}).entries
    assert [dict(e.facts) for e in copies] == [dict(e.facts) for e in originals]
    recording = load_entry(copies[0], [channel])
    assert (recording.sampling_rate, recording.rpm) == (rate, copies[0].rpm)
