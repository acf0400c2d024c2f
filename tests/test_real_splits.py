"""Splits across groups of the real recordings."""

from pathlib import Path
from typing import Any

import pytest

from faultdiag.config.schema import Config, parse_config
from faultdiag.errors import FaultdiagError
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.folds import expand
from faultdiag.preparing.prepare import prepare

pytestmark = pytest.mark.real

FAULTS = {"group": ["12k_DE"], "size": ["007", "014", "021"]}


@pytest.fixture
def make(real_data: Path, tmp_path: Path) -> Any:
    def config(split: dict[str, Any], label: str, select: dict[str, Any] = FAULTS) -> Config:
        data = {"root": str(real_data / "cwru"), "prepared": str(tmp_path), "select": select}
        window = {"length": 2048, "stride": 2048}
        return parse_config({"data": {**data, "label": label}, "window": window, "split": split})

    return config


def facts(prepared: Prepared, part: str, fact: str, *, besides: str = "N") -> set[Any]:
    recordings = {segment.recording for segment in prepared.segments(part)}
    rows = [prepared.recordings[number] for number in recordings]
    return {row.facts[fact] for row in rows if row.label != besides}


def test_loads_in_pairs(make: Any) -> None:
    folds = expand(make({"strategy": "across_loads", "folds": "pairs"}, "{code}{size}"))
    assert [fold.name for fold in folds] == [
        f"{a}→{b}" for a in range(4) for b in range(4) if a != b
    ]
    for fold in (folds[0], folds[-1]):
        prepared = prepare(fold.config)
        train, _, test = fold.name
        assert facts(prepared, "train", "load_hp") == {int(train)}
        assert facts(prepared, "valid", "load_hp") == {int(train)}
        assert facts(prepared, "test", "load_hp") == {int(test)}
        assert len(prepared.classes) == len(prepared.windows.of("test").by_recording()) == 9
        assert prepared.audit.shared_samples == 0


def test_each_size(make: Any) -> None:
    folds = expand(make({"strategy": "across_sizes", "folds": "each"}, "{code}"))
    assert [fold.name for fold in folds] == ["007", "014", "021"]
    prepared = prepare(folds[1].config)
    assert facts(prepared, "test", "size") == {"014"}
    assert facts(prepared, "train", "size") == {"007", "021"}
    with pytest.raises(
        FaultdiagError, match=r'no class has two groups of size .*such as "\{code\}"'
    ):
        expand(make({"strategy": "across_sizes", "folds": "each"}, "{code}{size}"))


def test_bearings_with_the_healthy_one_split_within(make: Any) -> None:
    select = {**FAULTS, "group": ["normal", "12k_DE"], "size": [None, *FAULTS["size"]]}
    folds = expand(make({"strategy": "across_bearings", "folds": 3}, "{code}", select))
    tested = []
    for fold in folds:
        prepared = prepare(fold.config)
        test, train = (facts(prepared, part, "specimen") for part in ("test", "train"))
        assert {name.split("-")[1] for name in test} == {"IR", "B", "OR"}
        assert not test & train
        tested += sorted(test)
        healthy = [r.name for r in prepared.recordings if r.label == "N"]
        assert healthy == ["97", "99"]
        assert any(
            note.startswith(
                "split within the recording, because their class has one specimen only: 97, 99;"
            )
            for note in prepared.notes
        )
        assert prepared.audit.shared_samples == 0
    assert len(tested) == len(set(tested)) == 9


def test_the_recorders_of_one_bearing_are_one_group(make: Any) -> None:
    select = {"number": [105, 109, 118, 122, 169, 185]}
    split = {"strategy": "across_bearings", "test": ["DE-IR-007", "DE-B-007"]}
    prepared = prepare(make(split, "{code}", select))
    names = {prepared.recordings[s.recording].name for s in prepared.segments("test")}
    assert names == {"105", "109", "118", "122"}


def test_recordings_dealt_to_four_folds(make: Any) -> None:
    folds = expand(make({"strategy": "across_recordings", "folds": 4}, "{code}{size}"))
    tested = [name for fold in folds for name in fold.config.split.options["test"]]
    assert len(tested) == len(set(tested)) == 36
    for fold in folds:
        prepared = prepare(fold.config)
        assert facts(prepared, "test", "number") == set(map(int, fold.config.split.options["test"]))
        assert not facts(prepared, "test", "number") & facts(prepared, "train", "number")
        assert len(prepared.windows.of("test").by_recording()) == 9


def test_a_healthy_class_of_two_loads_stops_the_pairs_that_lack_it(make: Any) -> None:
    select = {**FAULTS, "group": ["normal", "12k_DE"], "size": [None, *FAULTS["size"]]}
    with pytest.raises(FaultdiagError, match=r"^fold '1→0' of load_hp: the test part has N, which"):
        expand(make({"strategy": "across_loads", "folds": "pairs"}, "{code}", select))
    split = {"strategy": "across_loads", "train": [1], "test": [3]}
    prepared = prepare(make(split, "{code}", select))
    assert prepared.classes == ("B", "IR", "OR")
    assert "3 classes are left, because all of N is left out" in prepared.notes
