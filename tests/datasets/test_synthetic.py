"""The dataset of simulated recordings: CWRU's facts, and never taken for measured ones."""

from pathlib import Path
from typing import Any

import pytest

from faultdiag.datasets import DATASETS
from faultdiag.datasets.cwru import Cwru
from faultdiag.datasets.identify import identify
from faultdiag.datasets.load import load_entry
from faultdiag.datasets.synthetic import Synthetic
from faultdiag.errors import FaultdiagError
from faultdiag.simulation.folder import simulate_folder

# The selection of the design's example config.
SELECT: dict[str, list[Any]] = {
    "group": ["normal", "12k_DE"],
    "size": [None, "007", "014", "021"],
    "clock": [None, 6],
    "load_hp": [0],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("simulated")
    simulate_folder(out, seconds=0.2)
    return out


def test_it_is_registered() -> None:
    assert DATASETS.get("synthetic") is Synthetic
    assert DATASETS.options("synthetic") == {}


def test_what_was_not_asked_for_is_not_missing(folder: Path) -> None:
    everything = Synthetic(folder).entries({})
    assert [entry.name for entry in everything.entries][:2] == ["97", "105"]
    assert everything.missing == []


def test_a_simulated_file_is_known_by_the_mark_of_its_folder(folder: Path, tmp_path: Path) -> None:
    facts = identify(folder / "97.mat")
    assert facts is not None
    assert (facts["sampling_rate"], facts["code"]) == (48000, "N")
    copy = tmp_path / "97.mat"
    copy.write_bytes((folder / "97.mat").read_bytes())
    assert identify(copy) is None


def test_recordings_carry_the_facts_of_those_they_stand_for(folder: Path) -> None:
    simulated = Synthetic(folder).entries(SELECT)
    # The same files taken for measured ones: the catalogue's own facts.
    measured = Cwru(folder).entries(SELECT)
    assert simulated.missing == []
    assert simulated.entries == measured.entries
    assert [entry.facts["code"] for entry in simulated.entries] == ["N", *("IR", "B", "OR") * 3]
    assert {entry.sampling_rate for entry in simulated.entries[1:]} == {12_000.0}
    assert simulated.entries[0].sampling_rate == 48_000.0


def test_only_what_can_be_simulated_can_be_selected(folder: Path) -> None:
    facts = Synthetic(folder).facts
    assert list(facts) == list(Cwru(folder).facts)
    assert facts["clock"] == (None, 6)
    assert facts["size"] == (None, "007", "014", "021")
    assert len(facts["number"]) == 40
    with pytest.raises(FaultdiagError, match=r'select\.group: no recording has "48k_DE"'):
        Synthetic(folder).entries({"group": ["48k_DE"]})


def test_recordings_that_were_not_simulated_are_listed(folder: Path) -> None:
    selection = Synthetic(folder).entries({"size": ["007"], "load_hp": [0, 2]})
    assert [entry.name for entry in selection.entries] == ["105", "118", "130"]
    assert selection.missing == [
        *("107 (12k_DE, IR007, 2 hp)", "120 (12k_DE, B007, 2 hp)"),
        "132 (12k_DE, OR007@6, 2 hp)",
    ]


def test_recordings_load_at_one_rate(folder: Path) -> None:
    for entry in Synthetic(folder).entries({"size": [None, "014"], "load_hp": [0]}).entries:
        recording = load_entry(entry, ["DE", "FE"], 12_000.0)
        assert recording.samples == 2400
        assert recording.channels == ("DE", "FE")
        assert recording.sampling_rate == 12_000.0
        assert recording.rpm is not None
        assert abs(recording.rpm - 1797) <= 2
        assert recording.facts["number"] == int(entry.name)


def test_nothing_selected_is_there(folder: Path) -> None:
    with pytest.raises(
        FaultdiagError,
        match=r"holds none of the 10 recordings selected, among them 100 \(normal, 3 hp\); "
        r"simulated there: 97, 105, 118, ",
    ):
        Synthetic(folder).entries({"load_hp": [3]})


@pytest.mark.parametrize("name", ["measured", "missing"])
def test_measured_recordings_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "measured").mkdir()
    (tmp_path / "measured" / "97.mat").write_bytes(b"measured")
    with pytest.raises(
        FaultdiagError,
        match=rf"{name} has no simulated\.json, so it holds no simulated recordings; "
        r"make some with 'faultdiag simulate --out .*', or take dataset cwru for measured ones",
    ):
        Synthetic(tmp_path / name).entries({})


def test_an_interrupted_simulation_is_refused(tmp_path: Path) -> None:
    simulate_folder(tmp_path, seconds=0.1, sizes=["007"])
    for name in ("118.mat", "130.mat"):
        (tmp_path / name).unlink()
    with pytest.raises(
        FaultdiagError,
        match=r"lacks 118\.mat, one of 2 missing of the 4 recordings that its simulated\.json "
        r"names; complete it with 'faultdiag simulate --out .* --overwrite'",
    ):
        Synthetic(tmp_path).entries({})
